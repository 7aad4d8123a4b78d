"""What runs: the rooms together with the store, the clock and the worlds that are connected.

Each method judges, changes the state in memory, and returns once the change is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Protocol

from openslot_server.config import Settings
from openslot_server.rooms import Entropy, Rooms, first_rows, open_rooms, sweep
from openslot_server.service import answer
from openslot_server.sessions import Seat
from openslot_server.storage.awaiting import Awaiting
from openslot_server.storage.store import Row, Store
from openslot_server.storage.turns import Turns
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.messages import Message
from openslot_spec.session import Broadcast

__all__ = ["Clock", "Core", "Listener"]

Clock = Callable[[], int]
"""Milliseconds since 1970-01-01 UTC."""
STOP_S = 5.0


class Listener(Protocol):
    """A connected world."""

    @property
    def key(self) -> str:
        """The sha-256 of the key it said hello with; empty before that."""
        ...

    @property
    def world(self) -> str:
        """The world that said hello; empty before that."""
        ...

    def end(self, why: OpenSlotError) -> None:
        """Say why, and close the connection."""
        ...

    def push(self, broadcast: Broadcast) -> None:
        """Send a message that was not asked for."""
        ...

    async def stop(self) -> None:
        """Say `bye` and return once the connection is closed."""
        ...


class Core:
    """The rooms, and all that it takes to answer for them."""

    def __init__(self, settings: Settings, store: Store, clock: Clock, entropy: Entropy) -> None:
        self.settings = settings
        self.store = store
        self.clock = clock
        self.entropy = entropy
        self.listeners: set[Listener] = set()
        self.awaiting = Awaiting()
        self._turns = Turns(store)
        self._is_broken = False
        with store.read() as reader:
            rows, self.operator_key = first_rows(reader, settings, clock(), entropy)
        store.commit(rows).result()
        with store.read() as reader:
            self.rooms: Rooms = open_rooms(reader, settings, clock(), entropy)
        store.commit(self.rooms.federation.start(clock())).result()

    def answer(self, seat: Seat, message: Message) -> tuple[Message, Future[None]]:
        """Return the answer to a world's request, and when it may be sent.

        Raises:
            OpenSlotError: `INTERNAL` once an answer failed in a way nobody foresaw: what is in memory may then be half
                changed, so nothing is answered until a restart reads what is on disk.
        """
        self.require_sound()
        try:
            reply, rows = answer(self.rooms, seat, message, self.clock())
        except Exception:
            self._is_broken = True
            raise
        return reply, self._turns.commit(rows)

    @property
    def healthy(self) -> bool:
        """Whether requests can be answered and made durable; if not, only a restart helps."""
        return not (self._is_broken or self.store.failed)

    def require_sound(self) -> None:
        """Raise `INTERNAL` or `STORAGE_FAILED` once only a restart helps."""
        if self._is_broken:
            raise OpenSlotError(Code.INTERNAL, "start the server again")
        if self.store.failed:
            raise OpenSlotError(Code.STORAGE_FAILED, "start the server again", where=str(self.settings.database))

    async def take_seat(self, world: str, resume: str | None) -> tuple[Seat, bool]:
        """Return a world's session, and whether it is the earlier one."""
        seat, row = self.rooms.sessions.take(world, resume, self.clock(), self.entropy(10))
        await self.commit([row] if row else [])
        return seat, row is None

    async def sweep(self) -> None:
        """Release what expired placements hold."""
        await self.commit(sweep(self.rooms, self.settings.late_ms, self.clock()))

    async def stop(self) -> None:
        """Say `bye` to every world, and wait for a while until all are gone."""
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await asyncio.gather(*(listener.stop() for listener in tuple(self.listeners)))

    async def commit(self, rows: Sequence[Row]) -> None:
        """Return once the rows are durable; raises `INTERNAL` or `STORAGE_FAILED` once only a restart helps."""
        self.require_sound()
        await self.awaiting(self._turns.commit(rows))
