"""Videos without what is said beside the pictures: places, cameras, titles, attachments.

Those parts are overwritten with nothing of the same length, so no offset changes. Sources: ISO 14496-12 (boxes), RFC
8794 and RFC 9559 (EBML, Matroska).
"""

from __future__ import annotations

import struct

__all__ = ["scrubbed"]

WITHIN = frozenset({b"moov", b"trak", b"mdia", b"moof", b"traf"})
BESIDE = frozenset({b"udta", b"meta", b"uuid", b"free", b"skip"})
FREE = b"free"
MASTERS = frozenset({0x18538067, 0x1549A966, 0x1654AE6B, 0xAE})
"""Segment, what is said of it, tracks, a track."""
SAID = frozenset({0x1254C367, 0x1941A469, 0x7BA9, 0x7384, 0x536E, 0xEC})
"""Tags, attachments, title, file name, a track's name, and what is nothing already."""
VOID_ID = 0xEC


def scrubbed(data: bytes, media_type: str) -> bytes:
    """Return the same video with nothing beside it; raises ValueError where its container is cut."""
    made = bytearray(data)
    if media_type == "video/mp4":
        _boxes(made, 0, len(made))
    else:
        _elements(made, 0, len(made))
    return bytes(made)


def _boxes(data: bytearray, at: int, end: int) -> None:
    while at < end:
        if at + 8 > end:
            raise ValueError(f"a box is cut at byte {at}")
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            if at + 16 > end:
                raise ValueError(f"a box is cut at byte {at}")
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        elif size == 0:  # to the end of the file
            size = end - at
        if size < head or at + size > end:
            raise ValueError(f"a box of {size} bytes at byte {at}")
        if kind in BESIDE:
            data[at + 4 : at + 8] = FREE
            data[at + head : at + size] = bytes(size - head)
        elif kind in WITHIN:
            _boxes(data, at + head, at + size)
        at += size


def _elements(data: bytearray, at: int, end: int) -> None:
    while at < end:
        number, start = _number(data, at, end, keeps_marker=True)
        size, start = _number(data, start, end, keeps_marker=False)
        stop = end if size is None else start + size
        if number is None or stop > end:
            raise ValueError(f"an element is cut at byte {at}")
        if number in MASTERS:
            _elements(data, start, stop)
        elif number in SAID:
            data[at:stop] = _void(stop - at)
        at = stop


def _number(data: bytearray, at: int, end: int, *, keeps_marker: bool) -> tuple[int | None, int]:
    """Return an EBML number, None where it says `unknown`, and where it ends."""
    first = data[at] if at < end else 0
    length = 9 - first.bit_length()
    if length > 8 or at + length > end:
        raise ValueError(f"no number at byte {at}")
    value = int.from_bytes(data[at : at + length])
    if keeps_marker:
        return value, at + length
    value &= (1 << 7 * length) - 1
    return (None if value == (1 << 7 * length) - 1 else value), at + length


def _void(length: int) -> bytes:
    """Return an element of nothing, of this many bytes in all; at least two, which an ID and a size are."""
    if length < 100:
        return bytes([VOID_ID, 0x80 | (length - 2)]) + bytes(length - 2)
    return bytes([VOID_ID, 0x10]) + (length - 5).to_bytes(3) + bytes(length - 5)
