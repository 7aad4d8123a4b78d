"""What the index knows of a line item: its rank, its features, its bounds.

A feature is a small tuple. `(dimension, value)` says that the line item asks for that value in that dimension or has
it, `(dimension,)` that it asks for something there at all, and `(NOT, dimension, value)` that it wants none of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from openslot_server.demand.model import Creative, Offer
from openslot_server.demand.showing import TIERS, aspect_range, log_aspect

__all__ = ["BOUNDS", "MIXED", "NOT", "Entry", "Feature", "Rank", "entry_of"]

Feature = tuple[str, ...]
Rank = tuple[int, int, str]
"""Tier, minus the bid, id: the smallest comes first, and equals in the first two share a price."""

NOT = "not"
MIXED: Feature = ("mixed",)
"""Its creatives differ in what slots ask about: features and bounds are then those of the most suitable of each."""
BOUNDS: tuple[tuple[str, int], ...] = (("bid", 1), ("aspect_low", -1), ("aspect_high", 1))
"""A line item's numbers, and on which side of a slot's they must lie: +1 at least, -1 at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A line item in the index."""

    id: str
    advertiser: str
    rank: Rank
    features: frozenset[Feature]
    bounds: tuple[float, ...]
    """In the order of `BOUNDS`."""
    offer: Offer

    @property
    def bid_micros(self) -> int:
        """What it would pay for one viewable impression."""
        return -self.rank[1]


def entry_of(offer: Offer) -> Entry:
    """Return what the index keeps of an offer."""
    line_item = offer.line_item
    low, high = _aspects(offer)
    return Entry(
        line_item.id,
        line_item.advertiser,
        (0, -line_item.price_micros, line_item.id),
        frozenset(_features(offer)),
        (float(line_item.price_micros), low, high),
        offer,
    )


def _features(offer: Offer) -> Iterator[Feature]:
    yield ("advertiser", offer.line_item.advertiser)
    targeting = offer.line_item.targeting
    yield from _asks("world", targeting.worlds)
    yield from _asks("slot", targeting.slots)
    yield from _asks("tag", targeting.tags)
    yield from _shown(offer.creatives)
    if len({_shape(creative) for creative in offer.creatives}) > 1:
        yield MIXED


def _asks(dimension: str, values: Iterable[str]) -> Iterator[Feature]:
    for value in values:
        yield (dimension,)
        yield (dimension, value)


def _shown(creatives: tuple[Creative, ...]) -> Iterator[Feature]:
    """Yield what the creatives are. What a slot may refuse counts only where each of them has it."""
    yield from _asks("media", (creative.media_type for creative in creatives))
    yield ("tier", min((creative.tier for creative in creatives), key=TIERS.index))
    if all(creative.animated for creative in creatives):
        yield ("animated",)
    for category in frozenset.intersection(*(frozenset(creative.categories) for creative in creatives)):
        yield ("category", category)


def _shape(creative: Creative) -> tuple[object, ...]:
    return (
        creative.media_type,
        creative.tier,
        creative.animated,
        frozenset(creative.categories),
        log_aspect(creative),
    )


def _aspects(offer: Offer) -> tuple[float, float]:
    """Return between which logarithms of a slot's aspect some creative fits."""
    ranges = [aspect_range(creative, offer.line_item.aspect_ratio_max) for creative in offer.creatives]
    return min(low for low, _ in ranges), max(high for _, high in ranges)
