"""The decision by the book: each line item is judged for each slot by plain reading of its record; nothing is kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from openslot_server.demand.dayparts import Daypart
from openslot_server.demand.draws import mix, seed_of
from openslot_server.demand.engine import Auction, Question
from openslot_server.demand.model import Creative, LineItem, Offer
from openslot_spec.messages import Context, NoAd
from openslot_spec.slots import About, Buyers, Slot

REACHED = (
    NoAd.NO_DEMAND,
    NoAd.MEDIA_MISMATCH,
    NoAd.CATEGORY_BLOCKED,
    NoAd.FLOOR_NOT_MET,
    NoAd.BUDGET_EXHAUSTED,
)


@dataclass
class Oracle:
    """A market as lists and dictionaries."""

    auction: Auction = "first_price"
    offers: dict[str, Offer] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    left: dict[str, int] = field(default_factory=dict)
    throttles: dict[str, float] = field(default_factory=dict)

    def decide(self, question: Question, refused: Iterable[str] = ()) -> tuple[str, int] | NoAd:
        """Return the winner and the price of one impression, or why the slot stays empty."""
        verdicts = {name: self._judge(question, offer) for name, offer in self.offers.items()}
        eligible = [self.offers[name].line_item for name, verdict in verdicts.items() if verdict is None]
        draws = _Draws(seed_of(question.draw))
        asked = [
            line_item
            for line_item in _in_order(eligible, draws)
            if line_item.id not in refused and self._coin(question, line_item.id)
        ]
        if asked:
            return asked[0].id, self._price(question, asked[0], asked[1:])
        if eligible:
            return NoAd.HELD_BACK
        reasons = [verdict for verdict in verdicts.values() if verdict is not None]
        return max(reasons, key=REACHED.index, default=NoAd.NO_DEMAND)

    def _coin(self, question: Question, name: str) -> bool:
        """Whether a line item takes part: its coin, between 0 and 1, falls below its throttle."""
        if name not in self.throttles:
            return True
        return mix(seed_of(question.draw), seed_of(name.encode())) / 2**64 < self.throttles[name]

    def _price(self, question: Question, winner: LineItem, others: list[LineItem]) -> int:
        if self.auction == "first_price" or winner.tier != "auction":
            return winner.price_micros
        rivals = [
            other.price_micros for other in others if other.advertiser != winner.advertiser and other.tier == "auction"
        ]
        return max([floor_of(question.slot, winner), *rivals])

    def _judge(self, question: Question, offer: Offer) -> NoAd | None:
        slot, line_item = question.slot, offer.line_item
        runs = line_item.from_ms <= question.now_ms < line_item.to_ms and line_item.id not in self.paused
        if not runs or not all(_targeted(line_item, question)):
            return NoAd.NO_DEMAND
        fitting = [creative for creative in offer.creatives if _fits(creative, slot, line_item.aspect_ratio_max)]
        if not fitting:
            return NoAd.MEDIA_MISMATCH
        if all(set(slot.categories_blocked) & set(creative.categories) for creative in fitting):
            return NoAd.CATEGORY_BLOCKED
        if line_item.price_micros < floor_of(slot, line_item):
            return NoAd.FLOOR_NOT_MET
        return NoAd.BUDGET_EXHAUSTED if self.left[line_item.id] < line_item.price_micros else None


def floor_of(slot: Slot, line_item: LineItem) -> int:
    """Return the least whole price of one impression that is a thousandth of the line item's floor or more."""
    cpm = slot.floor_cpm
    for one in slot.buyers.floors if slot.buyers else ():
        if one.advertiser == line_item.advertiser:
            cpm = one.floor_cpm
    for deal in slot.buyers.deals if slot.buyers else ():
        if deal.id == line_item.deal:
            cpm = deal.floor_cpm
    return math.ceil(cpm.micros / 1000)


def _targeted(line_item: LineItem, question: Question) -> Iterator[bool]:
    targeting, slot, context = line_item.targeting, question.slot, question.context or Context()
    about, buyers = slot.about or About(), slot.buyers or Buyers()
    for wanted, offered in (
        (targeting.worlds, [question.world]),
        (targeting.slots, [slot.id]),
        (targeting.tags, slot.tags),
        (targeting.kinds, [about.kind]),
        (targeting.keywords, about.keywords),
        (targeting.devices, [context.device]),
        (targeting.cohorts, context.cohorts),
    ):
        yield not wanted or bool(set(wanted) & set(offered))
    for excluded, present in (
        (targeting.worlds_excluded, [question.world]),
        (targeting.slots_excluded, [slot.id]),
        (targeting.tags_excluded, slot.tags),
    ):
        yield not set(excluded) & set(present)
    for parts, wholes in (
        (about.categories, targeting.categories),
        ([context.language], targeting.languages),
        ([context.region], targeting.regions),
    ):
        yield not wholes or any(
            part and (part == whole or part.startswith(f"{whole}-")) for part in parts for whole in wholes
        )
    yield targeting.width_min_m <= slot.size[0] <= targeting.width_max_m
    yield targeting.height_min_m <= slot.size[1] <= targeting.height_max_m
    yield not targeting.dayparts or any(
        _is_open(part, question.now_ms, targeting.time_zone) for part in targeting.dayparts
    )
    yield line_item.deal is None or line_item.deal in [deal.id for deal in buyers.deals]
    yield not buyers.allowed or line_item.advertiser in buyers.allowed
    yield line_item.advertiser not in buyers.blocked


def _is_open(part: Daypart, now_ms: int, time_zone: str) -> bool:
    local = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(time_zone))
    return local.weekday() in part.days and part.from_hour <= local.hour < part.to_hour


def _fits(creative: Creative, slot: Slot, ratio_max: float) -> bool:
    accepts = slot.accepts
    if creative.media_type not in accepts.media or "SML".index(creative.tier) > "SML".index(accepts.tier):
        return False
    if creative.animated and not accepts.animation:
        return False
    aspect = creative.aspect()
    if slot.fit == "stretch" or aspect is None:
        return True
    return abs(math.log(aspect) - math.log(slot.size[0] / slot.size[1])) <= math.log(ratio_max) + 1e-9


@dataclass
class _Draws:
    seed: int
    number: int = 0

    def below(self, count: int) -> int:
        if count == 1:
            return 0
        self.number += 1
        return mix(self.seed, self.number) % count


def _in_order(eligible: list[LineItem], draws: _Draws) -> Iterator[LineItem]:
    for price in sorted({_rank(line_item) for line_item in eligible}):
        equals = sorted((one for one in eligible if _rank(one) == price), key=lambda one: one.id)
        while equals:
            advertiser = equals[0].advertiser if len(equals) == 1 else _draw_advertiser(equals, draws)
            own = [one for one in equals if one.advertiser == advertiser]
            equals = [one for one in equals if one.advertiser != advertiser]
            while own:
                yield own.pop(draws.below(len(own)))


def _rank(line_item: LineItem) -> tuple[int, int]:
    return ["sponsorship", "guaranteed", "auction", "house"].index(line_item.tier), -line_item.price_micros


def _draw_advertiser(equals: list[LineItem], draws: _Draws) -> str:
    for _ in range(16):
        drawn = equals[draws.below(len(equals))].advertiser
        mine = sum(one.advertiser == drawn for one in equals)
        if mine == 1 or draws.below(mine) == 0:
            return drawn
    advertisers = sorted({one.advertiser for one in equals})
    return advertisers[draws.below(len(advertisers))]
