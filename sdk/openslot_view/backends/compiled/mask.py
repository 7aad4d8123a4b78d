"""A coarse picture of what is hidden, 32 × 32 bits: it never answers, it only tells when to ask for the exact area."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_view.backends.compiled.kernel import inlined, kernel

__all__ = ["SIZE", "full", "paint"]

Floats = NDArray[np.float64]

SIZE = 32


@kernel
def paint(points: Floats, begin: int, end: int, bits: NDArray[np.uint32], span: Floats) -> None:
    """Set the bits whose middles lie in the convex polygon points[begin:end] (x, y, …), counter-clockwise."""
    low = high = points[begin, 1]
    for i in range(begin + 1, end):
        low, high = min(low, points[i, 1]), max(high, points[i, 1])
    first, last = max(0, int(np.ceil(low * SIZE - 0.5))), min(SIZE - 1, int(np.floor(high * SIZE - 0.5)))
    if last < first:
        return
    _spans(points, begin, end, first, last, span)
    for row in range(first, last + 1):
        left = int(np.ceil(span[0, row] - 0.5))
        right = min(SIZE - 1, int(np.floor(span[1, row] - 0.5)))
        if left <= right:
            bits[row] |= (np.uint32(0xFFFFFFFF) >> np.uint32(SIZE - 1 - right + left)) << np.uint32(left)


@inlined
def full(mask: NDArray[np.uint32]) -> bool:
    """Return whether mask[1] sets every bit that mask[0] does."""
    for row in range(SIZE):  # noqa: SIM110 - the compiler has no generators
        if mask[0, row] & ~mask[1, row]:
            return False
    return True


@inlined
def _spans(points: Floats, begin: int, end: int, first: int, last: int, span: Floats) -> None:
    """Write to `span` where the middles of the rows enter and leave the polygon, in bits."""
    for row in range(first, last + 1):
        span[0, row], span[1, row] = 0.0, SIZE
    for i in range(begin, end):
        j = i + 1 if i + 1 < end else begin
        rise = points[j, 1] - points[i, 1]
        if abs(rise) < 1e-14:
            continue
        slope = (points[j, 0] - points[i, 0]) / rise
        start = (points[i, 0] - points[i, 1] * slope) * SIZE + 0.5 * slope
        if rise < 0:
            for row in range(first, last + 1):
                span[0, row] = max(span[0, row], start + slope * row)
        else:
            for row in range(first, last + 1):
                span[1, row] = min(span[1, row], start + slope * row)
