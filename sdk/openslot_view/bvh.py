"""A balanced tree of boxes over triangles, built level by level with whole-array steps, and refitted as cheaply.

    node 0 = all; children of i are 2i + 1 and 2i + 2; the last level are the leaves
    leaf j holds triangles leaf_start[j] .. leaf_start[j + 1] of the new order

The tree is complete and no leaf is empty, so nothing but boxes is stored, and moving the triangles changes only those.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bvh", "build", "refit"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAF = 4


@dataclass(frozen=True, slots=True, eq=False)
class Bvh:
    """Boxes `low`, `high` (2^(levels+1) − 1, 3) and the leaves' ranges `leaf_start` (2^levels + 1,)."""

    low: Floats
    high: Floats
    leaf_start: Ints
    levels: int


def build(triangles: Floats) -> tuple[Bvh, Ints]:
    """Return the tree over `triangles` (m, 3, 3) and the order (m,) in which it wants them."""
    count = len(triangles)
    levels = max(0, int(np.ceil(np.log2(max(count, 1) / LEAF))))
    centre = triangles.mean(axis=1)
    order, start = np.arange(count), np.array([0, count])
    for _ in range(levels):
        order = order[_sorted_by_longest_axis(centre[order], start)]
        middle = (start[:-1] + start[1:] + 1) // 2
        start = np.insert(start, np.arange(1, len(start)), middle)
    return refit(triangles[order], start, levels), order


def refit(triangles: Floats, leaf_start: Ints, levels: int) -> Bvh:
    """Return the tree of the same shape over `triangles` (m, 3, 3) that moved, given in the tree's order."""
    if not len(triangles):
        return Bvh(np.zeros((1, 3)), np.zeros((1, 3)), leaf_start, 0)
    low = np.minimum.reduceat(triangles.min(axis=1), leaf_start[:-1], axis=0)
    high = np.maximum.reduceat(triangles.max(axis=1), leaf_start[:-1], axis=0)
    lows, highs = [low], [high]
    for _ in range(levels):
        lows.append(lows[-1].reshape(-1, 2, 3).min(axis=1))
        highs.append(highs[-1].reshape(-1, 2, 3).max(axis=1))
    return Bvh(np.concatenate(lows[::-1]), np.concatenate(highs[::-1]), leaf_start, levels)


def _sorted_by_longest_axis(centre: Floats, start: Ints) -> Ints:
    """Return the order that sorts each segment of `centre` along its own longest axis."""
    counts = np.diff(start)
    segment = np.repeat(np.arange(len(counts)), counts)
    low, high = np.minimum.reduceat(centre, start[:-1], axis=0), np.maximum.reduceat(centre, start[:-1], axis=0)
    axis = np.argmax(high - low, axis=1)
    rows = np.arange(len(counts))
    least, extent = low[rows, axis], (high - low)[rows, axis]
    key = (centre[np.arange(len(centre)), axis[segment]] - least[segment]) / np.where(extent > 0, extent, 1.0)[segment]
    return np.argsort(segment + 0.999 * key, kind="stable")
