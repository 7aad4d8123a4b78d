"""Growing a document: arrays become views and accessors at the end of its binary chunk."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from openslot_gltf.document import Document, Json

__all__ = ["INDICES", "VERTICES", "Packer"]

VERTICES, INDICES = 34962, 34963
"""What a view is for, as `bufferView.target` says it."""
COMPONENT_TYPES = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
ALIGNMENT = 4

Array = NDArray[np.generic]


class Packer:
    """Collects views and accessors behind those of `document`; `packed` gives the whole."""

    def __init__(self, document: Document | None = None) -> None:
        self._parts: list[bytes] = [document.binary] if document else []
        self._length = len(document.binary) if document else 0
        self.views: list[Json] = [*document.array("bufferViews")] if document else []
        self.accessors: list[Json] = [*document.array("accessors")] if document else []

    def view(self, data: bytes, **said: int) -> int:
        """Return the index of a new view of these bytes, at a multiple of four."""
        padding = -self._length % ALIGNMENT
        self._parts += [b"\0" * padding, data]
        self.views.append({"buffer": 0, "byteOffset": self._length + padding, "byteLength": len(data), **said})
        self._length += padding + len(data)
        return len(self.views) - 1

    def accessor(
        self, values: Array, target: int | None = None, *, normalized: bool = False, bounded: bool = False
    ) -> int:
        """Return the index of a new accessor of (count, components) numbers.

        Rows of vertices start at multiples of four bytes. `bounded` writes min and max, which positions and key times
        need.
        """
        stored = np.ascontiguousarray(values)
        said: dict[str, int] = {} if target is None else {"target": target}
        row = stored.dtype.itemsize * stored.shape[1]
        if target == VERTICES and row % ALIGNMENT:
            stored = np.pad(stored, ((0, 0), (0, (-row % ALIGNMENT) // stored.dtype.itemsize)))
            said["byteStride"] = row + -row % ALIGNMENT
        accessor: dict[str, Any] = {
            "bufferView": self.view(stored.tobytes(), **said),
            "componentType": COMPONENT_TYPES[values.dtype.str[1:]],
            "count": len(values),
            "type": KINDS[values.shape[1]],
        }
        if normalized:
            accessor["normalized"] = True
        if bounded:
            accessor |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def packed(self, json: Json) -> Document:
        """Return `json` with these accessors, views and bytes in place of its own."""
        binary = b"".join(self._parts)
        arrays = {"accessors": self.accessors, "bufferViews": self.views, "buffers": [{"byteLength": len(binary)}]}
        return Document({**json, **{name: items for name, items in arrays.items() if binary}}, binary)
