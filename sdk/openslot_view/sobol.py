"""Points that fill a square evenly, always the same ones (Sobol 1967)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["sobol"]

Floats = NDArray[np.float64]


def sobol(count: int) -> Floats:
    """Return the first `count` points (count, 2) of the two-dimensional Sobol sequence, half a step in."""
    index = np.arange(count, dtype=np.uint64)
    first, second = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    direction = 1 << 31
    for bit in range(32):
        held = (index >> np.uint64(bit)) & np.uint64(1) == 1
        first[held] ^= np.uint64(1 << (31 - bit))
        second[held] ^= np.uint64(direction)
        direction ^= direction >> 1
    return np.stack([first, second], axis=1) / 2.0**32 + 0.5 / count
