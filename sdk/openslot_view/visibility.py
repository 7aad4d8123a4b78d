"""How much of each ad each viewer can see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openslot_spec.exposures import WhyNot
from openslot_view import backends
from openslot_view.beams import Beams, cast
from openslot_view.cameras import Cameras
from openslot_view.gates import Gates, facing, in_view
from openslot_view.occluders import Occluders
from openslot_view.surfaces import Surfaces
from openslot_view.union import summed

__all__ = ["Visibility", "measure"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_EXACT = 1e-9  # what is nearer to none or all than rounding is none or all


@dataclass(frozen=True, slots=True, eq=False)
class Visibility:
    """What v viewers see of s surfaces; all arrays (v, s), never NaN.

    `visible_fraction` is the share of the surface's own area that is on screen and not hidden, `on_screen_fraction` the
    same without occluders, `coverage` the share of the viewport's pixels that show it. `angle_deg` is between the
    surface's normal and the line from its centre to the eye, `screen_angle_deg` between the normal and the screen's.
    `why` (of `WhyNot`) is the first gate that failed, or COUNTED. Where `measured` is False a gate failed before
    occluders were asked, and visible fraction and coverage are what is on screen: upper bounds.
    """

    visible_fraction: Floats
    on_screen_fraction: Floats
    coverage: Floats
    angle_deg: Floats
    screen_angle_deg: Floats
    front_facing: Bools
    measured: Bools
    why: NDArray[np.uint8]


def measure(
    cameras: Cameras,
    surfaces: Surfaces,
    occluders: Occluders | None = None,
    *,
    gates: Gates | None = None,
    backend: str = "auto",
) -> Visibility:
    """Return what every camera sees of every surface.

    Without `gates` every pair is measured in full and `why` says what takes anything away: COUNTED means all of it is
    seen. With them, occluders are asked only for pairs that pass on-screen share, angle and size, and `why` is the
    first gate that fails, in the order of `WhyNot`. Surfaces do not hide each other unless they stand among the
    occluders too; a curved surface hides itself.
    """
    turned = facing(cameras, surfaces)
    front = turned.sight > 0
    sees = in_view(cameras, surfaces)
    # a curved surface may show some facet even where its mean normal looks away
    shown = sees & (front | surfaces.two_sided | surfaces.curved)
    beams = _beams(cameras, surfaces, shown)
    scale = _Scale.of(beams, surfaces, sees.shape)
    on_screen, coverage = scale.sum(beams.chart_area, beams.screen_area)
    angle, screen_angle = (np.degrees(np.arccos(cosine)) for cosine in (turned.sight, turned.screen))
    limits = gates or Gates(visible_fraction_min=1.0)
    why = np.full(sees.shape, WhyNot.COUNTED, np.uint8)
    small = limits.coverage_min > coverage
    oblique = ~limits.angle_passes(np.minimum(angle, 180 - angle), np.minimum(screen_angle, 180 - screen_angle))
    why[small] = WhyNot.TOO_SMALL
    why[oblique] = WhyNot.TOO_OBLIQUE
    why[on_screen < limits.visible_fraction_min] = WhyNot.CLIPPED
    why[sees & ~shown] = WhyNot.BACK_FACING
    why[(on_screen == 0) & (why != WhyNot.BACK_FACING)] = WhyNot.VIEWPORT
    asked = (on_screen > 0) & ((why == WhyNot.COUNTED) | (gates is None))
    pairs = asked[beams.viewer, surfaces.surface[beams.facet]]
    hidden = backends.choose(backend).hidden(beams.take(pairs), surfaces, occluders or Occluders.none())
    chart, screen = beams.chart_area.copy(), beams.screen_area.copy()
    chart[pairs] -= hidden.chart
    screen[pairs] -= hidden.screen
    visible, coverage = scale.sum(chart, screen)
    obstructed = (visible < limits.visible_fraction_min) | (coverage < limits.coverage_min)
    why[(why == WhyNot.COUNTED) & obstructed] = WhyNot.OBSTRUCTED
    return Visibility(visible, on_screen, coverage, angle, screen_angle, front, asked, why)


@dataclass(frozen=True, slots=True, eq=False)
class _Scale:
    """Sums of beams into the (v, s) table of pairs, as shares of the whole surface."""

    pair: Ints
    share: Floats
    shape: tuple[int, ...]

    @classmethod
    def of(cls, beams: Beams, surfaces: Surfaces, shape: tuple[int, ...]) -> _Scale:
        surface = surfaces.surface[beams.facet]
        # the chart's unit square is the parallelogram of its edges
        unit = np.linalg.norm(np.cross(surfaces.edge_u[beams.facet], surfaces.edge_v[beams.facet]), axis=1)
        return cls(beams.viewer * shape[1] + surface, unit / surfaces.total_area[surface], shape)

    def sum(self, chart: Floats, screen: Floats) -> tuple[Floats, Floats]:
        size = self.shape[0] * self.shape[1]
        fraction = summed(self.pair, chart * self.share, size)
        fraction[fraction < _EXACT] = 0.0
        fraction[fraction > 1 - _EXACT] = 1.0
        coverage = np.clip(summed(self.pair, screen, size), 0.0, 1.0)
        coverage[fraction == 0] = 0.0
        return fraction.reshape(self.shape), coverage.reshape(self.shape)


def _beams(cameras: Cameras, surfaces: Surfaces, shown: Bools) -> Beams:
    viewer, surface = np.nonzero(shown)
    number = np.diff(surfaces.start)[surface]
    facet = np.repeat(surfaces.start[:-1][surface], number)
    facet = facet + np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    viewer, surface = np.repeat(viewer, number), np.repeat(surface, number)
    curved = surfaces.curved[surface]
    if curved.any():
        # of a one-sided curved surface only the facets turned to the viewer are drawn
        toward = np.where(
            cameras.orthographic[viewer, None], cameras.toward[viewer], cameras.eye[viewer] - surfaces.corners[facet, 0]
        )
        drawn = np.einsum("ij,ij->i", toward, surfaces.normal[facet]) > 0
        keep = drawn | ~curved | surfaces.two_sided[surface]
        viewer, facet = viewer[keep], facet[keep]
    return cast(cameras, surfaces, viewer, facet)
