"""From samples to exposures: a gate asked at every sample, and a timer that runs while it holds.

    sample passes   → the run goes on, or a new one starts here
    sample fails    → the run ended at its last passing sample
    gap > max_gap   → the same, and a passing sample starts a new run
    time goes back  → the same

A run lasts from its first to its last passing sample. A view becomes viewable once, at the first passing sample that
lies at least the profile's duration after its run's start (for a cumulative profile: when all runs together last it).
A row is one view: one viewer and one placement. Nothing here reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_spec.exposures import EventKind, WhyNot
from openslot_spec.profiles import Profile
from openslot_view.gates import Gates
from openslot_view.seen import Visibility
from openslot_view.surfaces import Surfaces

__all__ = ["Events", "Exposures", "Samples"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_NOT_RUNNING = -1.0


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What n views look like at one instant, arrays (n,).

    `front_facing` is whether the side that shows the ad is turned to the viewer, so True for a two-sided slot; angles
    are then folded to 0 … 90. `why` is the geometric gate that failed, COUNTED where none is known to have.
    """

    visible_fraction: Floats
    coverage: Floats
    angle_deg: Floats
    screen_angle_deg: Floats
    front_facing: Bools
    focused: Bools
    idle: Bools
    why: NDArray[np.uint8]

    @classmethod
    def of(
        cls,
        seen: Visibility,
        surfaces: Surfaces,
        pairs: tuple[Ints, Ints],
        *,
        focused: ArrayLike = True,
        idle: ArrayLike = False,
    ) -> Self:
        """Return the samples of `pairs` (viewer indices, surface indices) from one measurement.

        `focused` and `idle` are per pair, or one for all.
        """
        viewer, surface = pairs
        two_sided = surfaces.two_sided[surface]
        angles = (seen.angle_deg[viewer, surface], seen.screen_angle_deg[viewer, surface])
        sight, screen = (np.where(two_sided, np.minimum(angle, 180 - angle), angle) for angle in angles)
        return cls(
            seen.visible_fraction[viewer, surface],
            seen.coverage[viewer, surface],
            sight,
            screen,
            seen.front_facing[viewer, surface] | two_sided,
            np.broadcast_to(np.asarray(focused, np.bool_), viewer.shape),
            np.broadcast_to(np.asarray(idle, np.bool_), viewer.shape),
            seen.why[viewer, surface],
        )

    def take(self, rows: NDArray[np.bool_] | Ints) -> Self:
        """Return the samples of `rows`."""
        return type(self)(*(getattr(self, each.name)[rows] for each in fields(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """n events, arrays (n,); means are over the view's passing samples so far, 0 where there is none."""

    kind: NDArray[np.uint8]
    row: Ints
    at_ms: Ints
    continuous_ms: Ints
    cumulative_ms: Ints
    visible_fraction: Floats
    coverage: Floats
    angle_deg: Floats
    why: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.kind)

    @classmethod
    def join(cls, parts: list[Events]) -> Events:
        """Return the events of all `parts`, in their order."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))


@dataclass(slots=True, eq=False)
class _Views:
    """The state of every row; `run_start` is −1 where no run is on, `runs` counts the runs begun."""

    open: Bools
    rendered: Bools
    viewable: Bools
    run_start: Floats
    run_last: Floats
    runs: Ints
    longest: Floats
    finished: Floats
    passed: Ints
    fraction_sum: Floats
    coverage_sum: Floats
    angle_sum: Floats
    furthest: Ints

    @classmethod
    def of(cls, count: int) -> _Views:
        flags: dict[str, Any] = dict.fromkeys(("open", "rendered", "viewable"), np.bool_)
        kinds = flags | dict.fromkeys(("runs", "passed", "furthest"), np.int64)
        arrays: dict[str, Any] = {each.name: np.zeros(count, kinds.get(each.name, np.float64)) for each in fields(cls)}
        arrays["run_start"] -= 1.0
        return cls(**arrays)

    def renew(self, rows: Ints) -> None:
        fresh = _Views.of(len(rows))
        for each in fields(self):
            getattr(self, each.name)[rows] = getattr(fresh, each.name)

    def grow(self, count: int) -> None:
        have = len(self.open)
        if count > have:
            more = _Views.of(max(count, 2 * have) - have)
            for each in fields(self):
                setattr(self, each.name, np.concatenate([getattr(self, each.name), getattr(more, each.name)]))


class Exposures:
    """The gate and the timer of one profile for any number of rows.

    Rows are small whole numbers that the caller deals out and reuses; memory grows with the largest one open.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._gates = Gates.of(profile)
        self._views = _Views.of(64)

    def open(self, rows: ArrayLike) -> None:
        """Begin the views of `rows` anew."""
        index = np.atleast_1d(np.asarray(rows, np.int64))
        self._views.grow(int(index.max(initial=-1)) + 1)
        self._views.renew(index)
        self._views.open[index] = True

    def sample(self, t_ms: float, rows: ArrayLike, samples: Samples) -> Events:
        """Take one instant of the open, distinct `rows` (n,) and return what it brought about.

        RENDERED is when anything of the ad is seen for the first time, VIEWABLE when the profile is met.
        """
        index = self._opened(rows)
        views = self._views
        why = self.judge(samples)
        passing = why == WhyNot.COUNTED
        running = views.run_start[index] != _NOT_RUNNING
        waited = t_ms - views.run_last[index]
        goes_on = running & passing & (waited >= 0) & (waited <= self.profile.max_gap_ms)
        self._finish(index[running & ~goes_on])
        self._begin(t_ms, index[passing & ~goes_on])
        self._extend(t_ms, index[passing], samples.take(passing))
        reached = np.where(passing, WhyNot.TOO_SHORT, why % WhyNot.UNMEASURABLE)
        views.furthest[index] = np.maximum(views.furthest[index], reached)
        return self._news(t_ms, index, samples)

    def close(self, t_ms: float, rows: ArrayLike) -> Events:
        """End the views of the open `rows` and return their END events, with why a view did not count."""
        index = self._opened(rows)
        self._finish(index[self._views.run_start[index] != _NOT_RUNNING])
        ends = self._events(EventKind.END, t_ms, index)
        self._views.open[index] = False
        return ends

    def judge(self, samples: Samples) -> NDArray[np.uint8]:
        """Return (n,): COUNTED where a sample passes the gate, else the first reason why not.

        A sample that is not a number is UNMEASURABLE.
        """
        gates = self._gates
        small = samples.visible_fraction < gates.visible_fraction_min
        tiny = samples.coverage < gates.coverage_min
        tests = (
            (samples.idle, WhyNot.IDLE),
            (~samples.focused, WhyNot.NO_WINDOW_FOCUS),
            (small | tiny, WhyNot.OBSTRUCTED),
            # what is too little only because something hides the rest is not too small
            (tiny & (samples.why != WhyNot.OBSTRUCTED), WhyNot.TOO_SMALL),
            (~gates.angle_passes(samples.angle_deg, samples.screen_angle_deg), WhyNot.TOO_OBLIQUE),
            (small & (samples.why == WhyNot.CLIPPED), WhyNot.CLIPPED),
            (~samples.front_facing, WhyNot.BACK_FACING),
            ((samples.visible_fraction <= 0) & (samples.why <= WhyNot.VIEWPORT), WhyNot.VIEWPORT),
            (np.isnan(samples.visible_fraction + samples.coverage + samples.angle_deg), WhyNot.UNMEASURABLE),
        )
        why = np.full(len(samples.idle), WhyNot.COUNTED, np.uint8)
        for failed, reason in tests:  # the earliest gate is written last
            why[failed] = reason
        return why

    def run(self, row: int) -> tuple[int, float, float]:
        """Return how many runs `row` has begun, and first and last passing sample of the one that is on, else −1."""
        views = self._views
        start = float(views.run_start[row])
        return int(views.runs[row]), start, float(views.run_last[row]) if start != _NOT_RUNNING else start

    def totals(self, rows: ArrayLike) -> tuple[Floats, Floats]:
        """Return the longest run and all runs together of `rows`, in ms, the ones that are on included."""
        index = np.asarray(rows, np.int64)
        views = self._views
        current = np.where(views.run_start[index] == _NOT_RUNNING, 0.0, views.run_last[index] - views.run_start[index])
        return np.maximum(views.longest[index], current), views.finished[index] + current

    def _opened(self, rows: ArrayLike) -> Ints:
        index = np.atleast_1d(np.asarray(rows, np.int64))
        known = (index >= 0) & (index < len(self._views.open))
        if not (known.all() and self._views.open[index].all()):
            raise ValueError("a row that is not open")
        return index

    def _begin(self, t_ms: float, index: Ints) -> None:
        self._views.run_start[index] = t_ms
        self._views.runs[index] += 1

    def _extend(self, t_ms: float, index: Ints, samples: Samples) -> None:
        views = self._views
        views.run_last[index] = t_ms
        views.passed[index] += 1
        views.fraction_sum[index] += samples.visible_fraction
        views.coverage_sum[index] += samples.coverage
        on_screen = self.profile.angle_basis == "screen"
        views.angle_sum[index] += samples.screen_angle_deg if on_screen else samples.angle_deg

    def _finish(self, index: Ints) -> None:
        views = self._views
        lasted = views.run_last[index] - views.run_start[index]
        views.longest[index] = np.maximum(views.longest[index], lasted)
        views.finished[index] += lasted
        views.run_start[index] = _NOT_RUNNING

    def _news(self, t_ms: float, index: Ints, samples: Samples) -> Events:
        views = self._views
        drawn = index[(samples.visible_fraction > 0) & samples.front_facing & ~views.rendered[index]]
        views.rendered[drawn] = True
        running = index[views.run_start[index] != _NOT_RUNNING]
        together = self.totals(running)[1]
        current = together if self.profile.cumulative else views.run_last[running] - views.run_start[running]
        met = running[(current >= self.profile.duration_ms) & ~views.viewable[running]]
        views.viewable[met] = True
        return Events.join([self._events(EventKind.RENDERED, t_ms, drawn), self._events(EventKind.VIEWABLE, t_ms, met)])

    def _events(self, kind: EventKind, t_ms: float, index: Ints) -> Events:
        views = self._views
        longest, together = self.totals(index)
        passed = np.maximum(views.passed[index], 1)
        furthest = np.where(views.furthest[index] == 0, int(WhyNot.UNMEASURABLE), views.furthest[index])
        why = np.where(views.viewable[index] | (kind != EventKind.END), int(WhyNot.COUNTED), furthest)
        return Events(
            np.full(len(index), kind, np.uint8),
            index,
            np.full(len(index), round(t_ms), np.int64),
            np.rint(longest).astype(np.int64),
            np.rint(together).astype(np.int64),
            views.fraction_sum[index] / passed,
            views.coverage_sum[index] / passed,
            views.angle_sum[index] / passed,
            why.astype(np.uint8),
        )
