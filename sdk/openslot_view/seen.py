"""The answer of a measurement: what every viewer sees of every surface."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Visibility"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Visibility:
    """What v viewers see of s surfaces; all arrays (v, s), never NaN.

    `visible_fraction` is the share of the surface's own area that is on screen and not hidden, `on_screen_fraction` the
    same without occluders, `coverage` the share of the viewport's pixels that show it. `sight_cosine` is of the angle
    between the surface's normal and the line from its centre to the eye, `screen_cosine` of that between the normal and
    the screen's. `why` (of `WhyNot`) is the first gate that failed, or COUNTED. Where `measured` is False a gate failed
    before occluders were asked, and visible fraction and coverage are what is on screen: upper bounds.
    """

    visible_fraction: Floats
    on_screen_fraction: Floats
    coverage: Floats
    sight_cosine: Floats
    screen_cosine: Floats
    measured: Bools
    why: NDArray[np.uint8]

    def by_viewer(self, viewer: ArrayLike) -> Visibility:
        """Return one row per viewer: of the eyes (v,) with the same number in `viewer`, the one that sees most.

        Viewers are numbered from 0; two eyes are two cameras and one viewer. Between eyes that see equal shares the
        one with more of the screen counts.
        """
        number = np.asarray(viewer, np.int64)
        order = np.lexsort((self.coverage.T, self.visible_fraction.T, np.broadcast_to(number, self.why.T.shape)))
        last = np.searchsorted(np.sort(number), np.arange(number.max(initial=-1) + 1), side="right") - 1
        eye, surface = order[:, last].T, np.arange(self.why.shape[1])
        return Visibility(*(getattr(self, each.name)[eye, surface] for each in fields(self)))

    @property
    def front_facing(self) -> Bools:
        """Return whether the eye is on the front's side, in the world, of the surface's centre and normal."""
        return self.sight_cosine > 0

    @cached_property
    def angle_deg(self) -> Floats:
        """Return the angles to the line of sight, 0 … 180."""
        return np.degrees(np.arccos(self.sight_cosine))

    @cached_property
    def screen_angle_deg(self) -> Floats:
        """Return the angles to the screen's normal, 0 … 180."""
        return np.degrees(np.arccos(self.screen_cosine))
