from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openslot_server.demand.engine import Engine, Question, Win
from openslot_server.demand.model import Creative, LineItem, Offer
from openslot_server.demand.targeting import Targeting
from openslot_spec.messages import NoAd
from openslot_spec.records import Money
from openslot_spec.slots import Slot
from tests.server.market import GLB, NOW_MS, pose_of


def slot(**terms: Any) -> Slot:
    return Slot.parse({"id": "north", "size": [4, 2], "pose": pose_of("north"), "tags": ["indoor"]} | terms)


def creative(name: str = "a", **facts: Any) -> Creative:
    known = {"media_type": GLB, "size_bytes": 10, "advertiser": "aurora", "label": "Ad"}
    return Creative.model_validate({"sha256": name.encode().hex().ljust(64, "0")} | known | facts)


def offer(name: str = "li", price: int = 1_000, advertiser: str = "aurora", **terms: Any) -> Offer:
    creatives = terms.pop("creatives", (creative(),))
    line_item = LineItem(
        id=name,
        advertiser=advertiser,
        campaign="cmp",
        name=name,
        creatives=tuple(one.sha256 for one in creatives),
        cpm=Money(micros=price * 1000),
        budget=Money(micros=10**9),
        from_ms=terms.pop("from_ms", NOW_MS - 10),
        to_ms=terms.pop("to_ms", NOW_MS + 10),
        targeting=Targeting(**terms.pop("targeting", {})),
        **terms,
    )
    return Offer(line_item, creatives)


def question(asked: Slot | None = None, draw: bytes = b"seed") -> Question:
    return Question("plaza", asked or slot(), NOW_MS, draw)


def opened(offers: Iterable[Offer]) -> Engine:
    engine = Engine(lambda _: 10**9, capacity=64)
    engine.fill(offers, NOW_MS)
    return engine


def ranked(asked: Question, offers: Iterable[Offer]) -> list[Win]:
    """Who would have the slot, if all before were refused."""
    engine, found = opened(offers), list[Win]()
    while True:
        won = engine.decide(asked, lambda entry: entry.id in [win.line_item.id for win in found])
        if not isinstance(won, Win):
            return found
        found.append(won)


def first(engine: Engine, asked: Question) -> Win:
    won = engine.decide(asked)
    assert isinstance(won, Win), won
    return won


def winners(*offers: Offer, **terms: Any) -> list[str]:
    return [candidate.line_item.id for candidate in ranked(question(slot(**terms)), offers)]


def test_the_highest_bid_comes_first() -> None:
    assert winners(offer("low", 1), offer("high", 3), offer("mid", 2)) == ["high", "mid", "low"]


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"from_ms": NOW_MS + 1}, NoAd.NO_DEMAND),
        ({"to_ms": NOW_MS}, NoAd.NO_DEMAND),
        ({"targeting": {"worlds": ["arcade"]}}, NoAd.NO_DEMAND),
        ({"targeting": {"slots": ["south"]}}, NoAd.NO_DEMAND),
        ({"targeting": {"tags": ["outdoor"]}}, NoAd.NO_DEMAND),
        ({"creatives": (creative(media_type="image/png"),)}, NoAd.MEDIA_MISMATCH),
        ({"creatives": (creative(tier="L"),)}, NoAd.MEDIA_MISMATCH),
        ({"creatives": (creative(animated=True),)}, NoAd.MEDIA_MISMATCH),
        ({"creatives": (creative(size=(13.0, 2.0, 0.1)),)}, NoAd.MEDIA_MISMATCH),
        ({"creatives": (creative(size=(1.0, 2.0, 0.1)),)}, NoAd.MEDIA_MISMATCH),
        ({"creatives": (creative(categories=("IAB26",)),)}, NoAd.CATEGORY_BLOCKED),
        ({"price": 499}, NoAd.FLOOR_NOT_MET),
    ],
)
def test_who_may_not_have_the_slot_is_told_by_the_furthest_gate(terms: dict[str, Any], reason: NoAd) -> None:
    asked = slot(
        accepts={"media": [GLB], "animation": False},
        categories_blocked=["IAB26"],
        floor_cpm={"micros": 500_000, "currency": "USD"},
    )
    alone = [offer(**terms)]
    with_another = [offer("other", targeting={"worlds": ["arcade"]}), *alone]
    for offers in (alone, with_another):
        assert opened(offers).decide(question(asked)) == reason


@pytest.mark.parametrize(
    "terms",
    [
        {"targeting": {"worlds": ["plaza", "arcade"], "slots": ["north"], "tags": ["indoor", "large"]}},
        {"creatives": (creative(size=(12.0, 2.0, 0.1)),)},
        {"creatives": (creative(size=(0.0, 2.0, 0.1)),)},
        {"creatives": (creative("a", media_type="image/png"), creative("b"))},
        {"creatives": (creative(tier="S", animated=True),)},
        {"price": 500},
    ],
)
def test_who_fits_is_eligible(terms: dict[str, Any]) -> None:
    assert winners(offer(**terms), floor_cpm={"micros": 500_000, "currency": "USD"}) == ["li"]


def test_a_slot_that_stretches_takes_any_aspect() -> None:
    wide = offer(creatives=(creative(size=(100.0, 1.0, 0.1)),))
    assert winners(wide) == []
    assert winners(wide, fit="stretch") == ["li"]


def test_only_a_creative_that_fits_is_shown() -> None:
    shown = {
        candidate.creative.sha256
        for seed in range(40)
        for candidate in ranked(
            question(draw=bytes([seed])), [offer(creatives=(creative("a", tier="L"), creative("b"), creative("c")))]
        )
    }
    assert shown == {creative("b").sha256, creative("c").sha256}


def test_the_creative_whose_shape_fits_best_is_shown() -> None:
    tall, square, wide = (
        creative(name, size=(width, 1.0, 0.1)) for name, width in (("t", 0.7), ("s", 1.1), ("w", 2.2))
    )
    for seed in range(10):
        first, *_ = ranked(question(draw=bytes([seed])), [offer(creatives=(tall, square, wide))])
        assert first.creative == wide


def test_equal_bids_are_drawn_the_same_way_again() -> None:
    offers = [offer(f"li-{number}", advertiser=f"a{number}") for number in range(9)]
    first, again, backwards = (
        [candidate.line_item.id for candidate in ranked(question(), order)] for order in (offers, offers, offers[::-1])
    )
    assert first == again == backwards


def test_equal_advertisers_win_equally_often_however_many_line_items_they_have() -> None:
    offers = [offer(f"many-{number}", advertiser="many") for number in range(8)]
    offers += [offer("one", advertiser="one"), offer("two", advertiser="two")]
    draws, engine = 3_000, opened(offers)
    wins = Counter(first(engine, question(draw=seed.to_bytes(4, "big"))).line_item.advertiser for seed in range(draws))
    for advertiser in ("many", "one", "two"):
        assert abs(wins[advertiser] - draws / 3) < 5 * (draws * 2 / 9) ** 0.5  # five standard deviations


BIDS = st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["aurora", "boreal", "cirrus"])), min_size=1, max_size=8)


@given(BIDS, st.data())
def test_raising_a_bid_never_loses_a_place(bids: list[tuple[int, str]], data: st.DataObject) -> None:
    offers = [offer(f"li-{index}", price, advertiser) for index, (price, advertiser) in enumerate(bids)]
    index = data.draw(st.integers(0, len(bids) - 1))
    before = winners(*offers).index(f"li-{index}")
    raised = offer(f"li-{index}", bids[index][0] + data.draw(st.integers(1, 3)), bids[index][1])
    assert winners(*offers[:index], raised, *offers[index + 1 :]).index(f"li-{index}") <= before


@given(BIDS, st.data())
def test_adding_a_filter_never_adds_a_winner(bids: list[tuple[int, str]], data: st.DataObject) -> None:
    offers = [offer(f"li-{index}", price, advertiser) for index, (price, advertiser) in enumerate(bids)]
    index = data.draw(st.integers(0, len(bids) - 1))
    worlds = data.draw(st.sets(st.sampled_from(["plaza", "arcade"]), min_size=1))
    narrowed = offers[index].line_item.model_copy(update={"targeting": Targeting(worlds=tuple(worlds))})
    before, after = (
        winners(*offers),
        winners(*offers[:index], replace(offers[index], line_item=narrowed), *offers[index + 1 :]),
    )
    if "plaza" in worlds:
        assert after == before
    else:
        assert sorted(after) == sorted(set(before) - {f"li-{index}"})
