"""One clock for a world: it passes like the event loop's, shows the server's time, and never goes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Clock"]


class Clock:
    """Milliseconds since 1970-01-01 UTC.

    The machine's own wall clock may be wrong or stepped, so it is asked once; from the first `welcome` on the server's
    time holds, for it is what tickets expire by.
    """

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._ahead_ms = 0.0
        self._set_by_server = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._ahead_ms = self._wall_ms() - self._loop_ms()

    def follow(self, server_ms: float) -> None:
        """Take the server's time; after the first time only forward, as after a sleep of the machine."""
        ahead_ms = server_ms - self._loop_ms()
        self._ahead_ms = max(ahead_ms, self._ahead_ms) if self._set_by_server else ahead_ms
        self._set_by_server = True

    def now_ms(self) -> float:
        """Return the time."""
        return self._loop_ms() + self._ahead_ms

    def _loop_ms(self) -> float:
        assert self._loop is not None, "started first"  # noqa: S101  a world starts it on entering
        return self._loop.time() * 1000.0
