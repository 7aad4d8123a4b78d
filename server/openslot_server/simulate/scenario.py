"""What is simulated: worlds with slots, when their viewers come, and line items whose budgets add up to a load."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from openslot_server.demand.model import Creative, LineItem, LineItemDraft, Pacing
from openslot_server.demand.targeting import Targeting
from openslot_spec.records import Money
from openslot_spec.slots import Slot

__all__ = [
    "DAY_MINUTES",
    "MINUTE_MS",
    "SCENE",
    "START_MS",
    "Scenario",
    "SimulatedSlot",
    "Town",
    "line_items",
    "rates",
    "town",
    "wants",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Bools = NDArray[np.bool_]
HALVINGS = 40
START_MS = 1_789_948_800_000
"""A Monday's midnight UTC."""
MINUTE_MS = 60_000
DAY_MINUTES = 1440
SCENE = 3
"""Slots that one request asks for."""
TAGS = 8
SPIKE = slice(420, 450)
OUTAGE = slice(900, 960)
"""Minutes of the first day of the flights."""
SPIKE_TIMES = 5
NOISE_MINUTES, NOISE = 30, 0.25
MEDIAN_CPM_MICROS, SPREAD = 3_000_000, 0.5


@dataclass(frozen=True)
class Scenario:
    """What can be chosen; the seed decides all else."""

    seed: int = 0
    days: int = 1
    """Of the flights; `warm_up` days of traffic come before, from which the tides are learned."""
    warm_up: int = 1
    worlds: int = 4
    slots: int = 8
    """Of each world."""
    line_items: int = 20
    requests: int = 10_000
    """A day, in all worlds."""
    load: float = 0.8
    """The share of what is expected to be viewed that the budgets buy, in every slot."""
    pacing: Pacing = "even"
    auction: Literal["first_price", "second_price"] = "first_price"
    has_shocks: bool = True
    """A spike of five times the traffic for half an hour, an hour's outage, and noise."""


@dataclass(frozen=True, slots=True)
class SimulatedSlot:
    """A slot, and what its viewers do."""

    slot: Slot
    viewed: float
    """The share of its placements that become viewable impressions."""
    seconds: float
    """For how long one is seen in the mean."""


@dataclass(frozen=True)
class Town:
    """Worlds by name, with their slots, their share of all requests and the hour at which most come."""

    worlds: dict[str, tuple[SimulatedSlot, ...]]
    share: tuple[float, ...]
    peak_hour: tuple[float, ...]
    tags: dict[str, frozenset[str]] = field(default_factory=dict)


def town(scenario: Scenario, rng: np.random.Generator) -> Town:
    """Return the worlds of a scenario."""
    names = [f"world-{number}" for number in range(scenario.worlds)]
    share = rng.dirichlet(np.full(scenario.worlds, 4.0))
    worlds = {name: tuple(_slot(number, rng) for number in range(scenario.slots)) for name in names}
    return Town(worlds, tuple(share.tolist()), tuple((12 + 8 * rng.random(scenario.worlds)).tolist()))


def rates(scenario: Scenario, made: Town, rng: np.random.Generator) -> Floats:
    """Return the requests to expect of each world (rows) in each minute (columns), shocks and all."""
    days = scenario.warm_up + scenario.days
    hour = np.arange(days * DAY_MINUTES) / 60
    peak = np.array(made.peak_hour)[:, None]
    phase = 2 * math.pi * (hour - peak) / 24
    shape = np.clip(1 + 0.8 * np.cos(phase) + 0.2 * np.cos(2 * phase), 0.05, None)
    weekday = np.where((hour // 24).astype(int) % 7 < 5, 1.0, 1.2)
    shape = shape / shape[:, :DAY_MINUTES].sum(axis=1, keepdims=True) * weekday
    found: Floats = shape * np.array(made.share)[:, None] * scenario.requests
    if scenario.has_shocks:
        found *= np.exp(rng.normal(0, NOISE, (len(found), -(-found.shape[1] // NOISE_MINUTES)))).repeat(
            NOISE_MINUTES, axis=1
        )[:, : found.shape[1]]
        first = found[:, scenario.warm_up * DAY_MINUTES :]
        first[:, SPIKE] *= SPIKE_TIMES
        first[:, OUTAGE] = 0
    return found


def line_items(scenario: Scenario, made: Town, rng: np.random.Generator) -> list[tuple[LineItem, Creative]]:
    """Return line items whose budgets buy `load` of what the slots have to give, so that all can be delivered."""
    count = scenario.line_items
    targetings = [_targeting(number, made, rng) for number in range(count)]
    prices = (np.exp(rng.normal(0, SPREAD, count)) * MEDIAN_CPM_MICROS // 1000).astype(int)
    appetite = rng.lognormal(0, 0.6, count)
    supply = _supply(scenario, made)
    fits = np.array(
        [[wants(one, world, some.slot) for world, slots in made.worlds.items() for some in slots] for one in targetings]
    )
    impressions = _shares(fits, np.argsort(-prices, kind="stable"), appetite, supply, scenario.load)
    planned = zip(targetings, prices.tolist(), impressions.tolist(), strict=True)
    return [_line_item(scenario, number, *one) for number, one in enumerate(planned)]


def _supply(scenario: Scenario, made: Town) -> Floats:
    """Return how many viewable impressions to expect of each slot during the flights."""
    requests = scenario.requests * scenario.days
    return np.array(
        [
            requests * share * min(SCENE, len(slots)) / len(slots) * one.viewed
            for slots, share in zip(made.worlds.values(), made.share, strict=True)
            for one in slots
        ]
    )


def _shares(fits: Bools, order: Ints, appetite: Floats, supply: Floats, load: float) -> Floats:
    """Return each line item's impressions, `load` of the supply in all.

    Each takes a share of what those with better bids leave, and no budget asks for more than that.
    """
    low, high = 0.0, 64.0
    taken = np.zeros(len(order))
    for _ in range(HALVINGS):
        hunger, left = (low + high) / 2, supply.copy()
        for number in order:
            part = fits[number] * left * -np.expm1(-hunger * appetite[number])
            taken[number], left = part.sum(), left - part
        low, high = (hunger, high) if taken.sum() < load * supply.sum() else (low, hunger)
    return taken


def _slot(number: int, rng: np.random.Generator) -> SimulatedSlot:
    terms = {
        "id": f"slot-{number}",
        "size": [4, 2],
        "pose": {"position": [40 * number, 2, -5], "rotation": [0, 0, 0, 1]},
        "tags": [f"tag-{tag}" for tag in sorted(rng.choice(TAGS, 3, replace=False).tolist())],
    }
    return SimulatedSlot(Slot.parse(terms), float(rng.uniform(0.3, 0.9)), float(rng.uniform(2, 20)))


def _targeting(number: int, made: Town, rng: np.random.Generator) -> Targeting:
    """Return a third for everything, a third for tags, a third for a world."""
    match number % 3:
        case 0:
            return Targeting()
        case 1:
            return Targeting(tags=tuple(f"tag-{tag}" for tag in rng.choice(TAGS, 3, replace=False)))
        case _:
            return Targeting(worlds=(list(made.worlds)[rng.integers(len(made.worlds))],))


def wants(targeting: Targeting, world: str, slot: Slot) -> bool:
    """Return whether a targeting of a scenario takes a slot."""
    of_world = not targeting.worlds or world in targeting.worlds
    return of_world and (not targeting.tags or not set(targeting.tags).isdisjoint(slot.tags))


def _line_item(
    scenario: Scenario, number: int, targeting: Targeting, price: int, wanted: float
) -> tuple[LineItem, Creative]:
    advertiser = f"advertiser-{number % max(1, scenario.line_items // 2)}"
    creative = Creative(
        sha256=f"{number:064x}",
        media_type="model/gltf-binary",
        size_bytes=10_000,
        advertiser=advertiser,
        label="Ad",
    )
    start_ms = START_MS + scenario.warm_up * DAY_MINUTES * MINUTE_MS
    draft = LineItemDraft(
        campaign=f"campaign-{advertiser}",
        name=f"Line item {number}",
        creatives=(creative.sha256,),
        cpm=Money(micros=1000 * price),
        budget=Money(micros=price * max(1, round(wanted))),
        from_ms=start_ms,
        to_ms=start_ms + scenario.days * DAY_MINUTES * MINUTE_MS,
        targeting=targeting,
        pacing=scenario.pacing,
    )
    return LineItem(**dict(draft), id=f"li-{number}", advertiser=advertiser, status="scheduled"), creative
