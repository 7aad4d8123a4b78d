"""Which places to ask an ad for, and when: an empty one after a while, a filled one shortly before it falls empty."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["EMPTY_MS", "FAILED_MS", "RENEW_MS", "Place", "Wants"]

Place = tuple[str, int | None]
"""A slot and, where each viewer sees something else, the viewer's number."""
EMPTY_MS = 30_000
"""After "no ad" a slot is asked for again."""
FAILED_MS = 5_000
"""The same after a request or a fetch that failed, and for a request whose answer does not come."""
RENEW_MS = 10_000
"""So long before a placement ends the next one is asked for, at most a fifth of its life."""


class Wants:
    """Pure: the caller asks for what is `due` and tells what came of it. Times in ms."""

    def __init__(self) -> None:
        self._ask_ms: dict[Place, float] = {}
        self._asked: dict[Place, None] = {}

    def add(self, places: Iterable[Place], now_ms: float) -> None:
        """Ask for these at once, if they are new."""
        for place in places:
            self._ask_ms.setdefault(place, now_ms)

    def forget(self, places: Iterable[Place]) -> None:
        """Never ask for these again."""
        for place in places:
            self._ask_ms.pop(place, None)
            self._asked.pop(place, None)

    def due(self, now_ms: float) -> dict[int | None, list[str]]:
        """Return the slots to ask for now by viewer; they are not due again before `FAILED_MS` have passed."""
        found: dict[int | None, list[str]] = {}
        for (slot, viewer), ask_ms in self._ask_ms.items():
            if ask_ms <= now_ms:
                found.setdefault(viewer, []).append(slot)
                self._asked[slot, viewer] = None
                self._ask_ms[slot, viewer] = now_ms + FAILED_MS
        return found

    def again(self, now_ms: float) -> None:
        """Ask at once for what was asked on a connection that ended without an answer."""
        for place in tuple(self._asked):
            self._later(place, now_ms)

    def filled(self, place: Place, expires_ms: float, now_ms: float) -> None:
        """Ask again shortly before this placement ends."""
        self._later(place, max(now_ms + FAILED_MS, expires_ms - min(RENEW_MS, (expires_ms - now_ms) / 5)))

    def empty(self, place: Place, now_ms: float) -> None:
        """Ask again after a while."""
        self._later(place, now_ms + EMPTY_MS)

    def lost(self, place: Place, now_ms: float) -> None:
        """Ask again at once: what hung there was taken down."""
        self._later(place, now_ms)

    def _later(self, place: Place, ask_ms: float) -> None:
        self._asked.pop(place, None)
        if place in self._ask_ms:
            self._ask_ms[place] = ask_ms
