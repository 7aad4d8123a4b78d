"""A verdict for every event of a batch, from its own figures and its ticket's terms, with whole arrays at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openslot_spec.errors import Code
from openslot_spec.exposures import OWN, EventKind, ExposureColumns
from openslot_spec.profiles import profile, profile_numbers
from openslot_spec.tickets import Ticket

__all__ = [
    "CODES",
    "REASONS",
    "Terms",
    "Verdict",
    "Verdicts",
    "bounds",
    "is_marked",
    "is_refused",
    "judge",
    "passes",
    "refuse",
    "terms_of",
]

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


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """What profiles ask for, by their numbers: arrays (256,), zeros where no profile has that number."""

    known: NDArray[np.bool_]
    duration_ms: NDArray[np.int64]
    cumulative: NDArray[np.bool_]
    visible_fraction_min: NDArray[np.float32]
    coverage_min: NDArray[np.float32]
    angle_max_deg: NDArray[np.float32]


@cache
def bounds() -> Bounds:
    """Return the bounds of every profile."""
    numbers = profile_numbers()
    asked: dict[str, NDArray[Any]] = {
        each.name: np.zeros(256, _BOUNDS.get(each.name, np.float32)) for each in fields(Bounds)
    }
    for name in asked.keys() - {"known"}:
        for number, one in numbers.items():
            asked[name][number] = getattr(one, name)
    asked["known"][[*numbers]] = True
    return Bounds(**asked)


_BOUNDS: dict[str, type] = {"known": np.bool_, "duration_ms": np.int64, "cumulative": np.bool_}


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What the tickets of a batch promise: arrays of one entry per ticket."""

    verdict: Verdicts
    issued_ms: NDArray[np.int64]
    expires_ms: NDArray[np.int64]
    profile: NDArray[np.uint8]

    def judged_by(self, columns: ExposureColumns) -> NDArray[np.uint8]:
        """Return the number of the profile by which each event's view was judged."""
        return np.where(columns.profile == OWN, self.profile[columns.ticket], columns.profile)


def terms_of(tickets: Sequence[Ticket | Verdict]) -> Terms:
    """Return the terms of tickets; for one that is refused already, its verdict and zeros."""
    issued = [(ticket.issued_ms, ticket.expires_ms) if isinstance(ticket, Ticket) else (0, 0) for ticket in tickets]
    asked = [profile(ticket.profile).number if isinstance(ticket, Ticket) else 0 for ticket in tickets]
    return Terms(
        verdict=np.array([Verdict.VALID if isinstance(ticket, Ticket) else ticket for ticket in tickets], np.uint8),
        issued_ms=np.array([start for start, _ in issued], np.int64),
        expires_ms=np.array([end for _, end in issued], np.int64),
        profile=np.array(asked, np.uint8),
    )


def judge(columns: ExposureColumns, terms: Terms, now_ms: int, skew_ms: int) -> Verdicts:
    """Return a verdict per event, duplicates apart; the first rule that is broken names it.

    An end may come after its ticket expired, for the view began before; what is paid for may not.
    """
    ticket = columns.ticket
    verdicts = terms.verdict[ticket]
    paid = columns.kind != EventKind.END
    expired = paid & (columns.at_ms > terms.expires_ms[ticket] + skew_ms)
    early = columns.at_ms < terms.issued_ms[ticket] - skew_ms
    future = columns.at_ms > now_ms + skew_ms
    refuse(verdicts, expired, Verdict.TICKET_EXPIRED)
    refuse(verdicts, early | future | _unproven(columns, terms, skew_ms), Verdict.OUT_OF_RANGE)
    return verdicts


def _unproven(columns: ExposureColumns, terms: Terms, skew_ms: int) -> NDArray[np.bool_]:
    """Return which events name a profile nobody knows, or call themselves viewable while their own figures do not."""
    asked, by = bounds(), terms.judged_by(columns)
    time_ms = np.where(asked.cumulative[by], columns.cumulative_ms, columns.continuous_ms)
    proven = passes(columns, by) & (time_ms >= asked.duration_ms[by])
    proven &= columns.at_ms - time_ms >= terms.issued_ms[columns.ticket] - skew_ms
    return np.asarray(~asked.known[by] | (columns.kind == EventKind.VIEWABLE) & ~proven)


def passes(columns: ExposureColumns, by: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return whose means pass the profile of number `by` (n,), as means over passing samples do.

    They are compared as float32: rounding keeps the order of two numbers but may join them, so the bounds are
    inclusive here whatever the profile says.
    """
    asked = bounds()
    return np.asarray(
        (columns.visible_fraction >= asked.visible_fraction_min[by])
        & (columns.coverage >= asked.coverage_min[by])
        & (columns.angle_deg <= asked.angle_max_deg[by])
    )


def refuse(verdicts: Verdicts, broken: NDArray[np.bool_], verdict: Verdict) -> None:
    """Give `verdict` to the broken events that were valid so far."""
    verdicts[broken & (verdicts == Verdict.VALID)] = verdict
