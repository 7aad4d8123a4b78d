"""What is wrong with a picture beside its size: damage, movement, and what swells or takes for ever to decode.

Sources: PNG (11.2, 11.3; APNG: acTL), JPEG (ITU-T T.81, B.1), WebP container (RFC 9649, 2.7).
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from openslot_gltf.rules import Rule

__all__ = ["picture_fault"]

PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
PNG_LENGTHS = {b"cHRM": 32, b"gAMA": 4, b"sRGB": 1, b"IEND": 0}
PNG_COMPRESSED = {b"iCCP": 1, b"zTXt": 1}
"""Compressed text and profiles, and the bytes between their name's end and the data."""
HEADER_END = 33
MOST_SWOLLEN = 4_000_000
MOST_CHUNKS, MOST_SCANS = 10_000, 100
"""A progressive JPEG has about ten scans; each costs a pass over all its pixels."""
JPEG_SCAN = b"\xff\xda"
WEBP_MOVES = 0x02

Fault = tuple[Rule, str] | None


def picture_fault(data: bytes, media_type: str) -> Fault:
    """Return the rule that a picture with a readable header breaks, and how; None where it breaks none."""
    if media_type == "image/png":
        return _png_fault(data)
    if media_type == "image/jpeg":
        return _jpeg_fault(data)
    moves = data[12:16] == b"VP8X" and data[20] & WEBP_MOVES
    if len(data) < 8 + int.from_bytes(data[4:8], "little"):
        return Rule.IMAGE_FORMAT, "it is cut"
    return (Rule.IMAGE_ANIMATED, "an animated WebP") if moves else None


def _jpeg_fault(data: bytes) -> Fault:
    if b"\xff\xd9" not in data[-64:]:
        return Rule.IMAGE_FORMAT, "its end is missing"
    scans = _count(data, JPEG_SCAN)
    if not 1 <= scans <= MOST_SCANS:
        return Rule.IMAGE_FORMAT, f"{scans} scans, {MOST_SCANS} are allowed"
    return None


def _count(data: bytes, pair: bytes) -> int:
    """Return how often two bytes stand next to each other: five times as fast as `bytes.count`."""
    row = np.frombuffer(data, np.uint8)
    return int(np.count_nonzero((row[:-1] == pair[0]) & (row[1:] == pair[1])))


def _png_fault(data: bytes) -> Fault:
    if len(data) < HEADER_END:
        return Rule.IMAGE_FORMAT, "its header is cut"
    depth, kind, compression, filtering, interlace = data[24:29]
    if depth not in PNG_DEPTHS.get(kind, ()) or compression or filtering or interlace > 1:
        return Rule.IMAGE_FORMAT, f"{depth} bits of colour type {kind}"
    at, name, seen = 8, b"", set()
    for _ in range(MOST_CHUNKS):
        if at + 12 > len(data):
            return Rule.IMAGE_FORMAT, "its end is missing"
        length, name = struct.unpack_from(">I4s", data, at)
        body, at = data[at + 8 : at + 8 + length], at + 12 + length
        seen.add(name)
        fault = _chunk_fault(name, length, body)
        if fault is not None or name == b"IEND":
            break
    if fault is not None:
        return fault
    whole = name == b"IEND" and at <= len(data) and b"IDAT" in seen and (kind != 3 or b"PLTE" in seen)
    return None if whole else (Rule.IMAGE_FORMAT, "its picture or its end is missing")


def _chunk_fault(name: bytes, length: int, body: bytes) -> Fault:
    if len(body) < length or PNG_LENGTHS.get(name, length) != length:
        return Rule.IMAGE_FORMAT, f"a chunk {name.decode('latin-1')!r} of {length} bytes"
    if name == b"acTL":
        return Rule.IMAGE_ANIMATED, "an animated PNG"
    if name in PNG_COMPRESSED and _swells(body, PNG_COMPRESSED[name]):
        return Rule.IMAGE_FORMAT, f"a chunk {name.decode()} that swells beyond {MOST_SWOLLEN} bytes or is damaged"
    return None


def _swells(body: bytes, method: int) -> bool:
    """Return whether compressed text or a profile decodes to too much, or not at all."""
    _, _, packed = body.partition(b"\0")
    decoder = zlib.decompressobj()
    try:
        return len(decoder.decompress(packed[method:], MOST_SWOLLEN)) >= MOST_SWOLLEN
    except zlib.error:
        return True
