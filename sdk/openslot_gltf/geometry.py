"""A scene's triangles in world metres, read from its accessors: what may hide a slot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openslot_gltf.accessors import Elements
from openslot_gltf.alpha import see_through
from openslot_gltf.document import Document, Json
from openslot_gltf.skinning import blended, joint_influences, world_from_mesh_by_joint
from openslot_gltf.transforms import Matrix, rotation_matrices, rotation_matrix, world_matrices
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import Slot

__all__ = ["SceneGeometry", "scene_geometry", "triangles_around"]

TRIANGLES, STRIP, FAN = 4, 5, 6


@dataclass(frozen=True, slots=True, eq=False)
class SceneGeometry:
    """All triangles of the default scene, front faces wound counter-clockwise.

    Args:
        vertices: (n, 3) float64, world metres.
        triangles: (m, 3) int32, rows of `vertices`.
        one_sided: (m,) bool; the back of such a triangle does not hide (material not `doubleSided`).
        blend: (m,) bool; the material is see-through (`alphaMode` BLEND, or transmits half of the light).
        owner: (m,) int32, the node that draws the triangle.
        names: the name of every node, empty where it has none.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int32]
    one_sided: NDArray[np.bool_]
    blend: NDArray[np.bool_]
    owner: NDArray[np.int32]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One drawn primitive."""

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]
    one_sided: bool
    blend: bool
    owner: int


def scene_geometry(document: Document) -> SceneGeometry:
    """Return the scene at rest: skins at their joints' places, morph targets at their default weights.

    Points and lines hide nothing and are left out; strips and fans are expanded; what is mirrored has its winding
    turned, so that front faces stay front faces. Raises GEOMETRY_INVALID where scales multiply beyond all numbers.
    """
    elements, worlds = Elements(document), world_matrices(document.json)
    nodes = document.array("nodes")
    parts: list[_Part] = []
    with np.errstate(over="ignore", invalid="ignore"):
        for index in worlds:
            if "mesh" in nodes[index]:
                parts.extend(_node_parts(document, elements, index, worlds))
    geometry = _joined(parts, tuple(str(node.get("name", "")) for node in nodes))
    if not np.isfinite(geometry.vertices).all():
        raise OpenSlotError(Code.GEOMETRY_INVALID, "a vertex lies beyond all numbers", where="/nodes")
    return geometry


def _node_parts(document: Document, elements: Elements, index: int, worlds: dict[int, Matrix]) -> Iterator[_Part]:
    node = document.array("nodes")[index]
    mesh = document.array("meshes")[node["mesh"]]
    for primitive in mesh["primitives"]:
        triangles = triangle_rows(primitive, elements, document)
        if not len(triangles):
            continue
        positions = rest_positions(primitive, elements, default_weights(node, mesh))
        material = document.array("materials")[primitive["material"]] if "material" in primitive else {}
        looks = not material.get("doubleSided", False), see_through(material)
        if "skin" in node:
            yield _Part(*skinned(document, elements, node, worlds, (primitive, positions, triangles)), *looks, index)
            continue
        for world_from_mesh in instances(node, elements, worlds[index]):
            mirrored = bool(np.linalg.det(world_from_mesh[:3, :3]) < 0)
            placed = positions @ world_from_mesh[:3, :3].T + world_from_mesh[:3, 3]
            yield _Part(placed, triangles[:, ::-1] if mirrored else triangles, *looks, index)


def skinned(
    document: Document,
    elements: Elements,
    node: Json,
    worlds: dict[int, Matrix],
    rest: tuple[Json, NDArray[np.float64], NDArray[np.int64]],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return world positions and triangles of a node's primitive, `rest` being it, its positions and its triangles."""
    primitive, positions, triangles = rest
    matrices = world_from_mesh_by_joint(document, elements, node["skin"], worlds)
    placed = blended(matrices, *joint_influences(primitive, elements), positions)
    mirrored = bool(2 * np.count_nonzero(np.linalg.det(matrices[:, :3, :3]) < 0) > len(matrices))
    return placed, triangles[:, ::-1] if mirrored else triangles


def default_weights(node: Json, mesh: Json) -> list[float]:
    """Return the morph weights a node shows its mesh with."""
    return list(node["weights"] if "weights" in node else mesh.get("weights", []))


def rest_positions(primitive: Json, elements: Elements, weights: list[float]) -> NDArray[np.float64]:
    """Return a primitive's positions in mesh space, morph targets added by their weights."""
    positions = elements.floats(primitive["attributes"]["POSITION"])
    for weight, target in zip(weights, primitive.get("targets", []), strict=False):
        if weight and "POSITION" in target:
            positions = positions + weight * elements.floats(target["POSITION"])
    return positions


def triangle_rows(primitive: Json, elements: Elements, document: Document) -> NDArray[np.int64]:
    """Return the (m, 3) vertex rows of a primitive's triangles; (0, 3) for points and lines."""
    mode = primitive.get("mode", TRIANGLES)
    if "POSITION" not in primitive["attributes"] or mode < TRIANGLES:
        return np.empty((0, 3), np.int64)
    if "indices" in primitive:
        rows = elements.raw(primitive["indices"])[:, 0].astype(np.int64)
    else:
        rows = np.arange(document.array("accessors")[primitive["attributes"]["POSITION"]]["count"])
    if mode == TRIANGLES:
        return rows[: len(rows) // 3 * 3].reshape(-1, 3)
    if len(rows) < 3:
        return np.empty((0, 3), np.int64)
    if mode == FAN:
        return np.stack([np.full(len(rows) - 2, rows[0]), rows[1:-1], rows[2:]], axis=1)
    strip = np.stack([rows[:-2], rows[1:-1], rows[2:]], axis=1)
    strip[1::2] = strip[1::2, [1, 0, 2]]
    return strip


def instances(node: Json, elements: Elements, world_from_node: Matrix) -> Matrix:
    """Return `world_from_mesh` of every instance, (n, 4, 4): one, or as many as EXT_mesh_gpu_instancing says."""
    attributes = node.get("extensions", {}).get("EXT_mesh_gpu_instancing", {}).get("attributes")
    if attributes is None:
        return world_from_node[None]
    columns = {name: elements.floats(index) for name, index in attributes.items()}
    local = np.tile(np.eye(4), (len(next(iter(columns.values()))), 1, 1))
    if "ROTATION" in columns:
        local[:, :3, :3] = rotation_matrices(columns["ROTATION"])
    if "SCALE" in columns:
        local[:, :3, :3] *= columns["SCALE"][:, None, :]
    if "TRANSLATION" in columns:
        local[:, :3, 3] = columns["TRANSLATION"]
    return np.asarray(world_from_node @ local)


def _joined(parts: list[_Part], names: tuple[str, ...]) -> SceneGeometry:
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    sizes = [len(part.triangles) for part in parts]
    none = np.empty((0, 3))
    rows = [part.triangles + start for part, start in zip(parts, starts[:-1], strict=True)]
    return SceneGeometry(
        vertices=np.concatenate([none, *(part.vertices for part in parts)]),
        triangles=np.concatenate([none, *rows]).astype(np.int32),
        one_sided=np.repeat(np.array([part.one_sided for part in parts], np.bool_), sizes),
        blend=np.repeat(np.array([part.blend for part in parts], np.bool_), sizes),
        owner=np.repeat(np.array([part.owner for part in parts], np.int32), sizes),
        names=names,
    )


def triangles_around(geometry: SceneGeometry, slot: Slot, radius: float) -> int:
    """Return how many triangles may hide the slot from a viewer within `radius` metres in front of it.

    A triangle counts when its box meets the sphere of `radius` round the slot's centre and a corner of it lies in
    front of the slot's plane; for two-sided slots both sides count. See-through triangles do not.
    """
    rotation, centre = rotation_matrix(*slot.pose.rotation), np.array(slot.pose.position)
    corners = geometry.vertices[geometry.triangles[~geometry.blend]]
    low, high = corners.min(axis=1), corners.max(axis=1)
    nearest = np.clip(centre, low, high)
    near = ((nearest - centre) ** 2).sum(axis=1) <= radius**2
    heights = (corners[near] - centre) @ rotation[:, 2]
    before = np.abs(heights).max(axis=1) if slot.two_sided else heights.max(axis=1)
    return int((before > 1e-4).sum()) if len(before) else 0
