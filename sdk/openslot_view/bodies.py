"""Closed bodies among triangles: of those, the faces turned away hide nothing that the faces turned towards do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bodies", "closed_bodies"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Bodies:
    """`body` (m,) of each triangle, −1 where it is of none; the bodies' boxes `low`, `high` (b, 3)."""

    body: Ints
    low: Floats
    high: Floats


def closed_bodies(corners: Floats, neighbour: Ints, owner: Ints) -> Bodies:
    """Return the bodies of triangles `corners` (m, 3, 3) with the `neighbour` (m, 3) over each edge.

    A body is connected over its edges, has no border, is wound outwards and belongs to one `owner` (m,).
    """
    root = _roots(neighbour)
    count = len(root)
    broken = np.any(neighbour < 0, axis=1) | (owner != owner[root])
    # about the root's corner, for digits far from the origin
    a, b, c = (corners[:, k] - corners[root, 0] for k in range(3))
    volume = np.bincount(root, np.einsum("ij,ij->i", a, np.cross(b, c)), count)
    closed = (np.bincount(root, broken, count) == 0) & (volume > 0)
    number = np.where(closed, np.cumsum(closed) - 1, -1)
    body = number[root]
    inside = body >= 0
    low = np.full((int(closed.sum()), 3), np.inf)
    high = np.full_like(low, -np.inf)
    np.minimum.at(low, body[inside], corners[inside].min(axis=1))
    np.maximum.at(high, body[inside], corners[inside].max(axis=1))
    return Bodies(body, low, high)


def _roots(neighbour: Ints) -> Ints:
    """Return the least triangle that each is connected with, by hooking roots and halving paths."""
    label = np.arange(len(neighbour))
    near = np.where(neighbour >= 0, neighbour, np.arange(len(neighbour))[:, None])
    while True:
        least = label[near].min(axis=1, initial=len(label))
        hooked = label.copy()
        np.minimum.at(hooked, label, least)
        while (hooked[hooked] != hooked).any():
            hooked = hooked[hooked]
        if (hooked == label).all():
            return label
        label = hooked
