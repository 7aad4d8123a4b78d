from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from openslot_server.impressions.verdicts import Verdict, judge, terms_of
from openslot_spec.exposures import DURATIONS, EventKind, ExposureColumns
from openslot_spec.profiles import profile, profile_names, profile_numbers
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
        "cumulative_ms": st.just(20_000),
        **{name: st.just(0) for name in DURATIONS if name[:4] in ("half", "full")},
        "visible_fraction": st.sampled_from([0.0, 0.29, 0.3, 0.499, 0.5, 1.0]),
        "coverage": st.sampled_from([0.0, 0.0099, 0.01, 0.0149, 0.015, 0.5]),
        "angle_deg": st.sampled_from([0.0, 54.99, 55.0, 55.01, 90.0]),
        "why": st.just(0),
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


def judge_one(event: dict[str, Any], terms: Ticket | Verdict) -> Verdict:
    """The rules again, one event at a time, as measurement.md says them."""
    if isinstance(terms, Verdict):
        return terms
    if event["kind"] != EventKind.END and event["at_ms"] > terms.expires_ms + SKEW_MS:
        return Verdict.TICKET_EXPIRED
    if event["at_ms"] < terms.issued_ms - SKEW_MS or event["at_ms"] > NOW_MS + SKEW_MS:
        return Verdict.OUT_OF_RANGE
    asked = profile_numbers().get(event["profile"]) if event["profile"] else profile(terms.profile)
    if asked is None:
        return Verdict.OUT_OF_RANGE
    time_ms = event["cumulative_ms" if asked.cumulative else "continuous_ms"]
    viewable = (
        time_ms >= asked.duration_ms
        and event["visible_fraction"] >= asked.visible_fraction_min
        and event["coverage"] >= asked.coverage_min
        and event["angle_deg"] <= asked.angle_max_deg
        and event["at_ms"] - time_ms >= terms.issued_ms - SKEW_MS
    )
    return Verdict.OUT_OF_RANGE if event["kind"] == EventKind.VIEWABLE and not viewable else Verdict.VALID


@given(st.lists(EVENTS, min_size=1, max_size=40), TICKETS)
def test_whole_arrays_give_the_verdicts_of_one_event_at_a_time(
    events: list[dict[str, Any]], tickets: list[Ticket | Verdict]
) -> None:
    columns = ExposureColumns.build({name: [event[name] for event in events] for name in events[0]})
    fast = judge(columns, terms_of(tickets), NOW_MS, SKEW_MS)
    slow = [judge_one(event, tickets[event["ticket"]]) for event in events]
    assert fast.dtype == np.uint8
    assert [Verdict(verdict) for verdict in fast] == slow
