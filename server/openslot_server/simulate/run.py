"""A simulation from its first minute to its last: the same scenario gives the same ledger, to the last hash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from openslot_server.demand.decide import read_outcomes
from openslot_server.demand.model import LineItem
from openslot_server.sessions import Seat
from openslot_server.simulate.scenario import (
    DAY_MINUTES,
    MINUTE_MS,
    SCENE,
    START_MS,
    Scenario,
    Town,
    line_items,
    rates,
    town,
    wants,
)
from openslot_server.simulate.stage import Stage, Viewed
from openslot_server.storage.store import DecisionRow
from openslot_spec.messages import PlacementsGet

__all__ = ["Delivered", "Simulation", "simulate"]

Say = Callable[[str], None]
HOUR_MINUTES = 60
WIND_UP_MINUTES = 3
"""After the last request, until no placement is open."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a line item."""

    line_item: str
    budget_micros: int
    spent_micros: int
    won: int
    asked: int
    """Slots that its targeting wants, during its flight."""

    @property
    def pacing_error(self) -> float:
        """By which share of its budget it was over or under."""
        return self.spent_micros / self.budget_micros - 1

    @property
    def win_rate(self) -> float:
        """Of the slots that it wants."""
        return self.won / self.asked if self.asked else 0.0


@dataclass
class Simulation:
    """A run as it goes on, and what came of it."""

    scenario: Scenario
    stage: Stage
    town: Town
    items: list[LineItem]
    rng: np.random.Generator
    requests: int = 0
    free: int = 0
    """Impressions that no budget paid."""
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Slots during the flights."""
    won: Counter[str] = field(default_factory=Counter)
    viewed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Impressions by world and slot, all days."""
    course: list[tuple[int, dict[str, int]]] = field(default_factory=list)
    """For each hour of the flights: slots asked for until then, and what each line item had spent."""

    @property
    def sha256(self) -> str:
        """The head of the ledger's chain, in which every decision and every payment is."""
        return self.stage.ledger.sha256

    def delivered(self) -> list[Delivered]:
        """Return what became of each line item."""
        return [self._delivered(line_item) for line_item in self.items]

    def overspent(self) -> int:
        """Return how many line items paid more than their budget."""
        return sum(one.spent_micros > one.budget_micros for one in self.delivered())

    def drift(self) -> float:
        """Return how far a line item was ever from the traffic: its share of its budget less the share of all slots."""
        total = self.course[-1][0]
        return max(
            abs(spent[one.id] / one.budget.micros - asked / total) for asked, spent in self.course for one in self.items
        )

    def _delivered(self, line_item: LineItem) -> Delivered:
        spent = self.stage.budgets.line_items[line_item.id].spent
        slots = {(world, one.slot.id): one.slot for world, some in self.town.worlds.items() for one in some}
        asked = sum(
            count
            for (world, slot), count in self.asked.items()
            if wants(line_item.targeting, world, slots[world, slot])
        )
        return Delivered(line_item.id, line_item.budget.micros, spent, self.won[line_item.id], asked)

    def minute(self, minute: int, requests: list[int]) -> None:
        """Live through one minute of requests by world; what is seen in it is paid at its end."""
        start_ms = START_MS + minute * MINUTE_MS
        self.stage.sweep(start_ms)
        if minute % HOUR_MINUTES == 0 and self.asked.total():
            spent = {one.id: self.stage.budgets.line_items[one.id].spent for one in self.items}
            self.course.append((self.asked.total(), spent))
        seen: list[Viewed] = []
        for at_ms, world in self._arrivals(requests):
            seen += self._request(world, start_ms + at_ms)
        self.free += self.stage.settle(seen, start_ms + MINUTE_MS)

    def _arrivals(self, requests: list[int]) -> Iterator[tuple[int, str]]:
        worlds = [name for name, count in zip(self.town.worlds, requests, strict=True) for _ in range(count)]
        times = self.rng.integers(MINUTE_MS, size=len(worlds)).tolist()
        return iter(sorted(zip(times, worlds, strict=True)))

    def _request(self, world: str, now_ms: int) -> list[Viewed]:
        slots = self.town.worlds[world]
        chosen = self.rng.permutation(len(slots))[:SCENE].tolist()
        luck = self.rng.random(len(chosen)).tolist()
        get = PlacementsGet(slots=tuple(slots[number].slot.id for number in chosen))
        _, rows = self.stage.decider.decide(get, Seat(world, f"session-{self.requests % 997}"), now_ms)
        self.requests += 1
        row = rows[0]
        assert isinstance(row, DecisionRow)  # noqa: S101  it comes first
        seen = []
        has_begun = now_ms >= self.items[0].from_ms if self.items else False
        for number, chance, outcome in zip(chosen, luck, read_outcomes(row), strict=True):
            self.asked[world, outcome.slot] += has_begun
            if outcome.placement:
                self.won[outcome.line_item] += 1
                if chance < slots[number].viewed:
                    self.viewed[world, outcome.slot] += 1
                    seen.append(Viewed(world, outcome))
        return seen


def simulate(scenario: Scenario, say: Say) -> Simulation:
    """Return what came of a scenario."""
    run = _prepare(scenario)
    expected = rates(scenario, run.town, run.rng)
    requests = run.rng.poisson(expected).T.tolist()
    for minute, counts in enumerate(requests):
        if minute % DAY_MINUTES == 0:
            say(f"day {minute // DAY_MINUTES + 1} of {len(requests) // DAY_MINUTES}")
        run.minute(minute, counts)
    for minute in range(len(requests), len(requests) + WIND_UP_MINUTES):
        run.minute(minute, [0] * len(run.town.worlds))
    return run


def _prepare(scenario: Scenario) -> Simulation:
    rng = np.random.default_rng(scenario.seed)
    stage = Stage(np.random.default_rng([scenario.seed, 1]).bytes, scenario.auction, START_MS)
    made = town(scenario, rng)
    for world, slots in made.worlds.items():
        stage.catalogue.put(world, [one.slot.plain() for one in slots], START_MS)
    booked = line_items(scenario, made, rng)
    stage.book(booked, START_MS)
    return Simulation(scenario, stage, made, [line_item for line_item, _ in booked], rng)
