"""What becomes of an event: the verdicts, and the codes and reasons by which they are named."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from openslot_spec.errors import Code

__all__ = ["CODES", "REASONS", "Verdict", "Verdicts", "is_marked", "is_refused", "refuse"]

Verdicts = NDArray[np.uint8]


class Verdict(IntEnum):
    """What became of an event; kept as one byte."""

    VALID = 0
    FREE = 1
    """A valid viewable event for which there was no money left: delivered free."""
    DUPLICATE = 2
    TICKET_INVALID = 3
    TICKET_EXPIRED = 4
    TICKET_FOREIGN = 5
    OUT_OF_RANGE = 6
    REPLAYED = 7
    BACKWARDS = 8
    TOO_LONG = 9
    TOO_OFTEN = 10
    CROWD = 11
    ABSURD = 12
    SLOT_STALE = 13
    ACTION_UNKNOWN = 14
    PERIODIC = 64
    """From here on marked: taken and acknowledged, never billed; see `marks`."""
    COPIED = 65
    FROZEN = 66
    PERFECT = 67
    STACKED = 68
    INFLATED = 96
    """From here on found by an audit, long after the batch was judged: kept beside it, never in it."""
    MISMATCH = 97
    COPIED_EVIDENCE = 98
    UNREVEALED = 99


CODES: dict[Verdict, Code] = {
    Verdict.DUPLICATE: Code.EVENT_DUPLICATE,
    Verdict.TICKET_INVALID: Code.TICKET_INVALID,
    Verdict.TICKET_EXPIRED: Code.TICKET_EXPIRED,
    Verdict.TICKET_FOREIGN: Code.TICKET_FOREIGN,
    Verdict.OUT_OF_RANGE: Code.EVENT_OUT_OF_RANGE,
    Verdict.REPLAYED: Code.TRAFFIC_REPLAYED,
    Verdict.BACKWARDS: Code.TRAFFIC_BACKWARDS,
    Verdict.TOO_LONG: Code.TRAFFIC_TOO_LONG,
    Verdict.TOO_OFTEN: Code.TRAFFIC_TOO_OFTEN,
    Verdict.CROWD: Code.TRAFFIC_CROWD,
    Verdict.ABSURD: Code.TRAFFIC_ABSURD,
    Verdict.SLOT_STALE: Code.SLOT_STALE,
    Verdict.ACTION_UNKNOWN: Code.ACTION_UNKNOWN,
}
"""The refusals, as the acknowledgement names them."""

AUDITED: dict[str, Verdict] = {
    Code.AUDIT_INFLATED.value: Verdict.INFLATED,
    Code.AUDIT_MISMATCH.value: Verdict.MISMATCH,
    Code.AUDIT_REPLAYED.value: Verdict.COPIED_EVIDENCE,
    Code.AUDIT_UNREVEALED.value: Verdict.UNREVEALED,
}
"""What an audit finds against an impression, by its code."""

REASONS: dict[Verdict, str] = {
    **{verdict: code.value for verdict, code in CODES.items()},
    **{mark: f"traffic.{mark.name.lower()}" for mark in Verdict if Verdict.PERIODIC <= mark < Verdict.INFLATED},
    **{verdict: name for name, verdict in AUDITED.items()},
}
"""Why an event is invalid, as reports name it."""


def is_refused(verdicts: Verdicts) -> NDArray[np.bool_]:
    """Return which events count for nothing."""
    return np.asarray((verdicts > Verdict.FREE) & (verdicts < Verdict.PERIODIC))


def is_marked(verdicts: Verdicts) -> NDArray[np.bool_]:
    """Return which events are taken but not paid for."""
    return np.asarray(verdicts >= Verdict.PERIODIC)


def refuse(verdicts: Verdicts, broken: NDArray[np.bool_], verdict: Verdict) -> None:
    """Give `verdict` to the broken events that were valid so far."""
    (places,) = broken.nonzero()
    if len(places):
        verdicts[places[verdicts[places] == int(Verdict.VALID)]] = verdict
