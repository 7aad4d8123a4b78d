"""A world's registered geometry: what stands in it and does not move, so that others can recompute what was seen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from openslot_spec.errors import Code, OpenSlotError

__all__ = ["MAX_GEOMETRY_BYTES", "MAX_TRIANGLES", "Geometry"]

MAX_GEOMETRY_BYTES = 16 * 1024 * 1024
MAX_TRIANGLES = 500_000
MAX_SLOTS = 10_000
FARTHEST_M = 1e9
ARRAYS: dict[str, tuple[str, int]] = {
    "origin": ("<f8", 3),
    "vertices": ("<f4", 3),
    "triangles": ("<u4", 3),
    "one_sided": ("|u1", 1),
    "owner": ("<i4", 1),
}


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """Triangles in world metres, and which of them are a slot's own mesh.

    Args:
        origin: (3,) added to the vertices, which are float32 so that a million of them can travel.
        vertices: (n, 3) relative to `origin`.
        triangles: (m, 3) indices, counter-clockwise from the front.
        one_sided: (m,) 1 for those that do not hide when seen from behind.
        owner: (m,) id of the thing a triangle belongs to, −1 for none.
        owners: slot id to the id of its own mesh, which does not hide it.
    """

    origin: NDArray[np.float64]
    vertices: NDArray[np.float32]
    triangles: NDArray[np.uint32]
    one_sided: NDArray[np.uint8]
    owner: NDArray[np.int32]
    owners: Mapping[str, int]

    @classmethod
    def of(
        cls,
        vertices: NDArray[np.float64],
        triangles: NDArray[Any],
        one_sided: NDArray[np.bool_],
        owner: NDArray[Any],
        owners: Mapping[str, int],
    ) -> Geometry:
        """Return the geometry of triangles in world metres; its origin is the middle of them."""
        origin = (vertices.min(axis=0) + vertices.max(axis=0)) / 2 if len(vertices) else np.zeros(3)
        return cls(
            origin,
            (vertices - origin).astype(np.float32),
            triangles.astype(np.uint32),
            one_sided.astype(np.uint8),
            owner.astype(np.int32),
            dict(sorted(owners.items())),
        )

    @property
    def points(self) -> NDArray[np.float64]:
        """Return the vertices (n, 3) in world metres."""
        return self.vertices + self.origin

    def pack(self) -> bytes:
        """Return the bytes that are registered."""
        columns = [np.ascontiguousarray(getattr(self, name), kind).tobytes() for name, (kind, _) in ARRAYS.items()]
        return bytes(msgpack.packb([*columns, dict(self.owners)]))

    @classmethod
    def unpack(cls, packed: bytes) -> Geometry:
        """Return the geometry in `packed`; raises `GEOMETRY_INVALID` or `GEOMETRY_LIMIT`."""
        if len(packed) > MAX_GEOMETRY_BYTES:
            raise OpenSlotError(Code.GEOMETRY_LIMIT, f"{len(packed)} bytes, at most {MAX_GEOMETRY_BYTES}")
        try:
            *columns, owners = msgpack.unpackb(packed, max_map_len=MAX_SLOTS)
            arrays = {
                name: np.frombuffer(data, kind).reshape((-1, 3) if width > 1 else -1)
                for (name, (kind, width)), data in zip(ARRAYS.items(), columns, strict=True)
            }
            found = cls(**arrays | {"origin": arrays["origin"].reshape(3)}, owners=owners)
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise OpenSlotError(Code.GEOMETRY_INVALID, str(error)) from None
        _check(found)
        return found

    @staticmethod
    def digest(packed: bytes) -> bytes:
        """Return the name of packed geometry: its sha-256."""
        return hashlib.sha256(packed).digest()


def _check(found: Geometry) -> None:
    if len(found.triangles) > MAX_TRIANGLES:
        raise OpenSlotError(Code.GEOMETRY_LIMIT, f"{len(found.triangles)} triangles, at most {MAX_TRIANGLES}")
    if not len(found.triangles) == len(found.one_sided) == len(found.owner):
        raise OpenSlotError(Code.GEOMETRY_INVALID, "columns of different lengths", where="triangles")
    if len(found.triangles) and int(found.triangles.max()) >= len(found.vertices):
        raise OpenSlotError(Code.GEOMETRY_INVALID, "index out of range", where="triangles")
    for name in ("origin", "vertices"):
        if not (np.abs(getattr(found, name)) <= FARTHEST_M).all():
            raise OpenSlotError(Code.GEOMETRY_INVALID, "not finite", where=name)
    if not isinstance(found.owners, dict) or not all(_is_owner(*item) for item in found.owners.items()):
        raise OpenSlotError(Code.GEOMETRY_INVALID, "slot ids to whole numbers", where="owners")


def _is_owner(slot: object, owner: object) -> bool:
    return isinstance(slot, str) and type(owner) is int and -1 <= owner < 2**31
