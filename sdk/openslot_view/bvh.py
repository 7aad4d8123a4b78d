"""Trees of boxes over triangles, built level by level with whole-array steps.

nodes lie level by level, roots first; all leaves are on the last level, so the i-th node of a level has the children
2 i and 2 i + 1 of the next
an inner node's first is its first child, its count is 0
a leaf holds the triangles order[first] .. order[first + count − 1]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bvh", "build", "join", "moved"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAF = 4


@dataclass(frozen=True, eq=False)
class Bvh:
    """n nodes over m triangles: boxes `low`, `high` (n, 3), `first`, `count` (n,), `order` (m,), `level` starts.

    It has one root, or as many as trees were placed or joined.
    """

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

    def placed(self, world_from_tree: Floats) -> Bvh:
        """Return the trees over the triangles that stand where each of p matrices (p, 4, 4) puts them, one by one.

        A box holds the moved box, so it is looser than one of a tree built anew.
        """
        low, high = moved(self.low, self.high, world_from_tree)
        copies, count = len(low), len(self.order)
        begin = np.arange(copies)[:, None] * count
        spans = [slice(a, b) for a, b in pairwise(self.level.tolist())]
        return _forest(
            [low[:, span].reshape(-1, 3) for span in spans],
            [high[:, span].reshape(-1, 3) for span in spans],
            (self.first[spans[-1]] + begin).ravel(),
            np.tile(self.count[spans[-1]], copies),
            (self.order + begin).ravel(),
        )

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
    unknown = [np.zeros((2**level, 3)) for level in range(levels + 1)]
    return _forest(unknown, unknown, start[:-1], np.diff(start), order).refitted(triangles)


def join(trees: Sequence[Bvh]) -> Bvh:
    """Return trees of one depth, at least one, as one over the triangles of all in their order."""
    begin = np.cumsum([0] + [len(tree.order) for tree in trees])
    levels = range(len(trees[0].level) - 1)
    leaves = [slice(tree.level[-2], None) for tree in trees]
    return _forest(
        [np.concatenate([tree.low[tree.level[n] : tree.level[n + 1]] for tree in trees]) for n in levels],
        [np.concatenate([tree.high[tree.level[n] : tree.level[n + 1]] for tree in trees]) for n in levels],
        np.concatenate([tree.first[leaf] + offset for tree, leaf, offset in zip(trees, leaves, begin, strict=False)]),
        np.concatenate([tree.count[leaf] for tree, leaf in zip(trees, leaves, strict=True)]),
        np.concatenate([tree.order + offset for tree, offset in zip(trees, begin, strict=False)]),
    )


def moved(low: Floats, high: Floats, world_from_box: Floats) -> tuple[Floats, Floats]:
    """Return low, high (p, n, 3): boxes along the axes about n boxes (n, 3) that each of p matrices has moved."""
    turn, shift = world_from_box[:, :3, :3].swapaxes(1, 2), world_from_box[:, None, :3, 3]
    middle, half = (low + high) / 2 @ turn + shift, (high - low) / 2 @ np.abs(turn)
    return middle - half, middle + half


def _forest(low: Sequence[Floats], high: Sequence[Floats], first: Ints, count: Ints, order: Ints) -> Bvh:
    """Return the trees of boxes level by level, and of the leaves' triangles."""
    sizes = [len(boxes) for boxes in low]
    level = np.cumsum([0, *sizes])
    children = [after + 2 * np.arange(size) for after, size in zip(level[1:], sizes[:-1], strict=False)]
    return Bvh(
        np.concatenate(low),
        np.concatenate(high),
        np.concatenate([*children, first]),
        np.concatenate([np.zeros(level[-2], np.int64), count]),
        order,
        level,
    )


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
