"""GLB files for tests, built in code: an honest board, and files that mean harm."""

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

JSON_CHUNK, BIN_CHUNK = 0x4E4F534A, 0x004E4942


def glb(document: Any, binary: bytes = b"") -> bytes:
    """Return a GLB of any JSON value (or ready JSON bytes) and a binary chunk."""
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    chunks = _chunk(JSON_CHUNK, text, b" ") + (_chunk(BIN_CHUNK, binary, b"\0") if binary else b"")
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the JSON and the binary chunk of a GLB made here."""
    length = struct.unpack_from("<I", data, 12)[0]
    document: dict[str, Any] = json.loads(data[20 : 20 + length])
    return document, data[28 + length :]


def board(width: float = 2.0, height: float = 1.0, name: str = "board") -> bytes:
    """Return a valid board of two triangles; another name makes other bytes."""
    return glb(*_board(width, height, name))


def turning() -> bytes:
    """Return a valid board that turns about its upright axis."""
    document, binary = _board(2.0, 1.0, "turning")
    times = np.array([0, 1], "<f4")
    rotations = np.array([[0, 0, 0, 1], [0, 1, 0, 0]], "<f4")
    document["bufferViews"] += [
        {"buffer": 0, "byteOffset": len(binary), "byteLength": times.nbytes},
        {"buffer": 0, "byteOffset": len(binary) + times.nbytes, "byteLength": rotations.nbytes},
    ]
    document["accessors"] += [
        {"bufferView": 2, "componentType": 5126, "count": 2, "type": "SCALAR", "min": [0], "max": [1]},
        {"bufferView": 3, "componentType": 5126, "count": 2, "type": "VEC4"},
    ]
    channel = {"sampler": 0, "target": {"node": 0, "path": "rotation"}}
    document["animations"] = [{"channels": [channel], "samplers": [{"input": 2, "output": 3}]}]
    binary += times.tobytes() + rotations.tobytes()
    document["buffers"] = [{"byteLength": len(binary)}]
    return glb(document, binary)


def _chunk(kind: int, data: bytes, padding: bytes) -> bytes:
    data += padding * (-len(data) % 4)
    return struct.pack("<II", len(data), kind) + data


def _board(width: float, height: float, name: str) -> tuple[dict[str, Any], bytes]:
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], "<f4") * [width / 2, height / 2, 1]
    positions, indices = corners.astype("<f4"), np.array([0, 1, 2, 0, 2, 3], "<u2")
    binary = positions.tobytes() + indices.tobytes()
    bounds = {"min": positions.min(0).tolist(), "max": positions.max(0).tolist()}
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": name}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3", **bounds},
            {"bufferView": 1, "componentType": 5123, "count": 6, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": 48, "target": 34962},
            {"buffer": 0, "byteOffset": 48, "byteLength": 12, "target": 34963},
        ],
        "buffers": [{"byteLength": len(binary)}],
    }
    return document, binary


def _changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    document, binary = _board(2, 1, "changed")
    change(document)
    return glb(document, binary)


def _doubling_tree(document: dict[str, Any]) -> None:
    levels = 26
    document["nodes"] = [{"children": [level + 1, level + 1]} for level in range(levels)] + [{"mesh": 0}]


def hostile() -> dict[str, bytes]:
    """Return one file for each class of harm: name to bytes. None may be accepted."""
    honest = board()
    return {
        "empty": b"",
        "only_a_magic": b"glTF",
        "other_magic": b"PK\x03\x04" + honest[4:],
        "cut": honest[:-10],
        "glued": honest + bytes(100),
        "length_beyond_file": honest[:8] + struct.pack("<I", 2**32 - 1) + honest[12:],
        "chunk_beyond_file": honest[:12] + struct.pack("<I", 2**32 - 4) + honest[16:],
        "chunk_of_minus_four": honest[:12] + struct.pack("<i", -4) + honest[16:],
        "version_3": honest[:4] + struct.pack("<I", 3) + honest[8:],
        "json_nested_deep": glb(b"[" * 200_000 + b"]" * 200_000),
        "json_nested_deep_open": glb(b'{"a":' * 60_000),
        "json_of_many_objects": glb(b'{"asset":{"version":"2.0"},"extras":[' + b"{}," * 140_000 + b"{}]}"),
        "json_duplicate_keys": glb(b'{"asset":{"version":"2.0"},"asset":{"version":"2.0"}}'),
        "json_nan": glb(b'{"asset":{"version":"2.0"},"extras":NaN}'),
        "json_number_of_many_digits": glb(b'{"asset":{"version":"2.0"},"scene":' + b"9" * 400_000 + b"}"),
        "json_not_utf8": glb(b'{"asset":{"version":"2.0\xff"}}'),
        "json_lone_surrogate_key": glb(b'{"asset":{"version":"2.0"},"\\ud800":1,"scene":7}'),
        "json_is_a_list": glb(b"[]"),
        "accessor_count_huge": _changed(lambda d: d["accessors"][0].update(count=10**9)),
        "accessor_without_view_huge": _changed(
            lambda d: d["accessors"].__setitem__(
                0, {"componentType": 5126, "count": 10**9, "type": "VEC3", "min": [0, 0, 0], "max": [0, 0, 0]}
            )
        ),
        "accessor_offset_negative": _changed(lambda d: d["accessors"][0].update(byteOffset=-48)),
        "view_beyond_buffer": _changed(lambda d: d["bufferViews"][0].update(byteLength=10**6)),
        "buffer_longer_than_file": _changed(lambda d: d["buffers"][0].update(byteLength=2**31)),
        "uri_to_a_file": _changed(lambda d: d["buffers"][0].update(uri="../../../../etc/passwd")),
        "uri_to_a_host": _changed(lambda d: d["buffers"][0].update(uri="http://127.0.0.1:1/x")),
        "node_is_its_own_child": _changed(lambda d: d["nodes"][0].update(children=[0])),
        "node_tree_that_doubles": _changed(_doubling_tree),
        "index_of_another_array": _changed(lambda d: d["nodes"][0].update(mesh=7)),
        "index_is_a_float": _changed(lambda d: d["nodes"][0].update(mesh=0.5)),
        "index_is_true": _changed(lambda d: d["nodes"][0].update(mesh=True)),
        "required_extension_unknown": _changed(
            lambda d: d.update(extensionsUsed=["EVIL_x"], extensionsRequired=["EVIL_x"])
        ),
        "too_large_for_its_tier": honest + bytes(600_000),
    }
