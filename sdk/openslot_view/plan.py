"""What slots would earn before anything hangs: visits in, expected impressions out.

Each visit is run through the same gates and the same timer as a real one, with an ad in every slot from its first
moment to its last. So a slot counts at most once a visit, and visits are the independent draws of the intervals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from openslot_spec.exposures import WhyNot
from openslot_spec.profiles import Profile
from openslot_view.exposure import Exposures, Samples
from openslot_view.gates import Gates
from openslot_view.heat import HeatMaps
from openslot_view.occluders import Occluders
from openslot_view.surfaces import Surfaces
from openslot_view.visibility import measure
from openslot_view.visits import Visits

__all__ = ["Forecast", "Interval", "Progress", "expose", "heat", "look", "plan"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Progress = Callable[[float], None]
"""Is told the share of the work that is done."""

_PAIRS_AT_ONCE = 1 << 20  # samples × slots whose figures are held at once
_PAIRS_MEASURED = 1 << 17
_Z = 1.959964  # of 95 %


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the 95 % interval of it over visits."""

    mean: float
    low: float
    high: float

    def times(self, factor: float) -> Interval:
        """Return it in another unit."""
        return Interval(self.mean * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """What became of n visits × s slots: arrays (n, s), `visit_ms` (n,).

    `exposure_ms` is the time for which the gate held, `why` the reason (of `WhyNot`) of a visit that did not count.
    """

    exposure_ms: Ints
    why: NDArray[np.uint8]
    visit_ms: Floats

    def counted_share(self, slot: int) -> Interval:
        """Return the share of visits that bring an impression (Wilson's interval)."""
        count = len(self.visit_ms)
        share = float((self.why[:, slot] == WhyNot.COUNTED).mean())
        middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
        half = _Z / (1 + _Z**2 / count) * float(np.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2)))
        return Interval(share, max(0.0, middle - half), min(1.0, middle + half))

    def exposure(self, slot: int) -> Interval:
        """Return the milliseconds of exposure a visit."""
        each = self.exposure_ms[:, slot]
        mean, longest = float(each.mean()), float(self.visit_ms.max())
        # one visit says nothing of how they differ
        half = _Z * float(each.std(ddof=1)) / float(np.sqrt(len(each))) if len(each) > 1 else longest
        return Interval(mean, max(0.0, mean - half), min(longest, mean + half))

    def visits_per_hour(self) -> float:
        """Return how many visits there are an hour when as many visitors as there are visits are always there."""
        return len(self.visit_ms) * 3_600_000 / float(self.visit_ms.mean())

    def reasons(self, slot: int) -> dict[WhyNot, int]:
        """Return how many visits ended in which way, COUNTED among them."""
        counts = np.bincount(self.why[:, slot], minlength=len(WhyNot))
        return {reason: int(counts[reason]) for reason in WhyNot if counts[reason]}


def _unheard(_share: float) -> None:
    """Nobody asked."""


def plan(
    visits: Visits,
    surfaces: Surfaces,
    occluders: Occluders,
    profile: Profile,
    *,
    backend: str = "auto",
    progress: Progress = _unheard,
) -> Forecast:
    """Return what `visits` would bring to `surfaces` under `profile`."""
    parts, done = [], 0
    for block in visits.blocks(_PAIRS_AT_ONCE // max(1, len(surfaces))):
        samples = look(block, surfaces, occluders, Gates.of(profile), backend)
        parts.append(expose(block, samples, profile))
        done += len(block)
        progress(done / len(visits))
    return Forecast(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Forecast)))


def heat(
    visits: Visits,
    surfaces: Surfaces,
    occluders: Occluders,
    profile: Profile,
    cells: int = 32,
    *,
    backend: str = "auto",
) -> HeatMaps:
    """Return which parts of `surfaces` all `visits` would see, and for how long, in looks that pass `profile`."""
    maps = HeatMaps(surfaces, max_gap_ms=profile.max_gap_ms, cells=cells, backend=backend)
    gates = Gates.of(profile)
    for k in range(int(visits.lengths.max())):
        there = np.flatnonzero(visits.lengths > k)
        cameras = visits.cameras(visits.start[there] + k)
        seen = measure(cameras, surfaces, occluders, gates=gates, backend=backend)
        maps.add(float(k * visits.sample_ms), cameras, occluders, seen.why == WhyNot.COUNTED, there)
    return maps


def look(visits: Visits, surfaces: Surfaces, occluders: Occluders, gates: Gates, backend: str) -> Samples:
    """Return the samples (m × s,) of all pairs, those of one moment side by side."""
    step = max(1, _PAIRS_MEASURED // max(1, len(surfaces)))
    parts = []
    for first in range(0, len(visits.eye), step):
        cameras = visits.cameras(slice(first, first + step))
        seen = measure(cameras, surfaces, occluders, gates=gates, backend=backend)
        pairs = np.indices((len(cameras), len(surfaces)), np.int64).reshape(2, -1)
        parts.append(Samples.of(seen, surfaces, (pairs[0], pairs[1])))
    return Samples(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Samples)))


def expose(visits: Visits, samples: Samples, profile: Profile) -> Forecast:
    """Return what became of each visit and slot, from `samples` as `look` returns them."""
    width = len(samples.idle) // len(visits.eye)
    slots = np.arange(width)
    views = np.arange(len(visits) * width)
    exposures = Exposures(profile)
    exposures.open(views)
    last = int(visits.lengths.max())
    for k in range(last):
        there = np.flatnonzero(visits.lengths > k)
        rows, at = (first[:, None] * width + slots for first in (there, visits.start[there] + k))
        exposures.sample(float(k * visits.sample_ms), rows.ravel(), samples.take(at.ravel()))
    ends = exposures.close(float(last * visits.sample_ms), views)
    shape = (len(visits), width)
    return Forecast(ends.cumulative_ms.reshape(shape), ends.why.reshape(shape), visits.visit_ms)
