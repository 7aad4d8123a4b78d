"""The timer behind every duration: runs of passing samples, for many rows and several conditions at once.

A row is one view, a lane one condition that its samples pass or fail; each lane of each row has runs of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["NOT_RUNNING", "Timers"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NOT_RUNNING = -1.0


class Timers:
    """The runs of (rows, lanes): when the one that is on began and last passed, the longest, and all together.

    `runs` counts those that began.
    """

    def __init__(self, rows: int, lanes: int) -> None:
        self.start = np.full((rows, lanes), NOT_RUNNING)
        self.last, self._longest, self._finished = (np.zeros((rows, lanes)) for _ in range(3))
        self.runs = np.zeros((rows, lanes), np.int64)

    def renew(self, rows: Ints) -> None:
        """Forget what was timed of `rows`."""
        self.start[rows] = NOT_RUNNING
        self.last[rows] = self._longest[rows] = self._finished[rows] = 0.0
        self.runs[rows] = 0

    def grow(self, rows: int) -> None:
        """Make room for so many rows."""
        more = Timers(rows - len(self.start), self.start.shape[1])
        for name in ("start", "last", "runs", "_longest", "_finished"):
            setattr(self, name, np.concatenate([getattr(self, name), getattr(more, name)]))

    def take(self, t_ms: float, rows: Ints, passing: Bools, max_gap_ms: float) -> Floats:
        """Take one sample of distinct rows (n,), `passing` (n, lanes), and return by how much each run went on."""
        went_on = np.zeros(passing.shape)
        active = np.flatnonzero((passing | (self.start[rows] != NOT_RUNNING)).any(axis=1))
        if not len(active):
            return went_on
        rows, passing = rows[active], passing[active]
        start, last = self.start[rows], self.last[rows]
        waited = t_ms - last
        goes_on = passing & (start != NOT_RUNNING) & (waited >= 0) & (waited <= max_gap_ms)
        self._end(rows, np.where(goes_on | (start == NOT_RUNNING), 0.0, last - start))
        self.runs[rows] += passing & ~goes_on
        self.start[rows] = np.where(goes_on, start, np.where(passing, t_ms, NOT_RUNNING))
        self.last[rows] = np.where(passing, t_ms, last)
        went_on[active] = np.where(goes_on, waited, 0.0)
        return went_on

    def stop(self, rows: Ints) -> None:
        """End the runs of `rows` that are on."""
        self._end(rows, self._current(rows))
        self.start[rows] = NOT_RUNNING

    def totals(self, rows: Ints) -> tuple[Floats, Floats]:
        """Return (n, lanes) the longest run and all runs together, the ones that are on included."""
        current = self._current(rows)
        return np.maximum(self._longest[rows], current), self._finished[rows] + current

    def _current(self, rows: Ints) -> Floats:
        start = self.start[rows]
        return np.where(start == NOT_RUNNING, 0.0, self.last[rows] - start)

    def _end(self, rows: Ints, lasted: Floats) -> None:
        self._longest[rows] = np.maximum(self._longest[rows], lasted)
        self._finished[rows] += lasted
