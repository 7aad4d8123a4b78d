"""The exposure machine run on a recorded trace of one view: samples in, events out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from openslot_spec.errors import OpenSlotError
from openslot_spec.exposures import EventKind, WhyNot
from openslot_spec.profiles import Profile
from openslot_spec.records import Record
from openslot_view.exposure import Exposures, Samples

__all__ = ["TraceSample", "replay"]

Fraction = Annotated[float, Field(ge=0, le=1)]
Degrees = Annotated[float, Field(ge=0, le=180)]


class TraceSample(Record):
    """One line of a trace. Without `on_screen_fraction` nothing is taken to be clipped."""

    t_ms: Annotated[float, Field(ge=0, le=2**53)]
    visible_fraction: Fraction
    coverage: Fraction
    angle_deg: Degrees
    screen_angle_deg: Degrees
    front_facing: bool
    focused: bool = True
    idle: bool = False
    on_screen_fraction: Fraction = 1.0


def replay(lines: Iterable[Any], profile: Profile) -> Iterator[dict[str, Any]]:
    """Yield the events of a trace's parsed `lines`: viewable, an end for every run, and last a summary.

    An end's `t_ms` is its run's last passing sample; its `reason` is the `WhyNot` of the sample that broke the run,
    "gap" for a hole or a step back in time, "end_of_trace" for the run that is still on at the end. Raises `INVALID`
    that names the line.
    """
    exposures = Exposures(profile)
    exposures.open([0])
    viewable = False
    before = exposures.run(0)
    for number, line in enumerate(lines):
        sample = _parsed(line, number)
        samples = _samples(sample, profile)
        events = exposures.sample(sample.t_ms, [0], samples)
        after = exposures.run(0)
        if before[1] >= 0 and after[:2] != before[:2]:
            held = 0 <= sample.t_ms - before[2] <= profile.max_gap_ms
            yield _end(before, WhyNot(int(exposures.judge(samples)[0])).name.lower() if held else "gap")
        if (events.kind == EventKind.VIEWABLE).any():
            viewable = True
            yield {"event": "viewable", "t_ms": _number(sample.t_ms)}
        before = after
    if before[1] >= 0:
        yield _end(before, "end_of_trace")
    longest, together = exposures.totals([0])
    yield {
        "event": "summary",
        "viewable": viewable,
        "longest_continuous_ms": _number(longest[0]),
        "cumulative_ms": _number(together[0]),
    }


def _parsed(line: Any, number: int) -> TraceSample:
    try:
        return TraceSample.parse(line)
    except OpenSlotError as error:
        raise OpenSlotError(error.code, error.detail, where=f"lines/{number}/{error.where}") from None


def _samples(sample: TraceSample, profile: Profile) -> Samples:
    clipped = sample.on_screen_fraction < profile.visible_fraction_min
    names = [each.name for each in fields(Samples) if each.name != "why"]
    arrays: dict[str, Any] = {name: np.array([getattr(sample, name)]) for name in names}
    return Samples(**arrays, why=np.array([WhyNot.CLIPPED if clipped else WhyNot.COUNTED], np.uint8))


def _end(run: tuple[int, float, float], reason: str) -> dict[str, Any]:
    return {"event": "end", "t_ms": _number(run[2]), "continuous_ms": _number(run[2] - run[1]), "reason": reason}


def _number(value: float) -> int | float:
    return int(value) if float(value).is_integer() else float(value)
