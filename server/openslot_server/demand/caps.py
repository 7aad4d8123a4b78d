"""Frequency caps: how often a line item was placed today, for whom, where."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from openslot_spec.records import Record

__all__ = ["DAY_MS", "Cap", "Counts", "Where"]

DAY_MS = 24 * 3_600_000


class Cap(Record):
    """At most so many placements of a line item in one day (UTC) for each of something."""

    per: Literal["viewer", "session", "slot", "world", "day"]
    """A viewer of per-viewer slots, within its session; `day` is all of it together."""
    placements: Annotated[int, Field(ge=1, le=1_000_000)]


@dataclass(frozen=True, slots=True)
class Where:
    """What a placement counts for."""

    world: str
    session: str
    slot: str
    viewer: int | None

    def key(self, per: str) -> tuple[object, ...] | None:
        """Return the one of whom a cap speaks; None if there is none."""
        match per:
            case "viewer":
                return None if self.viewer is None else (self.session, self.viewer)
            case "session":
                return (self.session,)
            case "slot":
                return self.world, self.slot
            case "world":
                return (self.world,)
            case _:
                return ()


class Counts:
    """The placements of one day, of line items that have caps."""

    def __init__(self) -> None:
        self._day = 0
        self._placements: Counter[tuple[object, ...]] = Counter()

    def turn(self, now_ms: int) -> None:
        """Forget yesterday."""
        if now_ms // DAY_MS > self._day:
            self._day = now_ms // DAY_MS
            self._placements.clear()

    def add(self, line_item: str, caps: tuple[Cap, ...], where: Where) -> None:
        """Count a placement of today."""
        for cap in caps:
            key = where.key(cap.per)
            if key is not None:
                self._placements[line_item, cap.per, *key] += 1

    def full(self, line_item: str, caps: tuple[Cap, ...], where: Where) -> bool:
        """Return whether one of the caps allows no more."""
        for cap in caps:
            key = where.key(cap.per)
            if key is not None and self._placements[line_item, cap.per, *key] >= cap.placements:
                return True
        return False
