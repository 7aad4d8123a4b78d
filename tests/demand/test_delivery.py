from __future__ import annotations

from typing import Any

import pytest

from openslot_server.demand.caps import DAY_MS
from openslot_server.demand.delivery import Delivery, delivery_of, tell
from openslot_server.demand.model import LineItem
from openslot_server.storage.store import DecisionRow
from openslot_spec.messages import Context, PlacementsGet
from tests.server.market import NOW_MS, Market

FLOOR = {"micros": 3_000_000, "currency": "USD"}


def delivery(market: Market, line_item: LineItem, since_ms: int = 0) -> Delivery:
    told = tell(market.store.load(DecisionRow), line_item.id, (line_item.from_ms, line_item.to_ms), since_ms)
    return delivery_of(told, line_item, market.rooms.decider, since_ms)


def stops(market: Market, line_item: LineItem) -> dict[str, int]:
    return {stop.by: stop.requests for stop in delivery(market, line_item).stops}


@pytest.mark.parametrize(
    ("draft", "terms", "by"),
    [
        ({"targeting": {"worlds": ("arcade",)}}, {}, "world"),
        ({"targeting": {"worlds_excluded": ("plaza",)}}, {}, "world_excluded"),
        ({"targeting": {"tags": ("indoor",)}}, {}, "tag"),
        ({"targeting": {"tags_excluded": ("indoor",)}}, {"tags": ["indoor"]}, "tag_excluded"),
        ({"targeting": {"width_min_m": 5.0}}, {}, "width_min"),
        ({"targeting": {"kinds": ("poster",)}}, {"about": {"kind": "screen"}}, "kind"),
        ({"deal": "spring"}, {}, "deal"),
        ({}, {"buyers": {"blocked": ["aurora"]}}, "advertiser_barred"),
        ({}, {"buyers": {"allowed": ["boreal"]}}, "advertiser"),
        ({}, {"accepts": {"media": ["image/png"]}}, "media"),
        ({}, {"floor_cpm": FLOOR}, "floor"),
        ({"from_ms": NOW_MS + 5}, {}, "flight"),
    ],
)
def test_what_stops_a_line_item_is_called_by_its_name(draft: dict[str, Any], terms: dict[str, Any], by: str) -> None:
    market = Market()
    market.slot("north", **terms)
    line_item = market.line_item(**draft)
    for _ in range(3):
        assert market.ask("north").none
    assert stops(market, line_item) == {by: 3}


def test_every_request_is_accounted_for_once() -> None:
    market = Market()
    for slot in ("north", "south", "phone"):
        market.slot(slot)
    mine = market.line_item(2_000, impressions=2, targeting={"slots": ("north", "south")})
    market.ask("north", "south", "phone")  # two won, then nothing is left
    market.ask("north")
    market.line_item(3_000, advertiser="boreal")
    market.ask("south", "attic")
    told = delivery(market, mine)
    assert (told.requests, told.won) == (6, 2)
    assert stops(market, mine) == {"budget": 2, "slot": 1, "slot_unknown": 1}


def test_who_is_outbid_is_told_so_and_who_asks_for_viewers_too() -> None:
    market = Market()
    market.slot("north")
    mine = market.line_item(1_000)
    picky = market.line_item(2_000, targeting={"languages": ("de",)}, advertiser="boreal")
    market.line_item(3_000, advertiser="cirrus", caps=({"per": "day", "placements": 1},))
    for language in ("en", "en", "de"):
        market.say(PlacementsGet(slots=("north",), context=Context(language=language)))
    assert (delivery(market, mine).won, stops(market, mine)) == (1, {"outbid": 2})
    assert (delivery(market, picky).won, stops(market, picky)) == (1, {"viewers": 2})


def test_a_pause_is_told_and_yesterday_is_not() -> None:
    market = Market()
    market.slot("north")
    line_item = market.line_item()
    market.ask("north")
    market.pass_time(DAY_MS)
    market.rooms.orders.keep_line_item(market.rooms.orders.step(line_item, "paused"), market.now_ms)
    market.ask("north")
    told = delivery(market, line_item, since_ms=market.now_ms - DAY_MS + 1)
    assert [(told.requests, told.won), *((stop.by, stop.requests) for stop in told.stops)] == [(1, 0), ("status", 1)]


def test_pacing_takes_what_a_throttle_kept_out() -> None:
    market = Market()
    market.slot()
    paced = market.line_item(pacing="even", impressions=10_000)
    for _ in range(3):
        market.pass_time(60_000)
    answers = [market.ask() for _ in range(60)]
    won = sum(len(one.placements) for one in answers)
    account = delivery(market, paced)
    assert account.won == won < 30
    assert {one.by: one.requests for one in account.stops} == {"pacing": 60 - won}
