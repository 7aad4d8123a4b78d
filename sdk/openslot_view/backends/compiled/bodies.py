"""Which triangles belong to closed bodies, whose far side needs no test."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_view.backends.compiled.kernel import kernel

__all__ = ["closed_bodies"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@kernel
def closed_bodies(corners: Floats, neighbour: Ints, owner: Ints) -> tuple[NDArray[np.int32], Floats, Floats]:
    """Return each triangle's closed body or −1 (m,), and the bodies' boxes low, high (b, 3).

    A body is closed when every edge has a neighbour, all have one owner, and it is wound outwards.
    """
    root = _roots(neighbour)
    closed, volume = _bodies(corners, neighbour, owner, root)
    count = 0
    number = np.full(len(root), -1, np.int32)
    for t in range(len(root)):
        if root[t] == t and closed[t] and volume[t] > 0:
            number[t] = count
            count += 1
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    component = np.empty(len(root), np.int32)
    for t in range(len(root)):
        c = component[t] = number[root[t]]
        if c >= 0:
            for k in range(3):
                low[c, k] = min(low[c, k], corners[t, :, k].min())
                high[c, k] = max(high[c, k], corners[t, :, k].max())
    return component, low, high


@kernel
def _roots(neighbour: Ints) -> Ints:
    """Return the smallest triangle that each is connected with over shared edges."""
    root = np.arange(len(neighbour))
    for t in range(len(neighbour)):
        for k in range(3):
            if neighbour[t, k] >= 0:
                a, b = _root(root, t), _root(root, neighbour[t, k])
                root[max(a, b)] = min(a, b)
    for t in range(len(neighbour)):
        root[t] = _root(root, t)
    return root


@kernel
def _root(root: Ints, t: int) -> int:
    while root[t] != t:
        root[t] = root[root[t]]
        t = root[t]
    return t


@kernel
def _bodies(corners: Floats, neighbour: Ints, owner: Ints, root: Ints) -> tuple[NDArray[np.bool_], Floats]:
    """Return, at each root, whether the body has no border and one owner, and its signed volume."""
    closed, volume = np.ones(len(root), np.bool_), np.zeros(len(root))
    for t in range(len(root)):
        r = root[t]
        if neighbour[t].min() < 0 or owner[t] != owner[r]:
            closed[r] = False
        # about the root's corner, for digits far from the origin
        a, b, c = corners[t, 0] - corners[r, 0], corners[t, 1] - corners[r, 0], corners[t, 2] - corners[r, 0]
        volume[r] += (
            a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) + a[2] * (b[0] * c[1] - b[1] * c[0])
        )
    return closed, volume
