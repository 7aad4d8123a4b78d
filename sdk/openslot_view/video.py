"""Videos: how much of one each view has seen play, and what is told of that.

    position goes on while the view's run goes on   → seen to play, for no longer than the time that passed
    nothing seen, or position stands still          → PAUSE, once, between START and COMPLETE
    a loop that begins again                        → goes on; nothing is told twice

A row is a view, as in `openslot_view.exposure`, which says whether its run goes on. See `spec/measurement.md`, Videos.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from openslot_spec.exposures import VIDEO, EventKind

__all__ = ["Playback", "Videos"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_UNKNOWN = -1.0
_SHARES = np.array([0.25, 0.5, 0.75])
"""Of the length, from FIRST_QUARTILE to THIRD_QUARTILE."""


@dataclass(frozen=True, slots=True, eq=False)
class Playback:
    """n views of videos at one sample, arrays (n,).

    `looking` is whether the sample passes, `went_on_ms` by how much its run went on, 0 where it did not.
    """

    rows: Ints
    looking: Bools
    went_on_ms: Floats
    position_ms: Floats
    length_ms: Floats


@dataclass(slots=True, eq=False)
class _Rows:
    """What is known of every row; `unused_ms` is the time of its run in which the position stood still so far."""

    position_ms: Floats
    unused_ms: Floats
    seen_ms: Floats
    told: Ints
    """How many of `VIDEO`."""
    paused: Bools

    @classmethod
    def of(cls, count: int) -> _Rows:
        unknown, none = np.full(count, _UNKNOWN), np.zeros(count)
        return cls(unknown, none, none.copy(), np.zeros(count, np.int64), np.zeros(count, np.bool_))


class Videos:
    """The videos of one profile's views; `max_gap_ms` is how long a position may stand still before it is a pause."""

    def __init__(self, max_gap_ms: float) -> None:
        self._max_gap_ms = max_gap_ms
        self._rows = _Rows.of(64)

    def open(self, rows: Ints) -> None:
        """Begin the views of `rows` anew."""
        state, have, wanted = self._rows, len(self._rows.told), int(rows.max(initial=-1)) + 1
        more = _Rows.of(max(wanted, 2 * have) - have if wanted > have else 0)
        fresh = _Rows.of(len(rows))
        for each in fields(_Rows):
            setattr(state, each.name, np.concatenate([getattr(state, each.name), getattr(more, each.name)]))
            getattr(state, each.name)[rows] = getattr(fresh, each.name)

    def sample(self, now: Playback) -> list[tuple[EventKind, Ints]]:
        """Take one sample of distinct rows and return what is told of which, places in `now`."""
        state, rows = self._rows, now.rows
        self._add(now)
        due = self._due(state.seen_ms[rows], now.length_ms)
        news = [(kind, np.flatnonzero((state.told[rows] <= place) & (due > place))) for place, kind in enumerate(VIDEO)]
        state.told[rows] = np.maximum(state.told[rows], due)
        under_way = (state.told[rows] > 0) & (state.told[rows] < len(VIDEO))
        stands = ~now.looking | (state.unused_ms[rows] > self._max_gap_ms)
        pauses = np.flatnonzero(under_way & stands & ~state.paused[rows])
        state.paused[rows[pauses]] = True
        return [(kind, places) for kind, places in [*news, (EventKind.PAUSE, pauses)] if len(places)]

    def _add(self, now: Playback) -> None:
        """Add what was seen to play since the last sample, around the end of a loop too."""
        state, rows = self._rows, now.rows
        before = state.position_ms[rows]
        went_on = (now.went_on_ms > 0) & (before != _UNKNOWN)
        time_ms = np.where(went_on, state.unused_ms[rows] + now.went_on_ms, 0.0)
        played_ms = np.where(went_on, np.minimum((now.position_ms - before) % now.length_ms, time_ms), 0.0)
        state.seen_ms[rows] += played_ms
        state.unused_ms[rows] = np.where(played_ms > 0, 0.0, time_ms)
        state.position_ms[rows] = now.position_ms

    def _due(self, seen_ms: Floats, length_ms: Floats) -> Ints:
        """Return how many of `VIDEO` are true of views that have seen so much."""
        quarters = (seen_ms[:, None] >= _SHARES * length_ms[:, None]).sum(axis=1)
        # whoever watches from the first sample to the last misses less than a gap at either end
        whole = seen_ms >= np.maximum(length_ms - self._max_gap_ms, _SHARES[-1] * length_ms)
        return np.where(seen_ms > 0, 1 + quarters + (whole & (quarters == len(_SHARES))), 0)
