"""Valid glTF files made by numpy, as honest input and as the ground that hostile files are cut from."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
VERTICES, INDICES = 34962, 34963


class Maker:
    """A glTF file in the making."""

    def __init__(self) -> None:
        self.json: dict[str, Any] = {"asset": {"version": "2.0", "generator": "openslot tests"}}
        self.binary = bytearray()

    def add(self, array: str, item: dict[str, Any]) -> int:
        items: list[dict[str, Any]] = self.json.setdefault(array, [])
        items.append(item)
        return len(items) - 1

    def view(self, data: bytes, **fields: int) -> int:
        self.binary += bytes(-len(self.binary) % 4)
        start = len(self.binary)
        self.binary += data
        return self.add("bufferViews", {"buffer": 0, "byteOffset": start, "byteLength": len(data)} | fields)

    def accessor(
        self, values: ArrayLike, dtype: str = "f4", target: int | None = None, *, bounds: bool = False, **fields: Any
    ) -> int:
        array = np.asarray(values, f"<{dtype}")
        array = array.reshape(len(array), -1)
        pad = -array.itemsize * array.shape[1] % 4 if target == VERTICES else 0
        fields_of_view = {} if target is None else {"target": target}
        if pad:
            fields_of_view["byteStride"] = array.itemsize * array.shape[1] + pad
        rows = [row.tobytes() + bytes(pad) for row in array]
        item = {
            "bufferView": self.view(b"".join(rows), **fields_of_view),
            "componentType": COMPONENTS[dtype],
            "count": len(array),
            "type": KINDS[array.shape[1]],
        }
        if bounds:
            item |= {"min": array.min(axis=0).tolist(), "max": array.max(axis=0).tolist()}
        return self.add("accessors", item | fields)

    def node(self, *, root: bool = True, **fields: Any) -> int:
        index = self.add("nodes", fields)
        if root:
            self.json.setdefault("scenes", [{"nodes": []}])[0]["nodes"].append(index)
            self.json["scene"] = 0
        return index

    def texture(self, pixels: NDArray[np.uint8] | None = None) -> int:
        data = png(np.full((4, 4, 3), 200, np.uint8) if pixels is None else pixels)
        image = self.add("images", {"bufferView": self.view(data), "mimeType": "image/png"})
        return self.add("textures", {"source": image, "sampler": self.add("samplers", {"wrapS": 33071})})

    def box(self, size: tuple[float, float, float] = (1, 1, 1), centre: ArrayLike = (0, 0, 0), **fields: Any) -> int:
        """Add a box with flat normals, texture coordinates and six faces of two triangles; returns its mesh."""
        return self.add("meshes", {"primitives": [self.box_primitive(size, centre, **fields)]})

    def box_primitive(
        self, size: tuple[float, float, float], centre: ArrayLike = (0, 0, 0), **fields: Any
    ) -> dict[str, Any]:
        positions, normals, rows = box_arrays(np.array(size, float), np.array(centre, float))
        attributes = {
            "POSITION": self.accessor(positions, target=VERTICES, bounds=True),
            "NORMAL": self.accessor(normals, target=VERTICES),
            "TEXCOORD_0": self.accessor(np.tile([[0, 0], [1, 0], [1, 1], [0, 1]], (6, 1)), target=VERTICES),
        }
        return {"attributes": attributes, "indices": self.accessor(rows, "u2", INDICES)} | fields

    def extension(self, name: str, *, required: bool = False) -> None:
        for array in ("extensionsUsed", "extensionsRequired")[: 2 if required else 1]:
            names = self.json.setdefault(array, [])
            if name not in names:
                names.append(name)

    def glb(self) -> bytes:
        """Return the file as GLB."""
        return glb(self.finished(), bytes(self.binary))

    def gltf(self) -> bytes:
        """Return the file as self-contained .gltf."""
        body = self.finished()
        if self.binary:
            uri = "data:application/octet-stream;base64," + base64.b64encode(self.binary).decode()
            body["buffers"] = [{"byteLength": len(self.binary), "uri": uri}]
        return json.dumps(body).encode()

    def finished(self) -> dict[str, Any]:
        body = deepcopy(self.json)
        if self.binary:
            body["buffers"] = [{"byteLength": len(self.binary)}]
        return body


def glb(body: Any, binary: bytes = b"") -> bytes:
    """Return a GLB of any JSON value (or of JSON bytes as they are) and a binary chunk."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    chunks = chunk(0x4E4F534A, text, b" ") + (chunk(0x004E4942, binary, b"\0") if binary else b"")
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def chunk(kind: int, data: bytes, padding: bytes = b"\0") -> bytes:
    data += padding * (-len(data) % 4)
    return struct.pack("<II", len(data), kind) + data


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return an RGB PNG of (height, width, 3) bytes."""
    height, width = pixels.shape[:2]
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    return png_of(width, height, zlib.compress(lines))


def png_of(width: int, height: int, compressed: bytes) -> bytes:
    """Return a PNG that says any size of itself."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", head), (b"IDAT", compressed), (b"IEND", b""))
    )


def box_arrays(
    size: NDArray[np.float64], centre: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return positions (24, 3), normals (24, 3) and indices (36,) of a box, wound counter-clockwise from outside."""
    positions: list[Any] = []
    normals: list[Any] = []
    rows: list[int] = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            normal = np.zeros(3)
            normal[axis] = sign
            across, along = np.roll(np.eye(3), 1, axis=0)[axis], np.roll(np.eye(3), 2, axis=0)[axis]
            along = np.cross(normal, across)
            corners = [normal + a * across + b * along for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
            rows.extend(len(positions) + row for row in (0, 1, 2, 0, 2, 3))
            positions.extend(centre + corner * size / 2 for corner in corners)
            normals.extend([normal] * 4)
    return np.array(positions), np.array(normals), np.array(rows)


def plain_box(**material: Any) -> Maker:
    """Return one box of one metre with one material."""
    maker = Maker()
    maker.node(mesh=maker.box(material=maker.add("materials", material)), name="box")
    return maker


def textured_board() -> Maker:
    """Return a flat textured board, two metres by one, copyright stated."""
    maker = Maker()
    maker.json["asset"]["copyright"] = "Board by Someone, CC-BY 4.0"
    texture = maker.texture()
    unlit = {
        "pbrMetallicRoughness": {"baseColorTexture": {"index": texture}},
        "extensions": {"KHR_materials_unlit": {}},
    }
    maker.extension("KHR_materials_unlit")
    maker.node(mesh=maker.box((2, 1, 0.05), material=maker.add("materials", unlit)), name="board")
    return maker


def spinning_box(to: ArrayLike = (0, 3, 0), interpolation: str = "LINEAR") -> Maker:
    """Return a box that moves from the origin to `to` in one second, turns half round Y and is named like its clip."""
    maker = plain_box()
    times = maker.accessor([0.0, 1.0], bounds=True)
    keys = [np.zeros(3), np.asarray(to, float)]
    turns = [[0, 0, 0, 1], [0, 1, 0, 0]]
    if interpolation == "CUBICSPLINE":
        keys = [value for key in keys for value in (np.zeros(3), key, np.zeros(3))]
        turns = [value for turn in turns for value in ([0, 0, 0, 0], turn, [0, 0, 0, 0])]
    samplers = [
        {"input": times, "output": maker.accessor(keys), "interpolation": interpolation},
        {"input": times, "output": maker.accessor(turns), "interpolation": interpolation},
    ]
    channels = [
        {"sampler": 0, "target": {"node": 0, "path": "translation"}},
        {"sampler": 1, "target": {"node": 0, "path": "rotation"}},
    ]
    maker.add("animations", {"name": "box", "samplers": samplers, "channels": channels})
    return maker


def bending_tower(bend: float = 1.0) -> Maker:
    """Return a skinned tower, two metres high, whose upper joint bends by `bend` radians, under a moved armature."""
    maker = Maker()
    positions, normals, rows = box_arrays(np.array([0.4, 2.0, 0.4]), np.array([0.0, 1.0, 0.0]))
    upper = positions[:, 1] > 1
    attributes = {
        "POSITION": maker.accessor(positions, target=VERTICES, bounds=True),
        "NORMAL": maker.accessor(normals, target=VERTICES),
        "JOINTS_0": maker.accessor([[1, 0, 0, 0] if top else [0, 0, 0, 0] for top in upper], "u1", VERTICES),
        "WEIGHTS_0": maker.accessor([[1, 0, 0, 0]] * len(positions), target=VERTICES),
    }
    mesh = maker.add(
        "meshes", {"primitives": [{"attributes": attributes, "indices": maker.accessor(rows, "u2", INDICES)}]}
    )
    top = maker.node(root=False, name="top", translation=[0, 1, 0])
    low = maker.node(root=False, name="low", children=[top])
    inverse = np.tile(np.eye(4), (2, 1, 1))
    inverse[1, 1, 3] = -1.0
    matrices = maker.accessor(inverse.transpose(0, 2, 1).reshape(2, 16))
    skin = maker.add("skins", {"joints": [low, top], "inverseBindMatrices": matrices, "skeleton": low})
    body = maker.node(root=False, name="body", mesh=mesh, skin=skin)
    maker.node(name="armature", children=[low, body], translation=[0.5, 0, 0])
    sampler = {
        "input": maker.accessor([0.0, 0.5, 1.0], bounds=True),
        "output": maker.accessor([[0, 0, 0, 1], [0, 0, np.sin(bend / 2), np.cos(bend / 2)], [0, 0, 0, 1]]),
    }
    channel = {"sampler": 0, "target": {"node": top, "path": "rotation"}}
    maker.add("animations", {"name": "bend", "samplers": [sampler], "channels": [channel]})
    return maker


def growing_box(*, quantized: bool = False) -> Maker:
    """Return a box with one morph target that raises its upper face by a metre, and a clip that plays it."""
    maker = plain_box()
    primitive = maker.json["meshes"][0]["primitives"][0]
    positions, _, _ = box_arrays(np.ones(3), np.zeros(3))
    deltas = np.where(positions[:, 1:2] > 0, [[0.0, 1.0, 0.0]], 0.0)
    if quantized:
        maker.extension("KHR_mesh_quantization", required=True)
        target = maker.accessor(np.round(deltas * 127), "i1", VERTICES, bounds=True, normalized=True)
    else:
        target = maker.accessor(deltas, target=VERTICES, bounds=True)
    primitive["targets"] = [{"POSITION": target}]
    maker.json["meshes"][0]["weights"] = [0.0]
    sampler = {"input": maker.accessor([0.0, 1.0], bounds=True), "output": maker.accessor([0.0, 1.0])}
    channel = {"sampler": 0, "target": {"node": 0, "path": "weights"}}
    maker.add("animations", {"name": "grow", "samplers": [sampler], "channels": [channel]})
    return maker


def rich_material() -> Maker:
    """Return a box whose material keeps indices inside extensions, with variants and a pointer animation."""
    maker = Maker()
    colour, coat = maker.texture(), maker.texture()
    moved = {"index": colour, "extensions": {"KHR_texture_transform": {"scale": [2, 2]}}}
    body = {
        "pbrMetallicRoughness": {"baseColorTexture": moved},
        "emissiveFactor": [1, 1, 1],
        "extensions": {
            "KHR_materials_clearcoat": {"clearcoatFactor": 1, "clearcoatTexture": {"index": coat}},
            "KHR_materials_emissive_strength": {"emissiveStrength": 2},
        },
    }
    first, second = maker.add("materials", body), maker.add("materials", {"name": "other"})
    mappings = [{"material": first, "variants": [0]}, {"material": second, "variants": [1]}]
    primitive = maker.box_primitive(
        (1, 1, 1), material=first, extensions={"KHR_materials_variants": {"mappings": mappings}}
    )
    maker.json["extensions"] = {"KHR_materials_variants": {"variants": [{"name": "day"}, {"name": "night"}]}}
    maker.node(mesh=maker.add("meshes", {"primitives": [primitive]}))
    pointer = f"/materials/{second}/pbrMetallicRoughness/baseColorFactor"
    sampler = {
        "input": maker.accessor([0.0, 1.0], bounds=True),
        "output": maker.accessor([[1, 1, 1, 1], [1, 0, 0, 1]]),
    }
    target = {"path": "pointer", "extensions": {"KHR_animation_pointer": {"pointer": pointer}}}
    maker.add("animations", {"samplers": [sampler], "channels": [{"sampler": 0, "target": target}]})
    for name in (
        "KHR_animation_pointer",
        "KHR_materials_clearcoat",
        "KHR_materials_emissive_strength",
        "KHR_materials_variants",
        "KHR_texture_transform",
    ):
        maker.extension(name)
    return maker


def instanced_boxes() -> Maker:
    """Return a box drawn twice by instancing, the second mirrored, turned and larger."""
    maker = plain_box()
    attributes = {
        "TRANSLATION": maker.accessor([[0, 0, 0], [10, 0, 0]]),
        "SCALE": maker.accessor([[1, 1, 1], [-2, 2, 2]]),
        "ROTATION": maker.accessor([[0, 0, 0, 1], [0, 1, 0, 0]]),
    }
    maker.json["nodes"][0]["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    maker.extension("EXT_mesh_gpu_instancing")
    return maker


def room() -> Maker:
    """Return a scene of its own right: floor, pillar, camera, light, an unknown extension, extras and a moving box."""
    maker = spinning_box((1, 0, 0))
    maker.json["asset"] |= {"copyright": "Room by Nobody", "extras": {"kept": [1, 2, 3]}}
    maker.node(mesh=maker.box((8, 0.1, 8), material=0), name="floor", extras={"walkable": True})
    maker.node(mesh=maker.box((0.5, 3, 0.5), (0, 1.5, 1)), name="pillar", extensions={"ACME_door": {"opens": 1}})
    maker.extension("ACME_door")
    lens = {"type": "perspective", "perspective": {"yfov": 1, "znear": 0.1}}
    maker.node(camera=maker.add("cameras", lens), name="camera", translation=[0, 1.6, 5])
    maker.extension("KHR_lights_punctual")
    maker.json["extensions"] = {"KHR_lights_punctual": {"lights": [{"type": "point", "name": "lamp"}]}}
    maker.node(name="lamp", extensions={"KHR_lights_punctual": {"light": 0}})
    return maker


HONEST = {
    "box": plain_box,
    "board": textured_board,
    "spinning": spinning_box,
    "spline": lambda: spinning_box(interpolation="CUBICSPLINE"),
    "skinned": bending_tower,
    "morphing": growing_box,
    "quantized": lambda: growing_box(quantized=True),
    "rich": rich_material,
}
"""Creatives that nothing is wrong with."""
