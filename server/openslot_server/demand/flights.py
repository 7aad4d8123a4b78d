"""When line items start and end: a heap of moments that are still to come."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

__all__ = ["Moments"]


class Moments:
    """Names, each due at one or more times."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        self._known: set[tuple[int, str]] = set()

    def add(self, at_ms: int, name: str) -> None:
        """Make a name due at a time; twice is once."""
        if (at_ms, name) not in self._known:
            self._known.add((at_ms, name))
            heapq.heappush(self._heap, (at_ms, name))

    def due(self, now_ms: int) -> Iterator[str]:
        """Yield the names whose time has come, and forget them."""
        while self._heap and self._heap[0][0] <= now_ms:
            moment = heapq.heappop(self._heap)
            self._known.discard(moment)
            yield moment[1]
