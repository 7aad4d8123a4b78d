"""Textures that not every loader reads, made plain: WebP and KTX 2 (Basis Universal) become PNG or JPEG.

Format and size are read from the header and held against the limits before anything decodes. What was lossy and opaque
becomes a JPEG of high quality, the rest PNG, which keeps every pixel.
Sources: EXT_texture_webp, KHR_texture_basisu, KTX 2.0 (the header), RFC 9649 (WebP).
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from openslot_gltf.document import Document, Json
from openslot_gltf.images import WEBP, image_header
from openslot_gltf.limits import Limits
from openslot_gltf.rules import Report, Rule

__all__ = ["BASISU", "WEBP_TEXTURE", "is_available", "pillow", "with_plain_textures"]

BASISU, WEBP_TEXTURE = "KHR_texture_basisu", "EXT_texture_webp"
KTX2 = "image/ktx2"
KTX2_MAGIC = b"\xabKTX 20\xbb\r\n\x1a\n"
KTX2_HEADER = struct.Struct("<9I")
LEVEL = struct.Struct("<3Q")
LEVELS_AT = 80
MOST_LEVELS = 32
QUALITY = 95
MOVES = 0x02
"""The flag of a WebP that holds more than one picture."""


def is_available() -> bool:
    """Return whether KTX 2 can be decoded; the decoder is loaded by asking."""
    try:
        import opengl_basisu  # noqa: F401
    except ImportError:
        return False
    return True


@cache
def pillow() -> ModuleType:
    """Return Pillow's image module with the formats used here, and nothing left to load later."""
    from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

    formats = JpegImagePlugin.JpegImageFile, PngImagePlugin.PngImageFile, WebPImagePlugin.WebPImageFile
    for format_ in (each.format for each in formats):
        Image.new("RGB", (1, 1)).save(out := io.BytesIO(), format_)
        Image.open(out).load()
    return Image


@dataclass(slots=True)
class _Plain:
    """A document whose images become plain."""

    document: Document
    images: list[Json]
    views: list[Json]
    binary: bytearray
    done: set[int] = field(default_factory=set)

    def coded(self, index: int) -> bytes | None:
        """Return the bytes of an image, None where it has none in the file."""
        if "bufferView" not in self.images[index]:
            return None
        view = self.views[self.images[index]["bufferView"]]
        start = view.get("byteOffset", 0)
        return self.document.binary[start : start + view["byteLength"]]

    def put(self, index: int, media_type: str, data: bytes) -> None:
        self.binary += bytes(-len(self.binary) % 4)
        self.views.append({"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data)})
        self.binary += data
        self.images[index] = {**self.images[index], "mimeType": media_type, "bufferView": len(self.views) - 1}
        self.done.add(index)


def with_plain_textures(document: Document, limits: Limits, report: Report) -> Document:
    """Return the document whose textures are PNG or JPEG; findings say where one could not be made so.

    A texture that brings a PNG or JPEG beside the other keeps that one.
    """
    plain = _Plain(document, [*document.array("images")], [*document.array("bufferViews")], bytearray(document.binary))
    textures, pixels = [], 0
    for place, texture in enumerate(document.array("textures")):
        bodies = texture.get("extensions", {})
        special = next((bodies[name]["source"] for name in (BASISU, WEBP_TEXTURE) if name in bodies), None)
        if special is not None and "source" not in texture:
            if special not in plain.done:
                pixels += _made_plain(plain, special, limits.pixels - pixels, limits, report)
            texture = {**texture, "source": special}
        elif special is not None:
            plain.images[special] = plain.images[texture["source"]]
        rest = {name: body for name, body in bodies.items() if name not in (BASISU, WEBP_TEXTURE)}
        kept = {key: value for key, value in texture.items() if key != "extensions"}
        textures.append(kept | ({"extensions": rest} if rest else {}))
        if report.refused:
            report.add(Rule.COMPRESSED_DAMAGED, f"/textures/{place}", "its image is not made plain")
            return document
    buffer = {**(document.array("buffers") or [{}])[0], "byteLength": len(plain.binary)}
    arrays = {"images": plain.images, "bufferViews": plain.views, "textures": textures, "buffers": [buffer]}
    return Document({**document.json, **arrays}, bytes(plain.binary))


def _made_plain(plain: _Plain, index: int, room: int, limits: Limits, report: Report) -> int:
    """Make an image plain, and return its pixels; `room` is how many there may be."""
    where, data = f"/images/{index}", plain.coded(index)
    header = None if data is None else _header(data)
    if header is None or data is None:
        report.add(Rule.IMAGE_FORMAT, where, "neither WebP nor KTX 2 with Basis Universal")
        return 0
    media_type, width, height = header
    pixels = width * height
    if max(width, height) > limits.side_px:
        report.add(Rule.IMAGE_SIDE, where, f"{width}×{height} px, {limits.side_px} are allowed")
    elif pixels > room:
        report.add(Rule.IMAGE_PIXELS, where, f"{pixels} pixels more than {limits.pixels} in all")
    elif plain.images[index].get("mimeType", media_type) != media_type:
        report.add(Rule.IMAGE_TYPE, f"{where}/mimeType", media_type)
    else:
        try:
            plain.put(index, *_encoded(*(_webp(data) if media_type == WEBP else _ktx2(data))))
        except (ValueError, OSError, SyntaxError) as error:
            report.add(Rule.COMPRESSED_DAMAGED, where, f"{type(error).__name__}: {error}"[:80])
    return pixels


def _header(data: bytes) -> tuple[str, int, int] | None:
    """Return the media type and size of a still WebP or of a flat KTX 2 whose levels lie in the file."""
    return _webp_header(data) if data[:4] == b"RIFF" else _ktx2_header(data)


def _webp_header(data: bytes) -> tuple[str, int, int] | None:
    header = image_header(data)
    if header is None or header.media_type != WEBP or (data[12:16] == b"VP8X" and data[20] & MOVES):
        return None
    return WEBP, header.width_px, header.height_px


def _ktx2_header(data: bytes) -> tuple[str, int, int] | None:
    if data[:12] != KTX2_MAGIC or len(data) < LEVELS_AT:
        return None
    format_, _, width, height, depth, layers, faces, levels, scheme = KTX2_HEADER.unpack_from(data, 12)
    if format_ != 0 or depth or layers > 1 or faces != 1 or scheme not in (0, 1, 2) or min(width, height) < 1:
        return None
    levels = max(levels, 1)
    if levels > MOST_LEVELS or len(data) < LEVELS_AT + LEVEL.size * levels:
        return None
    spans = [LEVEL.unpack_from(data, LEVELS_AT + LEVEL.size * at) for at in range(levels)]
    most = 4 * (width + 4) * (height + 4)
    if any(start + length > len(data) or plain > most for start, length, plain in spans):
        return None
    return KTX2, width, height


def _webp(data: bytes) -> tuple[NDArray[np.uint8], bool]:
    """Return pixels, (height, width, 3 or 4), and whether the picture was lossless."""
    image = pillow().open(io.BytesIO(data), formats=("WEBP",))
    pixels = np.asarray(image.convert("RGBA" if "A" in image.mode else "RGB"))
    return pixels, b"VP8L" in data[12:64]


def _ktx2(data: bytes) -> tuple[NDArray[np.uint8], bool]:
    import opengl_basisu

    texture = opengl_basisu.open(data)
    pixels = texture.transcode("rgba8").data.astype(np.uint8)
    return (pixels if texture.has_alpha else pixels[:, :, :3]), False


def _encoded(pixels: NDArray[np.uint8], lossless: bool) -> tuple[str, bytes]:  # noqa: FBT001 - what the decoders return
    """Return media type and bytes of the picture as PNG, or as JPEG where nothing is lost that was not before."""
    opaque = pixels.shape[2] == 3 or bool((pixels[:, :, 3] == 255).all())
    image = pillow().fromarray(np.ascontiguousarray(pixels[:, :, :3] if opaque else pixels))
    out = io.BytesIO()
    if lossless or not opaque:
        image.save(out, "PNG", optimize=False)
        return "image/png", out.getvalue()
    image.save(out, "JPEG", quality=QUALITY, subsampling=0)
    return "image/jpeg", out.getvalue()
