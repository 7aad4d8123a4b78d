"""Batches of convex polygons: clipping, area, orientation.

Row i is a polygon of `counts[i]` vertices; what lies beyond is padding and never read. Every vertex carries columns
that are linear over the polygon, so that clipping interpolates them. The edge that starts at a vertex carries an id
that tells where the edge came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Polygons", "clip", "following", "signed_area"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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
        width = max(self.values.shape[1], other.values.shape[1])
        wide, narrow = _widened(self, width), _widened(other, width)
        wide.values[rows], wide.edges[rows], wide.counts[rows] = narrow.values, narrow.edges, narrow.counts
        return wide


def clip(polygons: Polygons, distance: Floats, label: int) -> Polygons:
    """Return the parts where `distance` (n, k), linear over each polygon, is ≥ 0; a cut edge has the id `label`.

    Sutherland and Hodgman 1974, all rows at once. Polygons wholly outside come back with count 0.
    """
    values, edges, counts = polygons.values, polygons.edges, polygons.counts
    here = distance
    after = following(counts, values.shape[1])
    there = np.take_along_axis(here, after, axis=1)
    real = np.arange(values.shape[1]) < counts[:, None]
    inside = (here >= 0) & real
    crossing = ((here >= 0) != (there >= 0)) & real
    emitted = inside.astype(np.int64) + crossing
    place = np.cumsum(emitted, axis=1) - emitted
    total = emitted.sum(axis=1)
    shape = (len(values), max(3, int(total.max(initial=0))))
    out, out_edges = np.zeros((*shape, values.shape[2])), np.full(shape, -1, np.int64)
    row, vertex = np.nonzero(inside)
    out[row, place[row, vertex]] = values[row, vertex]
    out_edges[row, place[row, vertex]] = edges[row, vertex]
    row, vertex = np.nonzero(crossing)
    at = place[row, vertex] + inside[row, vertex]
    begin, end = values[row, vertex], values[row, after[row, vertex]]
    share = here[row, vertex] / (here[row, vertex] - there[row, vertex])
    out[row, at] = begin + (end - begin) * share[:, None]
    out_edges[row, at] = np.where(here[row, vertex] >= 0, label, edges[row, vertex])
    return Polygons(out, out_edges, total)


def following(counts: Ints, width: int) -> Ints:
    """Return (n, width): the index of the vertex after each."""
    after = np.arange(1, width + 1)[None]
    return np.where(after >= counts[:, None], 0, after)


def signed_area(points: Floats, counts: Ints) -> Floats:
    """Return (n,) areas of `points` (n, k, 2), positive when counter-clockwise."""
    after = following(counts, points.shape[1])
    x, y = points[..., 0], points[..., 1]
    cross = x * np.take_along_axis(y, after, axis=1) - y * np.take_along_axis(x, after, axis=1)
    real = np.arange(points.shape[1]) < counts[:, None]
    return np.asarray(np.where(real, cross, 0.0).sum(axis=1) / 2)


def _widened(polygons: Polygons, width: int) -> Polygons:
    missing = width - polygons.values.shape[1]
    return Polygons(
        np.pad(polygons.values, ((0, 0), (0, missing), (0, 0))),
        np.pad(polygons.edges, ((0, 0), (0, missing)), constant_values=-1),
        polygons.counts.copy(),
    )
