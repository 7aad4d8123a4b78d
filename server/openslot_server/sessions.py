"""Sessions: which world sits at which connection, and which session a world goes on with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from openslot_server.storage.store import SessionRow
from openslot_spec.ids import make_id

__all__ = ["Seat", "Sessions"]


@dataclass(frozen=True, slots=True)
class Seat:
    """Who speaks on a connection."""

    world: str
    session: str


class Sessions:
    """The sessions known here. Viewers are numbered within one, so a world that reconnects should resume its own."""

    def __init__(self, rows: Iterable[SessionRow] = ()) -> None:
        self._worlds = {row.id: row.world for row in rows}

    def take(self, world: str, resume: str | None, now_ms: int, randomness: bytes) -> tuple[Seat, SessionRow | None]:
        """Return the seat, and the row of a new session; no row if the world's own session `resume` goes on."""
        if resume is not None and self._worlds.get(resume) == world:
            return Seat(world, resume), None
        row = SessionRow(make_id(now_ms, randomness).hex(), world, now_ms)
        self._worlds[row.id] = world
        return Seat(world, row.id), row
