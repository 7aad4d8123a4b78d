from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openslot_server.impressions.figures import NEVER, Now, judge, judge_one
from openslot_server.impressions.verdicts import Verdict
from openslot_spec.exposures import COLUMNS, DURATIONS, EventKind, ExposureColumns
from openslot_spec.profiles import Profile, profile, profile_names, profile_numbers
from openslot_spec.tickets import Ticket

NOW_MS = 1_000_000
SKEW_MS = 5_000

EVENTS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(list(EventKind)),
        "profile": st.sampled_from([0, 0, 0, 1, 4, 9, 10, 255]),
        "ticket": st.integers(0, 3),
        "viewer": st.integers(0, 5),
        "at_ms": st.sampled_from([NOW_MS + step for step in (-40_000, -25_000, -20_001, -10_000, 0, 5_000, 5_001)]),
        "continuous_ms": st.sampled_from([0, 499, 500, 999, 1000, 2000, 16_000]),
        "cumulative_ms": st.sampled_from([0, 2_000, 14_999, 20_000, 40_000]),
        **{name: st.sampled_from([0, 500, 2_000, 20_000]) for name in DURATIONS if name[:4] in ("half", "full")},
        "visible_fraction": st.sampled_from([0.0, 0.29, 0.3, 0.499, 0.5, 1.0]),
        "coverage": st.sampled_from([0.0, 0.0099, 0.01, 0.0149, 0.015, 0.5]),
        "angle_deg": st.sampled_from([0.0, 54.99, 55.0, 55.01, 90.0]),
        "why": st.sampled_from([0, 0, 7]),
    }
)
TICKETS = st.lists(
    st.one_of(
        st.builds(
            lambda name, issued_ms: ticket(name, NOW_MS + issued_ms),
            st.sampled_from(profile_names()),
            st.sampled_from([-40_000, -20_000, -10_000]),
        ),
        st.sampled_from([Verdict.TICKET_INVALID, Verdict.TICKET_FOREIGN, Verdict.TICKET_EXPIRED]),
    ),
    min_size=4,
    max_size=4,
)


def ticket(profile_name: str, issued_ms: int) -> Ticket:
    return Ticket(
        placement=b"p" * 16,
        world="plaza",
        session="s1",
        slot="north",
        slot_revision="0" * 32,
        creative="0" * 64,
        line_item="li-1",
        price_micros=1,
        currency="USD",
        audience="shared",
        viewers=1,
        profile=profile_name,
        issued_ms=issued_ms,
        expires_ms=issued_ms + 15_000,
    )


def slow_verdict(event: dict[str, Any], terms: Ticket | Verdict, slot_ended_ms: int) -> Verdict:
    """The rules again as measurement.md says them."""
    if isinstance(terms, Verdict):
        return terms
    asked = profile_numbers().get(event["profile"]) if event["profile"] else profile(terms.profile)
    at_ms, kind = event["at_ms"], event["kind"]
    longest_ms = min(at_ms, terms.expires_ms) - terms.issued_ms + SKEW_MS
    if kind != EventKind.END and at_ms > terms.expires_ms + SKEW_MS:
        return Verdict.TICKET_EXPIRED
    if asked is None or not terms.issued_ms - SKEW_MS <= at_ms <= NOW_MS + SKEW_MS:
        return Verdict.OUT_OF_RANGE
    rules = {
        Verdict.OUT_OF_RANGE: kind == EventKind.VIEWABLE and not is_proven(event, terms, asked),
        Verdict.SLOT_STALE: at_ms > slot_ended_ms + SKEW_MS,
        Verdict.ABSURD: is_absurd(event, terms, asked),
        Verdict.TOO_LONG: event["cumulative_ms"] > longest_ms,
    }
    return next((verdict for verdict, is_broken in rules.items() if is_broken), Verdict.VALID)


def is_proven(event: dict[str, Any], terms: Ticket, asked: Profile) -> bool:
    time_ms = event["cumulative_ms" if asked.cumulative else "continuous_ms"]
    began_ms = event["at_ms"] - time_ms
    return time_ms >= asked.duration_ms and began_ms >= terms.issued_ms - SKEW_MS and means_pass(event, asked)


def means_pass(event: dict[str, Any], asked: Profile) -> bool:
    return bool(
        event["visible_fraction"] >= asked.visible_fraction_min
        and event["coverage"] >= asked.coverage_min
        and event["angle_deg"] <= asked.angle_max_deg
    )


def is_absurd(event: dict[str, Any], terms: Ticket, asked: Profile) -> bool:
    kind, time_ms = event["kind"], event["cumulative_ms" if asked.cumulative else "continuous_ms"]
    if event["profile"] and (
        event["profile"] == profile(terms.profile).number or kind not in (EventKind.VIEWABLE, EventKind.END)
    ):
        return True
    if event["why"] and kind not in (EventKind.END, EventKind.PAUSE):
        return True
    if kind == EventKind.END and not event["why"] and time_ms < asked.duration_ms:
        return True
    return (event["cumulative_ms"] > 0 and not means_pass(event, asked)) or shares_disagree(event, asked)


def shares_disagree(event: dict[str, Any], asked: Profile) -> bool:
    return any(
        event[f"full_{time}"] > event[time]
        or (asked.visible_fraction_min <= 0.5 and event[f"half_{time}"] > event[time])
        or (asked.visible_fraction_min >= 0.5 and event[time] > event[f"half_{time}"])
        for time in ("continuous_ms", "cumulative_ms")
    )


SLOTS_ENDED_MS = st.lists(st.sampled_from([0, NOW_MS - 15_000, NEVER]), min_size=4, max_size=4)


@given(st.lists(EVENTS, min_size=1, max_size=40), TICKETS, SLOTS_ENDED_MS)
def test_whole_arrays_give_the_verdicts_of_one_event_at_a_time(
    events: list[dict[str, Any]], tickets: list[Ticket | Verdict], slots_ended_ms: list[int]
) -> None:
    columns = ExposureColumns.build({name: [event[name] for event in events] for name in events[0]})
    fast = judge(columns, tickets, slots_ended_ms, Now(NOW_MS, SKEW_MS))
    slow = [slow_verdict(event, tickets[event["ticket"]], slots_ended_ms[event["ticket"]]) for event in events]
    single = [
        judge_one(event, tickets[event.ticket], slots_ended_ms[event.ticket], Now(NOW_MS, SKEW_MS))
        for event in columns.events()
    ]
    assert fast.dtype == np.uint8
    assert [Verdict(verdict) for verdict in fast] == slow
    assert single == slow


@given(st.lists(EVENTS, min_size=1, max_size=40), TICKETS, st.sampled_from([0, NEVER]))
def test_a_batch_of_one_ticket_is_judged_as_it_would_be_among_others(
    events: list[dict[str, Any]], tickets: list[Ticket | Verdict], slot_ended_ms: int
) -> None:
    columns = ExposureColumns.build({name: [event[name] for event in events] for name in events[0]})
    alone = ExposureColumns.build(
        {name: getattr(columns, name) if name != "ticket" else [0] * len(events) for name in COLUMNS}
    )
    for ticket in tickets:
        fast = judge(alone, [ticket], [slot_ended_ms], Now(NOW_MS, SKEW_MS))
        among = judge(alone, [ticket, *tickets], [slot_ended_ms] + [NEVER] * 4, Now(NOW_MS, SKEW_MS))
        assert fast.tolist() == among.tolist()
