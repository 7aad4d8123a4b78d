"""Those for whom a slot is filled, and the hour: what a line item asks of them is a gate like a slot's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from openslot_server.demand.chunks import Chunk
from openslot_server.demand.dayparts import hour_of_week
from openslot_server.demand.entries import Entry, Feature
from openslot_server.demand.places import Asks, wish
from openslot_server.demand.taxonomy import widened
from openslot_spec.messages import Context

__all__ = ["QUARTER_MS", "Circumstance", "circumstance_of"]

QUARTER_MS = 900_000
"""Local hours begin on quarters of an hour everywhere."""


@dataclass(frozen=True, slots=True, eq=False)
class Circumstance:
    """A context at an hour; known by its identity."""

    asks: Asks

    def admits(self, entry: Entry) -> bool:
        """Return whether a line item wants them, now."""
        return self.asks.admits(entry)

    def match(self, chunk: Chunk) -> int:
        """Return who wants them, now, running or not."""
        return self.asks.match(chunk)


def circumstance_of(context: Context | None, now_ms: int, time_zones: Iterable[str]) -> Circumstance:
    """Return the circumstance of a request; `time_zones` are those in which line items have hours."""
    said = context or Context()
    hours = frozenset[Feature](("hour", name, str(hour_of_week(now_ms, name))) for name in time_zones)
    wishes = (
        wish("language", widened(said.language)),
        wish("region", widened(said.region)),
        wish("device", [said.device] if said.device else []),
        wish("cohort", said.cohorts),
        (("hour",), hours),
    )
    return Circumstance(Asks(wishes))
