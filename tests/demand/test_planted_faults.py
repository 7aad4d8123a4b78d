"""Faults that a decision engine may well have, planted one at a time: the differential test must find each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from openslot_server.demand import engine, entries, places
from openslot_server.demand.chunks import Chunk, lowest
from openslot_server.demand.engine import Engine
from openslot_server.demand.entries import Entry
from openslot_server.demand.flights import Moments
from openslot_server.demand.index import Index
from openslot_server.demand.places import Place
from openslot_server.demand.ranking import Ranking
from openslot_spec.messages import NoAd
from tests.demand.schedule import DisagreementError, Schedule

Plant = Callable[[pytest.MonkeyPatch], None]
REQUESTS = 600


def after(kind: type, name: str, fault: Callable[..., None]) -> Plant:
    """A fault that undoes or spoils something once the method is done."""
    original = getattr(kind, name)

    def spoiled(self: Any, *args: Any) -> Any:
        answer = original(self, *args)
        fault(self, *args)
        return answer

    return lambda patch: patch.setattr(kind, name, spoiled)


def instead(kind: Any, name: str, fault: Callable[..., Any]) -> Plant:
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


def any_rival(_: Engine, __: Entry, floor: int, ranking: Ranking, refuses: Any) -> int:
    return max(floor, next((entry.bid_micros for entry in ranking if not refuses(entry)), floor))


def refused_rivals_count(_: Engine, winner: Entry, floor: int, ranking: Ranking, __: Any) -> int:
    ranking.drop(("advertiser", winner.advertiser))
    return max(floor, next((entry.bid_micros for entry in ranking), floor))


def lax_features(offer: Any) -> Iterator[Any]:
    """Nobody is marked as having creatives that differ."""
    return (feature for feature in PLAIN_FEATURES(offer) if feature != entries.MIXED)


def strict_categories(offer: Any) -> Iterator[Any]:
    yield from PLAIN_FEATURES(offer)
    yield from (("category", name) for creative in offer.creatives for name in creative.categories)


def forget_rank(self: Chunk, place: int, rank: Any) -> None:
    self.ranks[place] = rank


def end_inclusive(self: Engine, entry: Entry) -> None:
    if entry.offer.line_item.to_ms == self._now_ms:
        chunk, place = self._index.find(entry.id)
        chunk.running |= 1 << place


def refresh_flight_alone(self: Engine, entry: Entry) -> None:
    self._stopped.discard(entry.id)
    REFRESH(self, entry)


def move_without_bits(self: Chunk, source: int, target: int) -> None:
    self.put(self.take(source), target)


PLAIN_FEATURES = entries._features
REFRESH = Engine._refresh
FAULTS: dict[str, Plant] = {
    "the winner's own advertiser sets the second price": instead(Engine, "_price", any_rival),
    "a rival who is refused sets the second price": instead(Engine, "_price", refused_rivals_count),
    "the second price falls below the winner's floor": instead(Place, "floor_of", lambda *_: 0),
    "the floor is rounded down": instead(engine, "place_of", lambda *args: lower_floor(places.place_of(*args))),
    "the first of equals always wins": instead(Ranking, "_draw_advertiser", first_of_group),
    "whoever has more line items wins more ties": instead(Ranking, "_draw_advertiser", by_line_item),
    "ties end where a chunk ends": instead(Ranking, "_take_equals", lambda self: [self._parts.popleft()][:1]),
    "sets outlive a change of their line items": instead(Chunk, "_touch", lambda *_: None),
    "lists outlive a newcomer": no_bumps("_added"),
    "an empty answer outlives a newcomer": no_bumps("_raised"),
    "a reason outlives whom it was about": no_bumps("_lowered"),
    "flights never start or end": instead(Moments, "due", lambda *_: iter(())),
    "a flight's last moment is one too many": after(Engine, "_refresh", end_inclusive),
    "budgets are not heard of": instead(Engine, "pay", lambda *_: None),
    "a pause is not heard of": instead(Engine, "stop", lambda *_: None),
    "a pause is forgotten when a flight starts": instead(Engine, "_refresh", refresh_flight_alone),
    "whoever moves stops running": instead(Chunk, "move", move_without_bits),
    "a cut forgets who has money": after(Chunk, "cut", lambda self, _: setattr(self, "funded", 0)),
    "gaps have no rank": instead(Chunk, "_fill_ranks", forget_rank),
    "creatives are mixed up": instead(entries, "_features", lax_features),
    "one creative's category bars all": instead(entries, "_features", strict_categories),
    "a slot named by a newcomer stays nameless": instead(Engine, "_welcome", Engine._refresh),
    "the reason is always demand": instead(Place, "furthest", lambda *_: NoAd.NO_DEMAND),
    "a line item that is dropped stays": instead(Index, "remove", lambda *_: None),
}


def lower_floor(place: Place) -> Place:
    return Place(place.slot, place.gates, place.slot.floor_cpm.micros // 1000)


def live_through_it() -> None:
    for seed, line_items in enumerate((10, 25, 150, 60)):
        Schedule(seed, "second_price", line_items).run(REQUESTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS[fault](monkeypatch)
    with pytest.raises((DisagreementError, AssertionError, KeyError, ValueError)):
        live_through_it()


def test_without_a_fault_nothing_is_found() -> None:
    live_through_it()
