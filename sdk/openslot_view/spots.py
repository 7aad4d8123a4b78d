"""Where in a scene a board could be put up: on flat upright walls with nothing close before them, or standing free."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from openslot_view.grids import covered, grown
from openslot_view.surfaces import Surfaces
from openslot_view.triangles import TriangleSet
from openslot_view.walkways import Floor

__all__ = ["Size", "Spots", "standing_spots", "wall_spots"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Size = tuple[float, float]
"""Width and height, metres."""

UP = np.array((0.0, 1.0, 0.0))
_CLEAR_M = 0.5  # before a board: the depth that slots have when nobody says otherwise
_OFF_M = 0.02  # a board hangs so far before its wall
_FLAT_M = 0.02
_LEANING = 0.05  # sine of what is still upright
_SAME_WAY = np.cos(np.radians(2.0))
_WALLS = 512  # largest first
_COLUMNS, _ROWS = 24, 8  # of places on one wall
_STANDS = 128
_TURNS = 8
_ASIDE_M = 0.4  # between a standing board and where people walk
_MIDDLE_M = 1.6  # a standing board's middle is at eye level


@dataclass(frozen=True, slots=True, eq=False)
class Spots:
    """c places for boards of one size: `position` (c, 3) of the middle, level unit `facing` (c, 3).

    `owner` (c,) is that of the wall, −1 where the board stands free.
    """

    position: Floats
    facing: Floats
    owner: Ints
    size: Size

    @classmethod
    def join(cls, parts: Sequence[Spots], size: Size) -> Self:
        """Return the spots of all `parts`, in their order."""
        none = np.zeros((0, 3))
        return cls(
            np.concatenate([none, *(part.position for part in parts)]),
            np.concatenate([none, *(part.facing for part in parts)]),
            np.concatenate([np.zeros(0, np.int64), *(part.owner for part in parts)]),
            size,
        )

    def __len__(self) -> int:
        return len(self.position)

    def take(self, rows: Ints) -> Self:
        """Return the spots of `rows`."""
        return type(self)(self.position[rows], self.facing[rows], self.owner[rows], self.size)

    @property
    def apart_m(self) -> float:
        """Return how far the middles of two boards should be apart: two of them wide, 3 m at least."""
        return max(3.0, 2 * max(self.size))

    def apart_from(self, places: Floats) -> Self:
        """Return the spots that are apart from all of the middles `places` (k, 3)."""
        free = np.ones(len(self), np.bool_)
        for place in places:
            free &= np.linalg.norm(self.position - place, axis=1) >= self.apart_m
        return self.take(np.flatnonzero(free))

    def surfaces(self) -> Surfaces:
        """Return one-sided boards at the spots."""
        right = np.cross(UP, self.facing)[:, None]
        signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * np.array(self.size) / 2
        return Surfaces.from_quads(self.position[:, None] + signs[:, :1] * right + signs[:, 1:] * UP)


def wall_spots(triangles: TriangleSet, size: Size) -> Spots:
    """Return where boards of `size` fit on walls; a two-sided wall has two faces."""
    back = ~triangles.one_sided
    corners = np.concatenate([triangles.corners, triangles.corners[back][:, ::-1]])
    normal = np.concatenate([triangles.normal, -triangles.normal[back]])
    owner = np.concatenate([triangles.owner, triangles.owner[back]])
    walls = _walls(corners, normal, size[0] * size[1])
    return Spots.join([_on_wall(corners, on, int(owner[on[0]]), facing, size) for on, facing in walls], size)


def _walls(corners: Floats, normal: Floats, area_needed: float) -> Iterator[tuple[Ints, Floats]]:
    """Yield the triangles of each upright plane, the largest first, and where the plane faces."""
    area = np.linalg.norm(normal, axis=1) / 2
    unit = normal / np.maximum(2 * area, 1e-30)[:, None]
    left = np.where(np.abs(unit[:, 1]) < _LEANING, area, 0.0)
    for _ in range(_WALLS):
        largest = int(np.argmax(left)) if len(left) else 0
        if not len(left) or left[largest] == 0:
            return
        facing = unit[largest] * (1.0, 0.0, 1.0)
        facing /= np.linalg.norm(facing)
        out = corners @ facing
        flat = np.abs(out - out[largest].mean()) < _FLAT_M
        plane = (left > 0) & flat.all(axis=1) & (unit @ facing > _SAME_WAY)
        plane[largest] = True
        left[plane] = 0.0
        if area[plane].sum() >= area_needed:
            yield np.concatenate([[largest], np.flatnonzero(plane)]), facing


def _on_wall(corners: Floats, on: Ints, owner: int, facing: Floats, size: Size) -> Spots:
    """Return places on the wall of triangles `on`, seen straight from before it: x right, y out of it, z up."""
    axes = np.stack([np.cross(UP, facing), facing, UP])
    local = corners @ axes.T
    out = float(local[on[0], :, 1].mean())
    local[..., 1] -= out
    wall = local[on]
    low, high = wall.min(axis=(0, 1))[[0, 2]], wall.max(axis=(0, 1))[[0, 2]]
    cell = max(float(np.clip(min(size) / 4, 0.1, 0.25)), float((high - low).max()) / 512)
    low = low - cell
    shape = np.ceil((high - low) / cell).astype(int) + 2  # a rim that holds nothing, on the far sides too
    held = covered(wall, low, cell, shape, (-2 * _FLAT_M, 2 * _FLAT_M))
    free = ~grown(~held, 1) & ~_before(local, low, cell, shape)
    at = _fitting(free, np.ceil(np.array(size) / cell - 1e-9).astype(int), np.maximum(0.5, np.array(size) / 2) / cell)
    middle = low + at * cell + np.array(size) / 2
    position = middle[:, :1] * axes[0] + (out + _OFF_M) * facing + middle[:, 1:] * UP
    return Spots(position, np.broadcast_to(facing, position.shape), np.full(len(at), owner), size)


def _before(local: Floats, low: Floats, cell: float, shape: Ints) -> Bools:
    """Return the cells before which a triangle's box reaches into the room that a board needs."""
    nearest, farthest = local.min(axis=1), local.max(axis=1)
    near = (nearest[:, 1] < _CLEAR_M) & (farthest[:, 1] > 2 * _FLAT_M)
    first = np.floor((nearest[near][:, [0, 2]] - low) / cell).astype(int)
    last = np.floor((farthest[near][:, [0, 2]] - low) / cell).astype(int) + 1
    seen = (last > 0).all(axis=1) & (first < shape).all(axis=1)
    (x0, z0), (x1, z1) = np.clip(first[seen], 0, shape).T, np.clip(last[seen], 0, shape).T
    steps = np.zeros(shape + 1, np.int64)
    for x, z, sign in ((x0, z0, 1), (x1, z0, -1), (x0, z1, -1), (x1, z1, 1)):
        np.add.at(steps, (x, z), sign)
    return np.asarray(steps.cumsum(axis=0).cumsum(axis=1)[:-1, :-1] > 0)


def _fitting(free: Bools, window: Ints, spacing: Floats) -> Ints:
    """Return (k, 2): first cells of some windows that are free all over, about `spacing` cells apart."""
    sums = np.pad(free.astype(np.int64), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    if (window >= sums.shape).any():
        return np.zeros((0, 2), np.int64)
    w, h = window
    held = sums[w:, h:] - sums[:-w, h:] - sums[w:, :-h] + sums[:-w, :-h]
    at = np.argwhere(held == w * h)
    if not len(at):
        return np.zeros((0, 2), np.int64)
    from_first = at - at.min(axis=0)
    step = np.maximum(1, spacing.astype(int))
    step[0] = max(step[0], -(-int(from_first[:, 0].max() + 1) // _COLUMNS))
    row = from_first // step
    chosen = (from_first % step == 0).all(axis=1) & (row[:, 1] < _ROWS)
    return np.asarray(at[chosen])


def standing_spots(triangles: TriangleSet, floor: Floor, walked: Floats, size: Size) -> Spots:
    """Return where boards of `size` may stand free on `floor`, out of the way of eyes that pass at `walked` (n, 3)."""
    places = _apart(np.argwhere(floor.open)) * floor.cell_m + floor.cell_m / 2 + floor.origin
    ways = np.unique(np.round(walked[:, [0, 2]] * 4), axis=0) / 4
    height = floor.floor_y + max(_MIDDLE_M, size[1] / 2 + 0.3)
    turns = np.arange(_TURNS) * 2 * np.pi / _TURNS
    facings = np.stack([np.sin(turns), np.zeros(_TURNS), np.cos(turns)], axis=1)
    parts = []
    for x, z in places:
        if np.hypot(*(ways - (x, z)).T).min(initial=np.inf) >= size[0] / 2 + _ASIDE_M:
            position = np.array((x, height, z))
            parts.append(_turned(triangles.corners, position, facings, size))
    return Spots.join(parts, size)


def _apart(cells: Ints) -> Ints:
    """Return at most so many cells that they are dealt with in moments, evenly from all."""
    step = 1
    while (cells % step == 0).all(axis=1).sum() > _STANDS:
        step += 1
    return np.asarray(cells[(cells % step == 0).all(axis=1)])


def _turned(corners: Floats, position: Floats, facings: Floats, size: Size) -> Spots:
    """Return the ways in which a board at `position` meets no triangle's box."""
    reach = np.array((size[0] / 2 + _CLEAR_M, size[1] / 2, size[0] / 2 + _CLEAR_M))
    offset = corners - position
    near = offset[((offset.min(axis=1) < reach) & (offset.max(axis=1) > -reach)).all(axis=1)]
    half = np.array((size[0] / 2, _CLEAR_M, size[1] / 2))
    free = []
    for facing in facings:
        local = near @ np.stack([np.cross(UP, facing), facing, UP]).T
        free.append(not ((local.min(axis=1) < half) & (local.max(axis=1) > -half)).all(axis=1).any())
    chosen = facings[free]
    return Spots(np.tile(position, (len(chosen), 1)), chosen, np.full(len(chosen), -1), size)
