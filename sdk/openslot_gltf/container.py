"""From bytes to one JSON object and at most one binary chunk: the GLB container and strict JSON.

Source: glTF 2.0 specification, section 4 (GLB). Stricter than it in one point: chunks of unknown type are dropped.
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any

from openslot_gltf.limits import Limits
from openslot_gltf.rules import Report, Rule

__all__ = ["opened"]

MAGIC = b"glTF"
JSON_CHUNK = 0x4E4F534A
BIN_CHUNK = 0x004E4942
MOST_CHUNKS = 64


class _BrokenError(Exception):
    """Ends parsing inside a callback of the JSON module."""

    def __init__(self, rule: Rule, case: str = "") -> None:
        self.rule = rule
        self.case = case


def opened(data: bytes, limits: Limits, report: Report) -> tuple[dict[str, Any], memoryview | None] | None:
    """Return the JSON object and the BIN chunk (None: there is none); None after a refusal."""
    try:
        if len(data) > limits.file_bytes:
            raise _BrokenError(Rule.FILE_SIZE, f"{len(data)} bytes, {limits.file_bytes} are allowed")
        if data[:4] == MAGIC:
            text, binary, others = _chunks(data)
            if others and limits.creative:
                report.add(Rule.DATA_UNUSED, "", f"{others} chunks of an unknown kind")
            return _parsed(text, limits.json_bytes, limits), binary
        if data.lstrip()[:1] != b"{":
            raise _BrokenError(Rule.FILE_KIND)
        return _parsed(data, limits.file_bytes, limits), None
    except _BrokenError as broken:
        report.add(broken.rule, "", broken.case)
        return None


def _chunks(data: bytes) -> tuple[bytes, memoryview | None, int]:
    """Return the JSON chunk, the BIN chunk, and how many others there are."""
    if len(data) < 20:
        raise _BrokenError(Rule.GLB_LENGTH, f"{len(data)} bytes")
    version, length = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise _BrokenError(Rule.GLB_VERSION, f"version {version}")
    if length != len(data):
        raise _BrokenError(Rule.GLB_LENGTH, f"the header says {length}, the file has {len(data)} bytes")
    chunks = _split(data)
    kinds = [kind for kind, _ in chunks]
    if kinds[0] != JSON_CHUNK or JSON_CHUNK in kinds[1:] or BIN_CHUNK in kinds[2:]:
        raise _BrokenError(Rule.GLB_ORDER)
    binary = chunks[1][1] if len(chunks) > 1 and kinds[1] == BIN_CHUNK else None
    return bytes(chunks[0][1]), binary, len(chunks) - (1 if binary is None else 2)


def _split(data: bytes) -> list[tuple[int, memoryview]]:
    view, chunks, at = memoryview(data), [], 12
    while at < len(data):
        if at + 8 > len(data):
            raise _BrokenError(Rule.GLB_CHUNK, f"a chunk header is cut at byte {at}")
        length, kind = struct.unpack_from("<II", data, at)
        at += 8
        if length % 4 or at + length > len(data):
            raise _BrokenError(Rule.GLB_CHUNK, f"a chunk of {length} bytes at byte {at}")
        chunks.append((kind, view[at : at + length]))
        if len(chunks) > MOST_CHUNKS:
            raise _BrokenError(Rule.GLB_CHUNK, f"more than {MOST_CHUNKS} chunks")
        at += length
    return chunks


def _parsed(text: bytes, most_bytes: int, limits: Limits) -> dict[str, Any]:
    if len(text) > most_bytes:
        raise _BrokenError(Rule.JSON_SIZE, f"{len(text)} bytes, {most_bytes} are allowed")
    try:
        decoded = text.decode("utf-8")
        value = json.loads(decoded, object_pairs_hook=_object, parse_float=_finite, parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise _BrokenError(Rule.JSON_ENCODING, f"byte {error.start}") from None
    except RecursionError:
        raise _BrokenError(Rule.JSON_DEPTH) from None
    except ValueError as error:
        raise _BrokenError(Rule.JSON_SYNTAX, str(error)[:80]) from None
    if type(value) is not dict:
        raise _BrokenError(Rule.JSON_ROOT)
    _bound_depth(value, limits.json_depth)
    _forbid_surrogates(decoded, value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _BrokenError(Rule.JSON_DUPLICATE_KEY)
    if "__proto__" in value:
        raise _BrokenError(Rule.JSON_KEY)
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _BrokenError(Rule.JSON_NUMBER, text[:40])
    return value


def _constant(name: str) -> Any:
    raise _BrokenError(Rule.JSON_NUMBER, name)


def _bound_depth(value: dict[str, Any], most: int) -> None:
    """Refuse deeper nesting than `most`, breadth first: every later walk may then recurse."""
    level: list[Any] = [value]
    for _ in range(most):
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return
    raise _BrokenError(Rule.JSON_DEPTH, f"more than {most} levels")


def _forbid_surrogates(text: str, value: dict[str, Any]) -> None:
    r"""Refuse lone surrogates (`\ud800`), which JSON lets through and no UTF-8 can hold."""
    if "\\ud" not in text and "\\uD" not in text:
        return
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _BrokenError(Rule.JSON_ENCODING, "a lone surrogate") from None
