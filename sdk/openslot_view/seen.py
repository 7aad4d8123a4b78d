"""The answer of a measurement: what every viewer sees of every surface."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

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
