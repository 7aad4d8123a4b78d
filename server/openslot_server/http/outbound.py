"""What waits to be sent on one connection: bounded in bytes, in order, each answer only after its rows are durable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

from openslot_server.storage.awaiting import Awaiting
from openslot_spec.errors import OpenSlotError

__all__ = ["Outbound"]


class Outbound:
    """A queue with one writer. `overflow` says when a reader is too slow to be kept.

    Args:
        send: writes one frame.
        limit_bytes: of what waits for the reader.
        undurable: answers that may wait for the disk.
        awaiting: waits for them; all connections share it.
    """

    def __init__(
        self, send: Callable[[bytes], Awaitable[None]], limit_bytes: int, undurable: int, awaiting: Awaiting
    ) -> None:
        self.overflow = asyncio.Event()
        self._awaiting = awaiting
        self._send = send
        self._limit_bytes = limit_bytes
        self._waiting_bytes = 0
        self._undurable = asyncio.Semaphore(undurable)
        self._queue: asyncio.Queue[tuple[bytes, Future[None] | None] | None] = asyncio.Queue()

    def put(self, data: bytes) -> None:
        """Send `data` in its turn; beyond the limit nothing is queued and `overflow` is set."""
        self._queue_up(data, None)

    async def put_after(self, data: bytes, durable: Future[None]) -> None:
        """Send `data` once `durable` is done; waits while too many others do, so that a slow disk slows the world."""
        await self._undurable.acquire()
        self._queue_up(data, durable)

    def close(self) -> None:
        """Let the writer end once it has sent what waits."""
        self._queue.put_nowait(None)

    async def run(self) -> OpenSlotError | None:
        """Send until closed; returns why nothing more can be sent: `STORAGE_FAILED`, or None."""
        while (item := await self._queue.get()) is not None:
            data, durable = item
            if durable is not None:
                try:
                    await self._awaiting(durable)
                except OpenSlotError as error:
                    return error
                self._undurable.release()
            await self._send(data)
            self._waiting_bytes -= len(data)
        return None

    def _queue_up(self, data: bytes, durable: Future[None] | None) -> None:
        if self._waiting_bytes + len(data) > self._limit_bytes:
            self.overflow.set()
            return
        self._waiting_bytes += len(data)
        self._queue.put_nowait((data, durable))
