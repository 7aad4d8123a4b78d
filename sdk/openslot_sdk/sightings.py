"""What was last measured of every viewer and slot of one profile, and when: slots take turns, viewers come and go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from openslot_view.visibility import Visibility

__all__ = ["Sightings"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_KINDS: dict[str, type[np.generic]] = {"measured": np.bool_, "why": np.uint8}


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """`visibility` is (viewers, slots), and `at_ms` when that was; −inf for a pair that never was measured."""

    viewers: tuple[str, ...]
    visibility: Visibility
    at_ms: Floats

    @classmethod
    def of(cls, viewers: Sequence[str], slots: int) -> Sightings:
        """Return that nothing was measured."""
        shape = len(viewers), slots
        figures = (np.zeros(shape, _KINDS.get(each.name, np.float64)) for each in fields(Visibility))
        return cls(tuple(viewers), Visibility(*figures), np.full(shape, -np.inf))

    def after(self, now_ms: float, viewers: tuple[str, ...], slots: int, chosen: Ints, seen: Visibility) -> Sightings:
        """Return these with the `chosen` of so many slots replaced by what `viewers` saw; others are gone."""
        if len(chosen) == slots:
            return Sightings(viewers, seen, np.full((len(viewers), slots), now_ms))
        fresh = self._arranged(viewers, slots)
        fresh.at_ms[:, chosen] = now_ms
        for each in fields(Visibility):
            getattr(fresh.visibility, each.name)[:, chosen] = getattr(seen, each.name)
        return fresh

    def _arranged(self, viewers: tuple[str, ...], slots: int) -> Sightings:
        """Return a copy with a row for each of `viewers` and room for so many slots."""
        if viewers == self.viewers and self.at_ms.shape[1] == slots:
            figures = (getattr(self.visibility, each.name).copy() for each in fields(Visibility))
            return Sightings(viewers, Visibility(*figures), self.at_ms.copy())
        fresh, before = Sightings.of(viewers, slots), {name: row for row, name in enumerate(self.viewers)}
        to = [row for row, name in enumerate(viewers) if name in before]
        source, width = [before[viewers[row]] for row in to], self.at_ms.shape[1]
        fresh.at_ms[to, :width] = self.at_ms[source]
        for each in fields(Visibility):
            getattr(fresh.visibility, each.name)[to, :width] = getattr(self.visibility, each.name)[source]
        return fresh
