from __future__ import annotations

from typing import Any

import pytest

from openslot_server.storage.store import BatchRow, ConflictRow
from openslot_spec.errors import Code
from openslot_spec.exposures import EventKind, WhyNot
from openslot_spec.messages import ExposuresAck, ExposuresPut
from tests.server.market import Market, exposures

RENDERED, VIEWABLE, END = EventKind.RENDERED, EventKind.VIEWABLE, EventKind.END
LONG_MS = 3_600_000


@pytest.fixture
def market() -> Market:
    market = Market(skew_ms=5_000, placement_ms=30_000, settle_grace_ms=60_000, late_ms=LONG_MS)
    market.line_item(price=2_000, impressions=100)
    market.slot()
    market.place()
    market.pass_time(10_000)
    return market


def refusals(ack: ExposuresAck) -> dict[str, int]:
    return {refused.code: refused.events for refused in ack.refused}


def spent(market: Market) -> int:
    return market.report().totals.spend_micros


def placed_ten_seconds_ago(market: Market, viewers: int = 5) -> bytes:
    ticket = market.place(viewers=viewers).ticket
    market.pass_time(10_000)
    return ticket


def test_a_viewable_event_is_paid_once_and_split_between_world_and_platform(market: Market) -> None:
    ack = market.send(placed_ten_seconds_ago(market))
    assert (ack.accepted, ack.refused) == (1, ())
    totals = market.report().totals
    assert (totals.spend_micros, totals.revenue_micros, totals.fee_micros) == (2_000, 1_800, 200)


def test_only_viewable_events_cost(market: Market) -> None:
    ack = market.send(placed_ten_seconds_ago(market), kind=[RENDERED, END], why=[WhyNot.COUNTED, WhyNot.TOO_SHORT])
    assert ack.accepted == 2
    assert spent(market) == 0


def test_the_same_viewer_counts_once_in_a_batch_and_once_over_batches(market: Market) -> None:
    ticket = placed_ten_seconds_ago(market)
    first = market.send(ticket, viewer=[1, 1, 2])
    second = market.send(ticket, viewer=[2, 3])
    assert (first.accepted, refusals(first)) == (2, {"event.duplicate": 1})
    assert (second.accepted, refusals(second)) == (1, {"event.duplicate": 1})
    assert spent(market) == 3 * 2_000


def test_one_placement_under_two_entries_of_the_ticket_list_still_counts_once(market: Market) -> None:
    ticket = placed_ten_seconds_ago(market)
    ack = market.send(ticket, ticket, ticket=[0, 1])
    assert (ack.accepted, refusals(ack)) == (1, {"event.duplicate": 1})


def test_a_batch_that_comes_again_gets_its_first_verdict_and_costs_nothing(market: Market) -> None:
    batch = exposures(market, [placed_ten_seconds_ago(market)], viewer=[1, 1, 2])
    first = market.say(batch)
    assert isinstance(first, ExposuresAck)
    market.pass_time(1_000)
    for _ in range(3):
        assert market.say(batch) == first.model_copy(update={"repeated": True})
    assert spent(market) == 2 * 2_000
    assert len(list(market.store.load(BatchRow))) == 1


def test_a_batch_is_known_again_after_a_restart(market: Market) -> None:
    ticket = placed_ten_seconds_ago(market)
    batch = exposures(market, [ticket], viewer=[1, 2])
    first = market.say(batch)
    assert isinstance(first, ExposuresAck)
    market.restart()
    assert market.say(batch) == first.model_copy(update={"repeated": True})
    assert refusals(market.send(ticket, viewer=[2, 3])) == {"event.duplicate": 1}
    assert spent(market) == 3 * 2_000


def test_a_batch_id_with_other_content_is_refused_and_the_first_of_it_kept_as_evidence(market: Market) -> None:
    ticket = placed_ten_seconds_ago(market)
    market.send(ticket, batch=b"b" * 16, viewer=1)
    for viewer in (2, 3):
        error = market.refused(exposures(market, [ticket], b"b" * 16, viewer=viewer))
        assert error.code == Code.BATCH_CONFLICT
    assert len(list(market.store.load(ConflictRow))) == 1
    assert spent(market) == 2_000


def test_two_worlds_may_use_the_same_batch_id(market: Market) -> None:
    market.slot(world="arcade")
    theirs = market.ask(world="arcade").placements[0].ticket
    ours = market.place().ticket
    market.pass_time(10_000)
    assert market.send(ours, batch=b"b" * 16).accepted == 1
    assert market.send(theirs, batch=b"b" * 16, world="arcade").accepted == 1


def test_a_ticket_of_another_world_is_foreign(market: Market) -> None:
    ack = market.send(placed_ten_seconds_ago(market), world="arcade")
    assert refusals(ack) == {"ticket.foreign": 1}
    assert spent(market) == 0


def test_a_ticket_whose_bytes_were_changed_is_invalid(market: Market) -> None:
    ticket = bytearray(placed_ten_seconds_ago(market))
    ticket[len(ticket) // 2] ^= 1
    ack = market.send(bytes(ticket), b"", ticket=[0, 1])
    assert refusals(ack) == {"ticket.invalid": 2}


def test_a_ticket_of_a_session_before_is_good_for_its_world(market: Market) -> None:
    ticket = placed_ten_seconds_ago(market)
    reply = market.say(exposures(market, [ticket]), session="s2")
    assert isinstance(reply, ExposuresAck)
    assert reply.accepted == 1


def test_events_after_the_ticket_expired_are_refused_but_a_view_may_end_later(market: Market) -> None:
    ticket = placed_ten_seconds_ago(market)
    market.pass_time(30_000)
    ack = market.send(ticket, kind=[RENDERED, VIEWABLE, END])
    assert (ack.accepted, refusals(ack)) == (1, {"ticket.expired": 2})


def test_an_honest_event_that_arrives_late_counts_and_one_after_the_last_day_does_not(market: Market) -> None:
    ticket = placed_ten_seconds_ago(market)
    at_ms = market.now_ms
    market.pass_time(LONG_MS)
    assert market.send(ticket, at_ms=at_ms, viewer=1).accepted == 1
    market.pass_time(60_000)
    assert refusals(market.send(ticket, at_ms=at_ms, viewer=2)) == {"ticket.expired": 1}
    market.restart()
    market.pass_time(60_000)
    assert refusals(market.send(ticket, at_ms=at_ms, viewer=3)) == {"ticket.expired": 1}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("continuous_ms", 999),
        ("visible_fraction", 0.49),
        ("coverage", 0.0149),
        ("angle_deg", 55.1),
        ("at_ms", -10_000 - 5_001),
        ("at_ms", 5_001),
        ("continuous_ms", 10_000 + 5_001),
    ],
)
def test_a_viewable_event_that_its_own_figures_do_not_bear_out_is_refused(
    market: Market, column: str, value: float
) -> None:
    ticket = placed_ten_seconds_ago(market)
    shown: Any = value + market.now_ms if column == "at_ms" else value
    figures: dict[str, Any] = {"cumulative_ms": 20_000} if column == "continuous_ms" else {}
    ack = market.send(ticket, **{column: shown}, **figures)
    assert refusals(ack) == {"event.out_of_range": 1}
    assert market.send(ticket).accepted == 1


@pytest.mark.parametrize(
    ("column", "value"), [("continuous_ms", 1000), ("visible_fraction", 0.5), ("coverage", 0.015), ("at_ms", 5_000)]
)
def test_the_bounds_themselves_pass(market: Market, column: str, value: float) -> None:
    shown: Any = value + market.now_ms if column == "at_ms" else value
    assert market.send(placed_ten_seconds_ago(market), **{column: shown}).accepted == 1


def test_a_per_viewer_placement_has_one_viewer(market: Market) -> None:
    market.slot("phone", audience="per_viewer")
    ticket = market.ask("phone", viewer=7).placements[0].ticket
    market.pass_time(10_000)
    assert refusals(market.send(ticket, viewer=[8], kind=[RENDERED])) == {
        "ticket.foreign": 1
    }  # who comes first is not who it is
    ack = market.send(ticket, viewer=[7, 8], kind=[RENDERED, RENDERED])
    assert (ack.accepted, refusals(ack)) == (1, {"ticket.foreign": 1})


def test_more_viewers_than_were_reserved_are_delivered_free_and_reported_so(market: Market) -> None:
    ack = market.send(placed_ten_seconds_ago(market, viewers=2), viewer=range(5))
    assert ack.accepted == 5
    totals = market.report().totals
    assert (totals.viewable, totals.free, totals.spend_micros) == (5, 3, 2 * 2_000)


def test_late_events_are_paid_from_what_is_left_of_the_budget() -> None:
    market = Market(late_ms=LONG_MS)
    market.line_item(price=2_000, impressions=3)
    market.slot()
    late = placed_ten_seconds_ago(market, viewers=3)
    at_ms = market.now_ms
    market.pass_time(10 * 60_000)
    assert market.books().ledger.balances["reserved li-1 USD"] == 0
    soon = placed_ten_seconds_ago(market, viewers=2)
    market.send(late, at_ms=at_ms, viewer=range(3))
    market.send(soon, viewer=range(2))
    totals = market.report().totals
    assert (totals.viewable, totals.free, totals.spend_micros) == (5, 2, 3 * 2_000)


def test_columns_that_are_wrong_as_a_whole_are_refused_as_a_whole_and_kept_nowhere(market: Market) -> None:
    good = exposures(market, [placed_ten_seconds_ago(market)])
    broken = [
        (good.columns | {"kind": b"\x02\x02"}, Code.BATCH_INVALID),
        ({**good.columns, "other": good.columns["why"]}, Code.BATCH_INVALID),
        (good.columns | {"angle_deg": b"\x00\x00\xc0\x7f"}, Code.EVENT_OUT_OF_RANGE),
        (good.columns | {"ticket": b"\x01\x00"}, Code.EVENT_OUT_OF_RANGE),
    ]
    for columns, code in broken:
        columns.pop("viewer" if "other" in columns else "", None)
        message = ExposuresPut(batch=b"x" * 16, tickets=good.tickets, columns=columns)
        assert market.refused(message).code == code
    assert list(market.store.load(BatchRow)) == []
    assert market.send(*good.tickets, batch=b"x" * 16).accepted == 1
