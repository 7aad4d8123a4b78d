"""What a world holds: slots and cameras in, ads and what is seen of them out; events flow by themselves.

scene ──load──▶ placing ──▶ link ──▶ server        tick(cameras) ──▶ meter ──▶ batches ──▶ outbox ──▶ link ──▶ server
                   └─▶ cache ──▶ show(slot, ad)                                              └─▶ spool
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_sdk.acting import FeedbackKind, feedback, interaction, offered
from openslot_sdk.ads import Ad, Change
from openslot_sdk.batches import batches, drafts_of, events_per_batch
from openslot_sdk.cache import Cache
from openslot_sdk.clock import Clock
from openslot_sdk.link import Caller, Link, Listener
from openslot_sdk.meter import Look, Meter, Moving, Screen, Seen
from openslot_sdk.outbox import Outbox
from openslot_sdk.outside import addresses
from openslot_sdk.placing import Placing
from openslot_sdk.proofs import Proofs
from openslot_sdk.scenes import Scene, Triangles, with_ads
from openslot_sdk.settings import Settings
from openslot_sdk.spool import Spool
from openslot_sdk.stage import Stage
from openslot_sdk.stats import EventStats, SlotStats, Stats
from openslot_sdk.turns import Budget
from openslot_sdk.views import Playing
from openslot_sdk.warm import warm_up
from openslot_sdk.witness import Witness, commit
from openslot_spec.actions import Action
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import WhyNot
from openslot_spec.limits import Limits
from openslot_spec.messages import Placement, ReportReason, Welcome
from openslot_spec.slots import Slot
from openslot_view.cameras import Camera

if TYPE_CHECKING:
    from openslot_gltf import Mode

__all__ = ["Show", "World"]

Show = Callable[[str, Ad | None], None]
"""Draws this ad in the slot from now on, or takes down what hangs there."""
FIRST_TRY_S = 3.0
SETTLE_S = 5.0
DRAIN_S = 3.0
PULSE_S = 0.25
FLUSH_MS = 1_000.0


class World:
    """A world at a placement server, entered with `async with`. It belongs to the event loop it was entered in.

    Args:
        server: like `ws://127.0.0.1:8700`.
        key: the world's API key.
        name: the world's name at the server.
        spool: the file in which events wait; every world needs its own.
        show: called in `tick` with a slot and the ad to draw there, or None to take it down. The ad counts as shown
            when this has returned. A world that draws `ads` by itself leaves it out.
        settings: the rest.

    Entering raises `KEY_UNKNOWN`, `ROLE_FORBIDDEN`, `UNSUPPORTED_VERSION`, `CONFIG_INVALID` or `STORAGE_FAILED`; the
    first three may also come later and are then raised once, by `load` or `tick`. A server that is away is no error:
    the world goes on, events wait in the spool, `online` says so, and `on_problem` hears why, once.
    """

    def __init__(
        self,
        server: str,
        *,
        key: str,
        name: str,
        spool: str | Path,
        show: Show | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._settings = settings or Settings()
        outside, (socket, root) = self._settings.outside, addresses(server)
        self._spool, self._disk = str(spool), outside.disk()
        self._show = show
        self._clock = Clock(outside.wall_ms)
        budget = Budget(outside.work_ms, self._settings.tick_budget_ms)
        self._meter = Meter(
            speed_max_mps=self._settings.speed_max_mps, budget=budget, heat_cells=self._settings.heat_cells
        )
        cache = Cache(self._settings.cache, root, outside, self._in_use, self._settings.cache_limit_bytes)
        self._placing = Placing(self._meter, cache, self._clock.now_ms, outside.entropy, self._settings.on_problem)
        duties = (self._keep_filled, self._deliver, self._testify)
        self._link = Link(
            Caller(socket, key, name), outside, Listener(duties, self._placing.push, self._settings.on_problem)
        )
        self._outbox: Outbox | None = None
        self._witness: Witness | None = None
        self._limits = Limits()
        self._flushed_ms = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._loading = asyncio.Lock()
        self._flushing = asyncio.Lock()
        self._scenes: list[Scene] = []
        self._stage = Stage()
        self._ads: dict[tuple[str, str | None], Ad] = {}
        self._refused: frozenset[str] = frozenset()
        self._refusal_raised = False
        self._closed = False

    async def __aenter__(self) -> Self:
        self._clock.start()
        settings = self._settings
        try:
            spool, proofs = await settings.outside.aside(self._open)
            self._witness = Witness(proofs, settings.outside, settings.on_problem)
            self._outbox = Outbox(spool, settings.outside, settings.on_problem, self._witness)
            purge = self._witness.purge(self._clock.now_ms)
            work = (self._link.run(), self._outbox.store(), self._pulse(), self._warm(), purge)
            self._tasks = [asyncio.create_task(each) for each in work]
            await _at_most(FIRST_TRY_S, self._link.first_try())
            self._raise_refusal()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def online(self) -> bool:
        """Whether the server is there."""
        return self._link.ready

    @property
    def slots(self) -> Mapping[str, Slot]:
        """The slots, by id."""
        return self._placing.slots

    @property
    def ads(self) -> tuple[Ad, ...]:
        """What hangs now."""
        return tuple(self._ads.values())

    def ad(self, slot: str, viewer: str | None = None) -> Ad | None:
        """Return what hangs in a slot; name the viewer where each sees something else."""
        return self._ads.get((slot, viewer))

    async def load(self, scene: str | Path | bytes, hides: Mapping[str, Mode] | None = None) -> tuple[Slot, ...]:
        """Take the slots of a glTF scene and what stands round them, ask for ads, and return the slots.

        `hides` says of nodes, by name, how they and all below them hide: "opaque", "ignore" or "cutout" (by the alpha
        of their texture). Without it the scene says, by its extras and its materials.

        Raises:
            OpenSlotError: `FILE_NOT_FOUND`, `GLTF_NOT_READ`, `GLTF_REFUSED`, `SCENE_WITHOUT_SLOTS`, `SLOT_DUPLICATE` or
                another fault of a slot, `GEOMETRY_INVALID`, or `ARGUMENT_INVALID` for `hides`; nothing is taken then.
        """
        return await self._take(await self._settings.outside.aside(partial(Scene.read, scene, hides)))

    async def add(self, slots: Sequence[Slot], occluders: Triangles | None = None) -> tuple[Slot, ...]:
        """Take slots, and what stands round them, from an engine; as `load`."""
        return await self._take(await self._settings.outside.aside(partial(Scene.of, slots, occluders)))

    def put(self, name: str, thing: Triangles, place: ArrayLike) -> None:
        """Let a thing stand there from the next tick on, instead of the one of this name.

        `place` is a position or a 4×4 from the thing's own metres to the world's. Its tree is built once, here; what
        else stands there is not touched, also when it moves. Raises `GEOMETRY_INVALID`.
        """
        self._stage.put(name, thing.mesh(), place)

    def put_person(self, name: str, position: ArrayLike, *, height: float = 1.8, radius: float = 0.28) -> None:
        """Let somebody stand on `position`, an upright capsule; as `put`."""
        self._stage.put_person(name, position, height, radius)

    def move(self, name: str, place: ArrayLike) -> None:
        """Let a thing or a person stand elsewhere; raises `GEOMETRY_INVALID`, also for one that is not there."""
        self._stage.move(name, place)

    def remove(self, name: str) -> None:
        """Take a thing or a person away, if it is there."""
        self._stage.remove(name)

    def tick(
        self,
        viewers: Mapping[str, Camera | Look],
        moving: Moving | None = None,
        playing: Mapping[Screen, Playing] | None = None,
    ) -> Seen:
        """Return what the viewers see now; call it at each frame, or at least four times a second.

        Args:
            viewers: by any name; names stay here. Who is left out is away. Two eyes, or several monitors, are one
                `Look`. A camera that makes no sense stops the measurement of its viewer alone and is said in
                `Seen.refused`.
            moving: vertices (n, 3) in world metres and triangles (m, 3) of what stands before ads just now.
            playing: where the videos stand that play now, by slot, or by slot and viewer where each sees something
                else; `Seen.watched` says for which of them somebody is there.
        """
        for change in self.take_changes():
            if self._show is not None:
                self._show(change.slot, change.ad)
            self.confirm(change)
        return self.measure(viewers, moving, playing)

    def take_changes(self) -> list[Change]:
        """Return what is to be shown or taken down: the first third of a `tick`."""
        self._raise_refusal()
        self._placing.expire()
        return self._placing.take_changes()

    def confirm(self, change: Change) -> None:
        """Take note that a change was made: the second third."""
        place = change.slot, change.viewer
        if change.ad is None or change.placement is None:
            self._ads.pop(place, None)
        elif change.placement.expires_ms > self._clock.now_ms():
            self._ads[place] = change.ad
            self._meter.place(change.placement, self._clock.now_ms())

    def measure(
        self,
        viewers: Mapping[str, Camera | Look],
        moving: Moving | None = None,
        playing: Mapping[Screen, Playing] | None = None,
    ) -> Seen:
        """Return what the viewers see now: the last third."""
        looks = {name: view if isinstance(view, Look) else Look(view) for name, view in viewers.items()}
        self._meter.set_occluders(self._stage.occluders)
        assert self._witness is not None, "entered first"  # noqa: S101
        self._witness.wanted |= any(look.consented for look in looks.values())
        self._meter.geometry = self._witness.geometry
        seen = self._meter.tick(self._clock.now_ms(), looks, moving, playing)
        for name in seen.refused.keys() - self._refused:
            self._settings.on_problem(seen.refused[name])
        self._refused = frozenset(seen.refused)
        self._placing.meet(self._meter.audience.present)
        return seen

    def heat(self, slot: str) -> NDArray[np.float64]:
        """Return (n, n) milliseconds for which each part of the slot's ads was seen, by all viewers, so far.

        Row 0 is at the bottom, column 0 at the left; n is `Settings.heat_cells`. Time counts as for the slot's profile,
        between two samples that pass. Raises `SLOT_UNKNOWN`, or `CONFIG_INVALID` without that setting.
        """
        return self._meter.heat(slot)

    async def act(self, slot: str, viewer: str, action: str) -> Action | None:
        """Return an action of what hangs in the slot once the viewer agreed to it; None if they did not.

        `Settings.confirm` asks them. The event is on its way then, and the world does what the action says: opens the
        page or the portal, shows the product's card, keeps the wish.

        Raises:
            OpenSlotError: `CREATIVE_UNKNOWN` if nothing hangs there for this viewer, `ACTION_UNKNOWN`, or
                `CONFIG_INVALID` without `Settings.confirm`.
        """
        placement, number, ad = self._shown_to(slot, viewer)
        chosen, at_ms = offered(placement, action), int(self._clock.now_ms())
        if self._settings.confirm is None:
            raise OpenSlotError(Code.CONFIG_INVALID, "nobody asks the viewer", where="confirm")
        agreed = await self._settings.confirm(viewer, ad, chosen)
        if not agreed or self._placing.is_revoked(placement.creative.sha256):
            return None
        assert self._outbox is not None  # noqa: S101  entered first
        self._outbox.put(interaction(placement, number, chosen, at_ms, self._settings.outside.entropy))
        return chosen

    def say(self, slot: str, viewer: str, kind: FeedbackKind, reason: ReportReason | None = None) -> None:
        """Pass on what a viewer thinks of an ad, of their own will; the server does not learn who it was.

        Raises `CREATIVE_UNKNOWN` if nothing hangs there for this viewer.
        """
        placement, *_ = self._shown_to(slot, viewer)
        assert self._outbox is not None, "entered first"  # noqa: S101
        said = feedback(placement, kind, reason, int(self._clock.now_ms()), self._settings.outside.entropy)
        self._outbox.put(said)

    async def embed(self, *slots: str) -> bytes:
        """Return the loaded scene as GLB with the ads of `slots` in it, or with all that hang for everybody.

        Raises:
            OpenSlotError: `SLOT_UNKNOWN` for a slot of no loaded scene, `CREATIVE_UNKNOWN` for an empty one,
                `CREATIVE_REFUSED` for an ad that cannot be merged.
        """
        scene = self._scene_of(slots)
        ads = [self._ads[slot, None] for slot in slots if (slot, None) in self._ads]
        if len(ads) < len(slots):
            raise OpenSlotError(Code.CREATIVE_UNKNOWN, "nothing hangs there now", where=", ".join(slots))
        here = {slot.id for slot in scene.slots}
        ads = ads or [ad for ad in self._ads.values() if ad.slot in here and ad.viewer is None]
        merged: bytes = await self._settings.outside.aside(partial(with_ads, scene, ads))
        return merged

    @property
    def stats(self) -> Stats:
        """What was counted here, to hold against the server's report."""
        assert self._outbox is not None, "entered first"  # noqa: S101
        placing, counts = self._placing, self._outbox.counts
        slots = {
            slot: SlotStats(
                requests=placing.requests[slot],
                filled=placing.filled[slot],
                no_ad={reason.value: count for reason, count in placing.empty[slot].items()},
                rendered=tally.rendered,
                viewable=tally.viewable,
                why_not={why.name.lower(): count for why, count in tally.why.items() if why is not WhyNot.COUNTED},
                video={kind.name.lower(): count for kind, count in tally.video.items()},
                beside=tally.beside,
            )
            for slot, tally in self._meter.tallies().items()
        }
        events = EventStats(
            counts.spooled, counts.acknowledged, counts.accepted, dict(counts.refused), dict(counts.dropped)
        )
        return Stats(slots, events)

    async def close(self) -> None:
        """End every view, put all events into the spool, and give the server a moment to take them."""
        if self._outbox is None or self._closed:
            return
        self._closed = True
        self._meter.close(self._clock.now_ms())
        await self._flush()
        await _at_most(DRAIN_S, self._outbox.stored())
        if self._link.ready:
            await _at_most(DRAIN_S, self._outbox.delivered())
            await _at_most(DRAIN_S, self._outbox.stored())
            await self._link.goodbye()
        await self._stop()

    async def _take(self, scene: Scene) -> tuple[Slot, ...]:
        self._raise_refusal()
        async with self._loading:
            self._meter.check_slots(scene.slots)
            owners = self._stage.add_scene(scene.occluders, scene.owners)
            self._meter.add_slots(scene.slots, owners)
            self._scenes.append(scene)
            assert self._witness is not None, "entered first"  # noqa: S101
            self._witness.stand(self._stage.fixed, zip((slot.id for slot in scene.slots), owners, strict=True))
            self._meter.geometry = None
        self._placing.add(scene.slots)
        if self._link.ready:
            await _at_most(SETTLE_S, self._placing.settled())
            self._raise_refusal()
        return scene.slots

    async def _keep_filled(self, welcome: Welcome) -> None:
        self._clock.follow(welcome.server_time_ms)
        self._limits = welcome.limits
        await self._placing.keep(self._link.request, welcome.limits, self._settings.viewers)

    async def _deliver(self, welcome: Welcome) -> None:
        assert self._outbox is not None  # noqa: S101  there is no link without it
        await self._outbox.deliver(self._link.request, welcome.limits)

    async def _testify(self, welcome: Welcome) -> None:
        assert self._witness is not None  # noqa: S101  there is no link without it
        await self._witness.attend(self._link.request, welcome.limits)

    def _open(self) -> tuple[Spool, Proofs]:
        spool = Spool(self._disk, self._spool, self._settings.spool_limit_bytes)
        proofs = Proofs(self._disk, self._spool + ".evidence", self._settings.evidence_limit_bytes)
        proofs.recover([batch for batch, _ in spool.waiting()])
        return spool, proofs

    async def _pulse(self) -> None:
        while True:
            await asyncio.sleep(PULSE_S)
            self._placing.expire()
            if self._clock.now_ms() >= self._flushed_ms + FLUSH_MS:
                await self._flush()

    async def _flush(self) -> None:
        async with self._flushing:  # what another call has taken is handed in before
            await self._hand_in()

    async def _hand_in(self) -> None:
        assert self._outbox is not None and self._witness is not None  # noqa: S101, PT018
        self._flushed_ms = self._clock.now_ms()
        taken, size, entropy = self._meter.take(), events_per_batch(self._limits), self._settings.outside.entropy
        if withdrawn := self._meter.traces.take_withdrawn():
            self._outbox.withdraw(withdrawn)
            await self._witness.withdraw(withdrawn)
        drafts = {event: draft for event, draft in drafts_of(taken).items() if draft.evidence.viewer not in withdrawn}
        packed = await self._witness.proven(drafts)
        for number, batch in enumerate(batches(taken, size, int(self._flushed_ms), entropy)):
            own = {event - number * size: packed[event] for event in packed if event // size == number}
            self._outbox.put(*commit(batch, own, entropy))

    async def _warm(self) -> None:
        """Use the wanted backend once it has compiled: no tick waits for that."""
        try:
            self._meter.backend = await self._settings.outside.aside(partial(warm_up, self._settings.backend))
        except Exception as error:  # whatever a compiler may dislike here: numpy serves
            self._settings.on_problem(OpenSlotError(Code.INTERNAL, f"{self._settings.backend} backend: {error}"))

    def _raise_refusal(self) -> None:
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                task.result()
        if self._link.refusal is not None and not self._refusal_raised:
            self._refusal_raised = True
            raise self._link.refusal

    def _scene_of(self, slots: tuple[str, ...]) -> Scene:
        for scene in self._scenes:
            if scene.document is not None and {slot.id for slot in scene.slots}.issuperset(slots):
                return scene
        raise OpenSlotError(Code.SLOT_UNKNOWN, f"no loaded scene has {', '.join(slots) or 'slots'}")

    def _shown_to(self, slot: str, viewer: str) -> tuple[Placement, int, Ad]:
        """Return what hangs in a slot for a viewer who is there, their number, and the ad."""
        member = self._meter.audience.present.get(viewer)
        for number, name in ((None, None), (member.number, viewer)) if member else ():
            placement, ad = self._meter.hanging.get((slot, number)), self._ads.get((slot, name))
            if member and placement and ad:
                return placement, member.number, ad
        raise OpenSlotError(Code.CREATIVE_UNKNOWN, f"nothing hangs there for {viewer} now", where=slot)

    def _in_use(self) -> set[str]:
        ads = self._ads.values()
        return {ad.sha256 for ad in ads} | {ad.video.poster.sha256 for ad in ads if ad.video is not None}

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._placing.close()
        if self._outbox is not None:
            self._outbox.close()
        self._disk.close()


async def _at_most(seconds: float, work: Coroutine[Any, Any, None]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await work
