"""A slot as the auction sees it: gates that a line item passes one after the other, and floors.

Everything here depends on the slot and its world alone, so that what a chunk found for a place can be kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from openslot_server.demand.chunks import Chunk, Span, beyond, lowest
from openslot_server.demand.entries import BOUNDS, MIXED, NOT, REVIEW, Entry, Feature
from openslot_server.demand.model import CPM_STEP_MICROS
from openslot_server.demand.showing import TIERS, shown
from openslot_server.demand.taxonomy import widened
from openslot_spec.messages import NoAd
from openslot_spec.records import Money
from openslot_spec.slots import About, Buyers, Slot

__all__ = ["REACHED", "Asks", "Gate", "Place", "Wish", "place_of", "wish"]

REACHED = (
    NoAd.NO_DEMAND,
    NoAd.MEDIA_MISMATCH,
    NoAd.CATEGORY_BLOCKED,
    NoAd.FLOOR_NOT_MET,
    NoAd.BUDGET_EXHAUSTED,
)
"""How far a line item came, from the first gate to the last."""
BID, ASPECT_LOW, ASPECT_HIGH, WIDTH_MIN, WIDTH_MAX, HEIGHT_MIN, HEIGHT_MAX = range(len(BOUNDS))

ALIKE = 4096
"""What slots ask is kept for so many that differ in it."""
Wish = tuple[Feature, frozenset[Feature]]
"""Who has the feature must have one of the others too."""


@dataclass(frozen=True, slots=True, eq=False)
class Asks:
    """What a line item must have and must not; one object for many slots, and known by its identity."""

    wishes: tuple[Wish, ...] = ()
    barred: frozenset[Feature] = frozenset()

    def admits(self, entry: Entry) -> bool:
        """Return whether a line item passes."""
        features = entry.features
        if not features.isdisjoint(self.barred):
            return False
        return not any(some in features and features.isdisjoint(values) for some, values in self.wishes)

    def match(self, chunk: Chunk) -> int:
        """Return who passes, running or not."""
        known = chunk.known(self)
        return known if known is not None else chunk.kept(self, lambda: self._match(chunk), self.admits)

    def _match(self, chunk: Chunk) -> int:
        found = chunk.used
        for some, values in self.wishes:
            asking = chunk.bits.get(some, 0) & found
            if asking:
                found ^= asking & ~chunk.having(values)
        return found & ~chunk.having(self.barred)


@dataclass(frozen=True, slots=True)
class Gate:
    """What a line item must be to come further than `reason`."""

    reason: NoAd
    asks: Asks
    bounds: tuple[tuple[int, float], ...] = ()

    def admits(self, entry: Entry) -> bool:
        """Return whether a line item passes."""
        if not self.asks.admits(entry):
            return False
        return all((entry.bounds[bound] - value) * BOUNDS[bound][1] >= 0 for bound, value in self.bounds)

    def stop(self, entry: Entry) -> str:
        """Return what is against a line item that does not pass: the name of a wish, a bound or a bar."""
        for some, values in self.asks.wishes:
            if some in entry.features and entry.features.isdisjoint(values):
                return some[0]
        for bound, value in self.bounds:
            if (entry.bounds[bound] - value) * BOUNDS[bound][1] < 0:
                return BOUNDS[bound][0]
        bar = min(entry.features & self.asks.barred)
        return f"{bar[1]}_excluded" if bar[0] == NOT else f"{bar[0]}_barred"

    def narrow(self, chunk: Chunk, found: int) -> int:
        """Return who of `found` passes."""
        found &= self.asks.match(chunk)
        for bound, value in self.bounds:
            if not found:
                break
            found &= chunk.within(bound, value)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A slot's gates and floors; one object for all slots that are alike, and known by its identity."""

    slot: Slot
    """One of those slots."""
    gates: tuple[Gate, ...]
    floor_micros: int
    """The least price of one impression."""
    floors: tuple[tuple[Feature, int], ...] = ()
    """What holds instead for whoever has a feature; the last that fits counts."""
    world: str = ""
    reviews: bool = False
    """Whether the world shows only what it approved."""

    def floor_of(self, entry: Entry) -> int:
        """Return the least that a line item must bid, in micros for one impression."""
        special = (floor for feature, floor in reversed(self.floors) if feature in entry.features)
        return next(special, self.floor_micros)

    def afford(self, chunk: Chunk, found: int) -> int:
        """Return who of `found` bids its floor."""
        if not found:
            return 0
        paying = chunk.within(BID, self.floor_micros)
        for feature, floor in self.floors:
            special = chunk.bits.get(feature, 0) & found
            if special:
                paying = paying & ~special | special & chunk.within(BID, floor)
        return found & paying

    def verdict(self, entry: Entry) -> NoAd | None:
        """Return where a line item stops; None if nothing about the slot is against it."""
        is_mixed = MIXED in entry.features
        for gate in self.gates[:1] if is_mixed else self.gates:
            if not gate.admits(entry):
                return gate.reason
        if is_mixed:
            taken = shown(entry.offer, self.slot, self.world, reviews=self.reviews)
            if isinstance(taken, NoAd):
                return taken
        return None if entry.bid_micros >= self.floor_of(entry) else NoAd.FLOOR_NOT_MET

    def admits(self, entry: Entry) -> bool:
        """Return whether nothing about the slot is against a line item."""
        return self.verdict(entry) is None

    def stop(self, entry: Entry) -> str | None:
        """Return by what name a line item is stopped; None if nothing about the slot is against it."""
        for gate in self.gates[:1] if MIXED in entry.features else self.gates:
            if not gate.admits(entry):
                return gate.stop(entry)
        verdict = self.verdict(entry)
        return "floor" if verdict == NoAd.FLOOR_NOT_MET else verdict

    def ceiling(self, span: Span) -> NoAd | None:
        """Return what stops everybody whose bounds lie within `span`, if nothing stops them before; None if unknown."""
        for gate in self.gates:
            for bound, value in gate.bounds:
                if beyond(span, bound, value):
                    return gate.reason
        least = min((floor for _, floor in self.floors), default=self.floor_micros)
        return NoAd.FLOOR_NOT_MET if beyond(span, BID, min(least, self.floor_micros)) else None

    def match(self, chunk: Chunk) -> int:
        """Return whom the slot admits, running or not."""
        known = chunk.known(self)
        if known is not None:
            return known
        if self.ceiling(chunk.span) is not None:
            return 0
        return chunk.kept(self, lambda: self._match(chunk), self.admits)

    def furthest(self, chunk: Chunk, among: int) -> NoAd:
        """Return how far the best of `among` comes; past everything, it can only lack money."""
        mixed = self.gates[0].narrow(chunk, among & chunk.bits.get(MIXED, 0))
        stops = [self.verdict(chunk.entry(place)) or NoAd.BUDGET_EXHAUSTED for place in _places(mixed)]
        stops.append(self._furthest(chunk, among & ~chunk.bits.get(MIXED, 0)))
        return max(stops, key=REACHED.index)

    def _furthest(self, chunk: Chunk, found: int) -> NoAd:
        for gate in self.gates:
            found = gate.narrow(chunk, found)
            if not found:
                return gate.reason
        return NoAd.BUDGET_EXHAUSTED if self.afford(chunk, found) else NoAd.FLOOR_NOT_MET

    def _match(self, chunk: Chunk) -> int:
        found = chunk.used
        for gate in self.gates:
            if not found:
                return 0
            found = gate.narrow(chunk, found)
        found = self.afford(chunk, found)
        for place in _places(found & chunk.bits.get(MIXED, 0)):
            if not self.admits(chunk.entry(place)):
                found ^= 1 << place
        return found


def wish(dimension: str, offered: Iterable[str]) -> Wish:
    """Return what a dimension asks of a line item, where a slot or viewer has the values `offered`."""
    return (dimension,), frozenset((dimension, value) for value in offered)


def place_of(world: str, slot: Slot, named: str | None, reviews: bool) -> Place:  # noqa: FBT001  as `Place` has it
    """Return a slot as the auction sees it; `named` is its id if some line item asks for it by name.

    `reviews` says whether the world shows only what it approved.
    """
    floors: tuple[tuple[Feature, int], ...] = ()
    if slot.buyers:
        of_advertisers = [(("advertiser", one.advertiser), _price(one.floor_cpm)) for one in slot.buyers.floors]
        of_deals = [(("deal", deal.id), _price(deal.floor_cpm)) for deal in slot.buyers.deals]
        floors = (*of_advertisers, *of_deals)
    (width, height), accepts = slot.size, slot.accepts
    aspect = math.log(width / height)
    gates = (
        Gate(
            NoAd.NO_DEMAND,
            _targeted(world, named, slot.tags, slot.about, slot.buyers, reviews),
            ((WIDTH_MIN, width), (WIDTH_MAX, width), (HEIGHT_MIN, height), (HEIGHT_MAX, height)),
        ),
        Gate(
            NoAd.MEDIA_MISMATCH,
            _fitting(accepts.media, accepts.tier, accepts.animation),
            () if slot.fit == "stretch" else ((ASPECT_LOW, aspect), (ASPECT_HIGH, aspect)),
        ),
        Gate(NoAd.CATEGORY_BLOCKED, _allowed(slot.categories_blocked)),
    )
    return Place(slot, gates, _price(slot.floor_cpm), floors, world, reviews)


@lru_cache(maxsize=ALIKE)
def _targeted(
    world: str,
    named: str | None,
    tags: tuple[str, ...],
    said: About | None,
    wanted: Buyers | None,
    reviews: bool,  # noqa: FBT001  as `Place` has it
) -> Asks:
    about, buyers = said or About(), wanted or Buyers()
    names = [named] if named else []
    wishes = [
        wish("world", [world]),
        wish("slot", names),
        wish("tag", tags),
        wish("kind", [about.kind] if about.kind else []),
        wish("about", widened(*about.categories)),
        wish("keyword", about.keywords),
        wish("deal", [deal.id for deal in buyers.deals]),
    ]
    if buyers.allowed:
        wishes.append(wish("advertiser", buyers.allowed))
    if reviews:
        wishes.append((REVIEW, frozenset([(*REVIEW, world)])))
    barred: list[Feature] = [("advertiser", name) for name in buyers.blocked]
    barred += [
        ("refused", world),
        (NOT, "world", world),
        *((NOT, "slot", name) for name in names),
        *((NOT, "tag", tag) for tag in tags),
    ]
    return Asks(tuple(wishes), frozenset(barred))


@lru_cache(maxsize=ALIKE)
def _fitting(media: tuple[str, ...], tier: str, animation: bool) -> Asks:  # noqa: FBT001  as the slot has it
    barred: list[Feature] = [("tier", larger) for larger in TIERS[TIERS.index(tier) + 1 :]]
    if not animation:
        barred.append(("animated",))
    return Asks((wish("media", media),), frozenset(barred))


@lru_cache(maxsize=ALIKE)
def _allowed(blocked: tuple[str, ...]) -> Asks:
    return Asks(barred=frozenset(("category", name) for name in blocked))


def _price(cpm: Money) -> int:
    """Return the least whole price of one impression that is a thousandth of this or more."""
    return -(-cpm.micros // CPM_STEP_MICROS)


def _places(bits: int) -> Iterator[int]:
    while bits:
        yield lowest(bits)
        bits &= bits - 1
