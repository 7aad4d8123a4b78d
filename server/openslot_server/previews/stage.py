"""Where a creative is looked at: a room with one slot and a figure of a person's height, or a world's scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openslot_gltf import Document, add_slot, read_document, scene_parts, scene_slots
from openslot_gltf.bounds import content_bounds
from openslot_gltf.document import Json
from openslot_gltf.packing import INDICES, VERTICES, Packer
from openslot_spec.slots import Slot, SlotTerms
from openslot_view.capsules import capsule
from openslot_view.occluders import Occluders
from openslot_view.scenery import occluders_of

__all__ = ["SLOT_ID", "Stage", "own_terms", "room", "scene_stage"]

Floats = NDArray[np.float64]

SLOT_ID = "preview"
LONGEST_M, DEEPEST_M = 2.4, 2.0
EYE_M = 1.6
WALL_M, WALL_HIGH_M, FLOOR_M = (26.0, 5.4, 20.0)
"""How wide and high the wall is, and how far the floor reaches before it."""
BODY, HEAD = (1.42, 0.2), (0.3, 0.12)
"""Of the figure, 1.75 m: height and radius."""
NECK_M = 1.45
WALL, FLOOR, PERSON, EDGE = ((0.50, 0.52, 0.55), (0.2, 0.21, 0.23), (0.07, 0.09, 0.13), (0.05, 0.05, 0.06))
"""Linear colours."""
EDGE_M = 0.04


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A scene, the slot that is looked at, and what may hide it."""

    document: Document
    slot: Slot
    occluders: Occluders


def own_terms(size: tuple[float, float, float]) -> SlotTerms:
    """Return the slot that a creative of this size would choose: its own shape, 2.4 m long and 2 m deep at most."""
    wide, high, deep = (max(side, 1e-6) for side in size)
    scale = min(LONGEST_M / max(wide, high), DEEPEST_M / deep)
    width, height = (max(side * scale, 0.05) for side in (wide, high))
    return SlotTerms(id=SLOT_ID, size=(width, height), depth=min(deep * scale * 1.001 + 0.001, 1000.0))


def room(terms: SlotTerms) -> Stage:
    """Return a room with a slot of these terms on its wall, at the height of an eye, and a figure beside it."""
    width, height = terms.size
    middle = max(EYE_M, height / 2 + 0.25)
    packer = Packer()
    meshes: list[tuple[Json, tuple[float, ...]]] = []
    for vertices, triangles, colour in _parts(width, height, middle):
        meshes.append((_mesh(packer, vertices, triangles, len(meshes)), colour))
    json = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [*range(len(meshes))]}],
        "nodes": [{"mesh": index} for index in range(len(meshes))],
        "meshes": [mesh for mesh, _ in meshes],
        "materials": [_material(colour) for _, colour in meshes],
    }
    scene = add_slot(packer.packed(json), terms, (0.0, middle, 0.02))
    return Stage(scene, scene_slots(scene).find(terms.id).slot, Occluders.none())


def scene_stage(data: bytes, slot_id: str) -> Stage:
    """Return a world's scene with the slot of this id; raises as reading a scene and SLOT_UNKNOWN."""
    scene = read_document(data)
    names = [str(node.get("name", "")) for node in scene.array("nodes")]
    return Stage(scene, scene_slots(scene).find(slot_id).slot, occluders_of(scene_parts(scene), names))


def size_of(document: Document) -> tuple[float, float, float]:
    """Return width, height and depth of a creative at rest, metres."""
    wide, high, deep = content_bounds(document).size.tolist()
    return wide, high, deep


def _parts(width: float, height: float, middle: float) -> list[tuple[Floats, NDArray[np.int64], tuple[float, ...]]]:
    """Return wall, floor, figure and the slot's edge as vertices, triangles and colour."""
    x, y = width / 2 + EDGE_M, height / 2 + EDGE_M
    wall_high = max(WALL_HIGH_M, middle + height / 2 + 0.6)
    quads = (
        ([(-WALL_M / 2, 0, 0), (WALL_M / 2, 0, 0), (WALL_M / 2, wall_high, 0), (-WALL_M / 2, wall_high, 0)], WALL),
        ([(-WALL_M / 2, 0, FLOOR_M), (WALL_M / 2, 0, FLOOR_M), (WALL_M / 2, 0, 0), (-WALL_M / 2, 0, 0)], FLOOR),
        ([(-x, middle - y, 0.01), (x, middle - y, 0.01), (x, middle + y, 0.01), (-x, middle + y, 0.01)], EDGE),
    )
    two = np.array([(0, 1, 2), (0, 2, 3)])
    flat = [(np.array(corners, np.float64), two, colour) for corners, colour in quads]
    beside = width / 2 + 0.55
    rounded = [(capsule(*BODY), (beside, 0.0, 0.45)), (capsule(*HEAD), (beside, NECK_M, 0.45))]
    return [*flat, *((vertices + at, triangles, PERSON) for (vertices, triangles), at in rounded)]


def _mesh(packer: Packer, vertices: Floats, triangles: NDArray[np.int64], material: int) -> Json:
    corners = vertices[triangles]
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    summed = np.zeros_like(vertices)
    np.add.at(summed, triangles.ravel(), np.repeat(face, 3, axis=0))
    length = np.linalg.norm(summed, axis=1, keepdims=True)
    normal = np.where(length > 0, summed / np.where(length > 0, length, 1.0), [0.0, 1.0, 0.0])
    attributes = {
        "POSITION": packer.accessor(vertices.astype(np.float32), VERTICES, bounded=True),
        "NORMAL": packer.accessor(normal.astype(np.float32), VERTICES),
    }
    indices = packer.accessor(triangles.reshape(-1, 1).astype(np.uint16), INDICES)
    return {"primitives": [{"attributes": attributes, "indices": indices, "material": material}]}


def _material(colour: tuple[float, ...]) -> Json:
    look = {"baseColorFactor": [*colour, 1.0], "metallicFactor": 0.0, "roughnessFactor": 0.85}
    return {"pbrMetallicRoughness": look}
