"""The auction for one slot: who is eligible, in which order, and if nobody is, how far the best came.

First price: the winner pays what it bid. Among equal bids advertisers take turns by a hash of the decision and their
name, so that each has the same chance however many line items it has, and anyone can draw again.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from openslot_server.demand.model import Creative, LineItem, Targeting
from openslot_server.demand.orders import Offer
from openslot_spec.messages import NoAd
from openslot_spec.slots import Slot

__all__ = ["Candidate", "Question", "candidates", "why_not"]

TIERS = ("S", "M", "L")
REACHED = (NoAd.NO_DEMAND, NoAd.MEDIA_MISMATCH, NoAd.CATEGORY_BLOCKED, NoAd.FLOOR_NOT_MET)
"""How far a line item came, from the first gate to the last."""


@dataclass(frozen=True, slots=True)
class Question:
    """One slot to fill."""

    world: str
    slot: Slot
    now_ms: int
    draw: bytes
    """What ties are drawn from."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A line item that may have the slot, and what it would show."""

    line_item: LineItem
    creative: Creative


def candidates(question: Question, offers: Iterable[Offer]) -> Iterator[Candidate]:
    """Yield who may have the slot, the best first; `offers` come with the highest price first.

    Offers are judged and equal bids are drawn only when their turn comes: a slot that is filled costs little.
    """
    for _, equals in groupby(offers, key=lambda offer: offer.line_item.cpm.micros):
        judged = ((offer.line_item, _judge(question, offer)) for offer in equals)
        eligible = [(line_item, allowed) for line_item, allowed in judged if not isinstance(allowed, NoAd)]
        for line_item, allowed in sorted(eligible, key=lambda one: _turn(question.draw, one[0])):
            yield Candidate(line_item, _choose(question, allowed))


def why_not(question: Question, offers: Iterable[Offer]) -> NoAd:
    """Return how far the best came, for a slot without a candidate."""
    verdicts = (_judge(question, offer) for offer in offers)
    reasons = (verdict for verdict in verdicts if isinstance(verdict, NoAd))
    return max(reasons, key=REACHED.index, default=NoAd.NO_DEMAND)


def _judge(question: Question, offer: Offer) -> tuple[Creative, ...] | NoAd:
    slot, line_item = question.slot, offer.line_item
    in_flight = line_item.from_ms <= question.now_ms < line_item.to_ms
    if not in_flight or not _targeted(line_item.targeting, question.world, slot):
        return NoAd.NO_DEMAND
    fitting = [creative for creative in offer.creatives if _fits(creative, slot, line_item.aspect_ratio_max)]
    if not fitting:
        return NoAd.MEDIA_MISMATCH
    blocked = set(slot.categories_blocked)
    allowed = tuple(creative for creative in fitting if blocked.isdisjoint(creative.categories))
    if not allowed:
        return NoAd.CATEGORY_BLOCKED
    return allowed if _meets_floor(line_item, slot) else NoAd.FLOOR_NOT_MET


def _targeted(targeting: Targeting, world: str, slot: Slot) -> bool:
    if targeting.worlds and world not in targeting.worlds:
        return False
    if targeting.slots and slot.id not in targeting.slots:
        return False
    return not targeting.tags or not set(slot.tags).isdisjoint(targeting.tags)


def _fits(creative: Creative, slot: Slot, aspect_ratio_max: float) -> bool:
    accepts = slot.accepts
    if creative.media_type not in accepts.media or TIERS.index(creative.tier) > TIERS.index(accepts.tier):
        return False
    if creative.animated and not accepts.animation:
        return False
    return slot.fit == "stretch" or _misfit(creative, slot) <= math.log(aspect_ratio_max) + 1e-9


def _choose(question: Question, creatives: tuple[Creative, ...]) -> Creative:
    """Return the creative whose shape fits the slot best; those that fit alike take turns."""

    def order(creative: Creative) -> tuple[float, bytes]:
        return round(_misfit(creative, question.slot), 1), _draw(question.draw, creative.sha256)

    return min(creatives, key=order)


def _misfit(creative: Creative, slot: Slot) -> float:
    """Return how far the creative's aspect is from the slot's, as a logarithm; 0 where it is not known."""
    aspect = creative.aspect()
    return 0.0 if aspect is None else abs(math.log(aspect * slot.size[1] / slot.size[0]))


def _meets_floor(line_item: LineItem, slot: Slot) -> bool:
    floor = slot.floor_cpm
    same_currency = floor.currency == line_item.cpm.currency
    return floor.micros == 0 or (same_currency and line_item.cpm.micros >= floor.micros)


def _turn(draw: bytes, line_item: LineItem) -> tuple[bytes, str, bytes, str]:
    advertiser = line_item.advertiser
    return _draw(draw, advertiser), advertiser, _draw(draw, line_item.id), line_item.id


def _draw(draw: bytes, name: str) -> bytes:
    return hashlib.sha256(draw + name.encode("utf-8")).digest()
