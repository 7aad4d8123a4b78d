"""Boards that hang in front of one another, from the catalogue's geometry.

Of two slots that face the same way, one is *stacked* if the other lies before it, no further than the rule's distance,
and covers at least the rule's share of it; of two in one plane, the one with the later name is. A two-sided slot can be
stacked only by one in its plane.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from openslot_server.impressions.traffic import Stacked
from openslot_spec.slots import Slot
from openslot_view import Surfaces
from openslot_view.polygons import Polygons, clip, signed_area

__all__ = ["Boards"]

Floats = NDArray[np.float64]
SAME_PLANE_M = 1e-3


class Boards:
    """The slots of one world, held against one rule."""

    def __init__(self, slots: Sequence[Slot], rule: Stacked) -> None:
        self._rule = rule
        self._ordered = sorted(slots, key=lambda slot: slot.id)
        self._places = {slot.id: place for place, slot in enumerate(self._ordered)}
        self._stacked: dict[str, bool] = {}

    def is_stacked(self, slot: str) -> bool:
        """Return whether another board hides this one; False for a slot that is not there."""
        if slot not in self._stacked:
            place = self._places.get(slot)
            is_alone = len(self._places) == 1
            self._stacked[slot] = place is not None and not is_alone and self._is_hidden(place)
        return self._stacked[slot]

    @cached_property
    def _surfaces(self) -> Surfaces:
        return Surfaces.from_slots(self._ordered)

    def _is_hidden(self, place: int) -> bool:
        return bool((self._covered(place, self._before(place)) >= self._rule.covered_min).any())

    def _before(self, place: int) -> NDArray[np.intp]:
        """Return which boards lie before this one, or in its plane with an earlier name, and face the same way."""
        surfaces = self._surfaces
        offset_m = (surfaces.centre - surfaces.centre[place]) @ surfaces.facing[place]
        cosine = surfaces.facing @ surfaces.facing[place]
        same_way = np.where(surfaces.two_sided, np.abs(cosine), cosine) >= np.cos(np.radians(self._rule.angle_max_deg))
        in_plane = (np.abs(offset_m) <= SAME_PLANE_M) & (np.arange(len(offset_m)) < place)
        before = (offset_m > SAME_PLANE_M) & (offset_m <= self._rule.distance_m) & (not surfaces.two_sided[place])
        return np.flatnonzero(same_way & (in_plane | before))

    def _covered(self, place: int, others: NDArray[np.intp]) -> Floats:
        """Return the share of a board that each of the others covers, seen along its normal."""
        surfaces = self._surfaces
        relative = surfaces.corners[others] - surfaces.corners[place, 0]
        u, v = relative @ surfaces.dual_u[place], relative @ surfaces.dual_v[place]
        parts = Polygons(np.stack([u, v], axis=-1), np.zeros(u.shape, np.int64), np.full(len(others), 4))
        for axis, sign, bound in ((0, 1, 0), (0, -1, 1), (1, 1, 0), (1, -1, 1)):
            parts = clip(parts, sign * (parts.values[..., axis] - bound), 0)
        return np.abs(signed_area(parts.values, parts.counts))
