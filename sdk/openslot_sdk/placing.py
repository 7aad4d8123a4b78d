"""Gets ads for a world's slots: registers them, asks in time, fetches creatives, and says what changes on the walls.

slots ──▶ slots.put ──▶ placements.get ──▶ fetch, check ──▶ change ──(the world shows it)──▶ meter
                             ▲                                            expired, revoked ─▶ change
                             └───────────── in time before it expires ◀──┘
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from openslot_sdk.ads import Ad, Change
from openslot_sdk.audience import Member
from openslot_sdk.cache import Cache, poster_of
from openslot_sdk.meter import Meter
from openslot_sdk.wants import Place, Wants
from openslot_sdk.wire import code_of
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.limits import Limits
from openslot_spec.messages import (
    Message,
    NoAd,
    Placement,
    Placements,
    PlacementsGet,
    PlacementsRevoked,
    SlotsAck,
    SlotsPut,
)
from openslot_spec.slots import Slot

__all__ = ["Placing"]

T = TypeVar("T")
Request = Callable[[Message], Awaitable[Message]]
PULSE_S = 0.25
PAUSE_S = 1.0
MAX_REVOKED = 10_000
"""Revoked creatives that are remembered; answers that were decided before so many others were revoked are long here."""
"""After a request that was refused, or a fetch that found nobody."""


class Placing:
    """The ads of one world, from its slots to its walls."""

    def __init__(
        self,
        meter: Meter,
        cache: Cache,
        now_ms: Callable[[], float],
        entropy: Callable[[int], bytes],
        say: Callable[[OpenSlotError], None],
    ) -> None:
        self.slots: dict[str, Slot] = {}
        self.requests: Counter[str] = Counter()
        self.filled: Counter[str] = Counter()
        self.empty: defaultdict[str, Counter[NoAd]] = defaultdict(Counter)
        self._meter = meter
        self._cache = cache
        self._now_ms = now_ms
        self._entropy = entropy
        self._say = say
        self._wants = Wants()
        self._unregistered: dict[str, Slot] = {}
        self._viewers: dict[int, str] = {}
        self._changes: dict[Place, Change] = {}
        self._coming: dict[asyncio.Task[None], Placement] = {}
        self._revoked: dict[str, None] = {}
        self._unanswered: dict[bytes, PlacementsGet] = {}
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()

    def add(self, slots: Sequence[Slot]) -> None:
        """Get ads for these too."""
        self.slots |= {slot.id: slot for slot in slots}
        self._unregistered |= {slot.id: slot for slot in slots}
        self._settled.clear()
        self._wake.set()

    def meet(self, present: dict[str, Member]) -> None:
        """Get ads for these viewers alone where a slot shows each viewer something else."""
        own = [slot.id for slot in self.slots.values() if slot.audience == "per_viewer"]
        viewers = {member.number: name for name, member in present.items()} if own else {}
        for number in [number for number in self._viewers if number not in viewers]:
            self._wants.forget((slot, number) for slot in own)
        for number in [number for number in viewers if number not in self._viewers]:
            self._want([(slot, number) for slot in own if slot not in self._unregistered])
        self._viewers = viewers

    async def keep(self, request: Request, limits: Limits, viewers: int) -> None:
        """Keep the slots registered and filled for as long as one connection stands.

        `viewers` is how many are expected to look at a shared slot before its placement ends.
        """
        self._unregistered = dict(self.slots)  # a server that restarted may have lost them; the same again is no change
        try:
            await self._register(request, limits)
            for body in tuple(self._unanswered.values()):
                await self._get(request, body)
            self._wants.again(self._now_ms())
            while True:
                await self._register(request, limits)
                await self._ask(request, limits, viewers)
                if not self._unregistered:
                    self._settled.set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(PULSE_S):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            self._settled.set()

    async def settled(self) -> None:
        """Return when what was added last has been asked for and fetched, or there is no connection for it."""
        await self._settled.wait()
        if self._coming:
            await asyncio.wait(self._coming)

    def push(self, message: Message) -> None:
        """Take a message that the server sent unasked."""
        if isinstance(message, PlacementsRevoked):
            if message.final:
                self._revoked[message.creative] = None
            self._take_down(message.creative)

    def is_revoked(self, sha256: str) -> bool:
        """Return whether a creative was revoked for good."""
        return sha256 in self._revoked

    def expire(self) -> None:
        """Take down what is over."""
        for placement in self._meter.expire(self._now_ms()):
            self._change(placement, None)

    def take_changes(self) -> list[Change]:
        """Return what is to be shown or taken down since the last call, the last word for each place."""
        changes, self._changes = self._changes, {}
        return list(changes.values())

    async def close(self) -> None:
        """Stop fetching."""
        for task in self._coming:
            task.cancel()
        await asyncio.gather(*self._coming, return_exceptions=True)
        await self._cache.close()

    async def _register(self, request: Request, limits: Limits) -> None:
        while self._unregistered:
            part = [*self._unregistered.values()][: limits.slots_per_message]
            answer = await self._answer(request, SlotsPut(slots=tuple(slot.plain() for slot in part)))
            if not isinstance(answer, SlotsAck):
                continue
            for refused in answer.refused:
                where = part[refused.index].id if refused.index < len(part) else ""
                self._say(OpenSlotError(code_of(refused.code), refused.message, where=where))
            for slot in part:
                self._unregistered.pop(slot.id, None)
            for kept in answer.kept:
                self._want_slot(kept.id)

    def _want_slot(self, slot: str) -> None:
        if slot in self.slots:
            shared = self.slots[slot].audience == "shared"
            self._want([(slot, None)] if shared else [(slot, number) for number in self._viewers])

    def _want(self, places: list[Place]) -> None:
        now_ms = self._now_ms()
        self._wants.add(places, now_ms)
        for place in places:
            if place in self._meter.hanging:
                self._wants.filled(place, self._meter.hanging[place].expires_ms, now_ms)
        self._wake.set()

    async def _ask(self, request: Request, limits: Limits, viewers: int) -> None:
        expected = min(limits.viewers_per_request, max(viewers, len(self._meter.audience.present), 1))
        for viewer, slots in self._wants.due(self._now_ms()).items():
            for part in _parts(slots, limits.slots_per_request):
                self.requests.update(part)
                many = 1 if viewer is not None else expected
                body = PlacementsGet(slots=tuple(part), viewers=many, viewer=viewer, request=self._entropy(16))
                await self._get(request, body)

    async def _get(self, request: Request, body: PlacementsGet) -> None:
        """Ask; what has no answer when the connection ends is asked on the next one as the same request."""
        assert body.request is not None  # noqa: S101  all of ours have one
        self._unanswered[body.request] = body
        answer = await self._answer(request, body)
        del self._unanswered[body.request]
        if isinstance(answer, Placements):
            self._take(answer, body.viewer)

    async def _answer(self, request: Request, body: Message) -> Message | None:
        """Return the answer, or None after a refusal that was said; without a connection this raises."""
        try:
            return await request(body)
        except OpenSlotError as error:
            if error.code in (Code.SERVER_AWAY, Code.ROLE_FORBIDDEN):
                raise
            self._say(error)
            await asyncio.sleep(max(PAUSE_S, error.retry_after_ms / 1000))
            return None

    def _take(self, answer: Placements, viewer: int | None) -> None:
        now_ms = self._now_ms()
        for none in answer.none:
            self.empty[none.slot][none.reason] += 1
            self._wants.empty((none.slot, viewer), now_ms)
        for placement in answer.placements:
            if placement.slot not in self.slots or placement.viewer != viewer:
                self._say(OpenSlotError(Code.UNEXPECTED, "a placement nobody asked for", where=placement.slot))
                continue
            if placement.creative.media_type not in self.slots[placement.slot].accepts.media:  # never fetched
                self._say(OpenSlotError(Code.UNEXPECTED, placement.creative.media_type, where=placement.slot))
                self._wants.empty(_place(placement), now_ms)
                continue
            self.filled[placement.slot] += 1
            if placement.creative.sha256 in self._revoked:  # its end overtook the answer; asked again in a while
                continue
            self._wants.filled(_place(placement), placement.expires_ms, now_ms)
            task = asyncio.create_task(self._bring(placement))
            self._coming[task] = placement
            task.add_done_callback(self._coming.pop)

    async def _bring(self, placement: Placement) -> None:
        while self._now_ms() < placement.expires_ms:
            try:
                poster = poster_of(placement.creative)
                still = None if poster is None else await self._cache.get(poster)
                self._change(placement, await self._cache.get(placement.creative), still)
                return
            except OpenSlotError as error:
                self._say(error)
                if error.code is not Code.SERVER_AWAY:
                    break
            await asyncio.sleep(PAUSE_S)
        self._wants.empty(_place(placement), self._now_ms())

    def _take_down(self, sha256: str) -> None:
        if len(self._revoked) > MAX_REVOKED:
            del self._revoked[next(iter(self._revoked))]
        for task, placement in self._coming.items():
            if placement.creative.sha256 == sha256:
                task.cancel()
                self._wants.lost(_place(placement), self._now_ms())
        self._changes = {
            place: change for place, change in self._changes.items() if change.ad is None or change.ad.sha256 != sha256
        }
        for placement in self._meter.withdraw(sha256, self._now_ms()):
            self._change(placement, None)
            self._wants.lost(_place(placement), self._now_ms())
        self._wake.set()

    def _change(self, placement: Placement, path: Path | None, poster: Path | None = None) -> None:
        """Note that the placement's file is to be shown, or that it is over."""
        place = _place(placement)
        viewer = None if placement.viewer is None else self._viewers.get(placement.viewer)
        if placement.viewer is not None and viewer is None:
            return  # who alone would see it has left
        if path is not None:
            self._changes[place] = Change(placement.slot, viewer, Ad.of(placement, path, viewer, poster), placement)
        else:  # what comes after it may be waiting already
            self._changes.setdefault(place, Change(placement.slot, viewer, None, None))


def _place(placement: Placement) -> Place:
    return placement.slot, placement.viewer


def _parts(items: list[T], size: int) -> Iterator[list[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
