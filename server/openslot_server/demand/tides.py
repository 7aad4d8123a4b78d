"""Tides: how many slots each world asks for in each quarter of an hour of the week, learned as it happens.

A budget that is spent in step with them is neither gone before the evening nor left over after it.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from openslot_server.demand.circumstances import QUARTER_MS
from openslot_server.demand.dayparts import hour_of_week
from openslot_server.demand.targeting import Targeting

__all__ = ["WEEK_MS", "Plan", "Tides"]

Weights = NDArray[np.float64]
DAY = 96
"""Quarters of an hour in a day."""
WEEK = 7 * DAY
WEEK_MS = WEEK * QUARTER_MS
WORLDS = 4096
"""Worlds that are told apart at the most; the rest are one."""
PLANS = 4096
MEMORY = 4
"""Weeks that a mean goes back."""
KERNEL = (1, 2, 3, 2, 1)
LEAST = 0.02
"""A quarter of an hour that was never used is expected to have this share of the mean one."""


class Tide:
    """The week of one world. It begins at a Thursday's midnight UTC, as 1970 did."""

    def __init__(self) -> None:
        self.asked = 0
        """Slots, ever."""
        self._means = np.zeros(WEEK)
        self._visits = np.zeros(WEEK, np.int64)
        self._quarter = -1
        self._count = 0
        self._is_whole = False
        """Whether the running quarter was counted from its start."""

    def count(self, slots: int, now_ms: int) -> None:
        """Take note of slots that are asked for."""
        self.asked += slots
        if now_ms // QUARTER_MS != self._quarter:
            self._turn(now_ms // QUARTER_MS)
        self._count += slots

    def weights(self) -> Weights:
        """Return what to expect of each quarter of an hour of a week; all alike where nothing is known."""
        means, visits = self._means.reshape(7, DAY), self._visits.reshape(7, DAY)
        seen = (visits > 0).sum(axis=0)
        if not means.any():
            return np.ones(WEEK)
        usual = means.sum() / seen.sum()
        of_day = np.where(seen, means.sum(axis=0) / np.maximum(seen, 1), usual)
        raw = ((means * visits + of_day) / (visits + 1)).reshape(WEEK)
        half = len(KERNEL) // 2
        smooth = np.convolve(np.concatenate([raw[-half:], raw, raw[:half]]), KERNEL, "valid") / sum(KERNEL)
        found: Weights = np.maximum(LEAST * usual, smooth)
        return found

    def _turn(self, quarter: int) -> None:
        if self._is_whole:
            self._learn(self._quarter, self._count)
        if self._quarter >= 0:
            for skipped in range(self._quarter + 1, min(quarter, self._quarter + WEEK)):
                self._learn(skipped, 0)
        self._is_whole = self._quarter >= 0
        self._quarter, self._count = quarter, 0

    def _learn(self, quarter: int, count: int) -> None:
        place = quarter % WEEK
        self._visits[place] = min(MEMORY, self._visits[place] + 1)
        self._means[place] += (count - self._means[place]) / self._visits[place]


class Plan:
    """How the traffic that a targeting may have is spread over the week."""

    def __init__(self, weights: Weights) -> None:
        self._upto: list[float] = [0.0, *np.cumsum(weights).tolist()]

    def between(self, from_ms: int, to_ms: int) -> float:
        """Return the slots that are expected to be asked for in a time."""
        return max(0.0, self._until(to_ms) - self._until(from_ms))

    def _until(self, at_ms: int) -> float:
        weeks, rest_ms = divmod(at_ms, WEEK_MS)
        quarter, part_ms = divmod(rest_ms, QUARTER_MS)
        below, above = self._upto[quarter], self._upto[quarter + 1]
        return weeks * self._upto[-1] + below + (above - below) * part_ms / QUARTER_MS


class Tides:
    """All worlds' tides."""

    def __init__(self) -> None:
        self._all = Tide()
        self._worlds: defaultdict[str, Tide] = defaultdict(Tide)
        self._plans: dict[tuple[object, ...], Plan] = {}
        self._planned = -1

    def count(self, world: str, slots: int, now_ms: int) -> None:
        """Take note of slots that a world asks for; time never goes back."""
        self._all.count(slots, now_ms)
        if world in self._worlds or len(self._worlds) < WORLDS:
            self._worlds[world].count(slots, now_ms)

    def asked(self, targeting: Targeting) -> int:
        """Return how many slots the worlds of a targeting have ever asked for."""
        return sum(tide.asked for tide in self._of(targeting))

    def plan(self, targeting: Targeting, now_ms: int) -> Plan:
        """Return what to expect for a targeting; what it learns is in a plan from the next quarter of an hour on."""
        if now_ms // QUARTER_MS != self._planned or len(self._plans) >= PLANS:
            self._planned = now_ms // QUARTER_MS
            self._plans.clear()
        key = targeting.worlds, targeting.dayparts, targeting.time_zone
        if key not in self._plans:
            self._plans[key] = Plan(self._weights(targeting, now_ms))
        return self._plans[key]

    def _weights(self, targeting: Targeting, now_ms: int) -> Weights:
        weights: Weights = np.sum([tide.weights() for tide in self._of(targeting)], axis=0)
        if not targeting.dayparts:
            return weights
        hours = frozenset[int]().union(*(daypart.hours() for daypart in targeting.dayparts))
        start_ms = now_ms - now_ms % WEEK_MS
        quarters = range(start_ms, start_ms + WEEK_MS, QUARTER_MS)
        is_open = np.array([hour_of_week(at_ms, targeting.time_zone) in hours for at_ms in quarters], np.float64)
        return weights * is_open

    def _of(self, targeting: Targeting) -> list[Tide]:
        known = [self._worlds[world] for world in targeting.worlds if world in self._worlds]
        return known or [self._all]
