"""Faults that a decision engine may well have, planted one at a time: the differential test must find each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from openslot_server.demand import circumstances, engine, entries, places, throttle
from openslot_server.demand.chunks import Chunk, lowest
from openslot_server.demand.dayparts import hour_of_week
from openslot_server.demand.engine import Engine
from openslot_server.demand.entries import Entry
from openslot_server.demand.flights import Moments
from openslot_server.demand.index import Index
from openslot_server.demand.places import Place
from openslot_server.demand.ranking import Ranking
from openslot_spec.messages import NoAd
from tests.demand.schedule import DisagreementError, Schedule

Plant = Callable[[pytest.MonkeyPatch], None]


def after(kind: type, name: str, fault: Callable[..., None]) -> Plant:
    """A fault that undoes or spoils something once the method is done."""
    original = getattr(kind, name)

    def spoiled(self: Any, *args: Any) -> Any:
        answer = original(self, *args)
        fault(self, *args)
        return answer

    return lambda patch: patch.setattr(kind, name, spoiled)


def instead(kind: Any, name: str, fault: object) -> Plant:
    return lambda patch: patch.setattr(kind, name, fault)


def no_bumps(name: str) -> Plant:
    """Something that is kept is never found out of date."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(Engine, name, property(lambda _: 0, lambda _, __: None), raising=False)

    return plant


def first_of_group(_: Ranking, group: list[tuple[Chunk, int]]) -> Any:
    chunk, bits = group[0]
    return ("advertiser", chunk.entry(lowest(bits)).advertiser)


def by_line_item(self: Ranking, group: list[tuple[Chunk, int]]) -> Any:
    part, place = self._draw_place(group)
    return ("advertiser", group[part][0].entry(place).advertiser)


def any_rival(_: Engine, winner: Entry, place: Place, ranking: Ranking, refuses: Any) -> int:
    floor = place.floor_of(winner)
    return max(floor, next((entry.bid_micros for entry in ranking if not refuses(entry)), floor))


def refused_rivals_count(_: Engine, winner: Entry, place: Place, ranking: Ranking, __: Any) -> int:
    ranking.drop(("advertiser", winner.advertiser))
    floor = place.floor_of(winner)
    return max(floor, next((entry.bid_micros for entry in ranking), floor))


def without(name: str) -> Plant:
    """A dimension of targeting is lost."""
    return instead(entries, "_features", lambda offer: [one for one in PLAIN_FEATURES(offer) if one[0] != name])


def next_hour(now_ms: int, name: str) -> int:
    return HOUR_OF_WEEK(now_ms + 3_600_000, name)


def house_prices(_: Engine, winner: Entry, place: Place, ranking: Ranking, refuses: Any) -> int:
    """Line items of lower priority set the second price."""
    ranking.drop(("advertiser", winner.advertiser))
    if winner.offer.line_item.tier != "auction":
        return winner.bid_micros
    return max([place.floor_of(winner), *(entry.bid_micros for entry in ranking if not refuses(entry))])


def strict_categories(offer: Any) -> Iterator[Any]:
    yield from PLAIN_FEATURES(offer)
    yield from (("category", name) for creative in offer.creatives for name in creative.categories)


def forget_rank(self: Chunk, place: int, rank: Any) -> None:
    self.ranks[place] = rank


def late_end(self: Engine, entry: Entry) -> None:
    if self._now_ms - 100 < entry.offer.line_item.to_ms <= self._now_ms:
        chunk, place = self._index.find(entry.id)
        chunk.running |= 1 << place


def refresh_flight_alone(self: Engine, entry: Entry) -> None:
    self._stopped.discard(entry.id)
    REFRESH(self, entry)


def take_one_part(self: Ranking, entry: Entry) -> Any:
    group = TAKE_EQUALS(self, entry)
    self._parts.extendleft(reversed(group[1:]))
    return group[:1]


def cut_without_money(self: Chunk) -> tuple[Chunk, Chunk]:
    self.funded = 0
    return CUT(self)


def move_without_bits(self: Chunk, source: int, target: int) -> None:
    self.put(self.take(source), target)


class OneTier:
    def index(self, _: str) -> int:
        return 0


HOUR_OF_WEEK = hour_of_week
PLAIN_FEATURES = entries._features
CUT, TAKE_EQUALS = Chunk.cut, Ranking._take_equals
REFRESH = Engine._refresh
FAULTS: dict[str, Plant] = {
    "the winner's own advertiser sets the second price": instead(Engine, "_price", any_rival),
    "a rival who is refused sets the second price": instead(Engine, "_price", refused_rivals_count),
    "the second price falls below the winner's floor": instead(Place, "floor_of", lambda *_: 0),
    "the floor is rounded down": instead(engine, "place_of", lambda *args: lower_floor(places.place_of(*args))),
    "the first of equals always wins": instead(Ranking, "_draw_advertiser", first_of_group),
    "whoever has more line items wins more ties": instead(Ranking, "_draw_advertiser", by_line_item),
    "ties end where a chunk ends": instead(Ranking, "_take_equals", take_one_part),
    "sets outlive a change of their line items": instead(Chunk, "_touch", lambda *_: None),
    "lists outlive a newcomer": no_bumps("_added"),
    "an empty answer outlives a newcomer": no_bumps("_raised"),
    "a reason outlives whom it was about": no_bumps("_lowered"),
    "flights never start or end": instead(Moments, "due", lambda *_: iter(())),
    "flights end a moment late": after(Engine, "_refresh", late_end),
    "budgets are not heard of": instead(Engine, "pay", lambda *_: None),
    "a pause is not heard of": instead(Engine, "stop", lambda *_: None),
    "a pause is forgotten when a flight starts": instead(Engine, "_refresh", refresh_flight_alone),
    "whoever moves stops running": instead(Chunk, "move", move_without_bits),
    "a cut forgets who has money": instead(Chunk, "cut", cut_without_money),
    "gaps have no rank": instead(Chunk, "_fill_ranks", forget_rank),
    "creatives are mixed up": without("mixed"),
    "one creative's category bars all": instead(entries, "_features", strict_categories),
    "a slot named by a newcomer stays nameless": instead(Engine, "_welcome", Engine._refresh),
    "the reason is always demand": instead(Place, "furthest", lambda *_: NoAd.NO_DEMAND),
    "deals are open to all": without("deal"),
    "exclusions are forgotten": without("not"),
    "languages are forgotten": without("language"),
    "hours are forgotten": without("hour"),
    "hours are an hour off": instead(circumstances, "hour_of_week", next_hour),
    "the hour is never looked up again": instead(engine, "QUARTER_MS", 10**15),
    "a country does not take in its parts": instead(circumstances, "widened", lambda *names: frozenset(names) - {None}),
    "the slot's floor holds for a deal too": instead(
        engine, "place_of", lambda *args: one_floor(places.place_of(*args))
    ),
    "the house sets the auction's price": instead(Engine, "_price", house_prices),
    "tiers are one": instead(entries, "PRIORITIES", OneTier()),
    "a line item that is dropped stays": instead(Index, "remove", lambda *_: None),
    "pacing is forgotten": instead(throttle, "takes_part", lambda *_: True),
    "one coin is tossed for all line items": instead(throttle, "_seed", lambda _: 7),
    "one coin is tossed for all decisions": instead(throttle, "seed_of", lambda _: 7),
    "a coin is tossed from the sum of both": instead(throttle, "mix", lambda one, other: (one + other) % 2**64),
}


def one_floor(place: Place) -> Place:
    return replace(place, floors=())


def lower_floor(place: Place) -> Place:
    return replace(place, floor_micros=place.slot.floor_cpm.micros // 1000)


def live_through_it() -> None:
    for seed, line_items, requests in ((4, 3, 900), (0, 10, 300), (1, 25, 700), (2, 130, 300), (3, 60, 400)):
        Schedule(seed, "second_price", line_items).run(requests)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS[fault](monkeypatch)
    with pytest.raises((DisagreementError, AssertionError, KeyError)):
        live_through_it()


def test_without_a_fault_nothing_is_found() -> None:
    live_through_it()
