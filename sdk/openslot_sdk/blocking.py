"""The same world for code without asyncio: a thread with an event loop of its own behind plain calls.

`show` is called on the caller's thread, inside `tick`, so an engine may draw in it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_sdk import world
from openslot_sdk.acting import FeedbackKind
from openslot_sdk.ads import Ad
from openslot_sdk.meter import Look, Moving, Screen, Seen
from openslot_sdk.scenes import Triangles
from openslot_sdk.settings import Settings
from openslot_sdk.stats import Stats
from openslot_sdk.views import Playing
from openslot_spec.actions import Action
from openslot_spec.messages import ReportReason
from openslot_spec.slots import Slot
from openslot_view.cameras import Camera

if TYPE_CHECKING:
    from openslot_gltf import Mode

__all__ = ["World"]

T = TypeVar("T")


class World:
    """A world at a placement server, entered with `with`; arguments and errors as `openslot_sdk.World`."""

    def __init__(
        self,
        server: str,
        *,
        key: str,
        name: str,
        spool: str | Path,
        show: world.Show | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._world = world.World(server, key=key, name=name, spool=spool, settings=settings)
        self._show = show
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="openslot", daemon=True)
        self._thread.start()
        try:
            self._wait(self._world.__aenter__())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def online(self) -> bool:
        """Whether the server is there."""
        return self._world.online

    @property
    def slots(self) -> Mapping[str, Slot]:
        """The slots, by id."""
        return self._there(lambda: dict(self._world.slots))

    @property
    def ads(self) -> tuple[Ad, ...]:
        """What hangs now."""
        return self._there(lambda: self._world.ads)

    @property
    def stats(self) -> Stats:
        """What was counted here, to hold against the server's report."""
        return self._there(lambda: self._world.stats)

    def ad(self, slot: str, viewer: str | None = None) -> Ad | None:
        """Return what hangs in a slot; name the viewer where each sees something else."""
        return self._there(lambda: self._world.ad(slot, viewer))

    def load(self, scene: str | Path | bytes, hides: Mapping[str, Mode] | None = None) -> tuple[Slot, ...]:
        """Take the slots of a glTF scene and what stands round them, ask for ads, and return the slots."""
        return self._wait(self._world.load(scene, hides))

    def add(self, slots: Sequence[Slot], occluders: Triangles | None = None) -> tuple[Slot, ...]:
        """Take slots, and what stands round them, from an engine; as `load`."""
        return self._wait(self._world.add(slots, occluders))

    def act(self, slot: str, viewer: str, action: str) -> Action | None:
        """Return an action once the viewer agreed to it, see `World.act`; None if they did not."""
        return self._wait(self._world.act(slot, viewer, action))

    def say(self, slot: str, viewer: str, kind: FeedbackKind, reason: ReportReason | None = None) -> None:
        """Pass on what a viewer thinks of an ad, of their own will; the server does not learn who it was."""
        self._there(lambda: self._world.say(slot, viewer, kind, reason))

    def put(self, name: str, thing: Triangles, place: ArrayLike) -> None:
        """Let a thing stand there from the next tick on, instead of the one of this name."""
        self._there(lambda: self._world.put(name, thing, place))

    def put_person(self, name: str, position: ArrayLike, *, height: float = 1.8, radius: float = 0.28) -> None:
        """Let somebody stand on `position`, an upright capsule."""
        self._there(lambda: self._world.put_person(name, position, height=height, radius=radius))

    def move(self, name: str, place: ArrayLike) -> None:
        """Let a thing or a person stand elsewhere."""
        self._there(lambda: self._world.move(name, place))

    def remove(self, name: str) -> None:
        """Take a thing or a person away, if it is there."""
        self._there(lambda: self._world.remove(name))

    def tick(
        self,
        viewers: Mapping[str, Camera | Look],
        moving: Moving | None = None,
        playing: Mapping[Screen, Playing] | None = None,
    ) -> Seen:
        """Return what the viewers see now; call it at each frame, or at least four times a second."""
        for change in self._there(self._world.take_changes):
            if self._show is not None:
                self._show(change.slot, change.ad)
            self._there(partial(self._world.confirm, change))
        return self._there(lambda: self._world.measure(viewers, moving, playing))

    def heat(self, slot: str) -> NDArray[np.float64]:
        """Return (n, n) milliseconds for which each part of the slot's ads was seen, by all viewers, so far."""
        return self._there(lambda: self._world.heat(slot))

    def embed(self, *slots: str) -> bytes:
        """Return the loaded scene as GLB with the ads of `slots` in it, or with all that hang for everybody."""
        return self._wait(self._world.embed(*slots))

    def close(self) -> None:
        """End every view, put all events into the spool, and give the server a moment to take them."""
        if self._loop is not None:
            try:
                self._wait(self._world.close())
            finally:
                self._end()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise RuntimeError("the world is not entered, or closed")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _there(self, work: Callable[[], T]) -> T:
        """Return what `work` gives on the loop's thread; outside of `with` there is no other thread to mind."""
        if self._loop is None:
            return work()

        async def run() -> T:
            return work()

        return self._wait(run())

    def _end(self) -> None:
        loop, thread, self._loop = self._loop, self._thread, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
