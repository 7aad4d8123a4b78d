"""A world's spool file read by an oracle of its own, from the layout that the SDK documents."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

MAGIC_BYTES = 16
HEAD = struct.Struct("<4sII16s")


def records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (batch, payload) up to the first record that is not whole; an empty payload acknowledges its batch."""
    at = MAGIC_BYTES
    while at + HEAD.size <= len(data):
        mark, length, crc, batch = HEAD.unpack_from(data, at)
        payload = data[at + HEAD.size : at + HEAD.size + length]
        sound = zlib.crc32(batch + payload, zlib.crc32(b"", length))
        if mark != b"\xa5OS\x1a" or len(payload) != length or crc != sound:
            return
        yield batch, payload
        at += HEAD.size + length


def kept(data: bytes) -> dict[bytes, bytes]:
    """Return every batch that was ever written, acknowledged or not."""
    return {batch: payload for batch, payload in records(data) if payload}
