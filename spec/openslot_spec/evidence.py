"""Evidence of an impression: what a device remembers of a look, coarse on purpose, and the digest that commits to it.

Only of viewers who consented. The digest travels with the event, the evidence stays on the device, the server asks a
random few to show theirs. `spec/audit.md` says what that proves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import EventKind

__all__ = [
    "ANGLE_STEP_DEG",
    "COMMITMENT",
    "DIGEST_BYTES",
    "FRUSTUM_STEP",
    "KEPT_MS",
    "MAX_CAMERAS",
    "MAX_EVIDENCE_BYTES",
    "MAX_NEAR",
    "POSITION_STEP_M",
    "REVEAL_MS",
    "SALT_BYTES",
    "SAMPLE_MS",
    "WINDOW_MS",
    "Evidence",
    "commitment",
    "commitments",
    "commitments_column",
]

POSITION_STEP_M = 0.1
ANGLE_STEP_DEG = 5.0
FRUSTUM_STEP = 1 / 32
"""Of the tangents that bound a frustum."""
SAMPLE_MS = 200
"""Two samples are at least so far apart: 5 Hz at the most."""
WINDOW_MS = 10_000
MAX_CAMERAS = 4
"""Of one viewer at one instant."""
MAX_FRUSTUMS = 16
MAX_NEAR = 10
"""In steps of position: a near plane beyond one metre would see through walls."""
MAX_ROWS = (WINDOW_MS // SAMPLE_MS + 1) * MAX_CAMERAS
MAX_EVIDENCE_BYTES = 8 * 1024
SALT_BYTES = 16
DIGEST_BYTES = 32
REVEAL_MS = 24 * 3_600_000
"""From when the server asked to when the answer must be there."""
KEPT_MS = 72 * 3_600_000
"""From the impression: then raw evidence is gone from the device and from the server."""

ROWS: dict[str, tuple[str, int]] = {
    "before_ms": ("<u2", 1),
    "frustum": ("<u1", 1),
    "position": ("<i4", 3),
    "turn": ("<i1", 3),
}
"""One row per camera and sample: array type, and numbers a row."""
FRUSTUM = ("<i2", 5)
"""Left, right, bottom, top in steps of the tangent at a distance of 1; the near plane in steps of position."""
TURNS = np.array([36, 18, 36])
"""The most steps of yaw, pitch and roll."""
COMMITMENT = np.dtype([("event", "<u2"), ("digest", f"V{DIGEST_BYTES}")])
"""One record of the column `evidence`: the event's place in the batch, and the digest."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Where a viewer's cameras were in the run that made one impression, in steps.

    Args:
        placement: whose impression it is, with `viewer` and `at_ms`: evidence is of no use for another.
        geometry: sha-256 of the scene's registered geometry.
        frustums: (k, 5) as `FRUSTUM`.
        before_ms: (n,) how long before `at_ms` each row is; never rising, cameras of one instant share a value.
        frustum: (n,) index into `frustums`.
        position: (n, 3) of the eye.
        turn: (n, 3) yaw about +Y, pitch about +X, roll about +Z: world_from_camera = Ry · Rx · Rz.
    """

    placement: bytes
    viewer: int
    at_ms: int
    geometry: bytes
    frustums: NDArray[np.int16]
    before_ms: NDArray[np.uint16]
    frustum: NDArray[np.uint8]
    position: NDArray[np.int32]
    turn: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.before_ms)

    def pack(self) -> bytes:
        """Return the bytes that are committed to."""
        head = [self.placement, self.viewer, self.at_ms, self.geometry]
        arrays = {"frustums": FRUSTUM, **ROWS}
        columns = [np.ascontiguousarray(getattr(self, name), kind).tobytes() for name, (kind, _) in arrays.items()]
        return bytes(msgpack.packb([*head, *columns]))

    @classmethod
    def unpack(cls, packed: bytes) -> Evidence:
        """Return the evidence in `packed`; raises `EVIDENCE_INVALID` that names what is out of bounds."""
        if len(packed) > MAX_EVIDENCE_BYTES:
            raise _invalid(f"{len(packed)} bytes, at most {MAX_EVIDENCE_BYTES}", "")
        try:
            placement, viewer, at_ms, geometry, *columns = msgpack.unpackb(packed)
            arrays = _arrays(columns)
        except (ValueError, TypeError, msgpack.UnpackException) as error:
            raise _invalid(str(error), "") from None
        head = (isinstance(placement, bytes) and len(placement) == 16, type(viewer) is int, type(at_ms) is int)
        if not all(head) or not isinstance(geometry, bytes) or len(geometry) != DIGEST_BYTES:
            raise _invalid("a placement, a viewer, a time and a geometry", "")
        if not (0 <= viewer < 2**32 and 0 <= at_ms <= 2**53):
            raise _invalid("out of range", "viewer")
        evidence = cls(placement, viewer, at_ms, geometry, **arrays)
        _check(evidence)
        return evidence


def commitment(salt: bytes, packed: bytes) -> bytes:
    """Return the digest of packed evidence: binding, for sha-256 is; hiding, for the salt is random and secret."""
    if len(salt) != SALT_BYTES:
        raise _invalid(f"{SALT_BYTES} bytes", "salt")
    return hashlib.sha256(salt + packed).digest()


def commitments_column(digests: Mapping[int, bytes]) -> bytes:
    """Return the column `evidence` of a batch: `digests` by event."""
    return np.array(sorted(digests.items()), COMMITMENT).tobytes()


def commitments(packed: bytes, kind: NDArray[np.uint8]) -> dict[int, bytes]:
    """Return the digests of a column by event; raises `BATCH_INVALID` unless they are of VIEWABLE events, rising."""
    if len(packed) % COMMITMENT.itemsize:
        raise OpenSlotError(Code.BATCH_INVALID, "not a whole number of commitments", where="columns/evidence")
    records = np.frombuffer(packed, COMMITMENT)
    events = records["event"].astype(np.int64)
    if (np.diff(events) <= 0).any() or (events >= len(kind)).any():
        raise OpenSlotError(Code.BATCH_INVALID, "events of the batch, rising", where="columns/evidence")
    if (kind[events] != EventKind.VIEWABLE).any():
        raise OpenSlotError(Code.BATCH_INVALID, "only VIEWABLE events carry evidence", where="columns/evidence")
    return dict(zip(events.tolist(), (bytes(digest) for digest in records["digest"]), strict=True))


def _arrays(columns: list[bytes]) -> dict[str, Any]:
    kinds = {"frustums": FRUSTUM, **ROWS}
    arrays: dict[str, Any] = {}
    for (name, (kind, width)), data in zip(kinds.items(), columns, strict=True):
        array = np.frombuffer(data, kind)
        arrays[name] = array.reshape(-1, width) if width > 1 else array
    return arrays


def _check(evidence: Evidence) -> None:
    rows = len(evidence)
    if not 1 <= rows <= MAX_ROWS or any(len(getattr(evidence, name)) != rows for name in ROWS):
        raise _invalid(f"columns of one length from 1 to {MAX_ROWS}", "before_ms")
    if not 1 <= len(evidence.frustums) <= MAX_FRUSTUMS or (evidence.frustum >= len(evidence.frustums)).any():
        raise _invalid(f"1 to {MAX_FRUSTUMS} frustums, and rows that name one", "frustum")
    left, right, bottom, top, near = evidence.frustums.astype(np.int64).T
    if ((left >= right) | (bottom >= top) | (near < 0) | (near > MAX_NEAR)).any():
        raise _invalid("left < right, bottom < top, 0 ≤ near ≤ 1 m", "frustums")
    if (np.abs(evidence.turn.astype(np.int64)) > TURNS).any():
        raise _invalid("yaw and roll within 180°, pitch within 90°", "turn")
    _check_times(evidence.before_ms.astype(np.int64))


def _check_times(before_ms: NDArray[np.int64]) -> None:
    instants, cameras = np.unique(before_ms, return_counts=True)
    rising = (np.diff(before_ms) > 0).any()
    if rising or instants[-1] > WINDOW_MS or (np.diff(instants) < SAMPLE_MS).any() or (cameras > MAX_CAMERAS).any():
        raise _invalid(f"at most {MAX_CAMERAS} cameras each {SAMPLE_MS} ms within {WINDOW_MS} ms", "before_ms")


def _invalid(detail: str, where: str) -> OpenSlotError:
    return OpenSlotError(Code.EVIDENCE_INVALID, detail, where=where)
