"""Batches of convex polygons: clipping, area, orientation.

Row i is a polygon of `counts[i]` vertices; what lies beyond is padding and never read. Every vertex carries columns
that are linear over the polygon, so that clipping interpolates them. The edge that starts at a vertex carries an id
that tells where the edge came from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Distance", "Polygons", "clip", "clip_crossed", "column_of", "following", "signed_area"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_FEW = 256  # polygons that cost less to clip than to pick out


@dataclass(frozen=True, slots=True, eq=False)
class Polygons:
    """n polygons: `values` (n, k, d), `edges` (n, k) ids, `counts` (n,)."""

    values: Floats
    edges: Ints
    counts: Ints

    def take(self, rows: NDArray[Any]) -> Polygons:
        """Return the polygons of `rows` (indices or a mask)."""
        return Polygons(self.values[rows], self.edges[rows], self.counts[rows])

    def put(self, rows: Ints, other: Polygons) -> Polygons:
        """Return these polygons with `rows` replaced by `other`, wider where it must be."""
        wide, width = _widened(self, other.values.shape[1]), other.values.shape[1]
        wide.values[rows, :width], wide.edges[rows, :width], wide.counts[rows] = other.values, other.edges, other.counts
        return wide


Distance = Callable[[Polygons, Ints | slice], Floats]
"""The distances (n, k) of the vertices of some polygons, and which of all they are."""


def clip(polygons: Polygons, distance: Floats, label: int) -> Polygons:
    """Return the parts where `distance` (n, k), linear over each polygon, is ≥ 0; a cut edge has the id `label`.

    Sutherland and Hodgman 1974, all rows at once. Polygons wholly outside come back with count 0.
    """
    values, edges, counts = polygons.values, polygons.edges, polygons.counts
    after = following(counts, values.shape[1])
    within = distance >= 0
    row = np.arange(len(values))[:, None]
    real = np.arange(values.shape[1]) < counts[:, None]
    inside, crossing = within & real, (within != within[row, after]) & real
    emitted = inside.astype(np.int64) + crossing
    end = emitted.cumsum(axis=1)
    total, place = end[:, -1].copy(), end - emitted
    shape = (len(values), max(3, int(total.max(initial=0))))
    out, out_edges = np.zeros((*shape, values.shape[2])), np.full(shape, -1, np.int64)
    kept = inside.nonzero()
    out[kept[0], place[kept]], out_edges[kept[0], place[kept]] = values[kept], edges[kept]
    cut = crossing.nonzero()
    beyond = cut[0], after[cut]
    here, begin, leaving = distance[cut], values[cut], inside[cut]
    share = here / (here - distance[beyond])
    at = cut[0], place[cut] + leaving
    out[at] = begin + (values[beyond] - begin) * share[:, None]
    out_edges[at] = np.where(leaving, label, edges[cut])
    return Polygons(out, out_edges, total)


def clip_crossed(polygons: Polygons, crossed: Bools, distance: Distance, label: int) -> Polygons:
    """Return the polygons with those that are `crossed` (n,) clipped as `clip` does; the others lie inside."""
    rows = np.nonzero(crossed & (polygons.counts > 0))[0]
    if not rows.size:
        return polygons
    if len(crossed) <= _FEW:
        return clip(polygons, distance(polygons, slice(None)), label)
    some = polygons.take(rows)
    return polygons.put(rows, clip(some, distance(some, rows), label))


def column_of(column: int) -> Distance:
    """Return the distance that stands in a column of the polygons."""
    return lambda some, _: some.values[..., column]


def following(counts: Ints, width: int) -> Ints:
    """Return (n, width): the index of the vertex after each."""
    after = np.arange(1, width + 1)[None]
    return np.where(after >= counts[:, None], 0, after)


def signed_area(points: Floats, counts: Ints) -> Floats:
    """Return (n,) areas of `points` (n, k, 2), positive when counter-clockwise, as fans about their first vertices."""
    x, y = points[:, 1:, 0] - points[:, :1, 0], points[:, 1:, 1] - points[:, :1, 1]
    cross = x[:, :-1] * y[:, 1:] - x[:, 1:] * y[:, :-1]
    real = np.arange(2, points.shape[1]) < counts[:, None]
    return np.asarray(np.where(real, cross, 0.0).sum(axis=1) / 2)


def _widened(polygons: Polygons, width: int) -> Polygons:
    """Return a copy with room for `width` vertices at least."""
    count, have, columns = polygons.values.shape
    values, edges = np.zeros((count, max(have, width), columns)), np.full((count, max(have, width)), -1, np.int64)
    values[:, :have], edges[:, :have] = polygons.values, polygons.edges
    return Polygons(values, edges, polygons.counts.copy())
