"""The exact area of a union of convex polygons, for many unions at once.

By Green's theorem the area is half the integral of x dy − y dx over the boundary of the union, and that boundary is
made of those parts of the polygons' edges that lie inside no other polygon. Each edge is clipped against each polygon
of its union whose box it meets (Cyrus and Beck 1978); the covered intervals are merged; the gaps are the boundary.

Polygons that share an edge or coincide need one rule, whichever way rounding falls: polygon number i of a union is
taken as grown outwards by i × `GROWTH`. Two coincident edges are then never in the same place, and what is left is the
boundary of a real set; the area is off by no more than the growth times the length of all edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from openslot_view.outlines import on_screen
from openslot_view.polygons import following, signed_area

__all__ = ["Areas", "needles", "summed", "union_areas"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GROWTH = 1e-11
"""In chart units: a hundred times what rounding moves a shadow's corner, so that ranks part coincident edges; 1,024
polygons, each with a whole side of the chart as boundary, are off by 1,024² / 2 of it together, 5e-6."""
THIN = 1e-3
"""Area over the square of the longest edge below which a polygon is a needle, whose tips growing moves far."""
_CHUNK = 1 << 20  # edge–polygon tests at once: bounds the memory


@dataclass(frozen=True, slots=True, eq=False)
class Areas:
    """The areas of n unions: `chart` in chart units, `screen` as a share of the viewport; both (n,)."""

    chart: Floats
    screen: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Shapes:
    """Polygons sorted by union, their edges as inward lines `nx x + ny y + c ≥ 0`, and the range of each union."""

    points: Floats
    counts: Ints
    group: Ints
    lines: Floats
    low: Floats
    high: Floats
    growth: Floats
    thin: NDArray[np.bool_]
    start: Ints
    size: Ints


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """Edges that may be boundary: their polygon, both ends, and the outward step that growing means for them."""

    shape: Ints
    begin: Floats
    end: Floats
    inward: Floats


def union_areas(group: Ints, points: Floats, counts: Ints, exposed: NDArray[np.bool_], screen: Floats) -> Areas:
    """Return the areas of the unions 0 … n − 1, zero where a union has no polygon.

    Args:
        group: (m,) the union of each polygon.
        points: (m, k, 2) counter-clockwise, `counts` (m,) of them real.
        counts: see `points`.
        exposed: (m, k) False where the edge from a vertex is known to be inside the union.
        screen: (n, 3, 3) chart (u, v, 1) to homogeneous screen.
    """
    order = np.argsort(group, kind="stable")
    shapes = _shapes(group[order], points[order], counts[order], len(screen))
    edges = _edges(shapes, exposed[order])
    chart, seen = np.zeros(len(screen)), np.zeros(len(screen))
    for rows in _chunks(shapes.size[shapes.group[edges.shape]]):
        part = _Edges(edges.shape[rows], edges.begin[rows], edges.end[rows], edges.inward[rows])
        edge, low, high = _covered(shapes, part)
        edge, low, high = _gaps(len(part.shape), edge, low, high)
        step = part.end[edge] - part.begin[edge]
        first, last = part.begin[edge] + step * low[:, None], part.begin[edge] + step * high[:, None]
        union = shapes.group[part.shape[edge]]
        chart += summed(union, _cross(first, last), len(screen))
        maps = screen[union]
        seen += summed(union, _cross(on_screen(maps, first), on_screen(maps, last)), len(screen))
    return Areas(chart / 2, np.abs(seen) / 8)


def needles(points: Floats, counts: Ints) -> NDArray[np.bool_]:
    """Return (m,): the polygons that growing makes much longer than it makes them wide.

    Their edges are to be `exposed` even where a neighbour goes on, for growing moves them against it.
    """
    after = np.take_along_axis(points, following(counts, points.shape[1])[..., None], axis=1)
    real = np.arange(points.shape[1]) < counts[:, None]
    squared = np.where(real, np.sum((after - points) ** 2, axis=2), 0.0)
    return np.asarray(signed_area(points, counts) < THIN * squared.max(axis=1, initial=0.0))


def summed(index: Ints, values: Floats, size: int) -> Floats:
    """Return (size,): the sum of `values` at each index."""
    return np.bincount(index, values, size).astype(np.float64, copy=False)


def _shapes(group: Ints, points: Floats, counts: Ints, unions: int) -> _Shapes:
    real = np.arange(points.shape[1]) < counts[:, None]
    after = np.take_along_axis(points, following(counts, points.shape[1])[..., None], axis=1)
    step = after - points
    length = np.hypot(step[..., 0], step[..., 1])
    valid = real & (length > 1e-13)
    inward = np.stack([-step[..., 1], step[..., 0]], axis=2) / np.where(valid, length, 1.0)[..., None]
    constant = -np.sum(inward * points, axis=2)
    always = np.array([0.0, 0.0, 1.0])
    lines = np.where(valid[..., None], np.concatenate([inward, constant[..., None]], axis=2), always)
    size = np.bincount(group, minlength=unions)
    start = np.cumsum(size) - size
    rank = np.arange(len(group)) - start[group]
    low = np.where(real[..., None], points, np.inf).min(axis=1, initial=np.inf)
    high = np.where(real[..., None], points, -np.inf).max(axis=1, initial=-np.inf)
    return _Shapes(points, counts, group, lines, low, high, rank * GROWTH, needles(points, counts), start, size)


def _edges(shapes: _Shapes, exposed: NDArray[np.bool_]) -> _Edges:
    shape, vertex = np.nonzero(exposed & np.any(shapes.lines[..., :2] != 0, axis=2))
    after = following(shapes.counts, shapes.points.shape[1])[shape, vertex]
    return _Edges(shape, shapes.points[shape, vertex], shapes.points[shape, after], shapes.lines[shape, vertex, :2])


def _chunks(sizes: Ints) -> list[slice]:
    """Return slices of rows whose `sizes` sum to about `_CHUNK` each."""
    total = np.cumsum(sizes)
    marks = np.arange(_CHUNK, int(total[-1]) if len(total) else 0, _CHUNK)
    cuts = np.unique(np.concatenate([[0], np.searchsorted(total, marks) + 1, [len(sizes)]]))
    return [slice(int(begin), int(end)) for begin, end in pairwise(cuts)]


def _covered(shapes: _Shapes, edges: _Edges) -> tuple[Ints, Floats, Floats]:
    """Return edge index and parameter range (0 at its begin, 1 at its end) of every stretch inside another polygon."""
    union = shapes.group[edges.shape]
    size = shapes.size[union]
    edge = np.repeat(np.arange(len(size)), size)
    other = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size - shapes.start[union], size)
    low, high = np.minimum(edges.begin, edges.end), np.maximum(edges.begin, edges.end)
    slack = 2 * GROWTH * (1 + int(size.max(initial=0)))
    meets = other != edges.shape[edge]
    for axis in (0, 1):
        meets &= shapes.low[other, axis] < high[edge, axis] + slack
        meets &= shapes.high[other, axis] > low[edge, axis] - slack
    edge, other = edge[meets], other[meets]
    begin, end, own = edges.begin[edge], edges.end[edge], shapes.growth[edges.shape[edge]]
    enter, leave = np.zeros(len(edge)), np.ones(len(edge))
    for k in range(shapes.points.shape[1]):
        rows = np.nonzero((k < shapes.counts[other]) & (leave > enter))[0]
        line = shapes.lines[other[rows], k]
        # both polygons grown: the edge steps outwards, the line gives way
        grown = shapes.growth[other[rows]] - own[rows] * np.einsum("ij,ij->i", edges.inward[edge[rows]], line[:, :2])
        first = np.einsum("ij,ij->i", line[:, :2], begin[rows]) + line[:, 2] + grown
        last = np.einsum("ij,ij->i", line[:, :2], end[rows]) + line[:, 2] + grown
        cut = first / np.where(first == last, 1.0, first - last)
        enter[rows] = np.where((first < 0) & (last > 0), np.maximum(enter[rows], cut), enter[rows])
        leave[rows] = np.where((first > 0) & (last < 0), np.minimum(leave[rows], cut), leave[rows])
        leave[rows[(first <= 0) & (last <= 0)]] = -1.0
    thin = np.nonzero(shapes.thin[other] & (leave > enter))[0]
    least, most = _reach(shapes, other[thin], begin[thin], end[thin])
    enter[thin], leave[thin] = np.maximum(enter[thin], least), np.minimum(leave[thin], most)
    inside = leave > enter
    return edge[inside], enter[inside], leave[inside]


def _reach(shapes: _Shapes, other: Ints, begin: Floats, end: Floats) -> tuple[Floats, Floats]:
    """Return between which parameters of the edges the polygons `other` lie, not grown.

    Growing moves the tip of a needle by the growth over the sine of its angle; edges along the needle must not be
    covered beyond it.
    """
    step = end - begin
    along = np.einsum("nkd,nd->nk", shapes.points[other] - begin[:, None], step)
    along /= np.maximum(np.einsum("nd,nd->n", step, step), 1e-300)[:, None]
    real = np.arange(along.shape[1]) < shapes.counts[other][:, None]
    return np.where(real, along, np.inf).min(axis=1), np.where(real, along, -np.inf).max(axis=1)


def _gaps(count: int, edge: Ints, low: Floats, high: Floats) -> tuple[Ints, Floats, Floats]:
    """Return edge index and range of every stretch of [0, 1] that no given interval covers."""
    # a last interval at 1 closes every edge
    edge = np.concatenate([edge, np.arange(count)])
    low, high = np.concatenate([low, np.ones(count)]), np.concatenate([high, np.ones(count)])
    order = np.lexsort((low, edge))
    edge, low, high = edge[order], low[order], high[order]
    # whole numbers keep the edges apart, so one running maximum serves them all
    reached = np.maximum.accumulate(high + 2.0 * edge) - 2.0 * edge
    before = np.where(np.concatenate([[True], edge[1:] != edge[:-1]]), 0.0, np.concatenate([[0.0], reached[:-1]]))
    gap = low - before > 1e-12
    return edge[gap], before[gap], low[gap]


def _cross(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])
