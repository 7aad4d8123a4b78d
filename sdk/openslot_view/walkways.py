"""Where walkers may go: points on a floor and straight, collision-free ways between them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_view.grids import covered, grown

__all__ = ["Floor", "WalkGraph", "floor_of", "free_paths"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_STEP_M = 0.2  # a foot climbs over what is lower
_CELLS = 256  # along the longer side at most
_BODY_M = 0.3  # half a walker's width
_POINTS = 48
_WAYS = 4  # from each point, to its nearest


@dataclass(frozen=True)
class WalkGraph:
    """points: (n, 3) on the floor, world metres; edges: (m, 2) indices into points, each once, one component."""

    points: Floats
    edges: Ints


def free_paths(vertices: ArrayLike, triangles: ArrayLike, *, eye_height: float = 1.6, seed: int = 0) -> WalkGraph:
    """Return a walk graph over the floor of any scene; vertices: (n, 3), triangles: (m, 3), world metres.

    A cell of the floor is closed where a triangle comes between 0.2 m above it and the walker's head. The graph covers
    the largest open region; a scene without a floor is walked round on the level of its lowest point. A scene without
    triangles, or with no room for a walker, gives one point and no edges.
    """
    corners = np.asarray(vertices, dtype=np.float64).reshape(-1, 3)[
        np.asarray(triangles, dtype=np.int64).reshape(-1, 3)
    ]
    if not len(corners):
        return WalkGraph(np.zeros((1, 3)), np.zeros((0, 2), dtype=np.int64))
    grid = floor_of(corners, max(1.9, eye_height + 0.1))
    region = _largest_region(grid.open)
    cells = _spread(region, seed)
    edges = _ways(cells, grid.open)
    keep, edges = _connected(len(cells), edges)
    x, z = (cells[keep] + 0.5).T * grid.cell_m
    points = np.column_stack([x + grid.origin[0], np.full(len(keep), grid.floor_y), z + grid.origin[1]])
    return WalkGraph(points, edges)


@dataclass(frozen=True)
class Floor:
    """Where walkers may stand: open (nx, nz), by cells; origin (x, z) is the first cell's corner."""

    open: Bools
    origin: Floats
    cell_m: float
    floor_y: float


def floor_of(corners: Floats, head_m: float) -> Floor:
    """Return the floor of triangles (m, 3, 3), m ≥ 1, for walkers with their heads at `head_m`."""
    floor_y, flat = _floor(corners)
    low, high = corners.min(axis=(0, 1))[[0, 2]], corners.max(axis=(0, 1))[[0, 2]]
    area = float(np.prod(high - low))
    floored = _area_y(corners[flat]).sum() > max(4.0, 0.1 * area)
    margin = 0.0 if floored else 3.0
    low, high = low - margin, high + margin
    cell = max(0.25, float((high - low).max()) / _CELLS)
    shape = np.maximum(1, np.ceil((high - low) / cell).astype(int))
    body = covered(
        _within(corners, floor_y + _STEP_M, floor_y + head_m), low, cell, shape, (floor_y + _STEP_M, floor_y + head_m)
    )
    body = grown(body, round(_BODY_M / cell))
    stand = covered(corners[flat], low, cell, shape, (-np.inf, np.inf)) if floored else np.ones(shape, dtype=bool)
    return Floor(stand & ~body, low, cell, floor_y)


def _floor(corners: Floats) -> tuple[float, Bools]:
    """Return the lowest level that holds much of the upward-facing area, and which triangles lie on it."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    up = normal[:, 1] > 0.9 * np.maximum(np.linalg.norm(normal, axis=1), 1e-30)
    level = corners[:, :, 1].mean(axis=1)
    lowest = float(corners[:, :, 1].min())
    if not up.any():
        return lowest, up
    bins = np.rint((level - lowest) / _STEP_M).astype(np.int64)
    bins = np.minimum(bins, 1 << 16)
    area = np.bincount(bins[up], weights=_area_y(corners[up]))
    floor = int(np.argmax(area >= 0.4 * area.max()))
    flat = up & (np.abs(bins - floor) <= 1)
    order = np.argsort(level[flat])
    half = np.cumsum(_area_y(corners[flat])[order])
    return float(level[flat][order][np.searchsorted(half, half[-1] / 2)]), flat


def _area_y(corners: Floats) -> Floats:
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area: Floats = np.abs(a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2]) / 2
    return area


def _within(corners: Floats, low_y: float, high_y: float) -> Floats:
    y = corners[:, :, 1]
    chosen: Floats = corners[(y.max(axis=1) > low_y) & (y.min(axis=1) < high_y)]
    return chosen


def _largest_region(cells: Bools) -> Ints:
    """Return the cells (n, 2) of the largest region connected over sides; the middle cell where none is open."""
    left = cells.copy()
    best: list[tuple[int, int]] = [(cells.shape[0] // 2, cells.shape[1] // 2)]
    for start in map(tuple, np.argwhere(cells).tolist()):
        if left[start]:
            region = _flood(left, (start[0], start[1]))
            best = region if len(region) > len(best) else best
    return np.array(sorted(best), dtype=np.int64)


def _flood(left: Bools, start: tuple[int, int]) -> list[tuple[int, int]]:
    left[start] = False
    region, queue = [start], deque([start])
    while queue:
        x, z = queue.popleft()
        for nx, nz in ((x + 1, z), (x - 1, z), (x, z + 1), (x, z - 1)):
            if 0 <= nx < left.shape[0] and 0 <= nz < left.shape[1] and left[nx, nz]:
                left[nx, nz] = False
                region.append((nx, nz))
                queue.append((nx, nz))
    return region


def _spread(region: Ints, seed: int) -> Ints:
    """Return up to `_POINTS` cells of a region, each as far as can be from those before it."""
    chosen = [int(np.random.default_rng(seed).integers(len(region)))]
    away = np.full(len(region), np.inf)
    while len(chosen) < min(_POINTS, len(region)):
        away = np.minimum(away, np.linalg.norm(region - region[chosen[-1]], axis=1))
        if away.max() < 2.0:
            break
        chosen.append(int(np.argmax(away)))
    return region[chosen]


def _ways(cells: Ints, is_open: Bools) -> Ints:
    """Return for each cell the ways to its nearest that cross open cells only."""
    pairs: set[tuple[int, int]] = set()
    for at in range(len(cells)):
        found = 0
        for other in np.argsort(np.linalg.norm(cells - cells[at], axis=1), kind="stable")[1:]:
            if found < _WAYS and _clear(cells[at], cells[other], is_open):
                pairs.add((min(at, int(other)), max(at, int(other))))
                found += 1
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


def _clear(start: Ints, end: Ints, is_open: Bools) -> bool:
    steps = 4 * int(np.abs(end - start).max()) + 1
    line = start + (end - start) * np.linspace(0.0, 1.0, steps)[:, None]
    at = np.floor(line + 0.5).astype(int)
    return bool(is_open[at[:, 0], at[:, 1]].all())


def _connected(count: int, edges: Ints) -> tuple[Ints, Ints]:
    """Return the points of the largest component, and its edges renumbered."""
    label = np.arange(count)
    for _ in range(count):
        low = np.minimum(label[edges[:, 0]], label[edges[:, 1]])
        np.minimum.at(label, edges[:, 0], low)
        np.minimum.at(label, edges[:, 1], low)
    keep = np.flatnonzero(label == np.bincount(label).argmax())
    number = np.full(count, -1)
    number[keep] = np.arange(len(keep))
    return keep, number[edges[number[edges[:, 0]] >= 0]] if len(edges) else edges
