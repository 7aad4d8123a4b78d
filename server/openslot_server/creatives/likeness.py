"""What pictures look like, in 64 bits: a difference hash. Pictures that differ in few bits look alike.

Of nine by eight grey levels each says whether it is brighter than its left neighbour. A flat picture says nothing, so
it has no hash: nothing could be told by it.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from openslot_gltf import TIERS, Document, read_document
from openslot_server.creatives.verdict import Stats, Verdict

__all__ = ["GATE", "MAX_HASHES", "difference_hash", "examine"]

GATE = "openslot_server.creatives.likeness:examine"
"""For a sandbox of its own: pictures are decoded for nothing else on the way of an upload."""
LOADED = (JpegImagePlugin, PngImagePlugin, WebPImagePlugin)
"""What Pillow would load when it is first used: a worker of the sandbox can open no file by then."""
Image.preinit()
FORMATS = ("PNG", "JPEG", "WEBP")

MAX_HASHES = 16
"""Of one creative."""
TELLING = 6
"""A hash with fewer ones, or fewer zeros, is that of nearly nothing or of a plain ramp."""


def difference_hash(image: Image.Image) -> str | None:
    """Return the hash as 16 hexadecimal digits, or None for a picture that has too little in it."""
    colours = image.convert("RGBA")
    ground = Image.new("RGBA", colours.size, (128, 128, 128, 255))
    grey = Image.alpha_composite(ground, colours).convert("L").resize((9, 8), Image.Resampling.BOX)
    levels = np.asarray(grey, np.int16)
    bits = np.packbits(levels[:, 1:] > levels[:, :-1]).tobytes()
    ones = int.from_bytes(bits, "big").bit_count()
    return bits.hex() if TELLING <= ones <= 64 - TELLING else None


def examine(data: bytes, _: str) -> bytes:
    """Return the JSON of a verdict on a creative that has passed the gate: its likeness, and nothing else of worth."""
    hashes = (difference_hash(Image.open(io.BytesIO(picture), formats=FORMATS)) for picture in _pictures(data))
    found = tuple(dict.fromkeys(one for one in hashes if one is not None))[:MAX_HASHES]
    stats = Stats(tier="S", triangles=0, draws=0, animated=False, size=(0.0, 0.0, 0.0), likeness=found)
    return Verdict(accepted=True, stats=stats).model_dump_json().encode()


def _pictures(data: bytes) -> Iterator[bytes]:
    """Yield an image itself, or the pictures that a model shows as its colours."""
    if not data.startswith(b"glTF"):
        yield data
        return
    document = read_document(data, TIERS["L"])
    images = document.json.get("images", [])
    for index in dict.fromkeys(_shown(document.json)):
        yield _bytes(document, images[index])


def _shown(gltf: dict[str, Any]) -> Iterator[int]:
    """Yield the images of colours; those of normals and roughness are alike in many models."""
    for material in gltf.get("materials", []):
        for slot in (material.get("pbrMetallicRoughness", {}).get("baseColorTexture"), material.get("emissiveTexture")):
            if slot is not None:
                texture = gltf["textures"][slot["index"]]
                source = texture.get("extensions", {}).get("EXT_texture_webp", texture).get("source")
                if source is not None:
                    yield source


def _bytes(document: Document, image: dict[str, Any]) -> bytes:
    if "uri" in image:
        return base64.b64decode(image["uri"].partition(",")[2])
    view = document.json["bufferViews"][image["bufferView"]]
    start = view.get("byteOffset", 0)
    return document.binary[start : start + view["byteLength"]]
