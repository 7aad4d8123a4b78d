"""Node transforms: local and world 4×4 matrices, column vectors, and their decomposition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openslot_gltf.document import Json, default_roots

__all__ = [
    "Rigid",
    "local_matrix",
    "quaternion_of",
    "rigid_of",
    "rotation_matrices",
    "rotation_matrix",
    "world_matrices",
]

Matrix = NDArray[np.float64]
SHEAR_TOLERANCE = 1e-3
IDENTITY = np.eye(4)
PLACES = frozenset({"matrix", "rotation", "scale", "translation"})


def rotation_matrix(x: float, y: float, z: float, w: float) -> Matrix:
    """Return the 3×3 rotation of a unit quaternion."""
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def rotation_matrices(quaternions: Matrix) -> Matrix:
    """Return the (n, 3, 3) rotations of (n, 4) quaternions of any length; of length zero, no rotation."""
    lengths = np.linalg.norm(quaternions, axis=1, keepdims=True)
    x, y, z, w = np.where(lengths > 0, quaternions / np.where(lengths > 0, lengths, 1.0), [0.0, 0.0, 0.0, 1.0]).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def quaternion_of(rotation: Matrix) -> tuple[float, float, float, float]:
    """Return the unit quaternion (x, y, z, w; w >= 0) of a proper 3×3 rotation.

    The largest of the four components is taken from the diagonal, so no division is by a small number.
    """
    (a, b, c), (d, e, f), (g, h, i) = rotation.tolist()
    fourfold = np.array(
        [
            [1 + a - e - i, b + d, c + g, h - f],
            [b + d, 1 - a + e - i, f + h, c - g],
            [c + g, f + h, 1 - a - e + i, d - b],
            [h - f, c - g, d - b, 1 + a + e + i],
        ]
    )
    row = fourfold[int(np.argmax(np.diag(fourfold)))]
    x, y, z, w = (row / np.linalg.norm(row) * (-1.0 if row[3] < 0 else 1.0)).tolist()
    return x, y, z, w


def local_matrix(node: Json) -> Matrix:
    """Return `parent_from_node` of one node."""
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    matrix = IDENTITY.copy()
    if "rotation" in node:
        matrix[:3, :3] = rotation_matrix(*node["rotation"])
    if "scale" in node:
        matrix[:3, :3] *= np.array(node["scale"], np.float64)
    if "translation" in node:
        matrix[:3, 3] = node["translation"]
    return matrix


def world_matrices(json: Json, precision: type[np.floating[Any]] = np.float64) -> dict[int, Matrix]:
    """Return `world_from_node` of every node of the default scene, parents before children.

    Scales may multiply to infinity; who uses a matrix looks whether it is finite.
    """
    nodes = json.get("nodes", [])
    order = list(default_roots(json))
    with np.errstate(over="ignore", invalid="ignore"):
        worlds = {root: local_matrix(nodes[root]).astype(precision) for root in order}
        for index in order:
            for child in nodes[index].get("children", ()):
                moves = not PLACES.isdisjoint(nodes[child])
                worlds[child] = worlds[index] @ local_matrix(nodes[child]).astype(precision) if moves else worlds[index]
                order.append(child)
    return worlds


@dataclass(frozen=True, slots=True)
class Rigid:
    """A world transform taken apart: `world_from_slot` without scale, and the scale along each local axis.

    A mirrored transform has a negative x scale, so that the rotation stays proper and +Z and +Y keep their direction.
    """

    position: Matrix
    rotation: Matrix
    scale: Matrix


def rigid_of(world_from_node: Matrix) -> Rigid | None:
    """Return the transform taken apart; None when it is singular or sheared, so that no rectangle stays one."""
    linear = world_from_node[:3, :3]
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(linear, axis=0)
    if not np.isfinite(lengths).all() or lengths.min() < 1e-12:
        return None
    axes = linear / lengths
    if np.abs(axes.T @ axes - np.eye(3)).max() > SHEAR_TOLERANCE:
        return None
    forward, up = axes[:, 2], axes[:, 1] - (axes[:, 1] @ axes[:, 2]) * axes[:, 2]
    up = up / np.linalg.norm(up)
    side = np.cross(up, forward)
    mirror = -1.0 if side @ axes[:, 0] < 0 else 1.0
    return Rigid(world_from_node[:3, 3], np.stack([side, up, forward], axis=1), lengths * [mirror, 1.0, 1.0])
