"""Primitives compressed by Draco: KHR_draco_mesh_compression.

What decodes has to be what the accessors say of it, to the element: counts are bounded by the JSON before, and held
against it after decoding. A primitive whose accessors have data of their own keeps that, and is not decoded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openslot_gltf.accessors import DTYPES
from openslot_gltf.core import COMPONENTS_OF
from openslot_gltf.document import Document, Json
from openslot_gltf.meshes import primitives_of
from openslot_gltf.rules import Report, Rule

__all__ = ["NAME", "is_available", "with_plain_primitives"]

NAME = "KHR_draco_mesh_compression"
VERTICES, INDICES = 34962, 34963


def is_available() -> bool:
    """Return whether the decoder is installed; it is loaded by asking."""
    try:
        import DracoPy  # noqa: F401
    except ImportError:
        return False
    return True


@dataclass(slots=True)
class _Filling:
    """A document whose accessors get data."""

    accessors: list[Json]
    views: list[Json]
    binary: bytearray
    meshes: dict[int, Any] = field(default_factory=dict)
    filled: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By accessor, the buffer view and the attribute it was decoded from: two sources for one would contradict."""

    def fill(self, index: int, values: NDArray[np.generic], target: int, source: tuple[int, int]) -> None:
        """Give the accessor its elements, (count, components); those of vertices start at multiples of four bytes."""
        if index in self.filled:
            return
        self.filled[index] = source
        pad = -values.itemsize * values.shape[1] % 4 if target == VERTICES else 0
        rows = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
        data = np.pad(rows, ((0, 0), (0, pad))).tobytes()
        self.binary += bytes(-len(self.binary) % 4)
        view = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data), "target": target}
        self.views.append(view | ({"byteStride": rows.shape[1] + pad} if pad else {}))
        self.binary += data
        accessor = {key: value for key, value in self.accessors[index].items() if key not in ("byteOffset", "sparse")}
        self.accessors[index] = accessor | {"bufferView": len(self.views) - 1}


def with_plain_primitives(document: Document, most_items: int, report: Report) -> Document:
    """Return the document with every compressed primitive decoded; findings say where one could not be."""
    filling = _Filling([*document.array("accessors")], [*document.array("bufferViews")], bytearray(document.binary))
    for where, primitive in primitives_of(document):
        body = primitive.get("extensions", {}).get(NAME)
        if body is not None and not _has_data(primitive, document):
            fault = _filled(filling, document, primitive, body, most_items)
            if fault:
                report.add(Rule.COMPRESSED_DAMAGED, f"{where}/extensions/{NAME}", fault)
                return document
    arrays = {"accessors": filling.accessors, "bufferViews": filling.views}
    buffer = {**(document.array("buffers") or [{}])[0], "byteLength": len(filling.binary)}
    return Document({**document.json, **arrays, "buffers": [buffer]}, bytes(filling.binary))


def _has_data(primitive: Json, document: Document) -> bool:
    used = [*primitive["attributes"].values(), *([primitive["indices"]] if "indices" in primitive else [])]
    return all("bufferView" in document.array("accessors")[index] for index in used)


def _filled(filling: _Filling, document: Document, primitive: Json, body: Json, most_items: int) -> str:
    """Decode one primitive into its accessors; returns what is wrong with it, or nothing."""
    accessors = document.array("accessors")
    if "indices" not in primitive or any(name not in primitive["attributes"] for name in body["attributes"]):
        return "it names attributes the primitive has not, or has no indices"
    counts = {accessors[primitive["attributes"][name]]["count"] for name in body["attributes"]}
    indices = accessors[primitive["indices"]]
    if len(counts) != 1 or max(*counts, indices["count"]) > most_items:
        return f"{sorted(counts)} vertices and {indices['count']} indices, {most_items} are allowed"
    mesh = _mesh(filling, document, body["bufferView"])
    faces = getattr(mesh, "faces", None)
    if faces is None or faces.size != indices["count"] or primitive.get("mode", 4) != 4:
        return f"it does not decode to {indices['count']} indices of triangles"
    for name, unique in body["attributes"].items():
        values = _values(mesh, unique, accessors[primitive["attributes"][name]])
        if values is None:
            return f"{name} does not decode to what its accessor says"
        if name == "WEIGHTS_0" and "WEIGHTS_1" not in primitive["attributes"] and values.dtype.kind == "f":
            values = _of_sum_one(values)
        filling.fill(primitive["attributes"][name], values, VERTICES, (body["bufferView"], unique))
    if faces.max() > np.iinfo(str(DTYPES[indices["componentType"]])).max:
        return "an index is larger than its accessor can hold"
    rows = faces.reshape(-1, 1).astype(DTYPES[indices["componentType"]])
    filling.fill(primitive["indices"], rows, INDICES, (body["bufferView"], -1))
    sources = [*((primitive["attributes"][name], unique) for name, unique in body["attributes"].items())]
    twice = any(filling.filled[index] != (body["bufferView"], unique) for index, unique in sources)
    return "an accessor is decoded from two sources" if twice else ""


def _mesh(filling: _Filling, document: Document, index: int) -> Any:
    """Return the decoded mesh of a buffer view, None if it does not decode; each is decoded once."""
    import DracoPy

    if index not in filling.meshes:
        view = document.array("bufferViews")[index]
        start = view.get("byteOffset", 0)
        try:
            filling.meshes[index] = DracoPy.decode(document.binary[start : start + view["byteLength"]])
        except (ValueError, RuntimeError, DracoPy.FileTypeException):
            filling.meshes[index] = None
    return filling.meshes[index]


def _values(mesh: Any, unique: int, accessor: Json) -> NDArray[np.generic] | None:
    """Return an attribute's elements in its accessor's format, None if that is another or there is none."""
    found = mesh.get_attribute_by_unique_id(unique)
    if found is None:
        return None
    values = np.asarray(found["data"])
    values = values.reshape(len(values), -1)
    dtype = DTYPES[accessor["componentType"]]
    if values.shape != (accessor["count"], COMPONENTS_OF[accessor["type"]]) or accessor["type"].startswith("MAT"):
        return None
    if dtype.kind != "f" and (values.dtype.kind == "f" or not _holds(dtype, values)):
        return None
    return values.astype(dtype)


def _of_sum_one(weights: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return the weights of each vertex made to add up to one again, which quantising them lost."""
    wide = weights.astype(np.float64)
    total = wide.sum(axis=1, keepdims=True)
    return (wide / np.where(total > 0, total, 1.0)).astype(weights.dtype)


def _holds(dtype: np.dtype[np.generic], values: NDArray[np.generic]) -> bool:
    bounds: Any = np.iinfo(str(dtype))
    return bool(len(values) == 0 or (values.min() >= bounds.min and values.max() <= bounds.max))
