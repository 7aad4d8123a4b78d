"""Pacing by feedback: each line item's throttle is what it has left over what it would get at full throttle.

    yield      what it used ÷ (its throttle × slots asked for), of the last hours, older ones counting less
    to come    slots that its plan has until the flight ends × slots asked for ÷ slots planned, of the last hours
    throttle   what is left ÷ (yield × to come)

The plan follows the tides of its worlds: one that is even in time starves at night and is late for ever after. Used is
what was paid and what open placements will cost, at the share of this line item's placements that were viewed so far.
The end of the plan is kept in reserve, for then everybody who is late wants the same few slots.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from openslot_server.demand.budgets import Budget, Budgets
from openslot_server.demand.caps import Where
from openslot_server.demand.model import LineItem
from openslot_server.demand.throttle import WHOLE, part_of, takes_part
from openslot_server.demand.tides import Tides

__all__ = ["HOUR_MS", "LOOK_MS", "Pace", "Pacer", "next_throttle"]

LOOK_MS = 60_000
"""How often a line item is looked at."""
HALF_MS = 60 * 60_000
"""After which time what was seen counts half."""
START = 0.1
"""The throttle of a line item of which nothing is known yet."""
BELIEF = 0.2
"""Looks that the first guess of the yield counts for, always."""
LEAST = 1e-4
RESERVE = 0.02
"""The share of its plan that a line item means to be done before."""
FRONT = 1.5
"""How much faster than even a front-loaded line item starts; what is left then falls with this power."""
USUAL_VIEWS, USUAL_WEIGHT = 0.5, 20
"""The share of placements that are viewed, to begin with, and how many placements that guess is worth."""
HOUR_MS = 3_600_000
DAY_HOURS = 24
HELD = 2048
"""Slots and hours for which a line item's held-back requests are told apart."""


@dataclass(slots=True)
class Pace:
    """What is remembered of a line item."""

    at_ms: int
    asked: int
    used: float
    share: float = START
    gained: float = 0.0
    offered: float = 0.0
    seen: float = 0.0
    planned: float = 0.0
    looks: float = 0.0
    """Sums in which older looks count less: micros used, throttle × slots, slots, those planned, looks."""
    held: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    """Requests that it would have had but for its throttle, by hour, world and slot."""


def used_micros(budget: Budget, price_micros: int) -> float:
    """Return what is spent for certain and what open placements will cost by experience."""
    guess = USUAL_WEIGHT * price_micros
    views = (budget.spent + USUAL_VIEWS * guess) / (budget.granted - budget.reserved + guess)
    return budget.spent + min(1.0, views) * budget.reserved


def remember(pace: Pace, used: float, asked: int, planned: float, now_ms: int) -> None:
    """Add what happened since the last look; `planned` is how many slots the plan had in that time."""
    elapsed = now_ms - pace.at_ms
    keep = 0.5 ** (elapsed / HALF_MS)
    new = asked - pace.asked
    pace.gained = keep * pace.gained + used - pace.used
    pace.offered = keep * pace.offered + pace.share * new
    pace.seen = keep * pace.seen + new
    pace.planned = keep * pace.planned + planned
    pace.looks = keep * pace.looks + elapsed / LOOK_MS
    pace.at_ms, pace.asked, pace.used = now_ms, asked, used


def next_throttle(pace: Pace, left: float, rest: float, average: float) -> float:
    """Return in which share of its auctions a line item should take part until the next look.

    Args:
        pace: what is remembered of it.
        left: micros that are neither spent nor expected to be.
        rest: slots that the plan has for them.
        average: micros that it would use in a look if all looks were alike; the first guess of its yield.
    """
    if pace.seen <= 0:
        return pace.share
    prior = BELIEF * START * pace.seen / pace.looks
    worth = (max(0.0, pace.gained) + BELIEF * average) / (pace.offered + prior)
    to_come = rest * pace.seen / pace.planned if pace.planned > 0 else rest
    return max(LEAST, min(1.0, left / max(worth * to_come, 1e-9)))


class Pacer:
    """The throttles of all line items that are paced."""

    def __init__(self, budgets: Budgets, tides: Tides) -> None:
        self.tides = tides
        self._budgets = budgets
        self._paces: dict[str, Pace] = {}
        self._throttles: dict[str, int] = {}
        self._round: list[str] = []
        self._round_ms = self._hour = 0
        self._looked = 0

    def throttle(self, line_item: LineItem) -> int:
        """Return in how many of 2³² auctions a line item takes part."""
        if line_item.pacing == "as_fast_as_possible":
            return WHOLE
        return self._throttles.get(line_item.id, part_of(START))

    def holds_back(self, line_item: LineItem, draw: bytes) -> bool:
        """Return whether pacing keeps a line item out of a decision."""
        if line_item.pacing == "as_fast_as_possible":
            return False
        return not takes_part(self.throttle(line_item), draw, line_item.id)

    def note(self, line_item: str, where: Where, now_ms: int) -> None:
        """Count a request that a line item would have had, had its throttle let it."""
        pace = self._paces.get(line_item)
        if pace is not None:
            key = now_ms // HOUR_MS, where.world, where.slot
            pace.held[key if len(pace.held) < HELD else (key[0], "", "")] += 1

    def held(self, line_item: str, since_ms: int) -> Counter[tuple[str, str]]:
        """Return by world and slot how many requests pacing took; empty names stand for those beyond `HELD`."""
        found: Counter[tuple[str, str]] = Counter()
        pace = self._paces.get(line_item)
        for (hour, *where), count in pace.held.items() if pace else ():
            if hour >= since_ms // HOUR_MS:
                found[where[0], where[1]] += count
        return found

    def turn(self, line_items: Mapping[str, LineItem], now_ms: int) -> None:
        """Look at those that are due: each once in `LOOK_MS`, evenly spread over it."""
        if now_ms >= self._round_ms + LOOK_MS:
            self._look_at(self._round[self._looked :], line_items, now_ms)
            self._round = [name for name, one in line_items.items() if _is_paced(one, now_ms)]
            self._round_ms, self._looked = now_ms, 0
            self._forget(line_items, now_ms)
        due = len(self._round) * (now_ms - self._round_ms + 1) // LOOK_MS + 1
        self._look_at(self._round[self._looked : due], line_items, now_ms)
        self._looked = max(self._looked, min(due, len(self._round)))

    def _look_at(self, names: list[str], line_items: Mapping[str, LineItem], now_ms: int) -> None:
        for name in names:
            if name in line_items and name in self._budgets.line_items:
                self._look(line_items[name], self._budgets.line_items[name], now_ms)

    def _look(self, line_item: LineItem, budget: Budget, now_ms: int) -> None:
        asked, used = self.tides.asked(line_item.targeting), used_micros(budget, line_item.price_micros)
        pace = self._paces.get(line_item.id)
        if pace is None:
            self._paces[line_item.id] = Pace(now_ms, asked, used)
            return
        plan = self.tides.plan(line_item.targeting, now_ms)
        remember(pace, used, asked, plan.between(pace.at_ms, now_ms), now_ms)
        left = budget.left + budget.reserved + budget.spent - used
        whole = plan.between(line_item.from_ms, line_item.to_ms)
        rest = plan.between(now_ms, line_item.to_ms) - RESERVE * whole
        if line_item.pacing == "front_loaded":
            rest /= FRONT
        average = (left + used) * LOOK_MS / (line_item.to_ms - line_item.from_ms)
        pace.share = next_throttle(pace, left, max(rest, 0.0), average)
        self._throttles[line_item.id] = part_of(pace.share)

    def _forget(self, line_items: Mapping[str, LineItem], now_ms: int) -> None:
        for name in [name for name in self._paces if name not in line_items or line_items[name].status == "completed"]:
            del self._paces[name]
            self._throttles.pop(name, None)
        hour = now_ms // HOUR_MS
        if hour != self._hour:
            self._hour = hour
            for pace in self._paces.values():
                kept = {key: count for key, count in pace.held.items() if key[0] >= hour - DAY_HOURS}
                pace.held = Counter(kept)


def _is_paced(line_item: LineItem, now_ms: int) -> bool:
    return (
        line_item.pacing != "as_fast_as_possible"
        and line_item.status == "active"
        and line_item.from_ms <= now_ms < line_item.to_ms
    )
