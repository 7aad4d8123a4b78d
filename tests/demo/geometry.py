"""What tests ask of a GLB made by our own code: its JSON, its triangles, what a straight line hits."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_TYPES: dict[int, str] = {5121: "u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


def document(glb: bytes) -> dict[str, Any]:
    (length,) = struct.unpack_from("<I", glb, 12)
    parsed: dict[str, Any] = json.loads(glb[20 : 20 + length])
    return parsed


def array(glb: bytes, index: int) -> NDArray[Any]:
    (length,) = struct.unpack_from("<I", glb, 12)
    parsed = document(glb)
    accessor = parsed["accessors"][index]
    view = parsed["bufferViews"][accessor["bufferView"]]
    width = _WIDTHS[accessor["type"]]
    start = 28 + length + view["byteOffset"]
    flat = np.frombuffer(glb, _TYPES[accessor["componentType"]], accessor["count"] * width, start)
    return flat.reshape(-1, width)


def triangles(glb: bytes, *, skip: frozenset[str] = frozenset({"shade"})) -> Floats:
    """World corners (n, 3, 3) of all triangles but those of materials in `skip`."""
    parsed = document(glb)
    found: list[Floats] = []
    for root in parsed["scenes"][0]["nodes"]:
        found += _of_node(glb, parsed, root, np.eye(4), skip)
    return np.concatenate(found)


def _of_node(glb: bytes, parsed: dict[str, Any], at: int, parent: Floats, skip: frozenset[str]) -> list[Floats]:
    node = parsed["nodes"][at]
    world = parent @ _local(node)
    found: list[Floats] = []
    for primitive in parsed["meshes"][node["mesh"]]["primitives"] if "mesh" in node else []:
        if parsed["materials"][primitive["material"]]["name"] not in skip:
            points = array(glb, primitive["attributes"]["POSITION"]) @ world[:3, :3].T + world[:3, 3]
            found.append(points[array(glb, primitive["indices"])[:, 0]].reshape(-1, 3, 3))
    for child in node.get("children", []):
        found += _of_node(glb, parsed, child, world, skip)
    return found


def _local(node: dict[str, Any]) -> Floats:
    x, y, z, w = node.get("rotation", (0.0, 0.0, 0.0, 1.0))
    local = np.eye(4)
    local[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    local[:3, 3] = node.get("translation", (0.0, 0.0, 0.0))
    return local


def hits(start: Floats, end: Floats, corners: Floats) -> int:
    """How many triangles a straight line crosses (Möller and Trumbore, either side)."""
    along = end - start
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    across = np.cross(along, edge2)
    determinant = np.einsum("ij,ij->i", edge1, across)
    real = np.abs(determinant) > 1e-12
    inverse = 1.0 / np.where(real, determinant, 1.0)
    offset = start - corners[:, 0]
    u = np.einsum("ij,ij->i", offset, across) * inverse
    around = np.cross(offset, edge1)
    v = around @ along * inverse
    t = np.einsum("ij,ij->i", edge2, around) * inverse
    return int((real & (u >= 0) & (v >= 0) & (u + v <= 1) & (t >= 0) & (t <= 1)).sum())


def blocked(
    points: Floats, edges: NDArray[np.int64], corners: Floats, *, height: float, aside: float
) -> list[tuple[int, int]]:
    """The edges on which a line at a height above the floor, shifted aside to both sides, hits something."""
    bad = []
    for i, j in edges.tolist():
        along = points[j] - points[i]
        side = np.array([along[2], 0.0, -along[0]]) / np.hypot(along[0], along[2])
        lines = [points[[i, j]] + np.array([0.0, height, 0.0]) + side * shift for shift in (-aside, 0.0, aside)]
        if any(hits(a, b, corners) for a, b in lines):
            bad.append((i, j))
    return bad
