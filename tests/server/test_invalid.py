from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openslot_server.impressions.traffic import traffic_rules
from openslot_spec.exposures import EventKind, WhyNot
from openslot_spec.messages import ExposuresAck, SlotsPut, SlotsRemove
from openslot_spec.profiles import profile
from tests.server.market import Market, exposures, pose_of

RENDERED, VIEWABLE, END = EventKind.RENDERED, EventKind.VIEWABLE, EventKind.END
RULES = traffic_rules()
NOTHING_YET: dict[str, Any] = {"continuous_ms": 0, "cumulative_ms": 0}


@pytest.fixture
def market() -> Market:
    market = Market(skew_ms=5_000, placement_ms=30_000, settle_grace_ms=60_000)
    market.line_item(price=2_000, impressions=100_000)
    market.slot()
    return market


@pytest.fixture
def ticket(market: Market) -> bytes:
    return placed(market)


def placed(market: Market, viewers: int = 5) -> bytes:
    ticket = market.place(viewers=viewers).ticket
    market.pass_time(20_000)
    return ticket


def refusals(ack: ExposuresAck) -> dict[str, int]:
    return {refused.code: refused.events for refused in ack.refused}


@pytest.mark.parametrize(
    ("kind", "at_ms", "accepted"),
    [(RENDERED, -2_000, 1), (RENDERED, 1_000, 1), (RENDERED, 1_001, 0), (END, -1_000, 1), (END, -1_001, 0)],
)
def test_events_of_a_view_lie_in_order_whichever_arrives_first(
    market: Market, ticket: bytes, kind: EventKind, at_ms: int, accepted: int
) -> None:
    seen_ms = market.now_ms - 5_000
    assert market.send(ticket, kind=VIEWABLE, at_ms=seen_ms).accepted == 1
    ack = market.send(ticket, kind=kind, at_ms=seen_ms + at_ms, why=0, **({} if kind == END else NOTHING_YET))
    assert (ack.accepted, refusals(ack)) == (accepted, {} if accepted else {"traffic.backwards": 1})


def test_two_events_of_one_batch_that_contradict_each_other_are_both_refused(market: Market, ticket: bytes) -> None:
    at_ms = [market.now_ms - 1_000, market.now_ms - 9_000]
    ack = market.send(ticket, kind=[RENDERED, VIEWABLE], at_ms=at_ms, continuous_ms=[0, 1000], cumulative_ms=[0, 1000])
    assert refusals(ack) == {"traffic.backwards": 2}
    assert market.send(ticket, kind=VIEWABLE).accepted == 1


@pytest.mark.parametrize(("lasted_ms", "accepted"), [(5_000, 1), (5_001, 0)])
def test_a_view_lasts_no_longer_than_since_it_was_rendered(
    market: Market, ticket: bytes, lasted_ms: int, accepted: int
) -> None:
    market.send(ticket, kind=RENDERED, at_ms=market.now_ms - 4_000, **NOTHING_YET)
    ack = market.send(ticket, kind=END, cumulative_ms=lasted_ms)
    assert (ack.accepted, refusals(ack)) == (accepted, {} if accepted else {"traffic.too_long": 1})


@pytest.mark.parametrize(("lasted_ms", "accepted"), [(35_000, 1), (35_001, 0)])
def test_a_view_lasts_no_longer_than_its_ticket(market: Market, ticket: bytes, lasted_ms: int, accepted: int) -> None:
    market.pass_time(600_000)
    ack = market.send(ticket, kind=END, cumulative_ms=lasted_ms)
    assert (ack.accepted, refusals(ack)) == (accepted, {} if accepted else {"traffic.too_long": 1})


def test_the_same_content_under_another_id_is_a_replay_also_after_a_restart(market: Market, ticket: bytes) -> None:
    first = exposures(market, [ticket], viewer=[1, 2])
    market.say(first)
    for _ in range(2):
        again = market.say(first.model_copy(update={"batch": market.entropy(16)}))
        assert isinstance(again, ExposuresAck)
        assert (again.accepted, refusals(again)) == (0, {"traffic.replayed": 2})
        market.restart()


def test_looks_at_one_slot_lie_apart_over_placements_and_restarts(market: Market) -> None:
    tickets = [market.place().ticket for _ in range(4)]
    market.pass_time(9_000)
    moment_ms = market.now_ms // 900 * 900 - 1_800
    assert market.send(tickets[0], at_ms=moment_ms).accepted == 1
    assert refusals(market.send(tickets[1], at_ms=moment_ms + 899)) == {"traffic.too_often": 1}
    market.restart()
    assert refusals(market.send(tickets[2], at_ms=moment_ms)) == {"traffic.too_often": 1}
    assert market.send(tickets[2], at_ms=moment_ms, viewer=2).accepted == 1
    assert market.send(tickets[3], at_ms=moment_ms + 1_000).accepted == 1


@given(
    st.lists(st.integers(1_000, 4_000), min_size=1, max_size=10),
    st.integers(0, 10_000),
    st.permutations(range(10)),
)
def test_looks_that_lie_their_duration_apart_are_taken_in_any_order(
    gaps_ms: list[int], first_ms: int, order: list[int]
) -> None:
    market = Market(late_ms=10**7)
    market.line_item()
    market.slot()
    times_ms = np.cumsum(gaps_ms) + first_ms + market.now_ms
    tickets = [market.place().ticket for _ in gaps_ms]
    market.pass_time(60_000)
    for place in (place for place in order if place < len(gaps_ms)):
        ack = market.send(tickets[place], at_ms=times_ms[place], kind=VIEWABLE)
        assert "traffic.too_often" not in refusals(ack)


def test_viewers_beyond_any_crowd_are_refused(market: Market) -> None:
    most = RULES.crowd.viewers_min
    ticket = placed(market, viewers=2)
    assert market.send(ticket, viewer=range(most - 1)).accepted == most - 1
    ack = market.send(ticket, viewer=range(most - 1, most + 5))
    assert (ack.accepted, refusals(ack)) == (1, {"traffic.crowd": 5})
    large = placed(market, viewers=most)
    assert market.send(large, viewer=range(10_000)).accepted == RULES.crowd.times * most


@pytest.mark.parametrize(
    "figures",
    [
        {"why": WhyNot.TOO_SHORT},
        {"kind": RENDERED, "why": WhyNot.VIEWPORT, **NOTHING_YET},
        {"kind": END, "continuous_ms": 999, "cumulative_ms": 5_000},
        {"kind": END, "why": WhyNot.TOO_SHORT, "cumulative_ms": 1_000, "coverage": 0.0},
        {"kind": RENDERED, "angle_deg": 80.0},
        {
            "full_continuous_ms": 1_001,
            "full_cumulative_ms": 1_001,
            "half_continuous_ms": 1_001,
            "half_cumulative_ms": 1_001,
        },
        {"half_continuous_ms": 999},
        {"half_cumulative_ms": 1_001},
        {"profile": 1},
        {"profile": 3, "kind": RENDERED, **NOTHING_YET},
        {"profile": 3, "kind": EventKind.MIDPOINT},
        {"kind": EventKind.COMPLETE, "why": WhyNot.OBSTRUCTED},
    ],
)
def test_figures_that_contradict_each_other_are_refused(market: Market, ticket: bytes, figures: dict[str, Any]) -> None:
    assert refusals(market.send(ticket, **figures)) == {"traffic.absurd": 1}


LARGE, WHOLE = (profile(name).number for name in ("mrc-large", "full-view"))


def test_a_view_by_other_profiles_is_reported_by_them_and_costs_nothing(market: Market, ticket: bytes) -> None:
    all_of_it: dict[str, Any] = {"full_continuous_ms": 1_000, "full_cumulative_ms": 1_000, "visible_fraction": 1.0}
    assert market.send(ticket, kind=RENDERED, at_ms=market.now_ms - 5_000, **NOTHING_YET).accepted == 1
    assert market.send(ticket, kind=VIEWABLE, profile=[0, LARGE, WHOLE], **all_of_it).accepted == 3
    assert refusals(market.send(ticket, profile=[LARGE, WHOLE], viewer=2)) == {"event.out_of_range": 1}
    short: dict[str, Any] = {
        "why": [0, 0, WhyNot.TOO_SHORT],
        "cumulative_ms": [1_000, 1_000, 900],
        "continuous_ms": [1_000, 1_000, 900],
    }
    full: dict[str, Any] = {f"full_{name}": [1_000, 0, 900] for name in ("continuous_ms", "cumulative_ms")}
    ends = market.send(
        ticket, kind=END, viewer=[1, 1, 2], profile=[0, LARGE, WHOLE], visible_fraction=1.0, **short, **full
    )
    assert ends.accepted == 3
    report = market.report("profile")
    rows = {row.profile: (row.rendered, row.viewable, row.gross, row.mean_full_ms, row.funnel) for row in report.rows}
    assert rows == {
        "iig-2.0-display": (1, 1, 1, 1_000, {}),
        "mrc-large": (0, 2, 2, 0, {}),
        "full-view": (0, 1, 2, 0, {"too_short": 1}),
    }
    for by in ("slot", "world", "line_item", "advertiser"):
        totals = market.report(by).totals
        assert (totals.rendered, totals.viewable, totals.gross, totals.funnel) == (1, 1, 1, {})
    assert report.totals.spend_micros == 2_000
    assert market.books().ledger.seq == market.rooms.ledger.seq


def test_a_profile_nobody_knows_and_a_second_view_by_one_are_refused(market: Market, ticket: bytes) -> None:
    assert refusals(market.send(ticket, profile=[LARGE, LARGE, 200])) == {"event.duplicate": 1, "event.out_of_range": 1}


VIDEO_KINDS = [
    EventKind.START,
    EventKind.FIRST_QUARTILE,
    EventKind.MIDPOINT,
    EventKind.THIRD_QUARTILE,
    EventKind.COMPLETE,
]


@pytest.mark.parametrize("swapped", [None, 0, 1, 2, 3])
def test_a_videos_events_lie_in_their_order(market: Market, ticket: bytes, swapped: int | None) -> None:
    times = [market.now_ms - 9_000 + 2_000 * place for place in range(5)]
    if swapped is not None:
        times[swapped], times[swapped + 1] = times[swapped + 1], times[swapped]
    ack = market.send(ticket, kind=VIDEO_KINDS, at_ms=times)
    assert refusals(ack) == ({} if swapped is None else {"traffic.backwards": 2})
    video = {"start": 1, "first_quartile": 1, "midpoint": 1, "third_quartile": 1, "complete": 1}
    assert len(market.report().totals.video) == (5 if swapped is None else 3)
    assert market.report().totals.video.items() <= video.items()


@pytest.mark.parametrize(("at_ms", "accepted"), [(-1_000, 1), (-1_001, 0)])
def test_a_video_pauses_after_it_started(market: Market, ticket: bytes, at_ms: int, accepted: int) -> None:
    start_ms = market.now_ms - 5_000
    market.send(ticket, kind=EventKind.START, at_ms=start_ms)
    ack = market.send(ticket, kind=EventKind.PAUSE, at_ms=start_ms + at_ms, why=WhyNot.OBSTRUCTED)
    assert ack.accepted == accepted


def test_a_view_without_an_end_is_unfinished_unless_it_was_viewable(market: Market, ticket: bytes) -> None:
    market.send(ticket, kind=RENDERED, viewer=range(4), at_ms=market.now_ms - 5_000, **NOTHING_YET)
    market.send(ticket, kind=VIEWABLE, viewer=[0, 7])
    market.send(ticket, kind=END, viewer=[1], why=WhyNot.IDLE, **NOTHING_YET)
    assert market.report().totals.funnel == {"idle": 1, "unfinished": 2}


@pytest.mark.parametrize("change", ["changed", "removed"])
def test_a_slot_that_is_not_what_it_was_takes_no_events_from_then_on(market: Market, change: str) -> None:
    ticket = placed(market)
    before_ms = market.now_ms
    slot = {"id": "north", "size": [5, 2], "pose": pose_of("north")}
    market.say(SlotsPut(slots=(slot,)) if change == "changed" else SlotsRemove(ids=("north",)))
    market.pass_time(5_001)
    for viewer in (1, 2):
        assert refusals(market.send(ticket, viewer=viewer)) == {"slot.stale": 1}
        market.restart()
    assert market.send(ticket, viewer=3, at_ms=before_ms).accepted == 1


def test_what_is_refused_is_never_billed_and_always_reported(market: Market, ticket: bytes) -> None:
    market.send(ticket, viewer=range(4))
    market.send(ticket, viewer=range(4, 8), why=WhyNot.IDLE)
    market.send(ticket, b"forged", ticket=[0, 1], viewer=[0, 9])
    totals = market.report().totals
    assert (totals.gross, totals.invalid, totals.undetermined, totals.valid) == (10, 6, 4, 0)
    assert totals.invalid_why == {"event.duplicate": 1, "ticket.invalid": 1, "traffic.absurd": 4}
    assert totals.decision_rate == 0.6
    assert totals.spend_micros == 4 * 2_000
    assert market.books().ledger.seq == market.rooms.ledger.seq
