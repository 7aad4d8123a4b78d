from __future__ import annotations

import pytest

from openslot_server.demand.engine import Auction
from tests.demand.schedule import Schedule

OUTCOMES = {
    "filled",
    "no_demand",
    "media_mismatch",
    "category_blocked",
    "floor_not_met",
    "budget_exhausted",
    "held_back",
}


@pytest.mark.parametrize("auction", ["first_price", "second_price"])
@pytest.mark.parametrize(("seed", "line_items"), [(0, 25), (1, 60), (2, 120)])
def test_every_decision_is_the_oracles_while_the_market_changes(seed: int, line_items: int, auction: Auction) -> None:
    seen = Schedule(seed, auction, line_items).run(300)
    assert "filled" in seen
    assert set(seen) <= OUTCOMES


@pytest.mark.soak
@pytest.mark.parametrize("auction", ["first_price", "second_price"])
@pytest.mark.parametrize(("seed", "line_items"), [(10, 10), (11, 25), (12, 60), (13, 100), (14, 120)])
def test_a_hundred_thousand_decisions_are_the_oracles(seed: int, line_items: int, auction: Auction) -> None:
    seen = Schedule(seed, auction, line_items, capacity=64).run(10_000)
    assert {"filled", "no_demand"} <= set(seen) <= OUTCOMES
