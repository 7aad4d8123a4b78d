"""People as capsules: a mesh whose shadow has, on average, the area that the true capsule's has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_spec.errors import Code, OpenSlotError

__all__ = ["capsule"]


def capsule(
    height: float = 1.8, radius: float = 0.28, around: int = 24, along: int = 12
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return vertices and triangles of an upright capsule that stands on the origin, wound outwards.

    It has 2 · `around` · (`along` + 1) triangles; `along` is even. A polygon of n corners within a circle is too small
    by sin(2π / n) / (2π / n): the radii are larger by the root of that, so that what is hidden is right on average.
    Raises `GEOMETRY_INVALID` for one that is lower than it is wide, or of too few or an odd number of rings.
    """
    if not 0 < 2 * radius <= height < np.inf or around < 3 or along < 2 or along % 2:
        detail = f"height {height}, radius {radius}, {around} around, {along} along"
        raise OpenSlotError(Code.GEOMETRY_INVALID, detail, where="capsule")
    angle = np.linspace(0.0, np.pi, along + 1)
    angle = np.insert(angle, along // 2, np.pi / 2)  # two rings at the equator, the cylinder between them
    turn = np.linspace(0.0, 2 * np.pi, around, endpoint=False)
    wide, tall = (radius / np.sqrt(np.sinc(2 / n)) for n in (around, 2 * along))
    ring = wide * np.sin(angle)[:, None]
    ring[[0, -1]] = 0.0  # the poles are points, not rings of rounding
    centre = np.where(np.arange(along + 2) <= along // 2, height - radius, radius)
    y = np.broadcast_to((tall * np.cos(angle) + centre)[:, None], (along + 2, around))
    vertices = np.stack([ring * np.cos(turn), y, ring * np.sin(turn)], axis=2).reshape(-1, 3)
    row, step = (each.ravel() for each in np.meshgrid(np.arange(along + 1), np.arange(around), indexing="ij"))
    a, b = row * around + step, row * around + (step + 1) % around
    below = np.stack([np.stack([a, b, b + around], axis=1), np.stack([a, b + around, a + around], axis=1)])
    return vertices, below.reshape(-1, 3)
