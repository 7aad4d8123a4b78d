from __future__ import annotations

from typing import Any

import pytest

from openslot_server.demand.caps import DAY_MS
from openslot_server.demand.targeting import Targeting
from openslot_spec.messages import Context, NoAd, Placements, PlacementsGet
from tests.server.market import Market


def ask(market: Market, *slots: str, session: str = "s1", world: str = "plaza", **said: Any) -> Placements:
    reply = market.say(PlacementsGet(slots=slots, **said), world, session)
    assert isinstance(reply, Placements), reply
    return reply


def placed(answer: Placements) -> int:
    assert all(none.reason == NoAd.HELD_BACK for none in answer.none)
    return len(answer.placements)


@pytest.fixture
def market() -> Market:
    market = Market()
    for world in ("plaza", "arcade"):
        market.slot("north", world)
        market.slot("south", world)
    market.slot("phone", audience="per_viewer")
    return market


@pytest.mark.parametrize(
    ("per", "placements"),
    [
        # north, south, north again; north in another session; in another world
        ("day", [1, 1, 0, 0, 0]),
        ("world", [1, 1, 0, 0, 1]),
        ("session", [1, 1, 0, 1, 1]),
        ("slot", [1, 1, 1, 0, 1]),
    ],
)
@pytest.mark.parametrize("restarts", [False, True])
def test_a_cap_counts_each_of_its_own(market: Market, per: str, placements: list[int], restarts: bool) -> None:
    market.line_item(caps=({"per": per, "placements": 2},))
    seen = []
    for slot, session, world in (
        ("north", "s1", "plaza"),
        ("south", "s1", "plaza"),
        ("north", "s1", "plaza"),
        ("north", "s2", "plaza"),
        ("north", "s3", "arcade"),
    ):
        seen.append(placed(ask(market, slot, session=session, world=world)))
        if restarts:
            market.restart()
    assert seen == placements
    market.pass_time(DAY_MS)
    assert placed(ask(market, "north")) == 1


def test_a_viewer_is_capped_on_slots_of_their_own_alone(market: Market) -> None:
    market.line_item(caps=({"per": "viewer", "placements": 1},))
    assert [placed(ask(market, "phone", viewer=viewer)) for viewer in (1, 1, 2)] == [1, 0, 1]
    market.restart()
    assert [placed(ask(market, "phone", viewer=viewer)) for viewer in (1, 2, 3)] == [0, 0, 1]
    assert placed(ask(market, "north", viewer=1)) == 1


def test_a_capped_line_item_leaves_the_slot_to_the_next(market: Market) -> None:
    market.line_item(price=3_000, caps=({"per": "day", "placements": 1},))
    market.line_item(price=2_000, advertiser="boreal")
    assert [one.creative.advertiser for one in ask(market, "north", "south").placements] == ["aurora", "boreal"]


def test_rivals_never_stand_in_one_answer(market: Market) -> None:
    for price, advertiser in ((5_000, "aurora"), (4_000, "boreal"), (3_000, "cirrus")):
        rivalry = () if advertiser == "cirrus" else ("soft-drinks",)
        market.line_item(
            price,
            1 if advertiser == "aurora" else 9,
            advertiser,
            separation=rivalry,
            caps=({"per": "slot", "placements": 1},),
        )
    answer = ask(market, "north", "south")
    assert [one.creative.advertiser for one in answer.placements] == ["aurora", "cirrus"]
    assert [one.creative.advertiser for one in ask(market, "north", "south").placements] == ["boreal", "boreal"]


@pytest.mark.parametrize(
    ("targeting", "context", "serves"),
    [
        ({"languages": ("de",)}, {"language": "de-AT"}, True),
        ({"languages": ("de",)}, {"language": "den"}, False),
        ({"languages": ("de",)}, {}, False),
        ({"regions": ("DE-BE",)}, {"region": "DE"}, False),
        ({"devices": ("headset",)}, {"device": "headset"}, True),
        ({"cohorts": ("runners",)}, {"cohorts": ("gardeners", "runners")}, True),
    ],
)
def test_a_world_says_coarsely_for_whom_it_asks(
    market: Market, targeting: dict[str, Any], context: dict[str, Any], serves: bool
) -> None:
    market.line_item(targeting=Targeting(**targeting))
    answer = ask(market, "north", context=Context(**context))
    assert len(answer.placements) == serves
    assert serves or answer.none[0].reason == NoAd.NO_DEMAND
