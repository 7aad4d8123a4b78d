"""Pacing in simulation: every budget is delivered, in step with the traffic, and none is overspent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from openslot_server.demand import pacing, tides
from openslot_server.demand.circumstances import QUARTER_MS
from openslot_server.demand.dayparts import Daypart
from openslot_server.demand.model import Pacing
from openslot_server.demand.pacing import Pace, next_throttle
from openslot_server.demand.targeting import Targeting
from openslot_server.demand.tides import WEEK_MS, Tides
from openslot_server.simulate.run import Simulation, simulate
from openslot_server.simulate.scenario import DAY_MINUTES, MINUTE_MS, Scenario

DAY_MS = DAY_MINUTES * MINUTE_MS
DRIFT = 0.2
"""In half an hour of five times the traffic nobody can know that it is not the day's."""


def run(seed: int = 1, pacing_of_all: Pacing = "even", requests: int = 2_500) -> Simulation:
    return simulate(Scenario(seed, worlds=2, line_items=8, requests=requests, pacing=pacing_of_all), lambda _: None)


def off(found: Simulation) -> float:
    """Return by how much the furthest line item is off its budget."""
    return max(abs(one.pacing_error) for one in found.delivered())


def is_on_course(found: Simulation) -> bool:
    return off(found) <= 0.02 and found.drift() <= DRIFT


def test_uneven_traffic_delivers_every_budget_in_step_with_it_and_overspends_none() -> None:
    found = run()
    assert is_on_course(found)
    assert found.overspent() == 0
    assert found.free == 0


def test_the_same_seed_gives_the_same_ledger_and_another_one_another() -> None:
    first, again, other = (run(seed, "as_fast_as_possible", 150).sha256 for seed in (4, 4, 5))
    assert first == again != other


def test_a_plan_is_the_traffic_that_was_seen_and_dayparts_are_open_in_it() -> None:
    learned = Tides()
    for quarter in range(3 * WEEK_MS // QUARTER_MS):
        hour = quarter // 4 % 24
        learned.count("plaza", 10 if 8 <= hour < 20 else 2, quarter * QUARTER_MS)
    now_ms = 3 * WEEK_MS
    plan = learned.plan(Targeting(worlds=("plaza",)), now_ms)
    assert plan.between(now_ms, now_ms + DAY_MS) == pytest.approx(4 * (12 * 10 + 12 * 2), rel=0.02)
    assert plan.between(now_ms + DAY_MS // 2, now_ms + DAY_MS // 2 + QUARTER_MS) == pytest.approx(10)
    mornings = Targeting(dayparts=(Daypart(from_hour=6, to_hour=10),))
    assert learned.plan(mornings, now_ms).between(now_ms + DAY_MS // 2, now_ms + DAY_MS) == 0


def test_nothing_known_is_all_alike() -> None:
    plan = Tides().plan(Targeting(), 0)
    assert plan.between(0, WEEK_MS) == pytest.approx(7 * plan.between(5 * DAY_MS, 6 * DAY_MS))
    assert next_throttle(Pace(0, 0, 0.0), 100, 1, 1) == pacing.START


def test_a_front_loaded_budget_is_spent_sooner() -> None:
    even, front = (run(1, how).course[12][1] for how in ("even", "front_loaded"))
    assert sum(front.values()) > 1.15 * sum(even.values())


FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "the plan is even in time": lambda patch: patch.setattr(tides.Tide, "weights", lambda _: np.ones(tides.WEEK)),
    "a throttle is never looked at again": lambda patch: patch.setattr(
        pacing, "next_throttle", lambda pace, *_: pace.share
    ),
    "the yield of a slot is taken for a micro": lambda patch: patch.setattr(
        pacing, "next_throttle", lambda pace, left, rest, _: min(1.0, left / max(rest * pace.seen, 1e-9))
    ),
    "there is no throttle": lambda patch: patch.setattr(pacing, "next_throttle", lambda *_: 1.0),
    "only the last look is remembered": lambda patch: patch.setattr(pacing, "HALF_MS", 1_000),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS[fault](monkeypatch)
    assert not is_on_course(run())
