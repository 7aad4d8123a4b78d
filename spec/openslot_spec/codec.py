"""Bytes to envelopes and back, strictly, in msgpack or JSON.

Refused: null, duplicate keys, keys that are not strings, NaN and infinities, extension types, lone surrogates, more
than `MAX_DEPTH` levels, more than `MAX_CONTAINERS` maps and arrays, anything after the first value. JSON has no bytes,
so they are written there as `{"$bin": "<base64>"}`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgpack

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.limits import MAX_DEPTH
from openslot_spec.messages import Envelope
from openslot_spec.records import NULL

__all__ = ["JSON", "MSGPACK", "SUBPROTOCOLS", "Codec"]

MAX_CONTAINERS = 20_000
BUFFER_BYTES = 1_024
"""With which packing begins: msgpack's own megabyte comes from the system and goes back to it each time."""
BIN = "$bin"
FIXMAP = 0x80
"""How msgpack begins a map of few fields."""
PLAIN = frozenset({bytes, int, bool})
"""What is good whatever its value."""


class Codec:
    """One way of writing envelopes; `name` is the WebSocket subprotocol."""

    def __init__(self, name: str, *, text: bool) -> None:
        self.name = name
        self.text = text

    def encode(self, envelope: Envelope) -> bytes:
        """Return the envelope's bytes; in JSON they are UTF-8 text."""
        return self.write(envelope.model_dump(exclude_none=True))

    def write(self, plain: Any) -> bytes:
        """Return the bytes of an envelope that is known to be one, as maps and arrays, or of a part of it."""
        if self.text:
            return json.dumps(plain, default=_bin, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
        return bytes(msgpack.packb(plain, buf_size=BUFFER_BYTES))

    def wrap(self, head: Mapping[str, str | int], body: bytes) -> bytes:
        """Return the envelope of a body that is written already; `head` is all of it but the body."""
        if self.text:
            return self.write(head)[:-1] + b',"body":' + body + b"}"
        fields = b"".join(self.write(part) for item in head.items() for part in item)
        return bytes([FIXMAP | len(head) + 1]) + fields + self.write("body") + body

    def decode(self, data: bytes, limit_bytes: int) -> Envelope:
        """Return the envelope in `data`.

        Raises:
            OpenSlotError: `FRAME_TOO_LARGE`, or `MALFORMED` for anything that is not one strict envelope.
        """
        if len(data) > limit_bytes:
            raise OpenSlotError(Code.FRAME_TOO_LARGE, f"{len(data)} bytes, at most {limit_bytes}")
        try:
            value = _load_json(data) if self.text else _load_msgpack(data)
            if type(value) is dict:  # what is none is refused as an envelope
                _check(value, MAX_DEPTH)
        except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
            raise OpenSlotError(Code.MALFORMED, str(error)[:200]) from None
        return Envelope.read(value, Code.MALFORMED)


MSGPACK: Final = Codec("openslot.v1+msgpack", text=False)
JSON: Final = Codec("openslot.v1+json", text=True)
SUBPROTOCOLS: Final = {codec.name: codec for codec in (MSGPACK, JSON)}


class _Containers:
    """Builds maps and lists while there are few enough of them, so that a small frame cannot fill the memory."""

    def __init__(self) -> None:
        self.count = 0

    def _one_more(self) -> None:
        self.count += 1
        if self.count > MAX_CONTAINERS:
            raise ValueError(f"more than {MAX_CONTAINERS} maps and arrays")

    def map(self, pairs: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
        self._one_more()
        built: dict[str, Any] = {}
        for key, value in pairs:
            if not isinstance(key, str) or key in built:
                raise ValueError(f"key {key!r} is not a string or stands twice")
            built[key] = value
        return built

    def list(self, items: list[Any]) -> list[Any]:
        self._one_more()
        return items

    def map_or_bin(self, pairs: Iterable[tuple[str, Any]]) -> dict[str, Any] | bytes:
        built = self.map(pairs)
        if built.keys() != {BIN}:
            return built
        try:
            return base64.b64decode(built[BIN], validate=True)
        except binascii.Error as error:
            raise ValueError(f"{BIN} is not base64") from error


def _load_msgpack(data: bytes) -> Any:
    """Return the value in `data`; a key that stands twice would not be there twice if the value were written again."""
    if len(data) <= MAX_CONTAINERS:  # no room for too many
        value = msgpack.unpackb(data, ext_hook=_no_extension)
        if msgpack.packb(value, buf_size=len(data) + BUFFER_BYTES) == data:
            return value
    containers = _Containers()
    return msgpack.unpackb(data, object_pairs_hook=containers.map, list_hook=containers.list, ext_hook=_no_extension)


def _load_json(data: bytes) -> Any:
    return json.loads(data.decode("utf-8"), object_pairs_hook=_Containers().map_or_bin, parse_constant=_no_constant)


def _no_extension(code: int, data: bytes) -> Any:
    raise ValueError(f"extension type {code} of {len(data)} bytes")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _bin(value: object) -> dict[str, str]:
    if isinstance(value, bytes):
        return {BIN: base64.b64encode(value).decode("ascii")}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _check(container: Any, levels: int) -> None:
    """Raise `ValueError` for what no envelope may hold, in a map or list of at most so many levels."""
    if container and not levels:
        raise ValueError(f"more than {MAX_DEPTH} levels")
    items = container
    if type(container) is dict:
        _check_text("".join(container))  # keys that are bytes cannot be joined
        items = container.values()
    if PLAIN.issuperset(map(type, items)):
        return
    for item in items:
        kind = type(item)
        if kind is dict or kind is list:
            _check(item, levels - 1)
        elif kind is str:
            _check_text(item)
        elif kind not in PLAIN:
            _check_rare(item)


def _check_rare(item: Any) -> None:
    if item is None:
        raise ValueError(NULL)
    if isinstance(item, msgpack.Timestamp):
        raise ValueError("a timestamp extension")
    if not math.isfinite(item):
        raise ValueError("a number is not finite")


def _check_text(text: str) -> None:
    if not text.isascii():
        text.encode("utf-8")  # a lone surrogate raises
