"""What an event's own figures say, held against its ticket, its profile and its slot.

The rules are written once, for one event as numbers and for many as arrays: with comparisons, `&` and `|` alone, which
mean the same for both. A few events are judged sooner one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from openslot_server.impressions.verdicts import Verdict, Verdicts, refuse
from openslot_spec.exposures import HALF, OWN, Event, EventKind, ExposureColumns, WhyNot
from openslot_spec.profiles import profile, profile_numbers
from openslot_spec.tickets import Ticket

__all__ = ["NEVER", "Now", "judge", "judge_one", "rules"]

NEVER = 2**62
"""When a slot ends that stands as it was."""
VIEWABLE, END, PAUSE, COUNTED = (
    int(each) for each in (EventKind.VIEWABLE, EventKind.END, EventKind.PAUSE, WhyNot.COUNTED)
)
"""As plain numbers: an array is compared with an enum's member five times as slowly."""


class Now(NamedTuple):
    """The time, and how far clocks may be off."""

    at_ms: int
    skew_ms: int


class Bounds(NamedTuple):
    """What a profile asks for, or arrays (n,) of that; zeros for a number that no profile has.

    Shares and angles are rounded to float32 as the columns are: rounding keeps the order of two numbers but may join
    them, so the bounds are inclusive here whatever the profile says.
    """

    unknown: Any
    duration_ms: Any
    cumulative: Any
    visible_fraction_min: Any
    coverage_min: Any
    angle_max_deg: Any


class Terms(NamedTuple):
    """What is asked of events: numbers where it is the same for all, or arrays (n,)."""

    issued_ms: Any
    expires_ms: Any
    slot_ended_ms: Any
    """When the ticket's slot was changed or removed."""
    profile: Any
    """The number of the ticket's own."""
    bounds: Bounds
    """Of the profile by which the view was judged."""


def rules(event: Any, terms: Terms, now: Now) -> Iterator[tuple[Verdict, Any]]:
    """Yield the rules in their order: a verdict, and whether the event breaks it, or which of the events do.

    An end may come after its ticket expired, for the view began before; what is paid for may not.
    """
    at_ms, bounds, starts_ms = event.at_ms, terms.bounds, terms.issued_ms - now.skew_ms
    yield Verdict.TICKET_EXPIRED, (at_ms > terms.expires_ms + now.skew_ms) & (event.kind != END)
    fails, time_ms, since_ms = _fails(event, bounds), _time_ms(event, bounds), at_ms - starts_ms
    untimely = (since_ms < 0) | (at_ms > now.at_ms + now.skew_ms)
    unproven = (event.kind == VIEWABLE) & (fails | (time_ms < bounds.duration_ms) | (time_ms > since_ms))
    yield Verdict.OUT_OF_RANGE, untimely | terms.bounds.unknown | unproven
    yield Verdict.SLOT_STALE, at_ms > terms.slot_ended_ms + now.skew_ms
    yield Verdict.ABSURD, _contradicts_itself(event, terms, fails, time_ms)
    cumulative_ms = event.cumulative_ms
    yield Verdict.TOO_LONG, (cumulative_ms > since_ms) | (cumulative_ms > terms.expires_ms - starts_ms)


def judge_one(event: Event, ticket: Ticket | Verdict, slot_ended_ms: int, now: Now) -> Verdict:
    """Return the verdict on one event."""
    if isinstance(ticket, Verdict):
        return ticket
    terms = _terms_of(ticket, slot_ended_ms, event.profile)
    return next((verdict for verdict, is_broken in rules(event, terms, now) if is_broken), Verdict.VALID)


def judge(
    columns: ExposureColumns, tickets: Sequence[Ticket | Verdict], slots_ended_ms: Sequence[int], now: Now
) -> Verdicts:
    """Return a verdict per event; `slots_ended_ms` has an entry per ticket."""
    given = np.array([Verdict.VALID if isinstance(ticket, Ticket) else ticket for ticket in tickets], np.uint8)
    verdicts = given[columns.ticket]
    for verdict, broken in rules(columns, _terms_of_all(columns, tickets, slots_ended_ms), now):
        refuse(verdicts, broken, verdict)
    return verdicts


def _contradicts_itself(event: Any, terms: Terms, fails: Any, time_ms: Any) -> Any:
    """Return whether an event cannot be what it says, by itself.

    Only an END and a PAUSE have a reason; a view that has time passed its gate, and so do its means; what is reported
    of a view by another profile than its ticket's is when it became viewable and how it ended.
    """
    kind, bounds, is_no_end = event.kind, terms.bounds, event.kind != END
    too_short = (kind == END) & (event.why == COUNTED) & (time_ms < bounds.duration_ms)
    reasonless = is_no_end & (kind != PAUSE) & (event.why != COUNTED)
    unseen = fails & (event.cumulative_ms > 0)
    misnamed = (event.profile == terms.profile) | (is_no_end & (kind != VIEWABLE))
    contradicts = too_short | reasonless | unseen | ((event.profile != OWN) & misnamed)
    return contradicts | _disagrees_on_shares(event, bounds.visible_fraction_min)


def _disagrees_on_shares(event: Any, share: Any) -> Any:
    """Return whether times at half and at all of the surface do not fit those at the profile's own share of it."""
    is_within, is_beyond = share <= HALF, share >= HALF
    runs = (event.continuous_ms, event.half_continuous_ms, event.full_continuous_ms)
    totals = (event.cumulative_ms, event.half_cumulative_ms, event.full_cumulative_ms)
    run, total = (
        (full > own) | _where(is_within, half > own) | _where(is_beyond, own > half)
        for own, half, full in (runs, totals)
    )
    return run | total


def _where(asked: Any, holds: Any) -> Any:
    """Return `asked & holds`; there is nothing to do where the same is asked of all."""
    if isinstance(asked, np.ndarray):
        return asked & holds
    return holds if asked else False


def _time_ms(event: Any, bounds: Bounds) -> Any:
    """Return the time that the profile counts; the cumulative one is never the shorter."""
    if isinstance(bounds.cumulative, np.ndarray):
        return np.where(bounds.cumulative, event.cumulative_ms, event.continuous_ms)
    return event.cumulative_ms if bounds.cumulative else event.continuous_ms


def _fails(event: Any, bounds: Bounds) -> Any:
    """Return whether means miss the bounds, which means over passing samples do not."""
    return (
        (event.visible_fraction < bounds.visible_fraction_min)
        | (event.coverage < bounds.coverage_min)
        | (event.angle_deg > bounds.angle_max_deg)
    )


def _terms_of(ticket: Ticket, slot_ended_ms: int, by: int) -> Terms:
    own = profile(ticket.profile).number
    return Terms(ticket.issued_ms, ticket.expires_ms, slot_ended_ms, own, _bounds()[own if by == OWN else by])


def _terms_of_all(
    columns: ExposureColumns, tickets: Sequence[Ticket | Verdict], slots_ended_ms: Sequence[int]
) -> Terms:
    """Return the terms of a batch: those of its ticket if there is only one, else event by event."""
    only = tickets[0]
    if len(tickets) == 1 and isinstance(only, Ticket) and not columns.profile.any():
        return _terms_of(only, slots_ended_ms[0], OWN)
    asked = [
        (ticket.issued_ms, ticket.expires_ms, ended_ms, profile(ticket.profile).number)
        if isinstance(ticket, Ticket)
        else (0, 0, 0, 0)
        for ticket, ended_ms in zip(tickets, slots_ended_ms, strict=True)
    ]
    issued_ms, expires_ms, ended_ms, own = np.array(asked, np.int64)[columns.ticket].T
    by = np.where(columns.profile == OWN, own, columns.profile)
    return Terms(issued_ms, expires_ms, ended_ms, own, Bounds(*(each[by] for each in _bounds_in_columns())))


@cache
def _bounds() -> list[Bounds]:
    """Return the bounds of each profile, by its number."""
    known = profile_numbers()
    found = [Bounds(True, 0, False, 0.0, 0.0, 0.0)] * 256  # noqa: FBT003  the columns' order
    for number, one in known.items():
        least, least_coverage, most_deg = (
            float(np.float32(each)) for each in (one.visible_fraction_min, one.coverage_min, one.angle_max_deg)
        )
        found[number] = Bounds(False, one.duration_ms, one.cumulative, least, least_coverage, most_deg)  # noqa: FBT003
    return found


@cache
def _bounds_in_columns() -> Bounds:
    kinds = (np.bool_, np.int64, np.bool_, np.float32, np.float32, np.float32)
    columns = zip(*_bounds(), strict=True)
    return Bounds(*(np.array(values, kind) for values, kind in zip(columns, kinds, strict=True)))
