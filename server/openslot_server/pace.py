"""A token bucket: how many messages a connection may send, without a clock of its own."""

from __future__ import annotations

__all__ = ["Bucket"]


class Bucket:
    """Lets `per_second` messages through each second, and as many at once after a quiet one."""

    def __init__(self, per_second: int, now_ms: int) -> None:
        self._per_second = per_second
        self._thousandths = per_second * 1_000
        self._at_ms = now_ms

    def take(self, now_ms: int) -> int:
        """Return 0 and let a message through, or return how many milliseconds are missing."""
        gained = max(now_ms - self._at_ms, 0) * self._per_second
        self._thousandths = min(self._thousandths + gained, self._per_second * 1_000)
        self._at_ms = now_ms
        if self._thousandths >= 1_000:
            self._thousandths -= 1_000
            return 0
        return -(-(1_000 - self._thousandths) // self._per_second)
