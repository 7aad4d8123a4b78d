"""The shadows that occluders throw, seen from the eye, onto a facet: convex polygons in the facet's chart.

Two steps, each over all beams at once: walk the tree with the beam (its borders, the facet's plane, the near plane) to
find the triangles that may matter, then project and clip those.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openslot_view.beams import Beams
from openslot_view.occluders import TriangleSet
from openslot_view.polygons import Polygons, clip, signed_area

__all__ = ["Shadows", "throw"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_W, _HEIGHT, _NEAR = 2, 3, 4
_CUT = 3  # ids 0, 1, 2 are the triangle's own edges
_SLIVER = 1e-11


@dataclass(frozen=True, slots=True, eq=False)
class Shadows:
    """n shadows: `beam`, `triangle` (n,) what throws it on what, `points` (n, k, 2) counter-clockwise in the chart,
    `counts` (n,) real, `edges` (n, k) the triangle's edge 0, 1, 2 that an edge came from or 3 for a cut, `area` (n,),
    `flipped` (n,) whether the triangle runs clockwise there.
    """

    beam: Ints
    triangle: Ints
    points: Floats
    counts: Ints
    edges: Ints
    area: Floats
    flipped: NDArray[np.bool_]


def throw(beams: Beams, triangles: TriangleSet, excluded: Ints, *, only: bool = False) -> Shadows:
    """Return the shadows of `triangles` on the beams' on-screen parts.

    `excluded` (n,) is each beam's owner whose triangles do not count; with `only`, the one whose triangles alone count.
    """
    beam, triangle = _candidates(beams, triangles)
    owner = triangles.owner[triangle]
    counted = (owner == excluded[beam]) if only else (owner != excluded[beam]) | (owner < 0)
    beam, triangle = beam[counted], triangle[counted]
    relative = triangles.corners[triangle] - beams.eye[beam][:, None]
    seen = ~triangles.one_sided[triangle] | _from_the_front(beams, triangles, beam, triangle, relative)
    beam, triangle, relative = beam[seen], triangle[seen], relative[seen]
    forms = beams.forms[beam]
    values = relative @ forms[:, :, :3].swapaxes(1, 2) + forms[:, None, :, 3]
    inside = values[..., :3] @ beams.borders[beam].swapaxes(1, 2)
    values = np.concatenate([values, inside], axis=2)
    outside = values < 0
    kept = ~np.any(np.all(outside[:, :, _W:], axis=1), axis=1)
    return _shadows(beam[kept], triangle[kept], _clipped(values[kept], outside[kept]))


def _from_the_front(
    beams: Beams, triangles: TriangleSet, beam: Ints, triangle: Ints, relative: Floats
) -> NDArray[np.bool_]:
    back = np.where(beams.orthographic[beam][:, None], beams.toward[beam], -relative[:, 0])
    return np.asarray(np.einsum("ij,ij->i", back, triangles.normal[triangle]) > 0)


def _candidates(beams: Beams, triangles: TriangleSet) -> tuple[Ints, Ints]:
    """Return beam and triangle indices of every triangle in a leaf that the beam meets."""
    tree = triangles.tree
    forms = np.concatenate([beams.borders @ beams.forms[:, :3], beams.forms[:, 3:]], axis=1)
    # the tree is in world coordinates: move the constant, not the boxes
    constant = forms[..., 3] - np.einsum("nkd,nd->nk", forms[..., :3], beams.eye)
    direction, size = forms[..., :3], np.abs(forms[..., :3])
    middle, half = (tree.low + tree.high) / 2, (tree.high - tree.low) / 2
    beam, node = np.arange(len(beams)), np.zeros(len(beams), np.int64)
    leaves: list[tuple[Ints, Ints]] = []
    while len(beam):
        met = np.ones(len(beam), np.bool_)
        for k in range(forms.shape[1]):
            reach = _dot(direction[beam, k], middle[node]) + _dot(size[beam, k], half[node]) + constant[beam, k]
            met &= reach >= 0
        beam, node = beam[met], node[met]
        leaf = tree.count[node] > 0
        leaves.append((beam[leaf], node[leaf]))
        beam, node = np.repeat(beam[~leaf], 2), np.repeat(tree.first[node[~leaf]], 2)
        node[1::2] += 1
    beam, node = (np.concatenate(each) for each in zip(*leaves, strict=True))
    first, count = tree.first[node], tree.count[node]
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(beam, count), tree.order[np.repeat(first, count) + within]


def _clipped(values: Floats, outside: NDArray[np.bool_]) -> Polygons:
    count = len(values)
    polygons = Polygons(values, np.tile(np.arange(3), (count, 1)), np.full(count, 3))
    crossed = np.any(outside, axis=1)
    for column in (_HEIGHT, _NEAR, _W, *range(_NEAR + 1, values.shape[2])):
        rows = np.nonzero(crossed[:, column] & (polygons.counts > 0))[0]
        if rows.size:
            polygons = polygons.put(rows, clip(polygons.take(rows), column, _CUT))
    return polygons


def _shadows(beam: Ints, triangle: Ints, polygons: Polygons) -> Shadows:
    weight = np.maximum(polygons.values[..., _W], 1e-12)
    points = polygons.values[..., :2] / weight[..., None]
    area = np.where(polygons.counts >= 3, signed_area(points, polygons.counts), 0.0)
    kept = np.abs(area) > _SLIVER
    points, edges, counts, area = points[kept], polygons.edges[kept], polygons.counts[kept], area[kept]
    flipped = area < 0
    points[flipped], edges[flipped] = _reversed(points[flipped], edges[flipped], counts[flipped])
    return Shadows(beam[kept], triangle[kept], points, counts, edges, np.abs(area), flipped)


def _reversed(points: Floats, edges: Ints, counts: Ints) -> tuple[Floats, Ints]:
    """Return the polygons run the other way; the edge after new vertex q is the old one before it."""
    place = np.arange(points.shape[1])
    last = counts[:, None] - 1
    vertex = np.where(place <= last, last - place, place)
    edge = np.where(place < last, last - 1 - place, place)
    return np.take_along_axis(points, vertex[..., None], axis=1), np.take_along_axis(edges, edge, axis=1)


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->i", a, b))
