"""How well budgets are paced in simulation, and how near what is delivered comes to the throttle."""

from __future__ import annotations

import time
from collections.abc import Callable

from openslot_server.demand.throttle import part_of, takes_part
from openslot_server.simulate.run import Simulation, simulate
from openslot_server.simulate.scenario import Scenario

__all__ = ["pacing_figures"]

LOADS = (60, 80, 95)
SEEDS = (0, 1, 2)
BOUND = 0.02
SHARES = (0.01, 0.05, 0.1, 0.3, 0.5, 0.9)
COINS = 200_000


def pacing_figures(progress: Callable[[str], None]) -> dict[str, float]:
    """Return figures by name: line items within 2 % by load, the worst error at 80 %, who is overspent, the coins."""
    figures: dict[str, float] = {}
    overspent = requests = 0
    start = time.process_time()
    for load in LOADS:
        progress(f"a day at {load} % load, with a spike and an outage")
        runs = [simulate(Scenario(seed, load=load / 100), lambda _: None) for seed in SEEDS]
        errors = [abs(one.pacing_error) for run in runs for one in run.delivered()]
        figures[f"paced_within_2_percent_at_{load}"] = sum(error <= BOUND for error in errors) / len(errors)
        figures[f"pacing_error_worst_at_{load}"] = max(errors)
        overspent += sum(map(_overspent, runs))
        requests += sum(run.requests for run in runs)
    figures["overspent"] = overspent
    figures["simulated_requests_per_minute"] = 60 * requests / (time.process_time() - start)
    figures["throttle_error_max_points"] = 100 * max(_coin_error(share) for share in SHARES)
    return figures


def _overspent(run: Simulation) -> int:
    return run.overspent() + run.free


def _coin_error(share: float) -> float:
    """Return how far the share of auctions taken part in is from the throttle, for two line items."""
    part = part_of(share)
    taken = [
        sum(takes_part(part, number.to_bytes(4, "big"), name) for number in range(COINS)) / COINS
        for name in ("li-1", "li-2")
    ]
    return max(abs(one - share) for one in taken)
