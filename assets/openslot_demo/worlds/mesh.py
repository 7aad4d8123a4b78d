"""Triangles with normals and vertex colours: what worlds and creatives are made of.

Frame: glTF's (right-handed, +Y up, metres). Colours are linear RGBA in 0..1, so that soft shading can be baked in.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Floats", "Ints", "Mesh", "join", "linear", "quads", "smooth_quads", "unit"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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
    triangles: Ints
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
        return replace(self, positions=self.positions * factors, normals=unit(normals))

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
    normals = unit(np.cross(points[:, 2] - points[:, 0], points[:, 3] - points[:, 1]))
    uvs = np.tile([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]], (len(points), 1))
    return smooth_quads(points, np.repeat(normals, 4, axis=0), uvs)


def smooth_quads(points: Floats, normals: Floats, uvs: Floats) -> Mesh:
    """Return quadrilaterals (n, 4, 3) with a normal (n * 4, 3) and a texture coordinate (n * 4, 2) per corner."""
    flat = points.reshape(-1, 3)
    first = np.arange(0, len(flat), 4)[:, None]
    triangles = (first + np.array([0, 1, 2, 0, 2, 3])).reshape(-1, 3)
    a, b, c = (flat[triangles[:, corner]] for corner in range(3))
    triangles = triangles[np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-10]
    used, where = np.unique(triangles, return_inverse=True)
    return Mesh(flat[used], normals[used], np.ones((len(used), 4)), where.reshape(-1, 3), uvs[used])


def _rotation(degrees: float, axis: str) -> Floats:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    rows = {"x": [[1, 0, 0], [0, c, -s], [0, s, c]], "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]]}
    return np.array(rows.get(axis, [[c, -s, 0], [s, c, 0], [0, 0, 1]]), dtype=np.float64)


def unit(vectors: Floats) -> Floats:
    """Return vectors (..., k) with length 1; one without length becomes the second axis."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    result: Floats = np.where(lengths > 1e-12, vectors / np.maximum(lengths, 1e-12), np.eye(vectors.shape[-1])[1])
    return result
