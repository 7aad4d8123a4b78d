"""A beam is one eye looking at one facet: the part of the facet on screen, and the maps from the world to its chart.

    world point −eye→ relative point ── forms ──→ (X, Y, W, height, near)      chart point = (X / W, Y / W)

(X, Y, W) is the central projection from the eye onto the facet's plane, written in the facet's chart; `height` is the
distance in front of that plane less a bias, `near` the distance beyond the near plane, both in metres. A point can hide
something of the facet only where all of W, height and near are positive.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openslot_view.cameras import Cameras
from openslot_view.outlines import Outlines, on_screen
from openslot_view.polygons import Polygons, clip, following, signed_area
from openslot_view.surfaces import Surfaces

__all__ = ["PLANE_BIAS_M", "Beams", "cast", "quartered"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PLANE_BIAS_M = 1e-5
"""How far in front of the facet an occluder must lie: a wall the ad hangs on does not hide it."""


@dataclass(frozen=True, slots=True, eq=False)
class Beams:
    """n beams, all with something on screen.

    `viewer`, `facet` (n,) indices; `eye` (n, 3) world metres; `toward` (n, 3) direction to the viewer and
    `orthographic` (n,) whether it holds for all points; `forms` (n, 5, 4) on eye-relative points; `outline` (n, k, 2)
    the on-screen part in the chart, counter-clockwise, `sides` (n,) of it real; `borders` (n, k, 3) its inward edges as
    forms on (X, Y, W), padding always inside; `screen` (n, 3, 3) chart (u, v, 1) to homogeneous screen x, y, w;
    `chart_area`, `screen_area` (n,) of the on-screen part, the latter as a share of the viewport.
    """

    viewer: Ints
    facet: Ints
    eye: Floats
    toward: Floats
    orthographic: NDArray[np.bool_]
    forms: Floats
    outline: Floats
    sides: Ints
    borders: Floats
    screen: Floats
    chart_area: Floats
    screen_area: Floats

    def __len__(self) -> int:
        return len(self.viewer)

    def trimmed(self) -> Beams:
        """Return the same beams with no more padding than the one of most sides needs."""
        width = max(3, int(self.sides.max(initial=0)))
        return replace(self, outline=self.outline[:, :width], borders=self.borders[:, :width])

    def take(self, rows: NDArray[Any] | slice) -> Beams:
        """Return the beams of `rows` (indices, a mask or a slice)."""
        return Beams(*(getattr(self, name)[rows] for name in self.__slots__))


def cast(cameras: Cameras, surfaces: Surfaces, seen: Outlines) -> Beams:
    """Return the beams through the outlines `seen`."""
    viewer, facet = seen.viewer, seen.facet
    return Beams(
        viewer,
        facet,
        cameras.eye[viewer],
        cameras.toward[viewer],
        cameras.orthographic[viewer],
        _forms(cameras, surfaces, viewer, facet),
        seen.points,
        seen.sides,
        _borders(seen.points, seen.sides),
        seen.screen,
        seen.chart_area,
        seen.screen_area,
    )


def quartered(beams: Beams) -> tuple[Beams, Ints]:
    """Return the beams' on-screen parts cut in four across the middles of their boxes, and which beam each is of."""
    real = np.arange(beams.outline.shape[1]) < beams.sides[:, None]
    low = np.where(real[..., None], beams.outline, np.inf).min(axis=1)
    high = np.where(real[..., None], beams.outline, -np.inf).max(axis=1)
    beyond = beams.outline - ((low + high) / 2)[:, None]
    values = np.concatenate([beams.outline, beyond, -beyond], axis=2)
    whole = Polygons(values, np.full(values.shape[:2], -1, np.int64), beams.sides)
    halves = [clip(whole, whole.values[..., column], -1) for column in (2, 4)]
    quarters = [clip(half, half.values[..., column], -1) for half in halves for column in (3, 5)]
    width = max(quarter.values.shape[1] for quarter in quarters)
    points = np.concatenate([_padded(quarter.values[..., :2], width) for quarter in quarters])
    sides = np.concatenate([quarter.counts for quarter in quarters])
    index = np.tile(np.arange(len(beams)), 4)
    some = sides >= 3
    return _with_outline(beams.take(index[some]), points[some], sides[some]), index[some]


def _with_outline(beams: Beams, points: Floats, sides: Ints) -> Beams:
    return replace(
        beams,
        outline=points,
        sides=sides,
        borders=_borders(points, sides),
        chart_area=signed_area(points, sides),
        screen_area=np.abs(signed_area(on_screen(beams.screen[:, None], points), sides)) / 4,
    )


def _padded(points: Floats, width: int) -> Floats:
    return np.pad(points, ((0, 0), (0, width - points.shape[1]), (0, 0)))


def _forms(cameras: Cameras, surfaces: Surfaces, viewer: Ints, facet: Ints) -> Floats:
    """Return the forms (n, 5, 4); the normal is turned to the eye's side: in front is always where the eye is."""
    normal, dual_u, dual_v = surfaces.normal[facet], surfaces.dual_u[facet], surfaces.dual_v[facet]
    toward, flat = cameras.toward[viewer], cameras.orthographic[viewer]
    over = cameras.eye[viewer] - surfaces.corners[facet, 0]
    height = np.where(flat, _dot(toward, normal), _dot(over, normal))
    normal = normal * np.where(height < 0, -1.0, 1.0)[:, None]
    reach, rise = np.abs(height), _dot(over, normal)
    forms = np.empty((len(viewer), 5, 4))
    for row, dual in ((0, dual_u), (1, dual_v)):
        along = _dot(over, dual)
        slope = np.where(flat, _dot(toward, dual) / reach, along)
        forms[:, row, :3] = dual * np.where(flat, 1.0, reach)[:, None] - normal * slope[:, None]
        # perspective: (X, Y, W) has no constant, for the eye itself goes to 0
        forms[:, row, 3] = np.where(flat, along - slope * rise, 0.0)
    forms[:, 2, :3] = np.where(flat[:, None], 0.0, -normal)
    forms[:, 2, 3] = np.where(flat, 1.0, 0.0)
    forms[:, 3, :3] = normal
    forms[:, 3, 3] = rise - PLANE_BIAS_M
    forms[:, 4] = cameras.planes[viewer, 0]
    return forms


def _borders(points: Floats, sides: Ints) -> Floats:
    step = np.take_along_axis(points, following(sides, points.shape[1])[..., None], axis=1) - points
    length = np.linalg.norm(step, axis=2)
    real = (np.arange(points.shape[1]) < sides[:, None]) & (length > 1e-13)
    inward = np.stack([-step[..., 1], step[..., 0]], axis=2) / np.where(real, length, 1.0)[..., None]
    constant = -np.sum(inward * points, axis=2)
    always = np.array([0.0, 0.0, 1.0])
    return np.where(real[..., None], np.concatenate([inward, constant[..., None]], axis=2), always)


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", a, b))
