"""A tree of boxes over triangles, built level by level with whole-array steps.

nodes lie level by level, root first; all leaves are on the last level, so node i has the children 2 i + 1 and 2 i + 2
an inner node's first is its first child, its count is 0
a leaf holds the triangles order[first] .. order[first + count − 1]
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bvh", "build"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAF = 4


@dataclass(frozen=True, eq=False)
class Bvh:
    """n nodes over m triangles: boxes `low`, `high` (n, 3), `first`, `count` (n,), `order` (m,), `level` starts."""

    low: Floats
    high: Floats
    first: Ints
    count: Ints
    order: Ints
    level: Ints

    @cached_property
    def boxes(self) -> Floats:
        """Return (n, 7): each box's middle, half its extents, and 1, for planes to be asked in one product."""
        return np.concatenate([(self.low + self.high) / 2, (self.high - self.low) / 2, np.ones((len(self.low), 1))], 1)

    def refitted(self, triangles: Floats) -> Bvh:
        """Return the tree of the same shape over the same `triangles` (m, 3, 3) after they moved."""
        low, high = np.empty_like(self.low), np.empty_like(self.high)
        leaf = np.nonzero(self.count)[0]
        leaf = leaf[np.argsort(self.first[leaf])]  # the leaves share out the order without a gap
        corners = triangles[self.order]
        low[leaf] = np.minimum.reduceat(corners.min(axis=1), self.first[leaf], axis=0)
        high[leaf] = np.maximum.reduceat(corners.max(axis=1), self.first[leaf], axis=0)
        for begin, end in zip(self.level[-2::-1], self.level[:0:-1], strict=True):
            node = np.arange(begin, end)
            node = node[self.count[node] == 0]
            left, right = self.first[node], self.first[node] + 1
            low[node] = np.minimum(low[left], low[right])
            high[node] = np.maximum(high[left], high[right])
        return replace(self, low=low, high=high)


def build(triangles: Floats) -> Bvh:
    """Return a balanced tree over `triangles` (m, 3, 3), m ≥ 1, split at the median of the longest axis."""
    levels = max(0, int(np.ceil(np.log2(len(triangles) / LEAF))))
    centre = triangles.mean(axis=1)
    order, start = np.arange(len(triangles)), np.array([0, len(triangles)])
    for _ in range(levels):
        order = order[_sorted_by_longest_axis(centre[order], start)]
        middle = (start[:-1] + start[1:] + 1) // 2
        start = np.insert(start, np.arange(1, len(start)), middle)
    inner = 2**levels - 1
    nodes = np.zeros((2 * inner + 1, 3))
    return Bvh(
        nodes,
        nodes,
        np.concatenate([2 * np.arange(inner) + 1, start[:-1]]),
        np.concatenate([np.zeros(inner, np.int64), np.diff(start)]),
        order,
        2 ** np.arange(levels + 2) - 1,
    ).refitted(triangles)


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
