"""Geometry made smaller: vertices that are alike are one, triangles fewer, numbers as short as the eye allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openslot_gltf import Document
from openslot_gltf.accessors import Elements
from openslot_gltf.document import Json
from openslot_gltf.geometry import triangle_rows
from openslot_gltf.packing import INDICES, VERTICES, Packer
from openslot_gltf.prune import QUANTIZATION, pruned
from openslot_server.optimise.decimate import decimated

__all__ = ["slimmed"]

Rows = NDArray[np.int64]
Array = NDArray[Any]

SHORT, BYTE, SIGNED, SIGNED_SHORT = 65535.0, 255.0, 127.0, 32767.0
UNIT = 0.006
"""How far from 1 the length of a direction may be; the Khronos validator takes 0.00674."""
FLOAT = np.dtype("<f4")


def slimmed(document: Document, share: float = 1.0) -> Document:
    """Return the creative with welded, shortened meshes of at most `share` of their triangles.

    Materials, clips, skins and morph targets keep their meaning. Raises CREATIVE_REFUSED where triangles would have to
    go and the decimator (extra `decode`) is not installed.
    """
    slimmer = _Slimmer(document, share)
    meshes = [
        {**mesh, "primitives": [slimmer.primitive(primitive) for primitive in mesh["primitives"]]}
        for mesh in document.array("meshes")
    ]
    json = {**document.json, "meshes": meshes}
    if slimmer.quantized:
        for name in ("extensionsUsed", "extensionsRequired"):
            json[name] = list(dict.fromkeys([*json.get(name, []), QUANTIZATION]))
    return pruned(slimmer.packer.packed(json))


class _Slimmer:
    """Writes the primitives of one document anew, each once."""

    def __init__(self, document: Document, share: float) -> None:
        self.packer = Packer(document)
        self.quantized = False
        self._document = document
        self._elements = Elements(document)
        self._share = share
        self._done: dict[str, Json] = {}

    def primitive(self, primitive: Json) -> Json:
        """Return a primitive over fewer and shorter vertices; points and lines stay as they are."""
        rows = triangle_rows(primitive, self._elements, self._document)
        if not len(rows):
            return primitive
        said = {name: primitive.get(name) for name in ("attributes", "indices", "mode", "targets")}
        key = repr(said)
        if key not in self._done:
            self._done[key] = self._written(primitive, rows)
        kept = {name: value for name, value in primitive.items() if name not in said}
        return {**kept, **self._done[key]}

    def _written(self, primitive: Json, rows: Rows) -> Json:
        attributes = self._needed(primitive)
        every = [*attributes.values(), *(index for target in primitive.get("targets", ()) for index in target.values())]
        first, merged = _welded([self._elements.raw(index) for index in every], rows)
        positions = self._elements.floats(attributes["POSITION"])[first]
        if self._share < 1.0:
            normals = self._elements.floats(attributes["NORMAL"])[first] if "NORMAL" in attributes else positions
            merged = decimated(merged, positions, normals, self._share)
        kept, merged = np.unique(merged, return_inverse=True)
        taken = first[kept]
        indices = merged.reshape(-1, 1).astype("<u2" if len(taken) < SHORT else "<u4")
        written: Json = {
            "attributes": {name: self._attribute(name, attributes, taken) for name in attributes},
            "indices": self.packer.accessor(indices, INDICES),
        }
        if "targets" in primitive:
            written["targets"] = [
                {name: self._as_it_is(name, index, taken) for name, index in target.items()}
                for target in primitive["targets"]
            ]
        return written

    def _attribute(self, name: str, attributes: Json, taken: Rows) -> int:
        index = attributes[name]
        values = self._elements.raw(index)[taken]
        shorten = SHORTER.get(name.rstrip("0123456789"))
        apart = name.startswith("WEIGHTS_") and "WEIGHTS_1" in attributes  # they add up to one together
        short = shorten(values) if shorten is not None and not apart and self._is_plain(index) else None
        if short is None:
            return self._as_it_is(name, index, taken)
        values, is_normalized, is_special = short
        self.quantized = self.quantized or is_special
        return self.packer.accessor(values, VERTICES, normalized=is_normalized)

    def _needed(self, primitive: Json) -> Json:
        """Return the attributes without texture coordinates and tangents that the material never asks for."""
        attributes: Json = primitive["attributes"]
        if "material" not in primitive or "KHR_materials_variants" in primitive.get("extensions", {}):
            return attributes
        asked = texture_sets(self._document.array("materials")[primitive["material"]])
        unasked = {name for name in attributes if name.startswith("TEXCOORD_") and int(name[9:]) not in asked}
        if asked and max(asked, default=-1) >= 0 and "TEXCOORD_0" in unasked:
            return attributes  # sets are counted from 0 on
        unasked |= {"TANGENT"} if not asked else set()
        morphed = {name for target in primitive.get("targets", ()) for name in target}
        return {name: index for name, index in attributes.items() if name not in unasked - morphed}

    def _is_plain(self, index: int) -> bool:
        return not self._document.array("accessors")[index].get("normalized", False)

    def _as_it_is(self, name: str, index: int, taken: Rows) -> int:
        is_normalized = self._document.array("accessors")[index].get("normalized", False)
        values = self._elements.raw(index)[taken]
        return self.packer.accessor(values, VERTICES, normalized=is_normalized, bounded=name == "POSITION")


def _welded(columns: list[Array], rows: Rows) -> tuple[Rows, Rows]:
    """Return the first of all vertices that are alike, in the order of use, and corners (3 n) over them."""
    used, flat = np.unique(rows.ravel(), return_inverse=True)
    packed = np.concatenate(
        [np.ascontiguousarray(column[used]).view(np.uint8).reshape(len(used), -1) for column in columns], axis=1
    )
    whole = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, same = np.unique(whole, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    corners = place[same][flat].reshape(-1, 3)
    a, b, c = corners.T
    sound = (a != b) & (b != c) & (c != a)  # what has no area by its own corners is not drawn
    return used[first[order]], (corners[sound] if sound.any() else corners).ravel()


def texture_sets(value: Any) -> set[int]:
    """Return which sets of texture coordinates a material, or a part of one, asks for."""
    if isinstance(value, list):
        return set().union(*map(texture_sets, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    moved = value.get("extensions", {}).get("KHR_texture_transform", {})
    own = {moved.get("texCoord", value.get("texCoord", 0))} if "index" in value else set()
    return own.union(*(texture_sets(item) for name, item in value.items() if name != "extras"))


Short = tuple[Array, bool, bool]


def _texture_coordinates(values: Array) -> Short | None:
    if values.dtype != FLOAT or values.min() < 0 or values.max() > 1:
        return None
    return np.rint(values * SHORT).astype("<u2"), True, False


def _directions(values: Array) -> Short | None:
    """Return directions in bytes, or in 16 bits where bytes would not be of unit length to any reader."""
    if values.dtype != FLOAT:
        return None
    for most, kind in ((SIGNED, "i1"), (SIGNED_SHORT, "<i2")):
        short = np.rint(np.clip(values, -1, 1) * most)
        lengths = np.linalg.norm(short[:, :3] / most, axis=1)
        if (np.abs(lengths - 1) < UNIT).all():
            return short.astype(kind), True, True
    return None


def _colours(values: Array) -> Short | None:
    if values.dtype != FLOAT:
        return None
    return np.rint(np.clip(values, 0, 1) * BYTE).astype("u1"), True, False


def _joints(values: Array) -> Short | None:
    return (values.astype("u1"), False, False) if values.max() <= BYTE else None


def _weights(values: Array) -> Short | None:
    """Return weights in bytes that add up to 255 in every row, the largest taking what rounding leaves."""
    if values.dtype != FLOAT:
        return None
    parts = np.rint(values / np.maximum(values.sum(axis=1, keepdims=True), 1e-9) * BYTE).astype(np.int64)
    parts[np.arange(len(parts)), parts.argmax(axis=1)] += 255 - parts.sum(axis=1)
    return parts.astype("u1"), True, False


SHORTER: Mapping[str, Callable[[Any], Short | None]] = {
    "TEXCOORD_": _texture_coordinates,
    "NORMAL": _directions,
    "TANGENT": _directions,
    "COLOR_": _colours,
    "JOINTS_": _joints,
    "WEIGHTS_": _weights,
}
"""How each attribute is written shorter."""
