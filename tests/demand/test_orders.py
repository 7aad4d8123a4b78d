from __future__ import annotations

from typing import Any

import pytest

from openslot_server.demand.model import TRANSITIONS, LineItemDraft, Status, check_transition
from openslot_server.demand.targeting import Targeting
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.records import Money
from tests.server.market import NOW_MS, Market

STATUSES = tuple(TRANSITIONS)


def draft(market: Market, **changes: Any) -> dict[str, Any]:
    return {
        "campaign": market.campaign(),
        "name": "Posters",
        "creatives": [market.creative()],
        "cpm": {"micros": 2_000_000},
        "budget": {"micros": 10_000_000},
        "from_ms": NOW_MS,
        "to_ms": NOW_MS + 1,
    } | changes


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cpm": {"micros": 1_600}}, "multiple of 1000 micros; nearest: 2000"),
        ({"cpm": {"micros": 0}}, "positive multiple of 1000 micros; nearest: 1000"),
        ({"budget": {"micros": 1_999}}, "buys no impression; one costs 2000 micros, the nearest"),
        ({"budget": {"micros": 10_000_000, "currency": "EUR"}}, "one currency; nearest: USD"),
        ({"to_ms": NOW_MS}, f"before to_ms; nearest: to_ms {NOW_MS + 1}"),
        ({"targeting": {"categories": ["IAB27-1"]}}, "targeting/categories/0.* nearest: IAB7-1"),
        ({"targeting": {"time_zone": "Mars/Olympus"}}, "targeting/time_zone.* no time zone"),
        ({"targeting": {"width_min_m": 3, "width_max_m": 2}}, "width from 3 to 2 m; nearest: width_max_m 3"),
        ({"targeting": {"worlds": ["plaza"], "worlds_excluded": ["plaza"]}}, "nearest: no worlds_excluded"),
        ({"targeting": {"dayparts": [{"from_hour": 9, "to_hour": 9}]}}, "nearest: to_hour 10"),
        ({"caps": [{"per": "slot", "placements": 1}, {"per": "slot", "placements": 2}]}, "a cap stands twice"),
        ({"tier": "best"}, "tier"),
        ({"creatives": []}, "creatives"),
        ({"budget": {"micros": 0.5}}, "budget/micros"),
        ({"targeting": {"planets": ["mars"]}}, "targeting/planets"),
        ({"targeting": None}, "null"),
    ],
)
def test_a_draft_that_cannot_run_is_refused_with_its_field_and_rule(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(OpenSlotError, match=says):
        LineItemDraft.parse(draft(Market(), **changes), Code.LINE_ITEM_INVALID)


def test_a_creative_twice_is_refused() -> None:
    market = Market()
    with pytest.raises(OpenSlotError, match="stands twice"):
        LineItemDraft.parse(draft(market, creatives=[market.creative()] * 2))


def refusal(market: Market, **changes: Any) -> tuple[Code, str]:
    good = LineItemDraft.parse(draft(market))
    with pytest.raises(OpenSlotError) as refused:
        market.rooms.orders.admit(good.model_copy(update=changes), "li-x", market.now_ms)
    return refused.value.code, refused.value.where


def test_what_does_not_fit_the_rest_of_the_book_is_refused() -> None:
    market = Market()
    theirs, unknown = market.creative("x", "boreal"), "f" * 64
    revoked = market.creative("r", revoked=True)
    euros = {"cpm": Money(micros=2_000_000, currency="EUR"), "budget": Money(micros=10**7, currency="EUR")}
    assert refusal(market, campaign="cmp-none") == (Code.CAMPAIGN_UNKNOWN, "")
    for sha256 in (theirs, unknown, revoked):
        assert refusal(market, creatives=(sha256,)) == (Code.LINE_ITEM_INVALID, "creatives/0")
    assert refusal(market, to_ms=market.now_ms) == (Code.LINE_ITEM_INVALID, "to_ms")
    assert refusal(market, **euros) == (Code.LINE_ITEM_INVALID, "cpm/currency")


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("after", STATUSES)
def test_only_the_steps_of_the_table_are_taken(before: Status, after: Status) -> None:
    allowed = before == after or after in TRANSITIONS[before]
    try:
        check_transition(before, after)
    except OpenSlotError as error:
        assert not allowed
        assert (error.code, error.where) == (Code.INVALID, "status")
    else:
        assert allowed


def test_nothing_comes_after_completed() -> None:
    assert not TRANSITIONS["completed"]


def test_bytes_belong_to_the_advertiser_who_brought_them_first() -> None:
    market = Market()
    market.creative("a", "aurora")
    with pytest.raises(OpenSlotError, match="another advertiser"):
        market.creative("a", "boreal")
    assert market.creative("a", "aurora", label="Ad · Aurora, anew")


def test_a_revoked_creative_stays_revoked() -> None:
    market = Market()
    market.creative("a", revoked=True)
    with pytest.raises(OpenSlotError, match="revoked"):
        market.creative("a")


def test_the_book_is_the_same_after_a_restart() -> None:
    market = Market()
    for price, advertiser in ((1_000, "aurora"), (3_000, "boreal"), (2_000, "aurora")):
        market.line_item(price=price, advertiser=advertiser)
    before = list(market.rooms.orders.offers())
    market.restart()
    assert list(market.rooms.orders.offers()) == before
    assert [offer.line_item.price_micros for offer in before] == [1_000, 3_000, 2_000]


def test_flights_begin_and_end_by_themselves_and_come_back_from_a_restart() -> None:
    market = Market()
    market.slot()
    line_item = market.rooms.orders.admit(
        LineItemDraft.parse(draft(market, from_ms=NOW_MS + 10_000, to_ms=NOW_MS + 20_000)), "li-1", market.now_ms
    )
    market.store.commit([market.rooms.orders.keep_line_item(line_item, market.now_ms)])
    seen = []
    for _ in range(4):
        seen.append(market.rooms.orders.line_item("li-1").status)
        market.pass_time(8_000)
        market.restart()
    assert seen == ["scheduled", "scheduled", "active", "completed"]


def test_a_paused_line_item_ends_but_does_not_begin_by_itself() -> None:
    market = Market()
    line_item = market.line_item(to_ms=NOW_MS + 5)
    market.store.commit([market.rooms.orders.keep_line_item(market.rooms.orders.step(line_item, "paused"), NOW_MS)])
    market.pass_time(1)
    assert market.rooms.orders.line_item(line_item.id).status == "paused"
    market.pass_time(4)
    assert market.rooms.orders.line_item(line_item.id).status == "completed"


@pytest.mark.parametrize("category", ["IAB1", "IAB1-7", "IAB24", "IAB26-4"])
def test_categories_of_the_taxonomy_are_known(category: str) -> None:
    assert Targeting(categories=(category,))


@pytest.mark.parametrize("category", ["IAB0", "IAB27", "IAB1-8", "IAB24-1", "iab1", "IAB1-0"])
def test_other_categories_are_refused_with_the_nearest(category: str) -> None:
    with pytest.raises(OpenSlotError, match="nearest: IAB"):
        Targeting.parse({"categories": [category]})
