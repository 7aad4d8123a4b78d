"""Skins: where joints put a mesh. The skinned node's own transform has no part in it (glTF 2.0, 3.7.3.3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_gltf.accessors import Elements
from openslot_gltf.document import Document, Json
from openslot_gltf.transforms import Matrix

__all__ = ["blended", "inverse_bind_matrices", "joint_influences", "world_from_mesh_by_joint"]


def inverse_bind_matrices(document: Document, elements: Elements, skin: int) -> NDArray[np.float64]:
    """Return `joint_from_mesh` of every joint, (joints, 4, 4); identities where the skin gives none."""
    body = document.array("skins")[skin]
    count = len(body["joints"])
    if "inverseBindMatrices" not in body:
        return np.tile(np.eye(4), (count, 1, 1))
    columns = elements.floats(body["inverseBindMatrices"])[:count]
    return columns.reshape(count, 4, 4).transpose(0, 2, 1)


def joint_influences(primitive: Json, elements: Elements) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return each vertex' joints and their weights, both (vertices, influences)."""
    attributes = primitive["attributes"]
    sets = [n for n in range(len(attributes)) if f"JOINTS_{n}" in attributes and f"WEIGHTS_{n}" in attributes]
    joints = [elements.raw(attributes[f"JOINTS_{n}"]).astype(np.int64) for n in sets]
    weights = [elements.floats(attributes[f"WEIGHTS_{n}"]) for n in sets]
    return np.concatenate(joints, axis=1), np.concatenate(weights, axis=1)


def world_from_mesh_by_joint(
    document: Document, elements: Elements, skin: int, worlds: dict[int, Matrix]
) -> NDArray[np.float64]:
    """Return where each joint carries the mesh, (joints, 4, 4)."""
    world_from_joint = np.stack([worlds[joint] for joint in document.array("skins")[skin]["joints"]])
    return np.asarray(world_from_joint @ inverse_bind_matrices(document, elements, skin))


def blended(
    world_from_mesh: NDArray[np.float64],
    rows: NDArray[np.int64],
    weights: NDArray[np.float64],
    positions: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the weighted mean of each position under its joints' matrices, weights taken to add up to one."""
    total = np.zeros_like(positions)
    for influence in range(rows.shape[1]):
        matrices = world_from_mesh[rows[:, influence]]
        moved = np.einsum("nij,nj->ni", matrices[:, :3, :3], positions) + matrices[:, :3, 3]
        total += weights[:, influence, None] * moved
    return total
