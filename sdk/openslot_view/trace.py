"""The exposure machine run on a recorded trace of one view: samples in, events out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field, model_validator

from openslot_spec.errors import OpenSlotError
from openslot_spec.exposures import MAX_DURATION_MS, EventKind, WhyNot
from openslot_spec.profiles import Profile
from openslot_spec.records import Record
from openslot_view.exposure import Exposures, Samples
from openslot_view.video import Playback, Videos

__all__ = ["TraceSample", "replay", "replay_samples"]

ROW = np.zeros(1, np.int64)
"""The one row of a trace's machine."""

Fraction = Annotated[float, Field(ge=0, le=1)]
Degrees = Annotated[float, Field(ge=0, le=180)]


class TraceSample(Record):
    """One line of a trace. Without `on_screen_fraction` what can be seen at all is taken to be whole on the screen."""

    t_ms: Annotated[float, Field(ge=0, le=2**53)]
    visible_fraction: Fraction
    coverage: Fraction
    angle_deg: Degrees
    screen_angle_deg: Degrees
    front_facing: bool
    focused: bool = True
    idle: bool = False
    on_screen_fraction: Fraction | None = None
    position_ms: Annotated[float, Field(ge=0, le=MAX_DURATION_MS)] | None = None
    """Where the ad stands if it is a video that plays, of `length_ms`."""
    length_ms: Annotated[float, Field(gt=0, le=MAX_DURATION_MS)] | None = None

    @model_validator(mode="after")
    def _is_inside(self) -> Self:
        if (self.position_ms is None) != (self.length_ms is None):
            raise ValueError("position_ms and length_ms go together")
        if self.position_ms is not None and self.length_ms is not None and self.position_ms > self.length_ms:
            raise ValueError("position_ms lies beyond length_ms")
        return self


def replay(lines: Iterable[Any], profile: Profile) -> Iterator[dict[str, Any]]:
    """Yield the events of a trace's parsed `lines` as `replay_samples`; raises `INVALID` that names the line."""
    return replay_samples((_parsed(line, number) for number, line in enumerate(lines)), (profile,))


def replay_samples(samples: Iterable[TraceSample], profiles: Sequence[Profile]) -> Iterator[dict[str, Any]]:
    """Yield the events of a trace: viewable, an end for every run, and last a summary.

    An end's `t_ms` is its run's last passing sample; its `reason` is the `WhyNot` of the sample that broke the run,
    "gap" for a hole or a step back in time, "end_of_trace" for the run that is still on at the end. Of several
    profiles each has events of its own, with its name as `profile`.
    """
    machines = [_Machine(profile, named=len(profiles) > 1) for profile in profiles]
    for sample in samples:
        for machine in machines:
            yield from machine.take(sample)
    for machine in machines:
        yield from machine.end()


class _Machine:
    """One profile's exposure machine with one row, and what of it was told."""

    def __init__(self, profile: Profile, *, named: bool) -> None:
        self._profile = profile
        self._head = {"profile": profile.name} if named else {}
        self._exposures = Exposures(profile)
        self._exposures.open([0])
        self._videos = Videos(profile.max_gap_ms)
        self._videos.open(ROW)
        self._viewable = False
        self._before = self._exposures.run(0)

    def take(self, sample: TraceSample) -> Iterator[dict[str, Any]]:
        samples, before = _samples(sample, self._profile.coverage_min), self._before
        events = self._exposures.sample(sample.t_ms, [0], samples)
        after = self._before = self._exposures.run(0)
        if before[1] >= 0 and after[:2] != before[:2]:
            held = 0 <= sample.t_ms - before[2] <= self._profile.max_gap_ms
            yield self._end(before, WhyNot(int(self._exposures.judge(samples)[0])).name.lower() if held else "gap")
        if (events.kind == EventKind.VIEWABLE).any():
            self._viewable = True
            yield {**self._head, "event": "viewable", "t_ms": _number(sample.t_ms)}
        if sample.length_ms is not None:
            yield from self._play(sample, samples)

    def _play(self, sample: TraceSample, samples: Samples) -> Iterator[dict[str, Any]]:
        looking, went_on_ms = self._exposures.progress(sample.t_ms, ROW)
        position_ms, length_ms = (np.array([each], np.float64) for each in (sample.position_ms, sample.length_ms))
        for kind, _ in self._videos.sample(Playback(ROW, looking, went_on_ms, position_ms, length_ms)):
            told = {**self._head, "event": kind.name.lower(), "t_ms": _number(sample.t_ms)}
            why = WhyNot(int(self._exposures.judge(samples)[0]))
            yield told | {"reason": why.name.lower()} if kind == EventKind.PAUSE else told

    def end(self) -> Iterator[dict[str, Any]]:
        if self._before[1] >= 0:
            yield self._end(self._before, "end_of_trace")
        longest, together = self._exposures.totals([0])
        yield {
            **self._head,
            "event": "summary",
            "viewable": self._viewable,
            "longest_continuous_ms": _number(longest[0]),
            "cumulative_ms": _number(together[0]),
        }

    def _end(self, run: tuple[int, float, float], reason: str) -> dict[str, Any]:
        times = {"t_ms": _number(run[2]), "continuous_ms": _number(run[2] - run[1])}
        return {**self._head, "event": "end", **times, "reason": reason}


def _parsed(line: Any, number: int) -> TraceSample:
    try:
        return TraceSample.parse(line)
    except OpenSlotError as error:
        raise OpenSlotError(error.code, error.detail, where=f"lines/{number}/{error.where}") from None


def _samples(sample: TraceSample, coverage_min: float) -> Samples:
    """Return the sample as an array of one.

    What it would cover of the screen with nothing before it a trace does not say; that is taken to be in proportion.
    """
    seen, on_screen = sample.visible_fraction, sample.on_screen_fraction
    if on_screen is None:
        on_screen = 1.0 if seen else 0.0
    large_enough = sample.coverage * on_screen >= coverage_min * seen
    why = WhyNot.OBSTRUCTED if seen < on_screen and large_enough else WhyNot.COUNTED
    told = sample.model_dump(exclude={"t_ms", "position_ms", "length_ms"}) | {"on_screen_fraction": on_screen}
    arrays: dict[str, Any] = {name: np.array([value]) for name, value in told.items()}
    return Samples(**arrays, why=np.array([why], np.uint8))


def _number(value: float) -> int | float:
    return int(value) if float(value).is_integer() else float(value)
