"""Token buckets: how many messages or requests may come, without a clock of their own."""

from __future__ import annotations

__all__ = ["Bucket", "Buckets"]


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


class Buckets:
    """A bucket for each name, for the `most` names that were used last; one that is forgotten starts full again."""

    def __init__(self, per_second: int, most: int = 10_000) -> None:
        self._per_second = per_second
        self._most = most
        self._buckets: dict[str, Bucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, name: str, now_ms: int) -> int:
        """Return 0 and let one of `name` through, or return how many milliseconds are missing."""
        bucket = self._buckets.pop(name, None) or Bucket(self._per_second, now_ms)
        if len(self._buckets) >= self._most:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[name] = bucket
        return bucket.take(now_ms)
