"""How far each world's claims held when they were examined, recounted from stored rows."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Annotated

import msgpack
import numpy as np
from pydantic import Field

from openslot_server.audit.cases import AGAINST, State, read_case
from openslot_server.audit.draw import committed_events
from openslot_server.impressions.verdicts import is_refused
from openslot_server.storage.store import AuditRow, BatchRow, Reader, VerdictRow
from openslot_spec.exposures import EventKind, ExposureColumns
from openslot_spec.records import Record

__all__ = ["Standing", "Standings", "standings"]

Z = 1.96
"""Of a 95 % interval."""
Share = Annotated[float, Field(ge=0, le=1)]


class Standing(Record):
    """One world. Without a decided case nothing is known: trust is 0 … 1 and says so by its interval."""

    world: str
    impressions: int
    """VIEWABLE events that were not refused."""
    committed: int
    """Of all VIEWABLE events, those that carry a commitment: only they can be asked for."""
    asked: int
    waiting: int
    """Asked or revealed, and not decided."""
    proven: int
    inflated: int
    mismatch: int
    replayed: int
    unrevealed: int
    trust: Share
    """Proven ÷ decided."""
    trust_low: Share
    trust_high: Share
    reversed_micros: int
    """What went back to budgets."""


class Standings(Record):
    """Every world that sent events."""

    worlds: Annotated[tuple[Standing, ...], Field(strict=False)]


def standings(reader: Reader) -> Standings:
    """Return how the worlds stand."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in reader.load(BatchRow):
        counts[row.world].update(_of_batch(row))
    for audit in reader.load(AuditRow):
        counts[audit.world].update(("asked", "waiting"))
    for verdict in reader.load(VerdictRow):
        counts[verdict.world].update(dict(_of_verdict(verdict)))
    return Standings(worlds=tuple(_standing(world, count) for world, count in sorted(counts.items())))


def _of_batch(row: BatchRow) -> dict[str, int]:
    packed = msgpack.unpackb(row.columns)
    columns = ExposureColumns.unpack(packed, tickets=len(msgpack.unpackb(row.tickets)))
    taken = ~is_refused(np.frombuffer(row.verdicts, np.uint8))
    impressions = int(np.count_nonzero(taken & (columns.kind == EventKind.VIEWABLE)))
    return {"impressions": impressions, "committed": committed_events(packed, columns)}


def _of_verdict(row: VerdictRow) -> Iterator[tuple[str, int]]:
    state, case = State(row.state), read_case(row)
    yield state.name.lower(), 1
    yield "waiting", -1
    if state in AGAINST and not case.free:
        yield "reversed_micros", case.price_micros


def _standing(world: str, count: Counter[str]) -> Standing:
    low, high = _interval(count["proven"], decided := count["asked"] - count["waiting"])
    names = (name for name in Standing.model_fields if name not in {"world", "trust", "trust_low", "trust_high"})
    return Standing(
        world=world,
        trust=count["proven"] / max(decided, 1),
        trust_low=low,
        trust_high=high,
        **{name: count[name] for name in names},
    )


def _interval(proven: int, decided: int) -> tuple[float, float]:
    """Return Wilson's interval of a share; of nothing it is everything."""
    if not decided:
        return 0.0, 1.0
    share = proven / decided
    middle = (share + Z**2 / (2 * decided)) / (1 + Z**2 / decided)
    half = Z / (1 + Z**2 / decided) * math.sqrt(share * (1 - share) / decided + Z**2 / (4 * decided**2))
    return max(0.0, middle - half), min(1.0, middle + half)
