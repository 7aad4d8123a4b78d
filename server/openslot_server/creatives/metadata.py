"""Images without what is not picture: comments, positions, thumbnails, profiles, whatever stands behind the end.

The coded picture itself is copied byte by byte, so nothing is lost. Sources: PNG (11.2), JPEG (ITU-T T.81, B.1), WebP
container (RFC 9649, 2.7).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["bare"]

PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
JPEG_KEPT_APPLICATION = frozenset({0xE0, 0xEE})
"""JFIF, and Adobe's, which says how the colours are coded."""
JPEG_COMMENT = 0xFE
JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
JPEG_SCAN, JPEG_END = 0xDA, 0xD9
WEBP_PICTURE = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
WEBP_ALPHA_FLAG = 0x10


def bare(data: bytes, media_type: str) -> bytes:
    """Return the same picture with nothing beside it; raises ValueError or struct.error where the container is cut."""
    if media_type == "image/png":
        return data[:8] + b"".join(_png_chunks(data))
    if media_type == "image/jpeg":
        return data[:2] + b"".join(_jpeg_segments(data))
    return _webp(data)


def _png_chunks(data: bytes) -> Iterator[bytes]:
    at, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise ValueError(f"a chunk is cut at byte {at}")
        if kind in PNG_KEPT:
            yield data[at:end]
        at = end


def _jpeg_segments(data: bytes) -> Iterator[bytes]:
    at, marker = 2, 0
    while marker != JPEG_END:
        at = _marker_at(data, at)
        marker = data[at + 1]
        if marker in JPEG_ALONE or marker == JPEG_END:
            end = at + 2
        else:
            end = at + 2 + max(struct.unpack_from(">H", data, at + 2)[0], 2)
        if marker == JPEG_SCAN:
            end = _scan_end(data, end)
        if (not 0xE0 <= marker <= 0xEF and marker != JPEG_COMMENT) or marker in JPEG_KEPT_APPLICATION:
            yield data[at:end]
        at = end


def _marker_at(data: bytes, at: int) -> int:
    """Return where the next marker stands; fill bytes before it are passed over."""
    while data[at : at + 2] == b"\xff\xff":
        at += 1
    if data[at : at + 1] != b"\xff" or at + 1 >= len(data):
        raise ValueError(f"no marker at byte {at}")
    return at


def _scan_end(data: bytes, at: int) -> int:
    """Return where the coded data that starts at `at` ends: at the first marker that is no restart and no escape."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise ValueError("the scan has no end")
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7 and data[at + 1] != 0xFF:
            return at
        at += 2 if data[at + 1] != 0xFF else 1


def _webp(data: bytes) -> bytes:
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    chunks, at = [], 12
    while at + 8 <= end:
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind in WEBP_PICTURE or kind == b"VP8X":
            chunks.append((kind, data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    body = b"".join(_riff(kind, _flags_of_picture(body) if kind == b"VP8X" else body) for kind, body in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def _flags_of_picture(body: bytes) -> bytes:
    return bytes([body[0] & WEBP_ALPHA_FLAG]) + body[1:]


def _riff(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
