"""Small scenes and creatives as GLB bytes, made from nothing."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np


def glb(document: dict[str, Any], binary: bytes = b"") -> bytes:
    text = json.dumps({"asset": {"version": "2.0"}, **document}).encode()
    chunks = [(b"JSON", text + b" " * (-len(text) % 4))] + ([(b"BIN\0", binary)] if binary else [])
    body = b"".join(struct.pack("<I4s", len(data), kind) + data for kind, data in chunks)
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def board_scene(*slots: str, spacing_m: float = 4.0, **terms: object) -> bytes:
    """Boards of 3 × 2 m in a row along x, at eye height, looking to +Z."""
    nodes = [
        {
            "name": slot,
            "translation": [spacing_m * index, 1.6, 0.0],
            "extensions": {"OPENSLOT_ad_slot": {"id": slot, "size": [3.0, 2.0], "profile": "mrc-display", **terms}},
        }
        for index, slot in enumerate(slots)
    ]
    scene = {"scene": 0, "scenes": [{"nodes": list(range(len(nodes)))}], "nodes": nodes}
    return glb({"extensionsUsed": ["OPENSLOT_ad_slot"], **scene})


def empty_scene() -> bytes:
    """A scene that has everything but a slot."""
    return glb({"scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"name": "plaza"}]})


def creative(width: float = 1.0) -> bytes:
    """One upright triangle."""
    corners = np.array([(0, 0, 0), (width, 0, 0), (0, 1, 0)], "<f4")
    low, high = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return glb(
        {
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
            "accessors": [
                {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3", "min": low, "max": high}
            ],
            "bufferViews": [{"buffer": 0, "byteLength": 36, "target": 34962}],
            "buffers": [{"byteLength": 36}],
        },
        corners.tobytes(),
    )
