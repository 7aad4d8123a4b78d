"""Files whose geometry and textures are compressed, made in code from honest ones."""

from __future__ import annotations

import io
import struct
from typing import Any

import DracoPy
import meshoptimizer
import numpy as np
from PIL import Image

from tests.gltf.build import Maker, box_arrays, plain_box, textured_board

PIXELS = np.dstack([np.tile(np.arange(0, 256, 16, dtype=np.uint8), (8, 1))] * 3)
PIXELS[..., 2] = 40


def draco_box() -> Maker:
    """Return a box whose one primitive is compressed by Draco."""
    maker = plain_box()
    positions, normals, rows = box_arrays(np.ones(3), np.zeros(3))
    coded = DracoPy.encode(
        positions.astype("f4"), rows.reshape(-1, 3).astype("u4"), quantization_bits=14, normals=normals.astype("f8"),
        preserve_order=True,
    )  # fmt: skip
    kinds = {found["attribute_type"]: found["unique_id"] for found in DracoPy.decode(coded).attributes}
    maker.binary = bytearray()
    maker.json["bufferViews"] = []
    for accessor in maker.json["accessors"]:
        del accessor["bufferView"]
    primitive = maker.json["meshes"][0]["primitives"][0]
    del primitive["attributes"]["TEXCOORD_0"], maker.json["accessors"][2]
    primitive["indices"] = 2
    body = {"bufferView": maker.view(coded), "attributes": {"POSITION": kinds[0], "NORMAL": kinds[1]}}
    primitive["extensions"] = {"KHR_draco_mesh_compression": body}
    maker.extension("KHR_draco_mesh_compression", required=True)
    return maker


def meshopt_box(name: str = "EXT_meshopt_compression") -> Maker:
    """Return a box all of whose buffer views are compressed by meshoptimizer."""
    plain = plain_box()
    maker = Maker()
    maker.json = plain.json
    for view in plain.json["bufferViews"]:
        data = plain.binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
        is_rows = view["target"] == 34963
        stride = 2 if is_rows else view["byteLength"] // 24
        count = len(data) // stride
        if is_rows:
            coded = meshoptimizer.encode_index_buffer(np.frombuffer(data, "<u2").astype("u4"), count, 24)
        else:
            coded = meshoptimizer.encode_vertex_buffer(np.frombuffer(data, "u1").reshape(24, -1), 24, stride)
        body = {"buffer": 0, "byteOffset": len(maker.binary), "byteLength": len(coded), "byteStride": stride}
        body |= {"count": count, "mode": "TRIANGLES" if is_rows else "ATTRIBUTES"}
        maker.binary += coded + bytes(-len(coded) % 4)
        view |= {"buffer": 1, "extensions": {name: body}}
    maker.extension(name, required=True)
    return maker


def meshopt_glb(maker: Maker, name: str = "EXT_meshopt_compression") -> bytes:
    """Return the file, its second buffer without bytes."""
    from tests.gltf.build import glb

    body = maker.finished()
    length = sum(view["byteLength"] for view in body["bufferViews"])
    body["buffers"].append({"byteLength": length + 64, "extensions": {name: {"fallback": True}}})
    return glb(body, bytes(maker.binary))


def board_with(data: bytes, media_type: str, extension: str, *, fallback: bool = False) -> Maker:
    """Return a board whose texture is `data`, under an extension."""
    maker = textured_board()
    image = maker.add("images", {"bufferView": maker.view(data), "mimeType": media_type})
    body: dict[str, Any] = {"extensions": {extension: {"source": image}}}
    maker.json["textures"][0] = (maker.json["textures"][0] | body) if fallback else body
    if not fallback:
        maker.json["images"].pop(0)
        body["extensions"][extension]["source"] = 0
    maker.extension(extension, required=not fallback)
    return maker


def webp(pixels: np.ndarray[Any, Any] = PIXELS, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", **options)
    return out.getvalue()


def ktx2(colour: tuple[int, int, int, int], width: int = 8, height: int = 8, **change: int) -> bytes:
    """Return a KTX 2 texture of one colour, in UASTC blocks of its solid mode."""
    bits = 0x17 | int.from_bytes(bytes(colour), "little") << 5
    blocks = bits.to_bytes(16, "little") * (-(-width // 4) * -(-height // 4))
    header = {"format": 0, "type": 1, "width": width, "height": height, "depth": 0, "layers": 0, "faces": 1}
    header |= {"levels": 1, "scheme": 0} | {key: value for key, value in change.items() if key in header}
    header |= {key: change[key] for key in ("levels", "scheme") if key in change}
    descriptor = struct.pack("<IIHHBBBB4B8B", 44, 0, 2, 40, 166, 1, 2, 0, 3, 3, 0, 0, 16, *[0] * 7)
    descriptor += struct.pack("<HBB4BII", 0, 127, 3, 0, 0, 0, 0, 0, 0xFFFFFFFF)
    at = 80 + 24
    start = at + len(descriptor) + -(at + len(descriptor)) % 16
    index = struct.pack("<4I2Q", at, len(descriptor), 0, 0, 0, 0)
    level = struct.pack("<3Q", start, len(blocks), change.get("plain", len(blocks)))
    top = b"\xabKTX 20\xbb\r\n\x1a\n" + struct.pack("<9I", *header.values()) + index + level + descriptor
    return top.ljust(start, b"\0") + blocks
