"""The embreex backend: the shadows of the numpy backend, counted by Embree's rays at Sobol points.

Shadows are thrown onto each beam's chart exactly, with all that decides whether a triangle hides at all. What is
sampled is only the area of their union: beam i's shadows lie flat at z = i, and a short ray asks whether a point of its
on-screen part is under any. So the cost hardly depends on how the shadows overlap, and rays are never far from the
origin of Embree's float32. A sliver between rays counts as 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openslot_view.backends.plain import PlainBackend
from openslot_view.beams import Beams
from openslot_view.occluders import Occluders
from openslot_view.outlines import on_screen
from openslot_view.shadows import in_the_way, throw
from openslot_view.sobol import sobol
from openslot_view.surfaces import Surfaces
from openslot_view.union import Areas

__all__ = ["EmbreeBackend"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_RAYS = 1 << 14  # a pair, half of them even on the ad and half even on the screen
_RAYS_MIN = 128  # of a facet that shares its pair's rays with many others
_TOGETHER = 1 << 19  # rays at once: bounds the memory


@dataclass(frozen=True, slots=True)
class EmbreeBackend(PlainBackend):
    """For mesh slots and crowded beams, where an estimate is enough; all but the union is the numpy backend's."""

    name: str = "embreex"

    def hidden(self, beams: Beams, surfaces: Surfaces, occluders: Occluders) -> Areas:
        """Return the areas of each beam's on-screen part that occluders hide."""
        chart, screen = np.zeros(len(beams)), np.zeros(len(beams))
        each = _rays_each(beams, surfaces)
        for rays in np.unique(each):
            those = np.nonzero(each == rays)[0]
            step = max(1, _TOGETHER // int(rays))
            for begin in range(0, len(those), step):
                rows = those[begin : begin + step]
                areas = _hidden(beams.take(rows).trimmed(), surfaces, occluders, int(rays) // 2)
                chart[rows], screen[rows] = areas.chart, areas.screen
        return Areas(chart, screen)


def _rays_each(beams: Beams, surfaces: Surfaces) -> Ints:
    """Return (n,) how many rays a beam gets: its part of its pair's, for errors of many facets even out."""
    pair = beams.viewer * len(surfaces) + surfaces.surface[beams.facet]
    _, which, facets = np.unique(pair, return_inverse=True, return_counts=True)
    doublings = np.floor(np.log2(_RAYS / facets[which]))
    return np.asarray(np.maximum(_RAYS_MIN, 2 ** doublings.astype(np.int64)))


def _hidden(beams: Beams, surfaces: Surfaces, occluders: Occluders, points: int) -> Areas:
    layer, triangles = _layers(beams, surfaces, occluders)
    if not len(layer):
        return Areas(np.zeros(len(beams)), np.zeros(len(beams)))
    square = sobol(points)
    chart = _spread(beams.outline, beams.sides, square)
    # even on the screen: what lies near the eye is little of the ad and much of the screen
    picture = _spread(on_screen(beams.screen[:, None], beams.outline), beams.sides, square)
    there = on_screen(np.asarray(np.linalg.inv(beams.screen), np.float64)[:, None], picture)
    under = _under(layer, triangles, np.concatenate([chart, there], axis=1))
    return Areas(beams.chart_area * under[:, :points].mean(axis=1), beams.screen_area * under[:, points:].mean(axis=1))


def _layers(beams: Beams, surfaces: Surfaces, occluders: Occluders) -> tuple[Ints, Floats]:
    """Return the shadows as triangles (m, 3, 2) in the charts, and the beam (m,) each is on."""
    layers, triangles = [np.zeros(0, np.int64)], [np.zeros((0, 3, 2))]
    for each, those in in_the_way(beams, surfaces, occluders):
        shadows = throw(beams, each, those)
        for corner in range(1, shadows.points.shape[1] - 1):
            real = shadows.counts > corner + 1
            layers.append(shadows.beam[real])
            triangles.append(shadows.points[real][:, [0, corner, corner + 1]])
    return np.concatenate(layers), np.concatenate(triangles)


def _spread(outline: Floats, sides: Ints, square: Floats) -> Floats:
    """Return points (n, p, 2) as even on the convex polygons `outline` (n, k, 2) as `square` (p, 2) is on its own."""
    first, steps = outline[:, :1], outline[:, 1:] - outline[:, :1]
    before, after = steps[:, :-1], steps[:, 1:]
    area = np.abs(before[..., 0] * after[..., 1] - before[..., 1] * after[..., 0])
    area[np.arange(area.shape[1]) + 2 >= sides[:, None]] = 0.0
    ends = np.cumsum(area, axis=1)
    wanted = square[:, 0] * ends[:, -1:]
    fan = np.minimum(np.sum(wanted[:, :, None] >= ends[:, None], axis=2), area.shape[1] - 1)
    size = np.take_along_axis(area, fan, axis=1)
    # of a triangle, the part within √r of its corner has r of its area
    out = np.sqrt(np.clip(1 - (np.take_along_axis(ends, fan, axis=1) - wanted) / np.maximum(size, 1e-300), 0, 1))
    begin = np.take_along_axis(before, fan[..., None], axis=1)
    end = np.take_along_axis(after, fan[..., None], axis=1)
    return np.asarray(first + out[..., None] * (begin + square[:, 1:] * (end - begin)))


def _under(layer: Ints, triangles: Floats, points: Floats) -> NDArray[np.bool_]:
    """Return which `points` (n, p, 2) of layer i are under a triangle of that layer (n, p)."""
    from embreex.mesh_construction import TriangleMesh
    from embreex.rtcore_scene import EmbreeScene

    scene = EmbreeScene()
    TriangleMesh(scene, _lifted(triangles, layer[:, None]).astype(np.float32))
    origin = _lifted(points, np.arange(len(points))[:, None] - 0.25).reshape(-1, 3).astype(np.float32)
    up = np.broadcast_to(np.array([0, 0, 1], np.float32), origin.shape)
    hit = scene.run(origin, up, np.full(len(origin), 0.5, np.float32), query="OCCLUDED")
    return np.asarray((hit != -1).reshape(points.shape[:2]))


def _lifted(points: Floats, z: NDArray[np.generic]) -> Floats:
    return np.concatenate([points, np.broadcast_to(z, points.shape[:-1])[..., None]], axis=-1)
