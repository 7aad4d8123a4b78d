"""How the event loop waits for the store: once for a group, however many commits of it are awaited."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import suppress

__all__ = ["Awaiting"]


class Awaiting:
    """Waits for commits, which share a future if they share a transaction; for one event loop."""

    def __init__(self) -> None:
        self._newest: Future[None] | None = None
        self._written = asyncio.Event()

    async def __call__(self, durable: Future[None]) -> None:
        """Return once the commit is durable; raises what its future raises."""
        if not durable.done():
            await self._event(durable).wait()
        durable.result()

    def _event(self, durable: Future[None]) -> asyncio.Event:
        if self._newest is not durable:
            written, loop = asyncio.Event(), asyncio.get_running_loop()

            def wake(_: Future[None]) -> None:
                with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(written.set)

            self._newest, self._written = durable, written
            durable.add_done_callback(wake)
        return self._written
