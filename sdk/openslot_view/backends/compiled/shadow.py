"""One triangle's shadow on one facet: projected into the facet's chart and clipped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_view.backends.compiled.kernel import inlined, kernel

__all__ = ["project", "shadow"]

Floats = NDArray[np.float64]

_W, _HEIGHT, _NEAR, _BORDER, _ID = 2, 3, 4, 5, 6
CUT = 3


@inlined
def project(corners: Floats, eye: Floats, forms: Floats, work: Floats) -> bool:
    """Write the forms' values of a triangle's `corners` (3, 3) to `work[0]`; False if it cannot hide anything."""
    for i in range(3):
        x, y, z = corners[i, 0] - eye[0], corners[i, 1] - eye[1], corners[i, 2] - eye[2]
        for k in range(5):
            work[0, i, k] = forms[k, 0] * x + forms[k, 1] * y + forms[k, 2] * z + forms[k, 3]
        work[0, i, _ID] = i
    for k in range(_W, _NEAR + 1):  # noqa: SIM110 - the compiler has no generators
        if work[0, 0, k] <= 0 and work[0, 1, k] <= 0 and work[0, 2, k] <= 0:
            return False
    return True


@inlined
def shadow(borders: Floats, sides: int, work: Floats) -> tuple[int, int]:
    """Clip what `project` wrote; return the number of vertices, 0 for none, and which half of `work` holds them."""
    crossed = 0
    for b in range(sides):
        out = 0
        for i in range(3):
            if borders[b, 0] * work[0, i, 0] + borders[b, 1] * work[0, i, 1] + borders[b, 2] * work[0, i, _W] < 0:
                out += 1
        if out == 3:
            return 0, 0
        if out:
            crossed |= 1 << b
    count, half = 3, 0
    for column in (_HEIGHT, _NEAR, _W):
        count, half = _clip_if_crossed(work, half, count, column)
    for b in range(sides):
        if crossed >> b & 1 and count:
            for i in range(count):
                row = work[half, i]
                row[_BORDER] = borders[b, 0] * row[0] + borders[b, 1] * row[1] + borders[b, 2] * row[_W]
            count, half = _clip_if_crossed(work, half, count, _BORDER)
    return count, half


@inlined
def _clip_if_crossed(work: Floats, half: int, count: int, column: int) -> tuple[int, int]:
    for i in range(count):
        if work[half, i, column] < 0:
            count = _clip(work[half], count, work[1 - half], column)
            return (count if count >= 3 else 0), 1 - half
    return count, half


@kernel
def _clip(source: Floats, count: int, target: Floats, column: int) -> int:
    """Sutherland and Hodgman's step; the edge that starts at a vertex has its id in the last column."""
    made = 0
    for i in range(count):
        j = i + 1 if i + 1 < count else 0
        here, there = source[i, column], source[j, column]
        if here >= 0:
            for k in range(_ID + 1):
                target[made, k] = source[i, k]
            made += 1
        if (here >= 0) != (there >= 0):
            share = here / (here - there)
            for k in range(_ID):
                target[made, k] = source[i, k] + (source[j, k] - source[i, k]) * share
            target[made, column] = 0.0
            target[made, _ID] = CUT if here >= 0 else source[i, _ID]
            made += 1
    return made
