"""A small model of a glTF file and its writer: nodes, materials, textures and turning nodes to GLB bytes.

For files made by our own code; reading and merging untrusted files is `openslot_gltf`'s work.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_demo.worlds.mesh import Floats, Mesh

__all__ = ["Material", "Model", "Node", "Turning", "to_glb"]

_FLOAT, _UINT8, _UINT16, _UINT32 = 5126, 5121, 5123, 5125
_VERTICES, _INDICES = 34962, 34963
_IDENTITY = (0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Material:
    """A glTF material; vertex colours multiply its colour. `image` is the bytes of a PNG or JPEG."""

    name: str
    color: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    roughness: float = 0.9
    metallic: float = 0.0
    unlit: bool = False
    blend: bool = False
    double_sided: bool = False
    image: bytes | None = None


@dataclass(frozen=True)
class Turning:
    """An endless turn of a node: times_s (n,), rotations (n, 4) as x, y, z, w."""

    times_s: Floats
    rotations: Floats


@dataclass(frozen=True)
class Node:
    """A node with its own mesh, one primitive per material."""

    name: str
    parts: tuple[tuple[Material, Mesh], ...] = ()
    translation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation: tuple[float, float, float, float] = _IDENTITY
    children: tuple[Node, ...] = ()
    extensions: Mapping[str, Any] = field(default_factory=dict)
    extras: Mapping[str, Any] = field(default_factory=dict)
    turning: Turning | None = None


@dataclass(frozen=True)
class Model:
    """A whole file."""

    name: str
    nodes: tuple[Node, ...]
    copyright: str
    extras: Mapping[str, Any] = field(default_factory=dict)


def to_glb(model: Model) -> bytes:
    """Return the model as a GLB; the same model gives the same bytes."""
    writer = _Writer()
    roots = [writer.node(node) for node in model.nodes]
    document = writer.document(model, roots)
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    chunks = _chunk(b"JSON", text, b" ") + _chunk(b"BIN\0", bytes(writer.binary), b"\0")
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _chunk(kind: bytes, data: bytes, padding: bytes) -> bytes:
    data += padding * (-len(data) % 4)
    return struct.pack("<I4s", len(data), kind) + data


class _Writer:
    """Collects the arrays of one document while its nodes are walked."""

    def __init__(self) -> None:
        self.binary = bytearray()
        self.arrays: dict[str, list[Any]] = {}
        self.materials: dict[Material, int] = {}
        self.channels: list[tuple[int, Turning]] = []
        self.used: set[str] = set()

    def add(self, array: str, value: dict[str, Any]) -> int:
        items = self.arrays.setdefault(array, [])
        items.append(value)
        return len(items) - 1

    def node(self, node: Node) -> int:
        value: dict[str, Any] = {"name": node.name}
        if any(node.translation):
            value["translation"] = [float(c) for c in node.translation]
        if node.rotation != _IDENTITY:
            value["rotation"] = [float(c) for c in node.rotation]
        if node.parts:
            value["mesh"] = self.mesh(node)
        if node.children:
            value["children"] = [self.node(child) for child in node.children]
        if node.extensions:
            value["extensions"] = dict(node.extensions)
            self.used.update(node.extensions)
        if node.extras:
            value["extras"] = dict(node.extras)
        at = self.add("nodes", value)
        if node.turning is not None:
            self.channels.append((at, node.turning))
        return at

    def mesh(self, node: Node) -> int:
        primitives = [self.primitive(material, mesh) for material, mesh in node.parts]
        return self.add("meshes", {"name": node.name, "primitives": primitives})

    def primitive(self, material: Material, mesh: Mesh) -> dict[str, Any]:
        mesh = mesh.welded() if material.image is not None else replace(mesh, uvs=mesh.uvs * 0).welded()
        colors = np.rint(mesh.colors * 255).astype(np.uint8)
        attributes = {"POSITION": self.vertices(mesh.positions, "VEC3", bounds=True)}
        if not material.unlit:
            attributes["NORMAL"] = self.vertices(mesh.normals, "VEC3")
        if material.image is not None:
            attributes["TEXCOORD_0"] = self.vertices(mesh.uvs, "VEC2")
        elif (colors != 255).any():
            attributes["COLOR_0"] = self.accessor(colors, _UINT8, "VEC4", _VERTICES, normalized=True)
        small = len(mesh.positions) <= 65535
        indices = mesh.triangles.astype(np.uint16 if small else np.uint32).reshape(-1)
        at = self.accessor(indices, _UINT16 if small else _UINT32, "SCALAR", _INDICES)
        return {"attributes": attributes, "indices": at, "material": self.material(material)}

    def vertices(self, values: Floats, shape: str, *, bounds: bool = False) -> int:
        return self.accessor(values.astype(np.float32), _FLOAT, shape, _VERTICES, bounds=bounds)

    def accessor(
        self,
        values: NDArray[Any],
        component: int,
        shape: str,
        target: int | None,
        *,
        normalized: bool = False,
        bounds: bool = False,
    ) -> int:
        value = {"bufferView": self.view(values.tobytes(), target), "componentType": component}
        accessor: dict[str, Any] = value | {"count": len(values), "type": shape}
        if normalized:
            accessor["normalized"] = True
        if bounds:
            accessor["min"] = np.atleast_1d(values.min(axis=0)).tolist()
            accessor["max"] = np.atleast_1d(values.max(axis=0)).tolist()
        return self.add("accessors", accessor)

    def view(self, data: bytes, target: int | None = None) -> int:
        self.binary += b"\0" * (-len(self.binary) % 4)
        view = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data)}
        self.binary += data
        return self.add("bufferViews", view if target is None else view | {"target": target})

    def material(self, material: Material) -> int:
        if material not in self.materials:
            self.materials[material] = self.add("materials", self.described(material))
        return self.materials[material]

    def described(self, material: Material) -> dict[str, Any]:
        surface: dict[str, Any] = {"metallicFactor": material.metallic, "roughnessFactor": material.roughness}
        if material.color != (1.0, 1.0, 1.0, 1.0):
            surface["baseColorFactor"] = list(material.color)
        if material.image is not None:
            surface["baseColorTexture"] = {"index": self.texture(material.image)}
        value: dict[str, Any] = {"name": material.name, "pbrMetallicRoughness": surface}
        if material.blend:
            value["alphaMode"] = "BLEND"
        if material.double_sided:
            value["doubleSided"] = True
        if material.unlit:
            value["extensions"] = {"KHR_materials_unlit": {}}
            self.used.add("KHR_materials_unlit")
        return value

    def texture(self, image: bytes) -> int:
        kind = "image/png" if image.startswith(b"\x89PNG") else "image/jpeg"
        if "samplers" not in self.arrays:
            self.add("samplers", {"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071})
        source = self.add("images", {"bufferView": self.view(image), "mimeType": kind})
        return self.add("textures", {"sampler": 0, "source": source})

    def animation(self) -> dict[str, Any]:
        samplers: list[dict[str, Any]] = []
        channels: list[dict[str, Any]] = []
        for node, turning in self.channels:
            times = self.accessor(_column(turning.times_s), _FLOAT, "SCALAR", None, bounds=True)
            output = self.accessor(turning.rotations.astype(np.float32), _FLOAT, "VEC4", None)
            channels.append({"sampler": len(samplers), "target": {"node": node, "path": "rotation"}})
            samplers.append({"input": times, "output": output, "interpolation": "LINEAR"})
        return {"name": "turn", "channels": channels, "samplers": samplers}

    def document(self, model: Model, roots: list[int]) -> dict[str, Any]:
        if self.channels:
            self.add("animations", self.animation())
        scene: dict[str, Any] = {"name": model.name, "nodes": roots}
        if model.extras:
            scene["extras"] = dict(model.extras)
        asset = {"version": "2.0", "generator": "openslot_demo", "copyright": model.copyright}
        document = {"asset": asset, "scene": 0, "scenes": [scene], **self.arrays}
        if self.used:
            document["extensionsUsed"] = sorted(self.used)
        return document | {"buffers": [{"byteLength": len(self.binary)}]}


def _column(values: ArrayLike) -> NDArray[np.float32]:
    return np.asarray(values, dtype=np.float32).reshape(-1)
