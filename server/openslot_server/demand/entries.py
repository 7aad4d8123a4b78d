"""What the index knows of a line item: its rank, its features, its bounds.

A feature is a small tuple. `(dimension, value)` says that the line item asks for that value in that dimension or has
it, `(dimension,)` that it asks for something there at all, and `(NOT, dimension, value)` that it wants none of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from openslot_server.demand.model import PRIORITIES, Creative, Offer
from openslot_server.demand.showing import TIERS, aspect_range, log_aspect

__all__ = ["BOUNDS", "MIXED", "NOT", "REVIEW", "Entry", "Feature", "Rank", "entry_of"]

Feature = tuple[str, ...]
Rank = tuple[int, int, str]
"""Tier, minus the bid, id: the smallest comes first, and equals in the first two share a price."""

NOT = "not"
MIXED: Feature = ("mixed",)
"""Its creatives differ in what slots ask about: features and bounds are then those of the most suitable of each."""
REVIEW: Feature = ("review",)
"""What every line item has; `("review", world)` is what a world that reviews all approved."""
BOUNDS: tuple[tuple[str, int], ...] = (
    ("bid", 1),
    ("aspect_low", -1),
    ("aspect_high", 1),
    ("width_min", -1),
    ("width_max", 1),
    ("height_min", -1),
    ("height_max", 1),
)
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
    line_item, targeting = offer.line_item, offer.line_item.targeting
    bid = line_item.price_micros
    return Entry(
        line_item.id,
        line_item.advertiser,
        (PRIORITIES.index(line_item.tier), -bid, line_item.id),
        frozenset(_features(offer)),
        (
            float(bid),
            *_aspects(offer),
            targeting.width_min_m,
            targeting.width_max_m,
            targeting.height_min_m,
            targeting.height_max_m,
        ),
        offer,
    )


def _features(offer: Offer) -> list[Feature]:
    line_item, targeting = offer.line_item, offer.line_item.targeting
    found = _asks("advertiser", [line_item.advertiser])
    for dimension, values in (
        ("world", targeting.worlds),
        ("slot", targeting.slots),
        ("tag", targeting.tags),
        ("kind", targeting.kinds),
        ("about", targeting.categories),
        ("keyword", targeting.keywords),
        ("language", targeting.languages),
        ("region", targeting.regions),
        ("device", targeting.devices),
        ("cohort", targeting.cohorts),
        ("deal", (line_item.deal,) if line_item.deal else ()),
    ):
        if values:
            found += _asks(dimension, values)
    for dimension, values in (
        ("world", targeting.worlds_excluded),
        ("slot", targeting.slots_excluded),
        ("tag", targeting.tags_excluded),
    ):
        found += [(NOT, dimension, value) for value in values]
    if targeting.dayparts:
        hours = frozenset[int]().union(*(daypart.hours() for daypart in targeting.dayparts))
        found += [("hour",), *(("hour", targeting.time_zone, str(hour)) for hour in hours)]
    return found + _shown(offer.creatives) + _cleared(offer)


def _asks(dimension: str, values: Iterable[str]) -> list[Feature]:
    return [(dimension,), *[(dimension, value) for value in values]]


def _shown(creatives: tuple[Creative, ...]) -> list[Feature]:
    """Return what the creatives are. What a slot may refuse counts only where each of them has it."""
    first, *others = creatives
    found = _asks("media", [creative.media_type for creative in creatives])
    found.append(("tier", min((creative.tier for creative in creatives), key=TIERS.index)))
    if all(creative.animated for creative in creatives):
        found.append(("animated",))
    common = frozenset(first.categories).intersection(*(creative.categories for creative in others))
    found += [("category", category) for category in common]
    if others and len({_shape(creative) for creative in creatives}) > 1:
        found.append(MIXED)
    return found


def _cleared(offer: Offer) -> list[Feature]:
    """Return which worlds refuse all of its creatives, and which approved one of them."""
    found: list[Feature] = [REVIEW]
    if offer.clearances:
        refused = frozenset.intersection(*(one.barred for one in offer.clearances))
        approved = frozenset[str]().union(*(one.cleared for one in offer.clearances))
        found += [("refused", world) for world in refused]
        found += [(*REVIEW, world) for world in approved]
        if len(set(offer.clearances)) > 1:
            found.append(MIXED)
    return found


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
