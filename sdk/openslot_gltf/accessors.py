"""Accessors: their layout in bytes, their bounds, and their elements as numpy arrays."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openslot_gltf.core import COMPONENT_BYTES, COMPONENTS_OF
from openslot_gltf.document import Document, Json

__all__ = ["Elements", "element_bytes", "elements_of", "extremes"]

DTYPES: dict[int, np.dtype[np.generic]] = {
    5120: np.dtype("<i1"),
    5121: np.dtype("<u1"),
    5122: np.dtype("<i2"),
    5123: np.dtype("<u2"),
    5125: np.dtype("<u4"),
    5126: np.dtype("<f4"),
}
NORMALIZED_MAX = {5120: 127.0, 5121: 255.0, 5122: 32767.0, 5123: 65535.0}

Array = NDArray[np.generic]


@cache
def element_bytes(kind: str, component_type: int) -> int:
    """Return the bytes of one element; columns of matrices start at multiples of four bytes."""
    size, count = COMPONENT_BYTES[component_type], COMPONENTS_OF[kind]
    if not kind.startswith("MAT"):
        return size * count
    rows = int(kind[3])
    return rows * (-(-rows * size // 4) * 4)


def extremes(rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the smallest and largest value of each column of (n, k) rows.

    Turned first: along memory numpy finds them 30 times as fast as across it, the copy included.
    """
    columns = np.ascontiguousarray(rows.T)
    return columns.min(axis=1), columns.max(axis=1)


class Elements:
    """Reads the accessors of one document whose bounds were checked; each is decoded once."""

    def __init__(self, document: Document) -> None:
        self._accessors = document.array("accessors")
        self._views = document.array("bufferViews")
        self._binary = document.binary
        self._read: dict[int, Array] = {}
        self._extremes: dict[int, tuple[Array, Array]] = {}

    def raw(self, index: int) -> Array:
        """Return the stored numbers, (count, components), sparse values put in; do not write to it."""
        if index not in self._read:
            accessor = self._accessors[index]
            dense = self._dense(accessor)
            self._read[index] = self._with_sparse(accessor, dense) if "sparse" in accessor else dense
        return self._read[index]

    def floats(self, index: int) -> NDArray[np.float64]:
        """Return the elements as float64, (count, components), normalized integers scaled to -1..1 or 0..1."""
        accessor, raw = self._accessors[index], self.raw(index)
        values = raw.astype(np.float64)
        if accessor.get("normalized", False):
            values = np.maximum(values / NORMALIZED_MAX[accessor["componentType"]], -1.0)
        return values

    def extremes(self, index: int) -> tuple[Array, Array]:
        """Return the smallest and largest value of each component, found once."""
        if index not in self._extremes:
            self._extremes[index] = extremes(self.raw(index))
        return self._extremes[index]

    def width(self, index: int) -> int:
        """Return the number of components of one element."""
        return COMPONENTS_OF[self._accessors[index]["type"]]

    def _dense(self, accessor: Json) -> Array:
        count, width = accessor["count"], COMPONENTS_OF[accessor["type"]]
        dtype = DTYPES[accessor["componentType"]]
        if "bufferView" not in accessor:
            return np.broadcast_to(np.zeros(1, dtype), (count, width))
        view = self._views[accessor["bufferView"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        size = element_bytes(accessor["type"], accessor["componentType"])
        stride = view.get("byteStride", size)
        if accessor["type"].startswith("MAT"):
            return self._matrices(accessor, start, stride, dtype)
        return np.ndarray((count, width), dtype, self._binary, start, (stride, dtype.itemsize))

    def _matrices(self, accessor: Json, start: int, stride: int, dtype: np.dtype[np.generic]) -> Array:
        rows = int(accessor["type"][3])
        column = element_bytes(accessor["type"], accessor["componentType"]) // rows
        columns = np.ndarray(
            (accessor["count"], rows, rows), dtype, self._binary, start, (stride, column, dtype.itemsize)
        )
        return columns.reshape(accessor["count"], rows * rows)

    def _with_sparse(self, accessor: Json, dense: Array) -> Array:
        sparse = accessor["sparse"]
        where, what = sparse["indices"], sparse["values"]
        rows = self._plain(where, DTYPES[where["componentType"]], sparse["count"])
        values = self._plain(what, dense.dtype, sparse["count"] * dense.shape[1])
        filled = dense.copy()
        filled[rows.astype(np.int64)] = values.reshape(-1, dense.shape[1])
        return filled

    def _plain(self, part: Json, dtype: np.dtype[np.generic], count: int) -> Array:
        start = self._views[part["bufferView"]].get("byteOffset", 0) + part.get("byteOffset", 0)
        return np.frombuffer(self._binary, dtype, count, start)

    def sparse_rows(self, index: int) -> Array:
        """Return the row numbers a sparse accessor replaces."""
        sparse = self._accessors[index]["sparse"]
        return self._plain(sparse["indices"], DTYPES[sparse["indices"]["componentType"]], sparse["count"])


def elements_of(document: Document) -> Elements:
    """Return a reader of the document's accessors."""
    return Elements(document)
