"""Whose turn it is to be measured: each slot every `sample_ms`, spread over the ticks between, the longest due first.

    first seen ──▶ at once ──▶ due again after its own part of the interval ──▶ then every interval
    not reached in a tick's time ──▶ still due, before all that fall due later

What is met together for the first time is spread: n slots, the k-th of them after k/n of the interval, so that no frame
has a burst. A slot that was late keeps its place in the interval; one that missed a whole interval is not made up for.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import maxsize

import numpy as np
from numpy.typing import NDArray

__all__ = ["BUDGET_SHARE", "LONGEST_MS", "Budget", "Turns"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BUDGET_SHARE = 0.5
"""Of the time between two ticks that measuring may take, where nobody says how much."""
LONGEST_MS = 50.0
_GUESS_MS = 0.05  # a pair, before any was measured
_CAUTION = 2.0  # times what pairs cost lately: how much of the time left a portion may be expected to take


class Turns:
    """When each slot of one profile is due."""

    def __init__(self, sample_ms: float) -> None:
        self.due_ms: Floats = np.zeros(0)
        """By slot; −inf for one that was never measured."""
        self._sample_ms = sample_ms

    def add(self, count: int) -> None:
        """Take so many more slots."""
        self.due_ms = np.concatenate([self.due_ms, np.full(count, -np.inf)])

    def due(self, now_ms: float) -> Ints:
        """Return the slots whose turn it is, the longest due first."""
        slots = np.flatnonzero(self.due_ms <= now_ms)
        return slots[np.argsort(self.due_ms[slots], kind="stable")]

    def took(self, now_ms: float, slots: Ints) -> None:
        """Take note that `slots`, all due, were measured."""
        next_ms = self.due_ms[slots] + self._sample_ms
        fresh = np.isneginf(next_ms)
        next_ms[next_ms <= now_ms] = now_ms + self._sample_ms
        next_ms[fresh] = now_ms + self._sample_ms * np.arange(1, fresh.sum() + 1) / max(1, fresh.sum())
        self.due_ms[slots] = next_ms


class Budget:
    """How much may be measured in a tick; `clock_ms` passes while work is done, without one there is no end.

    A tick ends late by no more than one portion costs above what its like cost before; a portion is one slot at least.
    """

    def __init__(self, clock_ms: Callable[[], float] | None = None, budget_ms: float | None = None) -> None:
        self._clock_ms = clock_ms
        self._budget_ms = budget_ms
        self._ticked_ms = -np.inf
        self._began_ms = self._end_ms = 0.0
        self._is_first = True
        self._pair_ms = _GUESS_MS

    def begin(self, now_ms: float) -> None:
        """Begin a tick."""
        between_ms, self._ticked_ms = now_ms - self._ticked_ms, now_ms
        if self._clock_ms is not None:
            # where the world's time stands still there is none for measuring but for one portion
            given_ms = max(0.0, min(LONGEST_MS, BUDGET_SHARE * between_ms))
            self._began_ms = self._clock_ms()
            self._end_ms = self._began_ms + (given_ms if self._budget_ms is None else self._budget_ms)
            self._is_first = True

    def room(self, views: int) -> int:
        """Return how many slots may be measured next for so many views, 0 if time is up."""
        if self._clock_ms is None:
            return maxsize
        left_ms, cost_ms = self._end_ms - self._began_ms, self._pair_ms * max(1, views)
        count = int(max(0.0, left_ms) / (_CAUTION * cost_ms))
        return count or int(self._is_first or left_ms >= cost_ms)

    def spent(self, pairs: int) -> None:
        """Take note that so many pairs were measured since the tick, or the portion before, began."""
        if self._clock_ms is None:
            return
        now_ms = self._clock_ms()
        cost_ms = max(now_ms - self._began_ms, 0.0) / max(1, pairs)
        # what has become dear is believed at once, what has become cheap by and by
        self._pair_ms = max(cost_ms, (cost_ms + self._pair_ms) / 2, 1e-6)
        self._began_ms, self._is_first = now_ms, False
