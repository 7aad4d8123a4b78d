"""Buffer views compressed by meshoptimizer: EXT_meshopt_compression, KHR_meshopt_compression.

Source: the extensions' texts in the Khronos glTF repository. Lengths are held against each
other before anything decodes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from openslot_gltf.document import Json
from openslot_gltf.limits import Limits
from openslot_gltf.rules import Report, Rule

__all__ = ["NAMES", "body_of", "decoded_view", "is_available", "is_fallback"]

NAMES = ("EXT_meshopt_compression", "KHR_meshopt_compression")
INDEX_BYTES = frozenset({2, 4})
FILTER_BYTES: dict[str, frozenset[int]] = {
    "NONE": frozenset(range(4, 257, 4)),
    "OCTAHEDRAL": frozenset({4, 8}),
    "QUATERNION": frozenset({8}),
    "EXPONENTIAL": frozenset(range(4, 257, 4)),
}


def is_available() -> bool:
    """Return whether the decoder is installed; it is loaded by asking."""
    try:
        import meshoptimizer  # noqa: F401
    except ImportError:
        return False
    return True


def body_of(view: Json) -> Json | None:
    """Return what a buffer view says of its compression, None where it is plain."""
    bodies: Json = view.get("extensions", {})
    return next((bodies[name] for name in NAMES if name in bodies), None)


def is_fallback(buffer: Json) -> bool:
    """Return whether a buffer stands only for readers that do not decode, so that it may have no bytes."""
    bodies = buffer.get("extensions", {})
    return any(bodies.get(name, {}).get("fallback", False) for name in NAMES)


def decoded_view(view: Json, body: Json, coded: bytes, where: str, limits: Limits, report: Report) -> bytes:
    """Return the bytes the view stands for; empty after a refusal. `coded` is what its own buffer holds of it."""
    fault = _fault(view, body, limits)
    if fault:
        report.add(Rule.COMPRESSED_DAMAGED, where, fault)
        return b""
    try:
        return _decoded(body, coded)
    except (ValueError, RuntimeError) as error:
        report.add(Rule.COMPRESSED_DAMAGED, where, f"meshopt: {error}"[:80])
        return b""


def _fault(view: Json, body: Json, limits: Limits) -> str:
    count, stride, mode, name = body["count"], body["byteStride"], body["mode"], body.get("filter", "NONE")
    if count * stride != view["byteLength"]:
        return f"{count} elements of {stride} bytes are not {view['byteLength']} bytes"
    if count * stride > limits.decoded_bytes:
        return f"it decodes to {count * stride} bytes, {limits.decoded_bytes} are allowed"
    if mode == "ATTRIBUTES":
        if stride not in FILTER_BYTES[name]:
            return f"a stride of {stride} bytes for filter {name}"
    elif stride not in INDEX_BYTES or name != "NONE" or (mode == "TRIANGLES" and count % 3):
        return f"{mode} of {count} indices of {stride} bytes, filter {name}"
    return ""


def _decoded(body: Json, coded: bytes) -> bytes:
    import meshoptimizer

    count, stride, mode = body["count"], body["byteStride"], body["mode"]
    if mode == "ATTRIBUTES":
        data: Any = meshoptimizer.decode_vertex_buffer(count, stride, coded)
        name = body.get("filter", "NONE")
        filtered = getattr(meshoptimizer, FILTERS[name])(data, count, stride) if name in FILTERS else data
        return bytes(filtered.tobytes())
    decode = meshoptimizer.decode_index_buffer if mode == "TRIANGLES" else meshoptimizer.decode_index_sequence
    rows = decode(count, 4, coded)  # asked for 2 bytes each, it answers half an array
    if stride == 2 and rows.max() > 0xFFFF:
        raise ValueError("an index beyond 16 bits")
    return bytes(rows.astype(np.uint16 if stride == 2 else np.uint32).tobytes())


FILTERS = {
    "OCTAHEDRAL": "decode_filter_oct",
    "QUATERNION": "decode_filter_quat",
    "EXPONENTIAL": "decode_filter_exp",
}
