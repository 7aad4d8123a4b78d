"""Sessions: which world sits at which connection, and which session a world goes on with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from openslot_server.storage.store import Forgotten, SessionRow
from openslot_spec.ids import make_id

__all__ = ["LIFE_MS", "Seat", "Sessions"]

LIFE_MS = 30 * 24 * 3_600_000
"""For so long a session can be resumed."""
TOLD_MS = 3_600_000
"""How often the store hears what it may forget."""


@dataclass(frozen=True, slots=True)
class Seat:
    """Who speaks on a connection."""

    world: str
    session: str


class Sessions:
    """The sessions known here. Viewers are numbered within one, so a world that reconnects should resume its own."""

    def __init__(self, rows: Iterable[SessionRow] = ()) -> None:
        self._rows = {row.id: row for row in rows}
        """In the order in which they were opened."""
        self._told_ms = 0

    def take(self, world: str, resume: str | None, now_ms: int, randomness: bytes) -> tuple[Seat, SessionRow | None]:
        """Return the seat, and the row of a new session; no row if the world's own session `resume` goes on."""
        known = self._rows.get(resume) if resume is not None else None
        if known is not None and known.world == world:
            return Seat(world, known.id), None
        row = SessionRow(make_id(now_ms, randomness).hex(), world, now_ms)
        self._rows[row.id] = row
        return Seat(world, row.id), row

    def forget(self, now_ms: int) -> list[Forgotten]:
        """Drop the sessions whose life is over; now and then returns word of them for the store.

        Whoever sits in one goes on in it, and its tickets hold: they name their session themselves.
        """
        before_ms = max(0, now_ms - LIFE_MS)
        while self._rows and next(iter(self._rows.values())).opened_ms < before_ms:
            del self._rows[next(iter(self._rows))]
        if now_ms < self._told_ms + TOLD_MS:
            return []
        self._told_ms = now_ms
        return [Forgotten(SessionRow.TABLE, before_ms)]
