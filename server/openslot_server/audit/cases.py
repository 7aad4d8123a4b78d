"""A case: one impression whose evidence was asked for, from the draw to the verdict.

asked ──evidence──▶ revealed ──examined──▶ proven, or a verdict against it
└──── gone, in vain ──▶ unrevealed
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from openslot_server.storage.store import AuditRow, VerdictRow
from openslot_spec.errors import Code
from openslot_spec.evidence import SALT_BYTES, Evidence
from openslot_spec.profiles import profile
from openslot_spec.records import Finite, Id, Micros, Record, TimeMs
from openslot_spec.slots import Slot
from openslot_view.proof import Claim

__all__ = ["AGAINST", "DECIDED", "Case", "Revealed", "State", "read_case"]


class State(StrEnum):
    """How far a case is; from PROVEN on it is decided."""

    ASKED = "asked"
    REVEALED = "revealed"
    PROVEN = "proven"
    INFLATED = Code.AUDIT_INFLATED.value
    MISMATCH = Code.AUDIT_MISMATCH.value
    REPLAYED = Code.AUDIT_REPLAYED.value
    UNREVEALED = Code.AUDIT_UNREVEALED.value


AGAINST = frozenset({State.INFLATED, State.MISMATCH, State.REPLAYED, State.UNREVEALED})
"""Verdicts for which an impression is not paid."""
DECIDED = AGAINST | {State.PROVEN}


class Case(Record):
    """What was claimed and committed to, and what it cost; nothing of it says where anybody was."""

    commitment: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    session: Id
    placement: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    viewer: int
    at_ms: TimeMs
    continuous_ms: int
    cumulative_ms: int
    visible_fraction: Finite
    coverage: Finite
    angle_deg: Finite
    profile: str
    slot: Slot
    """As it stood when the view was decided."""
    asked_ms: TimeMs
    line_item: Id
    currency: str
    free: bool
    """Whether nothing was paid for it."""
    price_micros: Micros
    fee_micros: Micros

    def claim(self) -> Claim:
        """Return what is to be examined."""
        return Claim(
            profile(self.profile),
            self.continuous_ms,
            self.cumulative_ms,
            self.visible_fraction,
            self.coverage,
            self.angle_deg,
        )

    def is_about(self, evidence: Evidence) -> bool:
        """Return whether this is evidence of this event."""
        known = bytes.fromhex(self.placement), self.viewer, self.at_ms
        return known == (evidence.placement, evidence.viewer, evidence.at_ms)


@dataclass(frozen=True, slots=True)
class Revealed:
    """A case whose evidence is here."""

    row: AuditRow
    case: Case
    salt: bytes
    packed: bytes

    @classmethod
    def of(cls, row: AuditRow) -> Revealed:
        """Return what a row holds."""
        raw = row.evidence
        return cls(row, read_case(row), raw[:SALT_BYTES], raw[SALT_BYTES:])


def read_case(row: AuditRow | VerdictRow) -> Case:
    """Return the case of a row."""
    return Case.model_validate_json(row.record)
