"""All viewers × surfaces in numpy: the cheap questions first, occluders for what passes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openslot_spec.exposures import WhyNot
from openslot_view.beams import Beams, cast
from openslot_view.cameras import Cameras
from openslot_view.gates import Facing, Gates, facing, in_view
from openslot_view.outlines import Outlines, outlines
from openslot_view.seen import Visibility
from openslot_view.surfaces import Surfaces
from openslot_view.union import Areas, summed

__all__ = ["drawn", "look"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_EXACT = 1e-9  # what is nearer to none or all than rounding is none or all


def look(cameras: Cameras, surfaces: Surfaces, gates: Gates | None, hidden: Callable[[Beams], Areas]) -> Visibility:
    """Return what every camera sees of every surface; `hidden` says how much of given beams occluders hide."""
    turned = facing(cameras, surfaces)
    sees = in_view(cameras, surfaces)
    # a curved surface may show some facet even where its mean normal looks away
    shown = sees & ((turned.sight > 0) | surfaces.two_sided | surfaces.curved)
    parts = drawn(cameras, surfaces, shown)
    scale = _Scale.of(parts, surfaces, sees.shape)
    on_screen, coverage = scale.sum(parts.chart_area, parts.screen_area)
    limits = gates or Gates(visible_fraction_min=1.0)
    why = _why(on_screen, coverage, turned, limits)
    why[sees & ~shown] = WhyNot.BACK_FACING
    asked = (on_screen > 0) & ((why == WhyNot.COUNTED) | (gates is None))
    visible = on_screen.copy()
    if asked.any():
        pairs = np.nonzero(asked.ravel()[scale.pair])[0]
        taken = hidden(cast(cameras, surfaces, parts.take(pairs)))
        chart, screen = parts.chart_area.copy(), parts.screen_area.copy()
        chart[pairs] -= taken.chart
        screen[pairs] -= taken.screen
        visible, coverage = scale.sum(chart, screen)
        obstructed = (visible < limits.visible_fraction_min) | (coverage < limits.coverage_min)
        why[(why == WhyNot.COUNTED) & obstructed] = WhyNot.OBSTRUCTED
    return Visibility(visible, on_screen, coverage, turned.sight, turned.screen, asked, why)


def drawn(cameras: Cameras, surfaces: Surfaces, shown: Bools) -> Outlines:
    """Return the outlines of the facets that are drawn of the pairs `shown` (v, s)."""
    viewer, surface = np.nonzero(shown)
    if len(surfaces.corners) == len(surfaces):
        return outlines(cameras, surfaces, viewer, surface)
    number = np.diff(surfaces.start)[surface]
    facet = np.repeat(surfaces.start[:-1][surface], number)
    facet = facet + np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    viewer, surface = np.repeat(viewer, number), np.repeat(surface, number)
    # of a one-sided curved surface only the facets turned to the viewer are drawn
    toward = np.where(
        cameras.orthographic[viewer, None], cameras.toward[viewer], cameras.eye[viewer] - surfaces.corners[facet, 0]
    )
    front = np.einsum("ij,ij->i", toward, surfaces.normal[facet]) > 0
    keep = front | ~surfaces.curved[surface] | surfaces.two_sided[surface]
    return outlines(cameras, surfaces, viewer[keep], facet[keep])


def _why(on_screen: Floats, coverage: Floats, turned: Facing, limits: Gates) -> NDArray[np.uint8]:
    """Return the first gate that fails without any occluder, or COUNTED."""
    why = np.full(on_screen.shape, WhyNot.COUNTED, np.uint8)
    why[coverage < limits.coverage_min] = WhyNot.TOO_SMALL
    oblique = on_screen > 0
    cosine = (turned.screen if limits.angle_basis == "screen" else turned.sight)[oblique]
    angle = np.degrees(np.arccos(np.abs(cosine)))
    oblique[oblique] = ~limits.angle_passes(angle, angle)
    why[oblique] = WhyNot.TOO_OBLIQUE
    why[on_screen < limits.visible_fraction_min] = WhyNot.CLIPPED
    why[on_screen == 0] = WhyNot.VIEWPORT
    return why


@dataclass(frozen=True, slots=True, eq=False)
class _Scale:
    """Sums of beams into the (v, s) table of pairs, as shares of the whole surface."""

    pair: Ints
    share: Floats
    shape: tuple[int, ...]

    @classmethod
    def of(cls, parts: Outlines, surfaces: Surfaces, shape: tuple[int, ...]) -> _Scale:
        pair = parts.viewer * shape[1] + surfaces.surface[parts.facet]
        return cls(pair, surfaces.chart_share[parts.facet], shape)

    def sum(self, chart: Floats, screen: Floats) -> tuple[Floats, Floats]:
        size = self.shape[0] * self.shape[1]
        fraction = summed(self.pair, chart * self.share, size)
        fraction[fraction < _EXACT] = 0.0
        fraction[fraction > 1 - _EXACT] = 1.0
        coverage = np.minimum(np.maximum(summed(self.pair, screen, size), 0.0), 1.0)
        coverage[fraction == 0] = 0.0
        return fraction.reshape(self.shape), coverage.reshape(self.shape)
