"""The part of each facet that is on each screen: its outline clipped to the frustum, in the facet's chart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openslot_view.cameras import Cameras
from openslot_view.polygons import Polygons, clip_crossed, column_of, signed_area
from openslot_view.surfaces import Surfaces

__all__ = ["Outlines", "on_screen", "outlines"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TOGETHER = 4096  # pairs at once: what they need stays in the cache
_SCREEN = np.array([0, 1, 3])  # x, y and w of clip space
_CHART = slice(6, 8)  # columns of a clipped outline: six frustum distances, then u, v


@dataclass(frozen=True, slots=True, eq=False)
class Outlines:
    """n outlines, all with an area.

    `viewer`, `facet` (n,) indices; `points` (n, k, 2) in the chart, counter-clockwise, `sides` (n,) of them real;
    `screen` (n, 3, 3) chart (u, v, 1) to homogeneous screen x, y, w; `chart_area`, `screen_area` (n,), the latter as a
    share of the viewport.
    """

    viewer: Ints
    facet: Ints
    points: Floats
    sides: Ints
    screen: Floats
    chart_area: Floats
    screen_area: Floats

    def take(self, rows: NDArray[Any] | slice) -> Outlines:
        """Return the outlines of `rows` (indices, a mask or a slice)."""
        return Outlines(*(getattr(self, name)[rows] for name in self.__slots__))


def outlines(cameras: Cameras, surfaces: Surfaces, viewer: Ints, facet: Ints) -> Outlines:
    """Return the outlines of the pairs (`viewer[i]`, `facet[i]`) that are on screen and not seen edge-on."""
    if len(viewer) <= _TOGETHER:
        return _some(cameras, surfaces, viewer, facet)
    cuts = range(0, len(viewer), _TOGETHER)
    parts = [_some(cameras, surfaces, viewer[at : at + _TOGETHER], facet[at : at + _TOGETHER]) for at in cuts]
    width = max(part.points.shape[1] for part in parts)
    points = [np.pad(part.points, ((0, 0), (0, width - part.points.shape[1]), (0, 0))) for part in parts]
    columns = {name: [getattr(part, name) for part in parts] for name in Outlines.__slots__}
    return Outlines(**{name: np.concatenate(each) for name, each in {**columns, "points": points}.items()})


def _some(cameras: Cameras, surfaces: Surfaces, viewer: Ints, facet: Ints) -> Outlines:
    relative = surfaces.corners[facet] - cameras.eye[viewer][:, None]
    planes = cameras.planes[viewer]
    distances = relative @ planes[:, :, :3].swapaxes(1, 2)
    distances += planes[:, None, :, 3]
    outside = distances < 0
    beyond = np.logical_or.reduce(np.logical_and.reduce(outside, axis=1), axis=1)
    kept = np.nonzero(~beyond & ~_edge_on(cameras, surfaces, viewer, facet, relative[:, 0]))[0]
    viewer, facet = viewer[kept], facet[kept]
    points, sides = _clipped(distances[kept], outside[kept], surfaces.outline[facet], surfaces.sides[facet])
    area = signed_area(points, sides)
    real = np.nonzero(area > 1e-12)[0]
    viewer, facet, points, sides = viewer[real], facet[real], points[real], sides[real]
    screen = _screen_from_chart(cameras, surfaces, viewer, facet, relative[kept[real], 0])
    shown = np.abs(signed_area(on_screen(screen[:, None], points), sides)) / 4
    return Outlines(viewer, facet, points, sides, screen, area[real], shown)


def _edge_on(cameras: Cameras, surfaces: Surfaces, viewer: Ints, facet: Ints, first: Floats) -> NDArray[np.bool_]:
    back = -first
    if cameras.orthographic.any():
        back = np.where(cameras.orthographic[viewer, None], cameras.toward[viewer], back)
    return np.asarray(np.abs(np.einsum("ij,ij->i", back, surfaces.normal[facet])) <= 1e-12)


def on_screen(screen: Floats, points: Floats) -> Floats:
    """Return (..., 2) screen positions, viewport −1 to 1, of chart `points` (..., 2) by `screen` (..., 3, 3)."""
    u, v = points[..., 0, None], points[..., 1, None]
    mapped = screen[..., 0] * u + screen[..., 1] * v + screen[..., 2]
    return np.asarray(mapped[..., :2] / np.maximum(mapped[..., 2:], 1e-12))


def _clipped(distances: Floats, outside: NDArray[np.bool_], chart: Floats, sides: Ints) -> tuple[Floats, Ints]:
    """Return points (n, k, 2) and their number; `distances` (n, 4, 6) of the corners from the planes."""
    crossed = np.logical_or.reduce(outside, axis=1)
    rows = np.nonzero(np.logical_or.reduce(crossed, axis=1))[0]
    if not rows.size:
        return chart, sides
    crossed = crossed[rows]
    part = Polygons(
        np.concatenate([distances[rows], chart[rows]], axis=2), np.full((len(rows), 4), -1, np.int64), sides[rows]
    )
    for plane in range(6):
        part = clip_crossed(part, crossed[:, plane], column_of(plane), -1)
    width = part.values.shape[1]
    points = np.zeros((len(chart), max(4, width), 2))
    points[:, :4] = chart
    points[rows, :width] = part.values[..., _CHART]
    counts = sides.copy()
    counts[rows] = part.counts
    return points, counts


def _screen_from_chart(cameras: Cameras, surfaces: Surfaces, viewer: Ints, facet: Ints, first: Floats) -> Floats:
    rows = cameras.clip_from_eye[:, _SCREEN][viewer]
    columns = np.empty((len(facet), 3, 3))
    columns[:, :, 0], columns[:, :, 1], columns[:, :, 2] = surfaces.edge_u[facet], surfaces.edge_v[facet], first
    screen = rows[:, :, :3] @ columns
    screen[:, :, 2] += rows[:, :, 3]
    return np.asarray(screen)
