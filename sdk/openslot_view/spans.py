"""An estimate of a union's area by rows of intervals: the fallback where the exact union would cost too much.

Each union is cut by `ROWS` lines at the middles of equal bands; on each line the shadows' intervals are merged exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openslot_view.polygons import following
from openslot_view.union import Areas, summed

__all__ = ["ROWS", "Spans", "span_areas", "spans"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROWS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """n intervals `left` … `right` (n,) of u on `line` (n,), none over another: line r of union i is i · rows + r."""

    line: Ints
    left: Floats
    right: Floats


def spans(group: Ints, points: Floats, counts: Ints, bands: Floats, rows: int = ROWS) -> Spans:
    """Return where the middles of `rows` equal parts of each union's band lie in it; arguments as `span_areas`."""
    low, height = bands[:, 0], (bands[:, 1] - bands[:, 0]) / rows
    shape, row = _lines(points, counts, low[group], height[group], rows)
    union = group[shape]
    left, right = _interval(points[shape], counts[shape], low[union] + (row + 0.5) * height[union])
    return _merged(union * rows + row, left, right)


def span_areas(group: Ints, points: Floats, counts: Ints, bands: Floats, screen: Floats) -> Areas:
    """Return the areas of the unions 0 … n − 1; arguments as `union_areas`, and `bands` (n, 2) of v."""
    low, height = bands[:, 0], (bands[:, 1] - bands[:, 0]) / ROWS
    found = spans(group, points, counts, bands)
    union, unions = found.line // ROWS, len(bands)
    v = low[union] + (found.line % ROWS + 0.5) * height[union]
    area = (found.right - found.left) * height[union]
    seen = area * _density(screen[union], found.left, found.right, v)
    return Areas(summed(union, area, unions), summed(union, seen, unions))


def _lines(points: Floats, counts: Ints, low: Floats, height: Floats, rows: int) -> tuple[Ints, Ints]:
    """Return polygon and row of every line that crosses a polygon."""
    real = np.arange(points.shape[1]) < counts[:, None]
    lowest = np.where(real, points[..., 1], np.inf).min(axis=1, initial=np.inf)
    highest = np.where(real, points[..., 1], -np.inf).max(axis=1, initial=-np.inf)
    first = np.clip(np.ceil((lowest - low) / height - 0.5), 0, rows).astype(np.int64)
    last = np.clip(np.floor((highest - low) / height - 0.5), -1, rows - 1).astype(np.int64)
    number = np.maximum(last - first + 1, 0)
    row = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    return np.repeat(np.arange(len(counts)), number), row + np.repeat(first, number)


def _interval(points: Floats, counts: Ints, v: Floats) -> tuple[Floats, Floats]:
    """Return where the line at `v` (n,) enters and leaves each polygon; left > right where it misses."""
    after = np.take_along_axis(points, following(counts, points.shape[1])[..., None], axis=1)
    real = np.arange(points.shape[1]) < counts[:, None]
    crosses = real & ((points[..., 1] <= v[:, None]) != (after[..., 1] <= v[:, None]))
    rise = np.where(crosses, after[..., 1] - points[..., 1], 1.0)
    u = points[..., 0] + (v[:, None] - points[..., 1]) / rise * (after[..., 0] - points[..., 0])
    left = np.where(crosses, u, np.inf).min(axis=1, initial=np.inf)
    right = np.where(crosses, u, -np.inf).max(axis=1, initial=-np.inf)
    return left, right


def _merged(line: Ints, left: Floats, right: Floats) -> Spans:
    """Return the intervals of each line with what an earlier one covers taken off."""
    some = right > left
    line, left, right = line[some], left[some], right[some]
    order = np.lexsort((left, line))
    line, left, right = line[order], left[order], right[order]
    if not len(line):
        return Spans(line, left, right)
    # an offset per line keeps them apart, so one running maximum serves them all
    offset = line * (1.0 + right.max() - left.min())
    reached = np.maximum.accumulate(right + offset) - offset
    first = np.concatenate([[True], line[1:] != line[:-1]])
    before = np.where(first, -np.inf, np.concatenate([[0.0], reached[:-1]]))
    left = np.maximum(left, before)
    some = right > left
    return Spans(line[some], left[some], right[some])


def _density(screen: Floats, left: Floats, right: Floats, v: Floats) -> Floats:
    """Return the mean screen share per chart area along each interval: |det| / w³ integrates in closed form."""
    start = screen[:, 2, 1] * v + screen[:, 2, 2]
    first = np.maximum(start + screen[:, 2, 0] * left, 1e-12)
    last = np.maximum(start + screen[:, 2, 0] * right, 1e-12)
    return np.asarray(np.abs(np.linalg.det(screen)) * (first + last) / (8 * (first * last) ** 2))
