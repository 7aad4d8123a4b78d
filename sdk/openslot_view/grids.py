"""Triangles seen from above as a grid of cells: what of a plane is covered."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["covered", "grown"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_SAMPLES = 1 << 20  # sample points held at once


def covered(corners: Floats, low: Floats, cell: float, shape: Ints, band: tuple[float, float]) -> Bools:
    """Return which cells (shape) hold a point of a triangle whose y lies within `band`.

    corners: (m, 3, 3); cells count from `low` (x, z) and are `cell` wide. Triangles are sampled half a cell apart, at
    most 1,024 times along a side.
    """
    cells = np.zeros(shape, dtype=bool)
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1, initial=0.0)
    fineness = np.clip(np.ceil(edges / (cell / 2)), 1, 1024).astype(int)
    for n in np.unique(fineness):
        weights = _weights(int(n))
        group = corners[fineness == n]
        for part in np.array_split(group, max(1, len(group) * len(weights) // _SAMPLES)):
            points = np.einsum("wk,tkc->twc", weights, part).reshape(-1, 3)
            points = points[(points[:, 1] > band[0]) & (points[:, 1] < band[1])]
            at = np.clip(((points[:, [0, 2]] - low) / cell).astype(int), 0, shape - 1)
            cells[at[:, 0], at[:, 1]] = True
    return cells


def _weights(n: int) -> Floats:
    """Return the barycentric weights of a triangular grid with n steps along each side."""
    i, j = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    inside = i + j <= n
    return np.column_stack([i[inside], j[inside], n - i[inside] - j[inside]]) / n


def grown(cells: Bools, steps: int) -> Bools:
    """Return the cells and all that are within `steps` sides of them."""
    for _ in range(steps):
        padded = np.pad(cells, 1)
        cells = cells | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return cells
