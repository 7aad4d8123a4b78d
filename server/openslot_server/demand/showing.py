"""Which of a line item's creatives a slot takes, and which of them it shows."""

from __future__ import annotations

import math

from openslot_server.demand.draws import mix, seed_of
from openslot_server.demand.model import Creative, Offer
from openslot_spec.messages import NoAd
from openslot_spec.slots import Slot

__all__ = ["TIERS", "aspect_range", "choose", "log_aspect", "shown"]

TIERS = ("S", "M", "L")
ASPECT_SLACK = 1e-9
"""So that the ratio that was asked for is within it however it is computed."""


def log_aspect(creative: Creative) -> float | None:
    """Return the logarithm of width ÷ height, or None if it is not known."""
    aspect = creative.aspect()
    return None if aspect is None else math.log(aspect)


def aspect_range(creative: Creative, ratio_max: float) -> tuple[float, float]:
    """Return between which logarithms of a slot's aspect the creative fits."""
    aspect = log_aspect(creative)
    if aspect is None:
        return -math.inf, math.inf
    slack = math.log(ratio_max) + ASPECT_SLACK
    return aspect - slack, aspect + slack


def shown(offer: Offer, slot: Slot, world: str, *, reviews: bool) -> tuple[Creative, ...] | NoAd:
    """Return the creatives that a slot of a world takes, or why it takes none; `reviews` as in `Clearance.admits`."""
    permitted = offer.creatives
    if offer.clearances or reviews:
        pairs = zip(offer.creatives, offer.clearances, strict=False)
        permitted = tuple(creative for creative, where in pairs if where.admits(world, reviews=reviews))
        if not permitted:
            return NoAd.NO_DEMAND
    fitting = [one for one in permitted if _fits(one, slot, offer.line_item.aspect_ratio_max)]
    if not fitting:
        return NoAd.MEDIA_MISMATCH
    blocked = set(slot.categories_blocked)
    allowed = tuple(creative for creative in fitting if blocked.isdisjoint(creative.categories))
    return allowed or NoAd.CATEGORY_BLOCKED


def choose(creatives: tuple[Creative, ...], slot: Slot, draw: bytes) -> Creative:
    """Return the creative whose shape fits the slot best; those that fit alike take turns."""
    if len(creatives) == 1:
        return creatives[0]
    seed = seed_of(draw)

    def order(creative: Creative) -> tuple[float, int]:
        aspect = log_aspect(creative)
        misfit = 0.0 if aspect is None else abs(aspect - math.log(slot.size[0] / slot.size[1]))
        return round(misfit, 1), mix(seed, seed_of(creative.sha256.encode("ascii")))

    return min(creatives, key=order)


def _fits(creative: Creative, slot: Slot, ratio_max: float) -> bool:
    accepts = slot.accepts
    if creative.media_type not in accepts.media or TIERS.index(creative.tier) > TIERS.index(accepts.tier):
        return False
    if creative.animated and not accepts.animation:
        return False
    low, high = aspect_range(creative, ratio_max)
    return slot.fit == "stretch" or low <= math.log(slot.size[0] / slot.size[1]) <= high
