"""The examination of one revealed case: pure, and long enough to be run beside the event loop."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from openslot_server.audit.cases import Revealed, State
from openslot_spec.errors import OpenSlotError
from openslot_spec.evidence import Evidence, commitment
from openslot_spec.geometry import Geometry
from openslot_view.occluders import Occluders
from openslot_view.proof import impossible, occluders_of
from openslot_view.surfaces import Surfaces

__all__ = ["Examiner", "Find", "evidence_of"]

Find = Callable[[str, bytes], bytes | None]
"""World and sha-256 to packed geometry."""
PREPARED = 4
"""Geometries whose trees are kept."""


def evidence_of(revealed: Revealed) -> Evidence | None:
    """Return the evidence, or None if it is not what was committed to or not of this event."""
    try:
        if commitment(revealed.salt, revealed.packed).hex() != revealed.case.commitment:
            return None
        evidence = Evidence.unpack(revealed.packed)
    except OpenSlotError:
        return None
    return evidence if revealed.case.is_about(evidence) else None


class Examiner:
    """Examines cases, one at a time; geometry in use stays prepared."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._prepared: OrderedDict[bytes, tuple[Geometry, Occluders]] = OrderedDict()

    def examine(self, revealed: Revealed) -> tuple[State, str]:
        """Return the verdict, replays apart, and what it rests on."""
        evidence = evidence_of(revealed)
        if evidence is None:
            return State.MISMATCH, ""
        stands = self._stands(revealed.row.world, evidence.geometry)
        if stands is None:
            return State.UNREVEALED, "geometry"
        geometry, occluders = stands
        slot = revealed.case.slot
        surface = Surfaces.from_slots([slot], owner=geometry.owners.get(slot.id, -1))
        why = impossible(evidence, revealed.case.claim(), surface, occluders)
        return (State.INFLATED, why) if why else (State.PROVEN, "")

    def _stands(self, world: str, sha256: bytes) -> tuple[Geometry, Occluders] | None:
        if sha256 not in self._prepared:
            packed = self._find(world, sha256)
            if packed is None:
                return None
            geometry = Geometry.unpack(packed)
            self._prepared[sha256] = geometry, occluders_of(geometry)
            if len(self._prepared) > PREPARED:
                self._prepared.popitem(last=False)
        self._prepared.move_to_end(sha256)
        return self._prepared[sha256]
