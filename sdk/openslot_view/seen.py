"""The answer of a measurement: what every viewer sees of every surface."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import WhyNot

__all__ = ["Visibility"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_SHOWN = 100  # above every gate


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

    def by_viewer(self, viewer_of_view: ArrayLike) -> Visibility:
        """Return one row per viewer, in the order of their numbers: what the better of their views sees.

        `viewer_of_view` (v,) says whose each view is: two eyes are two views of one viewer. Which view is the better is
        asked per surface, and all figures are that view's; `spec/measurement.md` has the rules.
        """
        chosen = self._chosen(viewer_of_view)
        if chosen.shape[0] == len(self.why) and (chosen == np.arange(len(chosen))[:, None]).all():
            return self
        surface = np.arange(self.why.shape[1])
        return Visibility(*(getattr(self, each.name)[chosen, surface] for each in fields(self)))

    def better(self, viewer_of_view: ArrayLike) -> Bools:
        """Return (v, s): whether this view is the one that counts for its viewer; of each viewer's exactly one is."""
        chosen = self._chosen(viewer_of_view)
        better = np.zeros(self.why.shape, np.bool_)
        better[chosen, np.arange(self.why.shape[1])] = True
        return better

    def _chosen(self, viewer_of_view: ArrayLike) -> NDArray[np.int64]:
        """Return (viewers, s): the view that counts."""
        number = np.asarray(viewer_of_view, np.int64)
        if number.shape != self.why.shape[:1]:
            detail = f"{number.shape} viewers of {len(self.why)} views"
            raise OpenSlotError(Code.CAMERA_INVALID, detail, where="viewer_of_view")
        count = np.unique(number, return_counts=True)[1]
        order, first = np.argsort(number, kind="stable"), np.cumsum(count) - count
        chosen = np.repeat(order[first][:, None], self.why.shape[1], axis=1)
        for nth in range(1, int(count.max(initial=0))):
            viewers = np.flatnonzero(count > nth)
            other = order[first[viewers] + nth][:, None]
            chosen[viewers] = np.where(self._sees_more(other, chosen[viewers]), other, chosen[viewers])
        return chosen

    def _sees_more(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> Bools:
        """Return where view `one` (n, 1) is better than view `other` (n, s), surface by surface."""
        surface = np.arange(self.why.shape[1])
        more, equal = np.zeros(other.shape, np.bool_), np.ones(other.shape, np.bool_)
        for figure in (self._reached, self.visible_fraction, self.coverage):
            mine, theirs = figure[one, surface], figure[other, surface]
            more |= equal & (mine > theirs)
            equal &= mine == theirs
        return more

    @cached_property
    def _reached(self) -> NDArray[np.uint8]:
        """Return how far each pair came: it counts, it shows something, it was asked for occluders, its gate."""
        gate = np.where(self.measured, np.uint8(WhyNot.OBSTRUCTED), self.why)
        shown = gate + np.where(self.visible_fraction > 0, np.uint8(_SHOWN), np.uint8(0))
        return np.where(self.why == WhyNot.COUNTED, np.uint8(2 * _SHOWN), shown)

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
