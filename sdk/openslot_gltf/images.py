"""Images by their first bytes: format and size are read from the header before anything would decode them.

Sources: PNG (RFC 2083, 11.2.2), JPEG (ITU-T T.81, B.2.2), WebP container and bitstreams (RFC 9649), KTX 2.0.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from openslot_gltf.document import Document, Json
from openslot_gltf.limits import Limits
from openslot_gltf.pictures import picture_fault
from openslot_gltf.rules import Report, Rule

__all__ = ["ImageHeader", "check_images", "has_alpha", "image_header"]

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
JPEG_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
WEBP: Final = "image/webp"
ImageType = Literal["image/png", "image/jpeg", "image/webp"]
SizeOf = Callable[[bytes], tuple[int, int] | None]


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What an image says of itself."""

    media_type: ImageType
    width_px: int
    height_px: int


def image_header(data: bytes) -> ImageHeader | None:
    """Return format and size, or None when the header is none of PNG, JPEG and WebP or is damaged."""
    kinds: tuple[tuple[ImageType, SizeOf], ...] = (("image/png", _png), ("image/jpeg", _jpeg), (WEBP, _webp))
    for media_type, size_of in kinds:
        size = _size(size_of, data)
        if size is not None and min(size) > 0:
            return ImageHeader(media_type, *size)
    return None


def _size(size_of: SizeOf, data: bytes) -> tuple[int, int] | None:
    try:
        return size_of(data)
    except (struct.error, IndexError):
        return None  # the header is cut


def _png(data: bytes) -> tuple[int, int] | None:
    if data[:8] != PNG_MAGIC or data[8:16] != b"\0\0\0\x0dIHDR":
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """Return the size in the first frame header; segments before it are skipped by their lengths."""
    if data[:3] != b"\xff\xd8\xff":
        return None
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in JPEG_STANDALONE:
            at += 2
        elif marker in JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        else:
            at += 2 + max(struct.unpack_from(">H", data, at + 2)[0], 2)
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def has_alpha(data: bytes) -> bool:
    """Return whether a PNG or WebP says that parts of it may be seen through."""
    if data.startswith(PNG_MAGIC):
        return data[25] in (4, 6) or 0 < data.find(b"tRNS") < data.find(b"IDAT")
    if data[8:12] != b"WEBP":
        return False
    if data[12:16] == b"VP8X":
        return bool(data[20] & 0x10)
    return data[12:16] == b"VP8L" and bool(data[24] & 0x10)


def check_images(document: Document, limits: Limits, report: Report) -> None:
    """Check every image's source, header and size, and that each texture has an image its format may use."""
    views, pixels = document.array("bufferViews"), 0
    found: list[ImageHeader | None] = []
    for index, image in enumerate(document.array("images")):
        header = _checked_header(document.binary, image, views, f"/images/{index}", report)
        found.append(header)
        if header is None:
            continue
        pixels += header.width_px * header.height_px
        if max(header.width_px, header.height_px) > limits.side_px:
            size = f"{header.width_px}×{header.height_px} px, {limits.side_px} are allowed"
            report.add(Rule.IMAGE_SIDE, f"/images/{index}", size)
    if pixels > limits.pixels:
        report.add(Rule.IMAGE_PIXELS, "/images", f"{pixels} pixels, {limits.pixels} are allowed")
    _check_textures(document, found, report)


def _checked_header(binary: bytes, image: Json, views: list[Json], where: str, report: Report) -> ImageHeader | None:
    if "mimeType" not in image:
        report.add(Rule.IMAGE_SOURCE, where)
        return None
    view = views[image["bufferView"]]
    start = view.get("byteOffset", 0)
    data = binary[start : start + view["byteLength"]]
    header = image_header(data)
    if header is None:
        report.add(Rule.IMAGE_FORMAT, where)
        return None
    fault = picture_fault(data, header.media_type)
    if fault is not None:
        report.add(fault[0], where, fault[1])
        return None
    if header.media_type != image["mimeType"]:
        report.add(Rule.IMAGE_TYPE, f"{where}/mimeType", f"{image['mimeType']!r:.40} holds {header.media_type}")
    return header


def _check_textures(document: Document, headers: list[ImageHeader | None], report: Report) -> None:
    for index, texture in enumerate(document.array("textures")):
        webp = texture.get("extensions", {}).get("EXT_texture_webp")
        plain = headers[texture["source"]] if "source" in texture else None
        if "source" not in texture and webp is None:
            report.add(Rule.TEXTURE_SOURCE, f"/textures/{index}")
        if plain is not None and plain.media_type == WEBP:
            report.add(Rule.IMAGE_TYPE, f"/textures/{index}/source", "WebP needs EXT_texture_webp")
        special = headers[webp["source"]] if webp is not None else None
        if special is not None and special.media_type != WEBP:
            report.add(Rule.IMAGE_TYPE, f"/textures/{index}/extensions/EXT_texture_webp", special.media_type)
