"""Buffers and views: bounds first, then everything packed into one binary chunk without URIs."""

from __future__ import annotations

import base64
import binascii

from openslot_gltf import meshopt
from openslot_gltf.document import Document, Json
from openslot_gltf.limits import Limits
from openslot_gltf.rules import Report, Rule

__all__ = ["packed"]

BUFFER_TYPES = frozenset({"application/octet-stream", "application/gltf-buffer"})
IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/webp", "image/ktx2"})
ALIGNMENT = 4


def packed(json: Json, binary: memoryview | None, limits: Limits, report: Report) -> Document | None:
    """Return a document whose only buffer is its binary chunk; None after a refusal.

    Views that meshoptimizer compressed are decoded on the way: what they stand for lies in a buffer without bytes.

    Views are held against the buffer they name before buffers are joined, so that none can read its neighbour's bytes.
    """
    buffers = [_buffer_bytes(buffer, index, binary, report) for index, buffer in enumerate(json.get("buffers", []))]
    pictures = {
        index: _data_uri(image["uri"], IMAGE_TYPES, f"/images/{index}/uri", report)
        for index, image in enumerate(json.get("images", []))
        if "uri" in image
    }
    _check_views(json, report)
    if report.refused:
        return None
    kept = [bytes(buffer) for buffer in buffers]
    plain = _decoded_views(json, kept, limits, report)
    if report.refused:
        return None
    if len(kept) <= 1 and not pictures and not plain:
        return Document(_without_uris(json, kept), kept[0] if kept else b"")
    return _joined(json, kept, pictures, plain)


def _decoded_views(json: Json, buffers: list[bytes], limits: Limits, report: Report) -> dict[int, bytes]:
    """Return what each compressed view stands for."""
    plain: dict[int, bytes] = {}
    for index, view in enumerate(json.get("bufferViews", [])):
        body, where = meshopt.body_of(view), f"/bufferViews/{index}"
        if body is None:
            if meshopt.is_fallback(json["buffers"][view["buffer"]]):
                report.add(Rule.BUFFER_MISSING, where, "it lies in a buffer that has no bytes")
            continue
        start, end = body.get("byteOffset", 0), body.get("byteOffset", 0) + body["byteLength"]
        if end > len(buffers[body["buffer"]]):
            report.add(Rule.VIEW_RANGE, where, f"it ends at byte {end} of {len(buffers[body['buffer']])}")
        elif sum(map(len, plain.values())) > limits.decoded_bytes:
            report.add(Rule.ACCESSOR_TOTAL, where)
        if report.refused:
            return {}
        plain[index] = meshopt.decoded_view(view, body, buffers[body["buffer"]][start:end], where, limits, report)
    return plain


def _buffer_bytes(buffer: Json, index: int, binary: memoryview | None, report: Report) -> bytes | memoryview:
    where = f"/buffers/{index}"
    if meshopt.is_fallback(buffer):
        return b""
    if "uri" in buffer:
        data: bytes | memoryview = _data_uri(buffer["uri"], BUFFER_TYPES, f"{where}/uri", report)[1]
    elif index == 0 and binary is not None:
        data = binary
        if len(binary) - buffer["byteLength"] > 3:
            report.add(Rule.BUFFER_LENGTH, where, f"BIN has {len(binary)} bytes, byteLength is {buffer['byteLength']}")
    else:
        report.add(Rule.BUFFER_MISSING, where)
        return b""
    if len(data) < buffer["byteLength"] and not report.refused:
        report.add(Rule.BUFFER_LENGTH, where, f"{len(data)} bytes, byteLength is {buffer['byteLength']}")
    return data[: buffer["byteLength"]]


def _data_uri(uri: str, allowed: frozenset[str], where: str, report: Report) -> tuple[str, bytes]:
    """Return the media type and bytes of a base64 data: URI; any other URI is refused, never resolved."""
    if uri[:5].lower() != "data:":
        report.add(Rule.URI_EXTERNAL, where, repr(uri[:60]))
        return "", b""
    head, comma, body = uri[5:].partition(",")
    kind, *parameters = head.lower().split(";")
    if not comma or "base64" not in parameters or kind not in allowed:
        report.add(Rule.URI_DATA, where, repr(head[:60]))
        return "", b""
    try:
        return kind, base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        report.add(Rule.URI_DATA, where, "not base64")
        return "", b""


def _check_views(json: Json, report: Report) -> None:
    buffers = json.get("buffers", [])
    for index, view in enumerate(json.get("bufferViews", [])):
        end, room = view.get("byteOffset", 0) + view["byteLength"], buffers[view["buffer"]]["byteLength"]
        if end > room:
            report.add(Rule.VIEW_RANGE, f"/bufferViews/{index}", f"it ends at byte {end} of {room}")
        stride = view.get("byteStride", 4)
        if stride % 4 or ("byteStride" in view and stride > view["byteLength"]):
            report.add(Rule.VIEW_STRIDE, f"/bufferViews/{index}/byteStride", f"{stride}")


def _without_uris(json: Json, kept: list[bytes]) -> Json:
    if not kept:
        return json
    buffer = {key: value for key, value in json["buffers"][0].items() if key != "uri"}
    return {**json, "buffers": [buffer]}


def _joined(
    json: Json, buffers: list[bytes], pictures: dict[int, tuple[str, bytes]], plain: dict[int, bytes]
) -> Document:
    """Return one document of several buffers, of images that were data: URIs, and of views that were compressed."""
    binary, starts = bytearray(), []
    for part in (*buffers, *(data for _, data in pictures.values()), *plain.values()):
        binary += bytes(-len(binary) % ALIGNMENT)
        starts.append(len(binary))
        binary += part
    views = [
        {**view, "buffer": 0, "byteOffset": view.get("byteOffset", 0) + starts[view["buffer"]]}
        for view in json.get("bufferViews", [])
    ]
    for start, index in zip(starts[len(buffers) + len(pictures) :], plain, strict=True):
        bare = {key: value for key, value in views[index].items() if key != "extensions"}
        views[index] = {**bare, "byteOffset": start}
    images = [dict(image) for image in json.get("images", [])]
    for start, (index, (kind, data)) in zip(starts[len(buffers) :], pictures.items(), strict=False):
        del images[index]["uri"]
        images[index] |= {"mimeType": kind, "bufferView": len(views)}
        views.append({"buffer": 0, "byteOffset": start, "byteLength": len(data)})
    arrays = {"bufferViews": views, "images": images, "buffers": [{"byteLength": len(binary)}] if binary else []}
    rest = {key: value for key, value in json.items() if key not in arrays}
    return Document(rest | {key: value for key, value in arrays.items() if value}, bytes(binary))
