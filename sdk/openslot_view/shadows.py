"""The shadows that occluders throw, seen from the eye, onto a facet: convex polygons in the facet's chart.

Two steps, each over all beams at once: walk the tree with the beam (its borders, the facet's plane, the near plane) to
find the triangles that may matter, then project and clip those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openslot_view.beams import Beams
from openslot_view.occluders import Occluders
from openslot_view.polygons import Distance, Polygons, clip_crossed, column_of, signed_area
from openslot_view.surfaces import Surfaces
from openslot_view.triangles import TriangleSet

__all__ = ["Candidates", "Shadows", "candidates", "in_the_way", "throw"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_W, _HEIGHT, _NEAR = 2, 3, 4
_CUT = 3  # ids 0, 1, 2 are the triangle's own edges
_SLIVER = 1e-11
_DOWN = 3  # levels of the tree at a step: eight boxes cost less than three steps
_FEW = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """n triangles that may hide something: `beam`, `triangle` (n,), and how large they look there, `size` (n,)."""

    beam: Ints
    triangle: Ints
    size: Floats

    def take(self, rows: NDArray[Any]) -> Candidates:
        """Return the candidates of `rows` (indices or a mask)."""
        return Candidates(self.beam[rows], self.triangle[rows], self.size[rows])


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
    flipped: Bools


def candidates(beams: Beams, triangles: TriangleSet, excluded: Ints, *, only: bool = False) -> Candidates:
    """Return the triangles that the beams' boxes meet and that are not turned away.

    `excluded` (n,) is each beam's owner whose triangles do not count; with `only`, the one whose triangles alone count.
    """
    beam, triangle = _met(beams, triangles)
    owner = triangles.owner[triangle]
    counted = (owner == excluded[beam]) if only else (owner != excluded[beam]) | (owner < 0)
    beam, triangle = beam[counted], triangle[counted]
    sight = beams.eye[beam] - triangles.corners[triangle, 0]
    flat = beams.orthographic[beam]
    side = _dot(np.where(flat[:, None], beams.toward[beam], sight), triangles.normal[triangle])
    kept = (side > 0) | ~(triangles.one_sided[triangle] | _bodily(beams, triangles, beam, triangle))
    distance = np.where(flat, 1.0, _dot(sight, sight) ** 1.5 + 1e-30)
    return Candidates(beam[kept], triangle[kept], (np.abs(side) / distance)[kept])


def in_the_way(beams: Beams, surfaces: Surfaces, occluders: Occluders) -> list[tuple[TriangleSet, Candidates]]:
    """Return each set with its triangles that may hide something of the beams, a curved surface's own among them."""
    surface = surfaces.surface[beams.facet]
    sets = [(each, candidates(beams, each, surfaces.owner[surface])) for each in occluders.sets]
    if len(surfaces.own):
        sets.append((surfaces.own, candidates(beams, surfaces.own, surface, only=True)))
    return sets


def throw(beams: Beams, triangles: TriangleSet, those: Candidates) -> Shadows:
    """Return the shadows of the candidates `those` on the beams' on-screen parts."""
    beam, triangle = those.beam, those.triangle
    forms = beams.forms[beam]
    relative = triangles.corners[triangle] - beams.eye[beam][:, None]
    values = relative @ forms[:, :, :3].swapaxes(1, 2)
    values += forms[:, None, :, 3]
    within = values[..., : _W + 1] @ beams.borders[beam].swapaxes(1, 2)
    outside = np.concatenate([values[..., _W:] < 0, within < 0], axis=2)
    kept = ~np.any(np.all(outside, axis=1), axis=1)
    beam, triangle = beam[kept], triangle[kept]
    polygons = _clipped(values[kept], np.any(outside[kept], axis=1), beams.borders[beam])
    return _shadows(beam, triangle, polygons)


def _met(beams: Beams, triangles: TriangleSet) -> tuple[Ints, Ints]:
    """Return beam and triangle indices of every triangle in a leaf that the beam meets."""
    tree = triangles.tree
    forms = np.concatenate([beams.borders @ beams.forms[:, :3], beams.forms[:, 3:]], axis=1)
    # the tree is in world coordinates: move the constant, not the boxes
    constant = forms[..., 3] - np.einsum("nkd,nd->nk", forms[..., :3], beams.eye)
    planes = np.concatenate([forms[..., :3], np.abs(forms[..., :3]), constant[..., None]], axis=2)
    planes = np.ascontiguousarray(planes.transpose(1, 0, 2))
    beam, node = _roots_met(planes, tree.boxes[: tree.level[1]])
    last, level = len(tree.level) - 2, 0
    while level < last:
        down = min(_DOWN, last - level)
        beam = np.repeat(beam, 1 << down)
        node = ((node - tree.level[level]) << down)[:, None] + tree.level[level + down] + np.arange(1 << down)
        beam, node = _meeting(planes, tree.boxes, beam, node.ravel())
        level += down
    first, count = tree.first[node], tree.count[node]
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(beam, count), tree.order[np.repeat(first, count) + within]


def _roots_met(planes: Floats, boxes: Floats) -> tuple[Ints, Ints]:
    """Return the pairs of beam and root that meet; a single root is not asked."""
    met = np.ones((planes.shape[1], len(boxes)), np.bool_)
    for plane in planes if len(boxes) > 1 else ():
        met &= plane @ boxes.T >= 0
    beam, root = np.nonzero(met)
    return beam, root


def _meeting(planes: Floats, boxes: Floats, beam: Ints, node: Ints) -> tuple[Ints, Ints]:
    """Return the pairs whose boxes have a point inside every plane of `planes` (k, n, 7)."""
    # few are asked of all planes at once, of many those that the first planes leave
    step = len(planes) if len(beam) < _FEW else 1
    for begin in range(0, len(planes), step):
        some = planes[begin : begin + step, beam]
        met = (np.einsum("pbk,bk->pb", some, boxes[node]) >= 0).all(axis=0)
        beam, node = beam[met], node[met]
    return beam, node


def _bodily(beams: Beams, triangles: TriangleSet, beam: Ints, triangle: Ints) -> Bools:
    """Return (n,): the triangle is of a closed body that lies beyond the near plane as a whole."""
    bodies = triangles.bodies
    body = bodies.body[triangle]
    closed = np.nonzero(body >= 0)[0]
    near = beams.forms[beam[closed], _NEAR]
    low, high = bodies.low[body[closed]], bodies.high[body[closed]]
    corner = np.where(near[:, :3] > 0, low, high) - beams.eye[beam[closed]]
    beyond = np.zeros(len(body), np.bool_)
    beyond[closed] = _dot(near[:, :3], corner) + near[:, 3] > 0
    return beyond


def _clipped(values: Floats, crossed: Bools, borders: Floats) -> Polygons:
    """Return the triangles `values` (n, 3, 5) cut by what they cross: W, height, near, then the borders."""
    count = len(values)
    polygons = Polygons(values, np.tile(np.arange(3), (count, 1)), np.full(count, 3))
    dirty = np.nonzero(np.any(crossed, axis=1))[0]
    crossed, borders = crossed[dirty], borders[dirty]
    part = polygons.take(dirty)
    for column in (_HEIGHT, _NEAR, _W):
        part = clip_crossed(part, crossed[:, column - _W], column_of(column), _CUT)
    for border in range(borders.shape[1]):
        part = clip_crossed(part, crossed[:, border + 3], _beyond(borders[:, border]), _CUT)
    return polygons.put(dirty, part)


def _beyond(borders: Floats) -> Distance:
    """Return how to tell the distances from `borders` (n, 3), one for each polygon."""
    return lambda some, rows: np.einsum("nkd,nd->nk", some.values[..., : _W + 1], borders[rows])


def _shadows(beam: Ints, triangle: Ints, polygons: Polygons) -> Shadows:
    weight = np.maximum(polygons.values[..., _W], 1e-12)
    points = polygons.values[..., :2] / weight[..., None]
    area = signed_area(points, polygons.counts)
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
