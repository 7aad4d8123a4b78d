"""Writing: a document as GLB bytes, the same for the same document."""

from __future__ import annotations

import json
import struct

from openslot_gltf.container import BIN_CHUNK, JSON_CHUNK, MAGIC
from openslot_gltf.document import Document

__all__ = ["write_glb"]


def write_glb(document: Document) -> bytes:
    """Return the document as one GLB; keys keep their order, so the same document gives the same bytes."""
    text = json.dumps(document.json, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    chunks = [_chunk(JSON_CHUNK, text, b" ")]
    if document.binary:
        chunks.append(_chunk(BIN_CHUNK, document.binary, b"\0"))
    return b"".join([MAGIC, struct.pack("<II", 2, 12 + sum(map(len, chunks))), *chunks])


def _chunk(kind: int, data: bytes, padding: bytes) -> bytes:
    padded = data + padding * (-len(data) % 4)
    return struct.pack("<II", len(padded), kind) + padded
