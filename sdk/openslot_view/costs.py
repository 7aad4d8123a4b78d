"""Which occluders cost a slot most: each suspect is taken away, and the same visits are counted again."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from openslot_spec.exposures import WhyNot
from openslot_spec.profiles import Profile
from openslot_view.blame import hiders
from openslot_view.exposure import Samples
from openslot_view.gates import Gates
from openslot_view.occluders import Occluders
from openslot_view.plan import Forecast, expose, look
from openslot_view.surfaces import Surfaces
from openslot_view.visibility import measure
from openslot_view.visits import Visits

__all__ = ["Cost", "costs"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SUSPECTS = 8
_ROWS = 2000  # obstructed samples measured again, of one slot
_ASKED = 64  # of them that say what hid the slot
_NAMED = 4


@dataclass(frozen=True, slots=True)
class Cost:
    """What a slot would gain without one occluder, all else standing.

    `counted_share` is of all visits, `exposure_ms` a visit, `visible_fraction` the mean over obstructed samples. Where
    two things hide the same part, taking one away gains nothing.
    """

    owner: int
    counted_share: float
    exposure_ms: float
    visible_fraction: float


def costs(
    visits: Visits, surfaces: Surfaces, slot: int, occluders: Occluders, profile: Profile, *, backend: str = "auto"
) -> tuple[Cost, ...]:
    """Return the occluders with an owner that cost surface `slot` most, worst first.

    About 2,000 obstructed samples are measured again; suspects are those that hide most in a few of them.
    """
    gates = Gates.of(profile)
    own = int(surfaces.owner[slot])
    seen = look(visits, _copies(surfaces, slot, np.array([own])), occluders, gates, backend)
    visits, seen = _first(visits, seen)
    rows = np.flatnonzero(seen.why == WhyNot.OBSTRUCTED)
    suspects = _suspects(visits, _evenly(rows, _ASKED), surfaces, slot, occluders)
    if not len(suspects):
        return ()
    copies = _copies(surfaces, slot, suspects)
    # a copy's owner is the suspect it does without, so the slot's own mesh is taken away instead
    stands = occluders if own < 0 else occluders.without(own)
    again = measure(visits.cameras(rows), copies, stands, gates=gates, backend=backend)
    viewer, copy = np.indices((len(rows), len(suspects)), np.int64).reshape(2, -1)
    freed = Samples.of(again, copies, (viewer, copy))
    before = expose(visits, seen, profile)
    after = expose(visits, _replaced(seen, rows, freed, len(suspects)), profile)
    gained = freed.visible_fraction.reshape(len(rows), -1) - seen.visible_fraction[rows, None]
    return _ranked(suspects, before, after, gained)


def _first(visits: Visits, seen: Samples) -> tuple[Visits, Samples]:
    """Return the first visits that hold together enough obstructed samples, and their samples."""
    obstructed = np.concatenate([[0], np.cumsum(seen.why == WhyNot.OBSTRUCTED)])[visits.start]
    end = min(len(visits), max(1, int(np.searchsorted(obstructed, _ROWS))))
    return visits.part(0, end), seen.take(np.arange(visits.start[end]))


def _evenly(rows: Ints, count: int) -> Ints:
    return rows[:: max(1, -(-len(rows) // count))]


def _copies(surfaces: Surfaces, slot: int, owners: Ints) -> Surfaces:
    """Return one surface once per owner; each is not hidden by the owner it has."""
    facets = slice(surfaces.start[slot], surfaces.start[slot + 1])
    count, number = len(owners), int(surfaces.start[slot + 1] - surfaces.start[slot])
    return Surfaces(
        np.tile(surfaces.corners[facets], (count, 1, 1)),
        np.tile(surfaces.sides[facets], count),
        np.arange(count + 1) * number,
        np.repeat(surfaces.two_sided[slot], count),
        owners,
    )


def _suspects(visits: Visits, rows: Ints, surfaces: Surfaces, slot: int, occluders: Occluders) -> Ints:
    """Return the owners that hide most of the slot in these samples; things without an owner cannot be taken away."""
    shares: defaultdict[int, float] = defaultdict(float)
    cameras = visits.cameras(rows)
    for hidden in hiders(cameras, surfaces, occluders, np.arange(len(rows)), np.full(len(rows), slot)):
        for hider in hidden:
            shares[hider.owner] += hider.hidden_fraction
    shares.pop(-1, None)
    return np.array(sorted(shares, key=lambda owner: -shares[owner])[:_SUSPECTS], np.int64)


def _replaced(seen: Samples, rows: Ints, freed: Samples, width: int) -> Samples:
    """Return the samples once per suspect, those of `rows` as they are without it."""
    at = (rows[:, None] * width + np.arange(width)).ravel()
    columns = []
    for each in fields(Samples):
        column = np.repeat(getattr(seen, each.name), width)
        column[at] = getattr(freed, each.name)
        columns.append(column)
    return Samples(*columns)


def _ranked(suspects: Ints, before: Forecast, after: Forecast, gained: Floats) -> tuple[Cost, ...]:
    counted = (after.why == WhyNot.COUNTED).mean(axis=0) - (before.why == WhyNot.COUNTED).mean(axis=0)
    exposure = (after.exposure_ms - before.exposure_ms).mean(axis=0)
    rows = zip(suspects.tolist(), counted.tolist(), exposure.tolist(), gained.mean(axis=0).tolist(), strict=True)
    found = [Cost(*row) for row in rows if row[3] > 1e-6]
    found.sort(key=lambda cost: (-cost.counted_share, -cost.exposure_ms, -cost.visible_fraction))
    return tuple(found[:_NAMED])
