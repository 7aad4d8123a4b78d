"""From samples to exposures: a gate asked at every sample, and a timer that runs while it holds.

    sample passes   → the run goes on, or a new one starts here
    sample fails    → the run ended at its last passing sample
    gap > max_gap   → the same, and a passing sample starts a new run
    time goes back  → the same

A run lasts from its first to its last passing sample. A view becomes viewable once, at the first passing sample that
lies at least the profile's duration after its run's start (for a cumulative profile: when all runs together last it).
Three conditions are timed so: the profile's gate, and its gate with half and with all of the surface in the place of
its own share. A row is one view: one viewer and one placement. Nothing here reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_spec.exposures import DURATIONS, FULL, HALF, EventKind, WhyNot
from openslot_spec.profiles import Profile
from openslot_view.gates import Gates
from openslot_view.seen import Visibility
from openslot_view.surfaces import Surfaces
from openslot_view.timers import NOT_RUNNING, Timers

__all__ = ["Events", "Exposures", "Samples"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

GATE = 0
"""The profile's lane; those of half and full come after it."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What n views look like at one instant, arrays (n,).

    `front_facing` is whether the side that shows the ad is turned to the viewer, so True for a two-sided slot; angles
    are then folded to 0 … 90. `why` is the geometric gate that failed, COUNTED where none is known to have.
    """

    visible_fraction: Floats
    on_screen_fraction: Floats
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
        only: Ints | None = None,
        focused: ArrayLike = True,
        idle: ArrayLike = False,
    ) -> Self:
        """Return the samples of `pairs` (viewer indices, surface indices) from one measurement.

        `only` is what it was asked for, and surface indices then count there; `focused` and `idle` are per pair, or one
        for all.
        """
        viewer, surface = pairs
        two_sided = surfaces.two_sided[surface if only is None else only[surface]]
        angles = (seen.angle_deg[viewer, surface], seen.screen_angle_deg[viewer, surface])
        sight, screen = (np.where(two_sided, np.minimum(angle, 180 - angle), angle) for angle in angles)
        return cls(
            seen.visible_fraction[viewer, surface],
            seen.on_screen_fraction[viewer, surface],
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
    """n events, arrays (n,); means are over the time that the view's gate held so far, 0 where it has not."""

    kind: NDArray[np.uint8]
    row: Ints
    at_ms: Ints
    continuous_ms: Ints
    cumulative_ms: Ints
    half_continuous_ms: Ints
    half_cumulative_ms: Ints
    full_continuous_ms: Ints
    full_cumulative_ms: Ints
    visible_fraction: Floats
    coverage: Floats
    angle_deg: Floats
    why: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.kind)

    def of(self, kind: EventKind) -> Events:
        """Return the events of one kind."""
        chosen = self.kind == kind
        return self if chosen.all() else Events(*(getattr(self, each.name)[chosen] for each in fields(self)))

    @classmethod
    def join(cls, parts: list[Events]) -> Events:
        """Return the events of all `parts`, in their order."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))


@dataclass(slots=True, eq=False)
class _Views:
    """The state of every row but its timers; the sums are of figure × time."""

    open: Bools
    rendered: Bools
    viewable: Bools
    furthest: Ints
    went_on_ms: Floats
    fraction_sum: Floats
    coverage_sum: Floats
    angle_sum: Floats

    @classmethod
    def of(cls, count: int) -> _Views:
        flags: dict[str, Any] = dict.fromkeys(("open", "rendered", "viewable"), np.bool_)
        kinds = flags | {"furthest": np.int64}
        return cls(**{each.name: np.zeros(count, kinds.get(each.name, np.float64)) for each in fields(cls)})

    def renew(self, rows: Ints) -> None:
        for each in fields(self):
            getattr(self, each.name)[rows] = 0

    def grow(self, count: int) -> None:
        more = _Views.of(count - len(self.open))
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
        self._timers = Timers(64, 3)
        self._nothing = self.events(EventKind.END, 0.0, np.zeros(0, np.int64))

    def open(self, rows: ArrayLike) -> None:
        """Begin the views of `rows` anew."""
        index = np.atleast_1d(np.asarray(rows, np.int64))
        have, wanted = len(self._views.open), int(index.max(initial=-1)) + 1
        if wanted > have:
            self._views.grow(max(wanted, 2 * have))
            self._timers.grow(max(wanted, 2 * have))
        self._views.renew(index)
        self._timers.renew(index)
        self._views.open[index] = True

    def sample(self, t_ms: float, rows: ArrayLike, samples: Samples) -> Events:
        """Take one instant of the open, distinct `rows` (n,) and return what it brought about.

        RENDERED is when anything of the ad is seen for the first time, VIEWABLE when the profile is met.
        """
        index = self._opened(rows)
        views = self._views
        why = self.judge(samples)
        passing = why == WhyNot.COUNTED
        went_on = self._timers.take(t_ms, index, self._lanes(samples, why), self.profile.max_gap_ms)
        views.went_on_ms[index] = went_on[:, GATE]
        self._add(index, samples, went_on[:, GATE])
        reached = np.where(passing, WhyNot.TOO_SHORT, why % WhyNot.UNMEASURABLE)
        views.furthest[index] = np.maximum(views.furthest[index], reached)
        return self._news(t_ms, index, samples)

    def close(self, t_ms: float, rows: ArrayLike) -> Events:
        """End the views of the open `rows` and return their END events, with why a view did not count."""
        index = self._opened(rows)
        self._timers.stop(index)
        ends = self.events(EventKind.END, t_ms, index)
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
            (samples.on_screen_fraction < gates.visible_fraction_min, WhyNot.CLIPPED),
            (~samples.front_facing, WhyNot.BACK_FACING),
            ((samples.on_screen_fraction <= 0) & (samples.why <= WhyNot.VIEWPORT), WhyNot.VIEWPORT),
            (np.isnan(samples.visible_fraction + samples.coverage + samples.angle_deg), WhyNot.UNMEASURABLE),
        )
        why = np.full(len(samples.idle), WhyNot.COUNTED, np.uint8)
        for failed, reason in tests:  # the earliest gate is written last
            why[failed] = reason
        return why

    def run(self, row: int) -> tuple[int, float, float]:
        """Return how many runs `row` has begun, and first and last passing sample of the one that is on, else −1."""
        start = float(self._timers.start[row, GATE])
        last = float(self._timers.last[row, GATE]) if start != NOT_RUNNING else start
        return int(self._timers.runs[row, GATE]), start, last

    def totals(self, rows: ArrayLike) -> tuple[Floats, Floats]:
        """Return the longest run and all runs together of `rows`, in ms, the ones that are on included."""
        longest, together = self._timers.totals(np.asarray(rows, np.int64))
        return longest[:, GATE], together[:, GATE]

    def progress(self, t_ms: float, rows: Ints) -> tuple[Bools, Floats]:
        """Return whose run is on, and by how much each went on with its last sample."""
        timers = self._timers
        fresh = t_ms - timers.last[rows, GATE] <= self.profile.max_gap_ms
        return (timers.start[rows, GATE] != NOT_RUNNING) & fresh, self._views.went_on_ms[rows]

    def events(self, kind: EventKind, t_ms: float, index: Ints) -> Events:
        """Return an event of `kind` for each row, with its figures so far; an END says why, others COUNTED."""
        views = self._views
        longest, together = self._timers.totals(index)
        lasted = np.where(together[:, GATE] > 0, together[:, GATE], 1.0)
        furthest = np.where(views.furthest[index] == 0, int(WhyNot.UNMEASURABLE), views.furthest[index])
        why = np.where(views.viewable[index] | (kind != EventKind.END), int(WhyNot.COUNTED), furthest)
        times = np.rint(np.stack([longest, together], axis=2)).astype(np.int64).reshape(len(index), len(DURATIONS)).T
        durations: dict[str, Any] = dict(zip(DURATIONS, times, strict=True))
        return Events(
            kind=np.full(len(index), kind, np.uint8),
            row=index,
            at_ms=np.full(len(index), round(t_ms), np.int64),
            **durations,
            visible_fraction=views.fraction_sum[index] / lasted,
            coverage=views.coverage_sum[index] / lasted,
            angle_deg=views.angle_sum[index] / lasted,
            why=why.astype(np.uint8),
        )

    def _opened(self, rows: ArrayLike) -> Ints:
        index = np.atleast_1d(np.asarray(rows, np.int64))
        known = (index >= 0) & (index < len(self._views.open))
        if not (known.all() and self._views.open[index].all()):
            raise ValueError("a row that is not open")
        return index

    def _lanes(self, samples: Samples, why: NDArray[np.uint8]) -> Bools:
        """Return (n, 3) whether samples pass with the profile's share of the surface, with half and with all of it."""
        gates = self._gates
        holds = samples.focused & ~samples.idle & samples.front_facing & (samples.coverage >= gates.coverage_min)
        holds &= gates.angle_passes(samples.angle_deg, samples.screen_angle_deg) & (why != WhyNot.UNMEASURABLE)
        share = samples.visible_fraction
        return np.stack([why == WhyNot.COUNTED, holds & (share >= HALF), holds & (share >= FULL)], axis=1)

    def _add(self, index: Ints, samples: Samples, went_on_ms: Floats) -> None:
        """Give the time since a run's last sample to the figures of this one."""
        views, on = self._views, np.flatnonzero(went_on_ms)
        rows, time_ms = index[on], went_on_ms[on]
        angle = samples.screen_angle_deg if self.profile.angle_basis == "screen" else samples.angle_deg
        views.fraction_sum[rows] += samples.visible_fraction[on] * time_ms
        views.coverage_sum[rows] += samples.coverage[on] * time_ms
        views.angle_sum[rows] += angle[on] * time_ms

    def _news(self, t_ms: float, index: Ints, samples: Samples) -> Events:
        views = self._views
        drawn = index[(samples.visible_fraction > 0) & samples.front_facing & ~views.rendered[index]]
        views.rendered[drawn] = True
        running = index[self._timers.start[index, GATE] != NOT_RUNNING]
        together = self.totals(running)[1]
        current = self._timers.last[running, GATE] - self._timers.start[running, GATE]
        met = (together if self.profile.cumulative else current) >= self.profile.duration_ms
        viewable = running[met & ~views.viewable[running]]
        views.viewable[viewable] = True
        news = [(EventKind.RENDERED, drawn), (EventKind.VIEWABLE, viewable)]
        told = [self.events(kind, t_ms, rows) for kind, rows in news if len(rows)]
        return Events.join(told) if told else self._nothing
