"""Where textures let one see through: alpha compared with a material's cutoff, texel by texel."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openslot_gltf.accessors import Elements
from openslot_gltf.document import Document, Json
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["Holes", "cut_by_alpha", "see_through"]

MIRRORED_REPEAT = 33648
CUTOFF = 0.5
"""Of a material that names none (glTF 2.0, 3.9.4)."""


@dataclass(frozen=True, slots=True, eq=False)
class Holes:
    """What a texture leaves of a primitive: `uv` (n, 2) of its vertices, `opaque` (rows, columns) its texels.

    As in glTF (0, 0) is the texture's upper left corner; beyond 0 … 1 it repeats, also where its sampler says clamp.
    """

    uv: NDArray[np.float64]
    opaque: NDArray[np.bool_]


def see_through(material: Json) -> bool:
    """Return whether what is behind shows through: blended, or transmitting half of the light or more."""
    transmission = material.get("extensions", {}).get("KHR_materials_transmission", {})
    return material.get("alphaMode") == "BLEND" or transmission.get("transmissionFactor", 0.0) >= 0.5


def cut_by_alpha(document: Document, elements: Elements, primitive: Json, material: Json) -> Holes | bool:
    """Return the holes of a primitive, or whether all of it is there where no texture tells.

    Opaque is alpha × the base colour's own ≥ `alphaCutoff`; the alpha of vertex colours is not asked. Raises
    `GEOMETRY_INVALID` for an image that cannot be decoded.
    """
    surface = material.get("pbrMetallicRoughness", {})
    factor = surface.get("baseColorFactor", (1.0, 1.0, 1.0, 1.0))[3]
    least, texture = material.get("alphaCutoff", CUTOFF), surface.get("baseColorTexture")
    if texture is None or least <= 0 or least > factor:
        return bool(factor >= least)
    moved = texture.get("extensions", {}).get("KHR_texture_transform", {})
    number = moved.get("texCoord", texture.get("texCoord", 0))
    uv = _moved(elements.floats(primitive["attributes"][f"TEXCOORD_{number}"]), moved)
    return _mirrored(document, texture["index"], uv, _alpha(document, texture["index"]) * factor >= least)


def _alpha(document: Document, texture: int) -> NDArray[np.float64]:
    """Return (rows, columns) 0 … 1."""
    from PIL import Image

    described = document.array("textures")[texture]
    index = described.get("extensions", {}).get("EXT_texture_webp", described)["source"]
    view = document.array("bufferViews")[document.array("images")[index]["bufferView"]]
    start = view.get("byteOffset", 0)
    try:
        with Image.open(io.BytesIO(document.binary[start : start + view["byteLength"]])) as picture:
            return np.asarray(picture.convert("RGBA"), np.float64)[..., 3] / 255
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise OpenSlotError(Code.GEOMETRY_INVALID, f"not decoded: {error}", where=f"/images/{index}") from None


def _moved(uv: NDArray[np.float64], moved: Json) -> NDArray[np.float64]:
    """Return coordinates as KHR_texture_transform has them: scaled, turned, shifted."""
    u, v = (uv * moved.get("scale", (1.0, 1.0))).T
    sine, cosine = np.sin(moved.get("rotation", 0.0)), np.cos(moved.get("rotation", 0.0))
    turned = np.stack([cosine * u + sine * v, cosine * v - sine * u], axis=1)
    return np.asarray(turned + moved.get("offset", (0.0, 0.0)))


def _mirrored(document: Document, texture: int, uv: NDArray[np.float64], opaque: NDArray[np.bool_]) -> Holes:
    """Return the holes; of a mirroring sampler the texture and its mirror image are one that repeats."""
    sampler = document.array("textures")[texture].get("sampler")
    described = {} if sampler is None else document.array("samplers")[sampler]
    scale = [1.0, 1.0]
    for axis, wrap in ((1, "wrapS"), (0, "wrapT")):
        if described.get(wrap) == MIRRORED_REPEAT:
            opaque = np.concatenate([opaque, np.flip(opaque, axis)], axis=axis)
            scale[1 - axis] = 0.5
    return Holes(uv * scale, opaque)
