"""Time-ordered 128-bit ids (the layout of RFC 9562 UUIDv7), made from a clock and randomness that the caller gives."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

__all__ = ["Id128", "id_time_ms", "make_id"]

Id128 = Annotated[bytes, Field(min_length=16, max_length=16)]


def make_id(now_ms: int, randomness: bytes) -> bytes:
    """Return 16 bytes that sort by time: 48 bits of `now_ms`, the version and variant, and 74 bits of `randomness`."""
    if len(randomness) != 10:
        raise ValueError("an id takes 10 random bytes")
    tail = bytearray(randomness)
    tail[0] = 0x70 | (tail[0] & 0x0F)
    tail[2] = 0x80 | (tail[2] & 0x3F)
    return now_ms.to_bytes(6, "big") + bytes(tail)


def id_time_ms(identifier: bytes) -> int:
    """Return the time in an id, in milliseconds since 1970-01-01 UTC."""
    return int.from_bytes(identifier[:6], "big")
