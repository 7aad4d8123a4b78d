"""The decorator of compiled functions, and the arrays they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["CAPACITY", "Beam", "Mesh", "Scratch", "kernel", "scratch"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

P = ParamSpec("P")
R = TypeVar("R")

CAPACITY = 16384
"""Shadows of one beam; a beam with more is split by the caller."""


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` compiled on first use and cached on disk: no Python objects, no GIL."""
    # not nnan and ninf: padding and empty boxes use infinities
    compiled = numba.njit(function, cache=True, nogil=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
    return cast("Callable[P, R]", compiled)


class Mesh(NamedTuple):
    """One set of triangles as the kernels read it, in the order of its tree.

    `offset` makes triangle numbers of several meshes distinct. `component` (m,) is the closed component a triangle
    belongs to, or −1, with its box in `closed_low`, `closed_high`: of a closed component beyond the near plane the
    faces turned away hide nothing that the others do not.
    """

    corners: Floats
    normal: Floats
    neighbour: NDArray[np.int32]
    one_sided: NDArray[np.bool_]
    owner: Ints
    component: NDArray[np.int32]
    closed_low: Floats
    closed_high: Floats
    low: Floats
    high: Floats
    first: NDArray[np.int32]
    size: NDArray[np.int32]
    offset: int


class Beam(NamedTuple):
    """One row of `Beams`, with the `owner` that does not hide it and the `surface` it belongs to."""

    eye: Floats
    toward: Floats
    orthographic: bool
    forms: Floats
    borders: Floats
    outline: Floats
    sides: int
    screen: Floats
    chart_area: float
    owner: int
    surface: int


class Scratch(NamedTuple):
    """Room for the shadows of one beam, used again for every beam.

    Edge e has `table[e]` = x, y of its begin and its inward line nx, ny, c, and `source[e]` = the triangle's edge 0, 1,
    2, or 3 for a cut. Shadow i owns the edges start[i] … start[i + 1] and has the box x low, x high, y low, y high.
    """

    work: Floats
    planes: Floats
    table: Floats
    source: NDArray[np.int8]
    exposed: NDArray[np.bool_]
    start: Ints
    box: Floats
    area: Floats
    triangle: Ints
    neighbour: Ints
    flipped: NDArray[np.bool_]
    alive: NDArray[np.bool_]
    hashed: NDArray[np.int32]
    cell: Ints
    member: NDArray[np.int32]
    loose: NDArray[np.int32]
    stack: NDArray[np.int32]
    mask: NDArray[np.uint32]
    span: Floats
    interval: Floats


def scratch() -> Scratch:
    """Return the room: some 20 MB of address space, of which a beam touches what it needs."""
    edges = 8 * CAPACITY
    return Scratch(
        work=np.empty((2, 24, 7)),
        planes=np.empty((16, 4)),
        table=np.empty((edges, 5)),
        source=np.empty(edges, np.int8),
        exposed=np.empty(edges, np.bool_),
        start=np.zeros(CAPACITY + 1, np.int64),
        box=np.empty((CAPACITY, 4)),
        area=np.empty(CAPACITY),
        triangle=np.empty(CAPACITY, np.int64),
        neighbour=np.empty((CAPACITY, 3), np.int64),
        flipped=np.empty(CAPACITY, np.bool_),
        alive=np.empty(CAPACITY, np.bool_),
        hashed=np.empty(4 * CAPACITY, np.int32),
        cell=np.empty(16 * 16 + 1, np.int64),
        member=np.empty(16 * CAPACITY, np.int32),
        loose=np.empty(CAPACITY, np.int32),
        stack=np.empty(256, np.int32),
        mask=np.zeros((2, 32), np.uint32),
        span=np.empty((2, 32)),
        interval=np.empty((CAPACITY + 2, 2)),
    )
