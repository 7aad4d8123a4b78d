"""What waits to be sent on one connection: bounded in bytes, in order, each answer only after its rows are durable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

from openslot_spec.errors import OpenSlotError

__all__ = ["Outbound"]


class Outbound:
    """A queue with one writer. `overflow` says when a reader is too slow to be kept."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]], limit_bytes: int) -> None:
        self.overflow = asyncio.Event()
        self._send = send
        self._limit_bytes = limit_bytes
        self._waiting_bytes = 0
        self._queue: asyncio.Queue[tuple[bytes, Future[None] | None] | None] = asyncio.Queue()

    def put(self, data: bytes, after: Future[None] | None = None) -> None:
        """Send `data` once `after` is done; beyond the limit nothing is queued and `overflow` is set."""
        if self._waiting_bytes + len(data) > self._limit_bytes:
            self.overflow.set()
            return
        self._waiting_bytes += len(data)
        self._queue.put_nowait((data, after))

    def close(self) -> None:
        """Let the writer end once it has sent what waits."""
        self._queue.put_nowait(None)

    async def run(self) -> OpenSlotError | None:
        """Send until closed; returns why nothing more can be sent: `STORAGE_FAILED`, or None."""
        while (item := await self._queue.get()) is not None:
            data, after = item
            try:
                if after is not None:
                    await asyncio.wrap_future(after)
            except OpenSlotError as error:
                return error
            await self._send(data)
            self._waiting_bytes -= len(data)
        return None
