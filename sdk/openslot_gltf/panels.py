"""Panels: an image as a flat creative that shows its own colours, whatever light falls on it.

A panel is unlit, its texture sRGB, its picture upright and facing +Z. It is made for one slot, in the slot's metres, so
embedding neither scales nor moves it.
"""

from __future__ import annotations

import struct

from openslot_gltf.document import Document, Json
from openslot_gltf.images import ImageHeader, has_alpha, image_header
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import SlotTerms

__all__ = ["panel"]

CLAMP, LINEAR, LINEAR_MIPMAP_LINEAR = 33071, 9729, 9987
FLOAT, UNSIGNED_SHORT = 5126, 5123
VERTICES = 4
WEBP = "EXT_texture_webp"
UNLIT = "KHR_materials_unlit"
Window = tuple[float, float, float, float]
WHOLE: Window = (0.0, 1.0, 0.0, 1.0)


def panel(image: bytes, terms: SlotTerms) -> Document:
    """Return a PNG, JPEG or WebP as a panel for a slot.

    `contain` shows all of the picture, `cover` cuts what overhangs, on both sides alike or away from the edges it is
    aligned to, `stretch` fills the slot with all of it. In a slot of fixed scale it is contained. Raises
    CREATIVE_REFUSED for bytes that are none of these images.
    """
    header = image_header(image)
    if header is None:
        raise OpenSlotError(Code.CREATIVE_REFUSED, "neither PNG, JPEG nor WebP", where=terms.id)
    size, shown = _placed(header, terms)
    binary, views = _packed(size, shown, image)
    json = {**_frame(header.media_type), "meshes": [_mesh()], "accessors": _accessors(size), "bufferViews": views}
    json["materials"] = [_material(see_through=has_alpha(image), two_sided=terms.two_sided)]
    json["buffers"] = [{"byteLength": len(binary)}]
    return Document(json, binary)


def _placed(header: ImageHeader, terms: SlotTerms) -> tuple[tuple[float, float], Window]:
    """Return the panel's width and height, and what of the picture it shows: from left to right, from top to bottom."""
    wide, high = terms.size
    ratio = (header.width_px / header.height_px) / (wide / high)
    if terms.fit == "stretch":
        return (wide, high), WHOLE
    if terms.fit == "cover":
        align = terms.align or ""
        across = _kept(min(1 / ratio, 1.0), "left" in align, "right" in align)
        return (wide, high), (*across, *_kept(min(ratio, 1.0), "top" in align, "bottom" in align))
    scale = (terms.scale or 1.0) if terms.fit == "fixed" else 1.0  # an image has no size of its own to keep
    return (wide * min(ratio, 1.0) / scale, high * min(1 / ratio, 1.0) / scale), WHOLE


def _kept(part: float, first: bool, last: bool) -> tuple[float, float]:  # noqa: FBT001 - of the two ends of a side
    """Return where the shown part of a side begins and ends: at the edge it keeps to, or in the middle."""
    start = 0.0 if first else 1 - part if last else (1 - part) / 2
    return start, start + part


def _packed(size: tuple[float, float], shown: Window, image: bytes) -> tuple[bytes, list[Json]]:
    """Return the binary chunk (positions, normals, texture coordinates, indices, image) and its views."""
    (x, y), (left, right, top, bottom) = (side / 2 for side in size), shown
    corners = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    places = ((left, bottom), (right, bottom), (right, top), (left, top))
    parts = [
        struct.pack("<12f", *(value for side, up in corners for value in (side * x, up * y, 0.0))),
        struct.pack("<12f", *(0.0, 0.0, 1.0) * VERTICES),
        struct.pack("<8f", *(value for place in places for value in place)),
        struct.pack("<6H", 0, 1, 2, 0, 2, 3),
        image,
    ]
    views, binary = [], b""
    for part, target in zip(parts, (34962, 34962, 34962, 34963, None), strict=True):
        view = {"buffer": 0, "byteOffset": len(binary), "byteLength": len(part)}
        views.append(view if target is None else view | {"target": target})
        binary += part + b"\0" * (-len(part) % 4)
    return binary, views


def _accessors(size: tuple[float, float]) -> list[Json]:
    # as 32-bit floats, which the positions are
    x, y = struct.unpack("<2f", struct.pack("<2f", size[0] / 2, size[1] / 2))
    plain = {"componentType": FLOAT, "count": VERTICES}
    return [
        {"bufferView": 0, **plain, "type": "VEC3", "min": [-x, -y, 0.0], "max": [x, y, 0.0]},
        {"bufferView": 1, **plain, "type": "VEC3"},
        {"bufferView": 2, **plain, "type": "VEC2"},
        {"bufferView": 3, "componentType": UNSIGNED_SHORT, "count": 6, "type": "SCALAR"},
    ]


def _mesh() -> Json:
    attributes = {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2}
    return {"primitives": [{"attributes": attributes, "indices": 3, "material": 0}]}


def _material(*, see_through: bool, two_sided: bool) -> Json:
    flat = {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0, "roughnessFactor": 1.0}
    material: Json = {"pbrMetallicRoughness": flat, "extensions": {UNLIT: {}}}
    if see_through:
        material["alphaMode"] = "BLEND"
    if two_sided:
        material["doubleSided"] = True
    return material


def _frame(media_type: str) -> Json:
    """Return what is the same in every panel, and how its texture finds the picture."""
    webp = media_type == "image/webp"
    texture: Json = {"sampler": 0} | ({"extensions": {WEBP: {"source": 0}}} if webp else {"source": 0})
    json: Json = {
        "asset": {"version": "2.0", "generator": "openslot"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "panel"}],
        "extensionsUsed": [UNLIT, WEBP] if webp else [UNLIT],
        "textures": [texture],
        "images": [{"bufferView": 4, "mimeType": media_type}],
        "samplers": [
            {"magFilter": LINEAR, "minFilter": LINEAR_MIPMAP_LINEAR, "wrapS": CLAMP, "wrapT": CLAMP},
        ],
    }
    return json | {"extensionsRequired": [WEBP]} if webp else json
