"""Triangles with normals and vertex colours, and the primitives worlds and creatives are made of.

Frame: glTF's (right-handed, +Y up, metres). Primitives stand on y = 0, centred on x and z, unless they say otherwise.
Colours are linear RGBA in 0..1, so that soft shading can be baked into them.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Floats",
    "Mesh",
    "arch",
    "ball",
    "box",
    "extrude",
    "fade_disc",
    "fade_rect",
    "gable",
    "join",
    "lathe",
    "linear",
    "panel",
    "prism",
    "quads",
    "relief",
    "slab",
    "tiles",
    "tube",
]

Floats = NDArray[np.float64]
Shading = Literal["flat", "around", "full"]


@functools.cache
def linear(color: str, alpha: float = 1.0) -> tuple[float, float, float, float]:
    """Return an `#rrggbb` sRGB colour as linear RGBA."""
    srgb = [int(color[at : at + 2], 16) / 255.0 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in srgb)
    return red, green, blue, alpha


@dataclass(frozen=True)
class Mesh:
    """Triangles; positions (n, 3), normals (n, 3), colors (n, 4), triangles (m, 3), uvs (n, 2)."""

    positions: Floats
    normals: Floats
    colors: Floats
    triangles: NDArray[np.int64]
    uvs: Floats

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Mesh:
        """Return the mesh shifted."""
        return replace(self, positions=self.positions + np.array([x, y, z]))

    def turned(self, degrees: float, axis: Literal["x", "y", "z"] = "y") -> Mesh:
        """Return the mesh turned about an axis through the origin, counter-clockwise seen from its tip."""
        turn = _rotation(degrees, axis)
        return replace(self, positions=self.positions @ turn.T, normals=self.normals @ turn.T)

    def scaled(self, x: float, y: float | None = None, z: float | None = None) -> Mesh:
        """Return the mesh stretched by positive factors; one factor scales evenly."""
        factors = np.array([x, x if y is None else y, x if z is None else z])
        normals = self.normals / factors
        return replace(self, positions=self.positions * factors, normals=_unit(normals))

    def painted(self, color: str, alpha: float = 1.0) -> Mesh:
        """Return the mesh in one colour, without earlier shading."""
        return replace(self, colors=np.tile(linear(color, alpha), (len(self.positions), 1)))

    def shaded(self, low: float, high: float = 1.0, *, bottom: float | None = None, top: float | None = None) -> Mesh:
        """Return the mesh with its brightness blended from `low` at height `bottom` to `high` at `top`."""
        y = self.positions[:, 1]
        bottom = float(y.min()) if bottom is None else bottom
        top = float(y.max()) if top is None else top
        share = np.clip((y - bottom) / max(top - bottom, 1e-9), 0.0, 1.0)
        return self.tinted(low + (high - low) * share)

    def tinted(self, brightness: ArrayLike) -> Mesh:
        """Return the mesh with its colours multiplied, per vertex or as a whole."""
        factors = np.broadcast_to(np.asarray(brightness, dtype=np.float64), (len(self.positions),))
        colors = self.colors.copy()
        colors[:, :3] = np.clip(colors[:, :3] * factors[:, None], 0.0, 1.0)
        return replace(self, colors=colors)

    def welded(self) -> Mesh:
        """Return the mesh with equal vertices made one, equal to a tenth of a millimetre."""
        rows = np.rint(np.column_stack([self.positions, self.normals, self.colors, self.uvs]) * 1e4)
        _, first, where = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        arrays = (self.positions[first], self.normals[first], self.colors[first])
        return Mesh(*arrays, where.reshape(-1)[self.triangles], self.uvs[first])

    def flipped(self) -> Mesh:
        """Return the mesh turned inside out."""
        return replace(self, normals=-self.normals, triangles=self.triangles[:, ::-1])


def join(meshes: Iterable[Mesh]) -> Mesh:
    """Return one mesh of all triangles; at least one mesh must be given."""
    parts = list(meshes)
    starts = itertools.accumulate((len(part.positions) for part in parts), initial=0)
    return Mesh(
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.normals for part in parts]),
        np.concatenate([part.colors for part in parts]),
        np.concatenate([part.triangles + start for part, start in zip(parts, starts, strict=False)]),
        np.concatenate([part.uvs for part in parts]),
    )


def quads(corners: ArrayLike) -> Mesh:
    """Return flat white quadrilaterals; corners: (n, 4, 3), counter-clockwise seen from outside.

    Two corners may coincide: the quadrilateral is then a triangle.
    """
    points = np.asarray(corners, dtype=np.float64).reshape(-1, 4, 3)
    normals = _unit(np.cross(points[:, 2] - points[:, 0], points[:, 3] - points[:, 1]))
    uvs = np.tile([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]], (len(points), 1))
    return _of_quads(points, np.repeat(normals, 4, axis=0), uvs)


def box(width: float, height: float, depth: float, *, bottom: bool = False) -> Mesh:
    """Return a box standing on y = 0; its underside only where `bottom` says that it can be seen."""
    x, z = width / 2, depth / 2
    ring = [(-x, z), (x, z), (x, -z), (-x, -z)]
    faces = [
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
    return _of_quads(_cells(rows), _unit(normals.reshape(-1, 3)), uvs)


def prism(radius: float, height: float, sides: int, *, top: float | None = None, shading: Shading = "flat") -> Mesh:
    """Return an upright prism or, with another `top` radius, a frustum; closed above, open below."""
    end = radius if top is None else top
    return lathe([(radius, 0.0), (end, height), (0.0, height)], sides, shading=shading)


def tube(start: ArrayLike, end: ArrayLike, radius: float, sides: int = 6) -> Mesh:
    """Return a rod without caps between two points."""
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    along = _unit((b - a)[None])[0]
    side = _unit(np.cross(along, [1.0, 0.0, 0.0] if abs(along[0]) < 0.9 else [0.0, 0.0, 1.0])[None])[0]
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
    return quads([south, north, east, west, under])


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


def _of_quads(points: Floats, normals: Floats, uvs: Floats) -> Mesh:
    flat = points.reshape(-1, 3)
    first = np.arange(0, len(flat), 4)[:, None]
    triangles = np.concatenate([first + [0, 1, 2], first + [0, 2, 3]], axis=1).reshape(-1, 3)
    a, b, c = (flat[triangles[:, corner]] for corner in range(3))
    triangles = triangles[np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-10]
    used, where = np.unique(triangles, return_inverse=True)
    return Mesh(flat[used], normals[used], np.ones((len(used), 4)), where.reshape(-1, 3), uvs[used])


def _cells(rows: Floats) -> Floats:
    """Return the quadrilaterals between neighbouring points of a grid (rows, columns, 3) as (n, 4, 3)."""
    cells = np.stack([rows[:-1, :-1], rows[:-1, 1:], rows[1:, 1:], rows[1:, :-1]], axis=2)
    return cells.reshape(-1, 4, 3)


def _fan(outline: Floats) -> Mesh:
    first = np.broadcast_to(outline[0], (len(outline) - 2, 3))
    return quads(np.stack([first, outline[1:-1], outline[2:], outline[2:]], axis=1))


def _slopes(profile: Floats, *, smooth: bool) -> tuple[Floats, Floats]:
    """Return the outward (radial, y) normal at the lower and upper end of each stretch of a profile."""
    along = np.diff(profile, axis=0)
    outward = _unit(np.column_stack([along[:, 1], -along[:, 0]]))
    if not smooth:
        return outward, outward
    between = _unit(outward[:-1] + outward[1:])
    return np.concatenate([outward[:1], between]), np.concatenate([between, outward[-1:]])


def _rotation(degrees: float, axis: str) -> Floats:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    rows = {"x": [[1, 0, 0], [0, c, -s], [0, s, c]], "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]]}
    return np.array(rows.get(axis, [[c, -s, 0], [s, c, 0], [0, 0, 1]]), dtype=np.float64)


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(lengths > 1e-12, vectors / np.maximum(lengths, 1e-12), np.eye(vectors.shape[-1])[1])


@functools.cache
def _icosphere(detail: int) -> tuple[Floats, NDArray[np.int64]]:
    golden = (1 + math.sqrt(5)) / 2
    corners = [(s, t * golden, 0.0) for t in (1, -1) for s in (-1, 1)]
    corners += [(0.0, s, t * golden) for t in (1, -1) for s in (-1, 1)]
    corners += [(t * golden, 0.0, s) for t in (1, -1) for s in (-1, 1)]
    points = _unit(np.array(corners))
    faces = _hull(points)
    for _ in range(detail):
        points, faces = _split(points, faces)
    return points, faces


def _hull(points: Floats) -> NDArray[np.int64]:
    """Return the outward triangles of an icosahedron: all triples of corners one edge apart."""
    near = np.linalg.norm(points[:, None] - points[None], axis=2)
    edge = near[near > 1e-9].min() * 1.01
    triples = [
        t
        for t in itertools.combinations(range(12), 3)
        if max(near[t[0], t[1]], near[t[1], t[2]], near[t[0], t[2]]) < edge
    ]
    outward = [np.linalg.det(points[list(t)]) > 0 for t in triples]
    return np.array([t if out else t[::-1] for t, out in zip(triples, outward, strict=True)])


def _split(points: Floats, faces: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    pairs, where = np.unique(edges, axis=0, return_inverse=True)
    middle = _unit(points[pairs].mean(axis=1))
    ab, bc, ca = where.reshape(3, -1) + len(points)
    a, b, c = faces.T
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.concatenate([points, middle]), np.concatenate([np.stack(part, axis=1) for part in parts])
