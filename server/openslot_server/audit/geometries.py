"""What worlds registered as standing in their scenes: taken in parts, named by its sha-256, never changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from openslot_server.storage.store import GeometryRow
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.evidence import KEPT_MS
from openslot_spec.geometry import Geometry
from openslot_spec.messages import GeometryAck, GeometryPut

__all__ = ["PER_WORLD", "Geometries"]

PER_WORLD = 16
"""Geometries that a world may register within the time for which evidence is kept."""
COMING = 8
"""Geometries on their way from all worlds; the one that began first has to begin again."""


@dataclass(slots=True)
class _Coming:
    sha256: bytes
    data: bytearray


class Geometries:
    """When each world registered which geometry; what is still coming is kept in memory."""

    def __init__(self, registered_ms: Iterable[tuple[str, bytes, int]] = ()) -> None:
        self._registered_ms = {(world, sha256): at_ms for world, sha256, at_ms in registered_ms}
        self._coming: dict[str, _Coming] = {}

    def registered_ms(self, world: str, sha256: bytes) -> int | None:
        """Return when a world registered this geometry, or None."""
        return self._registered_ms.get((world, sha256))

    def put(self, world: str, put: GeometryPut, now_ms: int) -> tuple[GeometryAck, list[GeometryRow]]:
        """Take a part, and register the whole once it is there.

        Raises:
            OpenSlotError: `GEOMETRY_LIMIT`, or `GEOMETRY_INVALID` for a part that does not follow, a whole that has
                another sha-256, and one that is no geometry.
        """
        if (world, put.sha256) in self._registered_ms:
            return GeometryAck(sha256=put.sha256, have_bytes=put.size_bytes), []
        self._require_room(world, now_ms)
        coming = self._coming.get(world)
        if coming is None or coming.sha256 != put.sha256:
            self._coming.pop(world, None)
            coming = self._coming[world] = _Coming(put.sha256, bytearray())
            if len(self._coming) > COMING:
                del self._coming[next(iter(self._coming))]
        if put.data and put.offset == len(coming.data):
            if put.offset + len(put.data) > put.size_bytes:
                raise OpenSlotError(Code.GEOMETRY_INVALID, f"more than {put.size_bytes} bytes", where="data")
            coming.data += put.data
        rows = self._finish(world, now_ms) if len(coming.data) == put.size_bytes else []
        return GeometryAck(sha256=put.sha256, have_bytes=len(coming.data)), rows

    def _finish(self, world: str, now_ms: int) -> list[GeometryRow]:
        coming = self._coming.pop(world)
        packed = bytes(coming.data)
        if Geometry.digest(packed) != coming.sha256:
            raise OpenSlotError(Code.GEOMETRY_INVALID, "not the sha-256 that was announced", where="sha256")
        Geometry.unpack(packed)
        self._registered_ms[world, coming.sha256] = now_ms
        return [GeometryRow(world, coming.sha256, now_ms, packed)]

    def _require_room(self, world: str, now_ms: int) -> None:
        recent = [
            at_ms for (owner, _), at_ms in self._registered_ms.items() if owner == world and at_ms > now_ms - KEPT_MS
        ]
        if len(recent) >= PER_WORLD:
            hours = KEPT_MS // 3_600_000
            raise OpenSlotError(Code.GEOMETRY_LIMIT, f"{len(recent)} within {hours} hours, at most {PER_WORLD}")
