"""A tree by surface area heuristic (MacDonald and Booth 1990, binned as Wald 2007), and its refit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_view.backends.compiled.kernel import kernel

__all__ = ["LEAF", "build", "larger_last"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Ints32 = NDArray[np.int32]

LEAF = 4
_BINS = 16


@kernel
def build(low: Floats, high: Floats) -> tuple[Floats, Floats, Ints32, Ints32, Ints]:
    """Return boxes low, high (n, 3), first, count (n,) and order (m,) over boxes (m, 3), as `openslot_view.bvh.Bvh`."""
    items = len(low)
    order = np.arange(items)
    node_low, node_high = np.empty((2 * items, 3)), np.empty((2 * items, 3))
    first, count = np.zeros(2 * items, np.int32), np.zeros(2 * items, np.int32)
    begin, end = np.zeros(2 * items, np.int64), np.zeros(2 * items, np.int64)
    end[0] = items
    made = 1
    node = 0
    bins = np.empty((_BINS, 7))
    while node < made:
        a, b = begin[node], end[node]
        _bound(low, high, order[a:b], node_low[node], node_high[node])
        if b - a <= LEAF:
            first[node], count[node] = a, b - a
        else:
            middle = a + _split(low, high, order[a:b], bins)
            first[node] = made
            begin[made], end[made], begin[made + 1], end[made + 1] = a, middle, middle, b
            made += 2
        node += 1
    return node_low[:made].copy(), node_high[:made].copy(), first[:made].copy(), count[:made].copy(), order


@kernel
def larger_last(low: Floats, high: Floats, first: Ints32, count: Ints32, size: Floats) -> None:
    """Swap siblings so that the second holds the largest item by `size` (m, in tree order): it is then walked first."""
    largest = np.zeros(len(first))
    for node in range(len(first) - 1, -1, -1):
        a = first[node]
        if count[node]:
            largest[node] = size[a : a + count[node]].max()
        else:
            if largest[a] > largest[a + 1]:
                for k in range(3):
                    low[a, k], low[a + 1, k] = low[a + 1, k], low[a, k]
                    high[a, k], high[a + 1, k] = high[a + 1, k], high[a, k]
                first[a], first[a + 1] = first[a + 1], first[a]
                count[a], count[a + 1] = count[a + 1], count[a]
                largest[a], largest[a + 1] = largest[a + 1], largest[a]
            largest[node] = largest[a + 1]


@kernel
def _bound(low: Floats, high: Floats, items: Ints, box_low: Floats, box_high: Floats) -> None:
    box_low[:] = np.inf
    box_high[:] = -np.inf
    for i in items:
        for k in range(3):
            box_low[k] = min(box_low[k], low[i, k])
            box_high[k] = max(box_high[k], high[i, k])


@kernel
def _split(low: Floats, high: Floats, items: Ints, bins: Floats) -> int:
    """Part `items` in place along the longest axis of their middles; return how many are in the first part."""
    axis, least, extent = _longest(low, high, items)
    if extent <= 1e-12:
        return len(items) // 2
    scale = _BINS / extent
    _fill(low, high, items, bins, (axis, least, scale))
    border = _cheapest(bins)
    i, j = 0, len(items) - 1
    while i <= j:
        if _bin(low, high, items[i], (axis, least, scale)) <= border:
            i += 1
        else:
            items[i], items[j] = items[j], items[i]
            j -= 1
    return i if 0 < i < len(items) else len(items) // 2


@kernel
def _longest(low: Floats, high: Floats, items: Ints) -> tuple[int, float, float]:
    axis, least, extent = 0, 0.0, -1.0
    for k in range(3):
        begin, end = np.inf, -np.inf
        for i in items:
            middle = low[i, k] + high[i, k]
            begin, end = min(begin, middle), max(end, middle)
        if end - begin > extent:
            axis, least, extent = k, begin, end - begin
    return axis, least, extent


@kernel
def _bin(low: Floats, high: Floats, i: int, cut: tuple[int, float, float]) -> int:
    axis, least, scale = cut
    return min(_BINS - 1, int((low[i, axis] + high[i, axis] - least) * scale))


@kernel
def _fill(low: Floats, high: Floats, items: Ints, bins: Floats, cut: tuple[int, float, float]) -> None:
    """Write each bin's number of items and box; `cut` is axis, least middle and bins a unit."""
    bins[:, 0] = 0
    bins[:, 1:4] = np.inf
    bins[:, 4:7] = -np.inf
    for i in items:
        row = bins[_bin(low, high, i, cut)]
        row[0] += 1
        for k in range(3):
            row[1 + k] = min(row[1 + k], low[i, k])
            row[4 + k] = max(row[4 + k], high[i, k])


@kernel
def _cheapest(bins: Floats) -> int:
    """Return the last bin of the first part where the summed cost of both parts is least."""
    after = np.zeros(_BINS)
    box = np.empty(7)
    _emptied(box)
    for b in range(_BINS - 1, 0, -1):
        after[b] = _grown(box, bins[b])
    _emptied(box)
    best, border = np.inf, 0
    for b in range(_BINS - 1):
        cost = _grown(box, bins[b]) + after[b + 1]
        if cost < best:
            best, border = cost, b
    return border


@kernel
def _emptied(box: Floats) -> None:
    for k in range(7):
        box[k] = 0.0 if k == 0 else np.inf if k < 4 else -np.inf


@kernel
def _grown(box: Floats, row: Floats) -> float:
    """Return items × surface of `box` after taking in a bin."""
    box[0] += row[0]
    for k in range(1, 4):
        box[k], box[k + 3] = min(box[k], row[k]), max(box[k + 3], row[k + 3])
    if box[0] == 0:
        return 0.0
    x, y, z = box[4] - box[1], box[5] - box[2], box[6] - box[3]
    return float(box[0] * (x * y + y * z + z * x))
