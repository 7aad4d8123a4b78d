"""The shapes worlds and creatives are built from.

They stand on y = 0, centred on x and z, unless they say otherwise.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from openslot_demo.worlds.mesh import Floats, Ints, Mesh, join, linear, quads, smooth_quads, unit

__all__ = [
    "arch",
    "ball",
    "box",
    "extrude",
    "fade_disc",
    "fade_rect",
    "gable",
    "lathe",
    "panel",
    "prism",
    "relief",
    "slab",
    "tiles",
    "tube",
]

Shading = Literal["flat", "around", "full"]


def box(width: float, height: float, depth: float, *, bottom: bool = False) -> Mesh:
    """Return a box standing on y = 0; its underside only where `bottom` says that it can be seen."""
    x, z = width / 2, depth / 2
    ring = [(-x, z), (x, z), (x, -z), (-x, -z)]
    faces: list[list[tuple[float, float, float]]] = [
        [(ax, 0, az), (bx, 0, bz), (bx, height, bz), (ax, height, az)]
        for (ax, az), (bx, bz) in itertools.pairwise([*ring, ring[0]])
    ]
    faces.append([(px, height, pz) for px, pz in ring])
    if bottom:
        faces.append([(px, 0, pz) for px, pz in reversed(ring)])
    return quads(faces)


def relief(width: float, height: float, depth: float) -> Mesh:
    """Return a box on y = 0 that stands out of a wall on z = 0 by `depth`; without back and underside."""
    x = width / 2
    a, b, c, d = (-x, 0.0), (x, 0.0), (x, height), (-x, height)
    sides = [[(*p, 0.0), (*q, 0.0), (*q, depth), (*p, depth)] for p, q in ((b, c), (c, d), (d, a))]
    return quads([[(*p, depth) for p in (a, b, c, d)], *sides])


def panel(width: float, height: float) -> Mesh:
    """Return a one-sided rectangle facing +Z, centred on the origin."""
    x, y = width / 2, height / 2
    return quads([[(-x, -y, 0), (x, -y, 0), (x, y, 0), (-x, y, 0)]])


def slab(width: float, depth: float) -> Mesh:
    """Return a one-sided rectangle facing +Y, centred on the origin."""
    return panel(width, depth).turned(-90, "x")


def lathe(profile: Sequence[tuple[float, float]], sides: int, *, shading: Shading = "flat") -> Mesh:
    """Return a surface of revolution; profile: (radius, y), from the bottom up seen from outside.

    `flat` shows its facets, `around` is smooth round the axis only, `full` also along the profile.
    """
    angles = np.linspace(0.0, 2 * math.pi, sides + 1) + math.pi / sides
    ring = np.stack([np.sin(angles), np.zeros(sides + 1), np.cos(angles)], axis=1)
    points = np.array(profile, dtype=np.float64)
    rows = ring[None, :, :] * points[:, 0, None, None] + np.array([0.0, 1.0, 0.0]) * points[:, 1, None, None]
    mesh = quads(_cells(rows))
    if shading == "flat":
        return mesh
    slopes = _slopes(points, smooth=shading == "full")
    lower, upper = (ring[None] * s[:, 0, None, None] + np.array([0, 1, 0]) * s[:, 1, None, None] for s in slopes)
    normals = np.stack([lower[:, :-1], lower[:, 1:], upper[:, 1:], upper[:, :-1]], axis=2)
    uvs = np.zeros((normals.size // 3, 2))
    return smooth_quads(_cells(rows), unit(normals.reshape(-1, 3)), uvs)


def prism(radius: float, height: float, sides: int, *, top: float | None = None, shading: Shading = "flat") -> Mesh:
    """Return an upright prism or, with another `top` radius, a frustum; closed above, open below."""
    end = radius if top is None else top
    return lathe([(radius, 0.0), (end, height), (0.0, height)], sides, shading=shading)


def tube(start: ArrayLike, end: ArrayLike, radius: float, sides: int = 6) -> Mesh:
    """Return a rod without caps between two points."""
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    along = unit((b - a)[None])[0]
    side = unit(np.cross(along, [1.0, 0.0, 0.0] if abs(along[0]) < 0.9 else [0.0, 0.0, 1.0])[None])[0]
    angles = np.linspace(0.0, 2 * math.pi, sides + 1)[:, None]
    ring = radius * (np.cos(angles) * side + np.sin(angles) * np.cross(along, side))
    return quads(_cells(np.stack([a + ring, b + ring])))


def ball(radius: float, *, detail: int = 1, lumps: float = 0.0, seed: int = 0) -> Mesh:
    """Return a faceted sphere about the origin, its corners pushed in or out by up to `lumps` of the radius."""
    corners, faces = _icosphere(detail)
    push = 1.0 + lumps * np.random.default_rng(seed).uniform(-1.0, 1.0, (len(corners), 1))
    points = (corners * radius * push)[faces]
    return quads(np.concatenate([points, points[:, 2:3]], axis=1))


def extrude(outline: ArrayLike, depth: float) -> Mesh:
    """Return a convex outline ((n, 2) in x and y, counter-clockwise) drawn from z = 0 to z = `depth`, closed."""
    flat = np.asarray(outline, dtype=np.float64)
    back = np.column_stack([flat, np.zeros(len(flat))])
    front = back + np.array([0.0, 0.0, depth])
    after, ahead = np.roll(back, -1, axis=0), np.roll(front, -1, axis=0)
    sides = np.stack([back, after, ahead, front], axis=1)
    return join([quads(sides), _fan(front), _fan(back[::-1])])


def arch(width: float, height: float, depth: float, *, opening: float, spring: float, steps: int = 10) -> Mesh:
    """Return a wall bay with a round-headed opening that springs at height `spring`; it faces +Z and -Z."""
    radius = opening / 2
    angles = np.linspace(0.0, math.pi, steps + 1)
    curve = np.column_stack([radius * np.cos(angles), spring + radius * np.sin(angles)])
    curve = np.concatenate([[[radius, 0.0]], curve, [[-radius, 0.0]]])
    outer = np.column_stack([np.interp(curve[:, 0], [-radius, radius], [-width / 2, width / 2]), curve[:, 1]])
    outer[1:-1, 1] = height
    outer[[0, 1, -2, -1], 0] = [width / 2, width / 2, -width / 2, -width / 2]
    face = [np.stack([c, o], axis=0) for c, o in zip(curve, outer, strict=True)]
    front = np.array([[a[0], a[1], b[1], b[0]] for a, b in itertools.pairwise(face)])
    front = np.concatenate([front, np.full((*front.shape[:2], 1), depth / 2)], axis=2)
    rim = np.column_stack([curve, np.full(len(curve), depth / 2)])
    soffit = _cells(np.stack([rim, rim * [1, 1, -1]]))
    mirrored = front[:, ::-1] * [1.0, 1.0, -1.0]
    return join([quads(front), quads(mirrored), quads(soffit)])


def gable(width: float, height: float, depth: float) -> Mesh:
    """Return a pitched roof whose ridge runs along x, with its two end walls and its underside."""
    x, z = width / 2, depth / 2
    south = [(-x, 0, z), (x, 0, z), (x, height, 0), (-x, height, 0)]
    north = [(x, 0, -z), (-x, 0, -z), (-x, height, 0), (x, height, 0)]
    east = [(x, 0, z), (x, 0, -z), (x, height, 0), (x, height, 0)]
    west = [(-x, 0, -z), (-x, 0, z), (-x, height, 0), (-x, height, 0)]
    under = [(-x, 0, -z), (x, 0, -z), (x, 0, z), (-x, 0, z)]
    return quads(np.array([south, north, east, west, under]))


def tiles(width: float, depth: float, across: int, along: int) -> Mesh:
    """Return a floor of separate rectangles, four vertices each, row by row from -Z and -X."""
    x, z = np.linspace(-width / 2, width / 2, across + 1), np.linspace(-depth / 2, depth / 2, along + 1)
    grid = np.stack(np.broadcast_arrays(x[None, :], 0.0, z[:, None]), axis=-1)
    return quads(_cells(grid)[:, ::-1])


def fade_disc(radius: float, color: str, alpha: float, *, sides: int = 12) -> Mesh:
    """Return a floor disc facing +Y whose alpha falls from `alpha` at its centre to 0 at its rim."""
    angles = np.linspace(0.0, 2 * math.pi, sides + 1)
    ring = np.stack([np.sin(angles), np.zeros(sides + 1), np.cos(angles)], axis=1) * radius
    mesh = quads(_cells(np.stack([ring, ring * 0.5, ring * 0.0])))
    away = np.hypot(mesh.positions[:, 0], mesh.positions[:, 2]) / radius
    return _faded(mesh, color, alpha * np.clip(1.0 - away, 0.0, 1.0) ** 1.5)


def fade_rect(width: float, depth: float, reach: float, color: str, alpha: float) -> Mesh:
    """Return a floor rectangle of full alpha with a skirt of width `reach` that falls to 0."""
    xs = np.array([-width / 2 - reach, -width / 2, width / 2, width / 2 + reach])
    zs = np.array([-depth / 2 - reach, -depth / 2, depth / 2, depth / 2 + reach])
    grid = np.stack(np.broadcast_arrays(xs[None, :], 0.0, zs[:, None]), axis=-1)
    mesh = quads(_cells(grid)[:, ::-1])
    past = np.abs(mesh.positions[:, [0, 2]]) - np.array([width / 2, depth / 2])
    return _faded(mesh, color, np.where(past.max(axis=1) > 1e-9, 0.0, alpha))


def _faded(mesh: Mesh, color: str, alpha: Floats) -> Mesh:
    colors = np.tile(linear(color), (len(mesh.positions), 1))
    colors[:, 3] = np.clip(alpha, 0.0, 1.0)
    return replace(mesh, colors=colors)


def _cells(rows: Floats) -> Floats:
    """Return the quadrilaterals between neighbouring points of a grid (rows, columns, 3) as (n, 4, 3)."""
    cells = np.stack([rows[:-1, :-1], rows[:-1, 1:], rows[1:, 1:], rows[1:, :-1]], axis=2)
    flat: Floats = cells.reshape(-1, 4, 3)
    return flat


def _fan(outline: Floats) -> Mesh:
    first = np.broadcast_to(outline[0], (len(outline) - 2, 3))
    return quads(np.stack([first, outline[1:-1], outline[2:], outline[2:]], axis=1))


def _slopes(profile: Floats, *, smooth: bool) -> tuple[Floats, Floats]:
    """Return the outward (radial, y) normal at the lower and upper end of each stretch of a profile."""
    along = np.diff(profile, axis=0)
    outward = unit(np.column_stack([along[:, 1], -along[:, 0]]))
    if not smooth:
        return outward, outward
    between = unit(outward[:-1] + outward[1:])
    return np.concatenate([outward[:1], between]), np.concatenate([between, outward[-1:]])


@functools.cache
def _icosphere(detail: int) -> tuple[Floats, Ints]:
    golden = (1 + math.sqrt(5)) / 2
    flat = np.array([(s, t * golden, 0.0) for t in (1, -1) for s in (-1, 1)])
    points = unit(np.concatenate([np.roll(flat, shift, axis=1) for shift in range(3)]))
    faces = _hull(points)
    for _ in range(detail):
        points, faces = _split(points, faces)
    return points, faces


def _hull(points: Floats) -> Ints:
    """Return the outward triangles of an icosahedron: all triples of corners one edge apart."""
    near = np.linalg.norm(points[:, None] - points[None], axis=2)
    joined = near < near[near > 1e-9].min() * 1.01
    triples = [t for t in itertools.combinations(range(12), 3) if joined[np.ix_(t, t)].all()]
    return np.array([t if np.linalg.det(points[list(t)]) > 0 else t[::-1] for t in triples])


def _split(points: Floats, faces: Ints) -> tuple[Floats, Ints]:
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    pairs, where = np.unique(edges, axis=0, return_inverse=True)
    middle = unit(points[pairs].mean(axis=1))
    ab, bc, ca = where.reshape(3, -1) + len(points)
    a, b, c = faces.T
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.concatenate([points, middle]), np.concatenate([np.stack(part, axis=1) for part in parts])
