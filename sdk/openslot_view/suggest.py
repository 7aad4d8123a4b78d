"""Of all places where a board could be put up, those that would earn most, apart from each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_spec.exposures import WhyNot
from openslot_spec.profiles import Profile
from openslot_view.gates import Gates
from openslot_view.occluders import Occluders
from openslot_view.plan import plan
from openslot_view.spots import Spots
from openslot_view.visibility import measure
from openslot_view.visits import Visits

__all__ = ["best_spots"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SPOTS = 2048
_GLANCES = 2000
_GLANCES_AT_ONCE = 1 << 17  # pairs
_VISITS = 64  # that the best few are tried with


def best_spots(
    visits: Visits, spots: Spots, occluders: Occluders, profile: Profile, count: int, *, backend: str = "auto"
) -> Spots:
    """Return at most `count` spots that bring any impression, apart from each other, best first.

    All are ranked by a few thousand glances out of the visits; the best few are then planned in full.
    """
    if not len(spots):
        return spots
    some = spots.take(np.unique(np.linspace(0, len(spots) - 1, min(len(spots), _SPOTS)).round().astype(np.int64)))
    order = np.argsort(-(score := _glanced(visits, some, occluders, profile, backend)), kind="stable")
    few = some.take(_spaced(some, order[score[order] > 0], 4 * count + 8))
    if not len(few):
        return few
    forecast = plan(visits.some(_VISITS), few.surfaces(), occluders, profile, backend=backend)
    counted = (forecast.why == WhyNot.COUNTED).sum(axis=0)
    ranked = np.lexsort((-forecast.exposure_ms.sum(axis=0), -counted))
    return few.take(ranked[counted[ranked] > 0][:count])


def _glanced(visits: Visits, spots: Spots, occluders: Occluders, profile: Profile, backend: str) -> Floats:
    """Return (c,): about how many visits would count, from glances evenly out of all visits."""
    stride = -(-len(visits.eye) // _GLANCES)
    rows = np.arange(0, len(visits.eye), stride)
    visit = np.searchsorted(visits.start, rows, "right") - 1
    surfaces, gates = spots.surfaces(), Gates.of(profile)
    passed, straight = np.zeros((len(visits), len(spots))), np.zeros(len(spots))
    step = max(1, _GLANCES_AT_ONCE // max(1, len(spots)))
    for first in range(0, len(rows), step):
        part = slice(first, first + step)
        seen = measure(visits.cameras(rows[part]), surfaces, occluders, gates=gates, backend=backend)
        counts = seen.why == WhyNot.COUNTED
        np.add.at(passed, visit[part], counts)
        straight += (counts * np.cos(np.radians(seen.angle_deg))).sum(axis=0)
    each_ms = stride * visits.sample_ms
    counted = np.minimum(1.0, passed * each_ms / max(profile.duration_ms, 1))
    # between places that as many visits come by, the one that is seen longer and straighter
    return np.asarray(counted.sum(axis=0) + straight / (2 * len(rows)))


def _spaced(spots: Spots, order: Ints, count: int) -> Ints:
    """Return the first `count` of `order` that are apart from all before them."""
    chosen: list[int] = []
    near = np.zeros(len(spots), np.bool_)
    for at in order.tolist():
        if len(chosen) < count and not near[at]:
            chosen.append(at)
            near |= np.linalg.norm(spots.position - spots.position[at], axis=1) < spots.apart_m
    return np.array(chosen, np.int64)
