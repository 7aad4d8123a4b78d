"""What no head and no screen does: cameras that turn or travel faster than anybody can, viewports that show nothing.

This is judged where the poses are, on the viewer's device, for they never leave it. A sample that fails is not
measured, which breaks a run as any gap does. A single jump, a teleport or a snap turn, passes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from openslot_sdk.audience import Member
from openslot_spec.records import Record
from openslot_view.cameras import Cameras

__all__ = ["Motion", "MotionRules", "motion_rules"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NOBODY = -1
APART_MS = 100.0
"""How often a viewer is judged: slots take turns, so somebody is sampled more often than any slot is."""
Bound = Annotated[float, Field(gt=0)]


class MotionRules(Record):
    """Bounds as versioned data; `motion.json` holds them."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
    version: Annotated[int, Field(ge=1)]
    turn_max_deg_per_s: Bound
    turn_ms: Annotated[int, Field(ge=1)]
    """Faster turns that last so long are refused."""
    speed_factor: Bound
    """Of the world's declared speed."""
    intervals: Annotated[int, Field(ge=1)]
    """Between samples in a row, at least, for turns and for travel."""
    viewport_px_min: Bound
    viewport_px_max: Bound
    field_min_deg: Bound
    """The narrowest field of view, from top to bottom."""
    provenance: Annotated[str, Field(min_length=1, max_length=1000)]


@cache
def motion_rules() -> MotionRules:
    """Return the rules in force."""
    return MotionRules.parse(json.loads((resources.files("openslot_sdk") / "motion.json").read_text("utf-8")))


@dataclass(frozen=True, slots=True, eq=False)
class _Poses:
    """One sample of n viewers, arrays (n,) and (n, 3), and for how long each has been too fast."""

    number: Ints
    at_ms: Floats
    eye: Floats
    toward: Floats
    turning_ms: Floats
    turns: Ints
    leaps: Ints

    @classmethod
    def of_nobody(cls, count: int) -> _Poses:
        """Return poses that are nobody's."""
        return cls(
            number=np.full(count, NOBODY),
            at_ms=np.zeros(count),
            eye=np.zeros((count, 3)),
            toward=np.zeros((count, 3)),
            turning_ms=np.zeros(count),
            turns=np.zeros(count, np.int64),
            leaps=np.zeros(count, np.int64),
        )

    def take(self, rows: Ints) -> _Poses:
        """Return the poses of `rows`."""
        return _Poses(*(getattr(self, each.name)[rows] for each in fields(self)))

    def put(self, rows: Ints, other: _Poses) -> None:
        """Replace the poses of `rows`."""
        for each in fields(self):
            getattr(self, each.name)[rows] = getattr(other, each.name)


class Motion:
    """The last poses of all viewers; `speed_max_mps` is how fast anybody can move in this world, if it says."""

    def __init__(self, rules: MotionRules, speed_max_mps: float | None = None) -> None:
        self._rules = rules
        self._speed_max_mps = np.inf if speed_max_mps is None else speed_max_mps * rules.speed_factor
        self._seats = _Poses.of_nobody(0)
        self._faulty: dict[int, str] = {}

    def watch(self, now_ms: float, members: Sequence[Member], cameras: Cameras) -> dict[int, str]:
        """Return as `judge` whose camera is implausible, from what each was last judged by, `APART_MS` ago at most."""
        due = [place for place, member in enumerate(members) if self._is_due(now_ms, member)]
        if due:
            everybody = len(due) == len(members)
            some = cameras if everybody else cameras.take(np.array(due, np.int64))
            told = self.judge(now_ms, [members[place] for place in due], some)
            judged = {members[place].number for place in due}
            there = {member.number for member in members} - judged
            self._faulty = {number: why for number, why in self._faulty.items() if number in there}
            self._faulty |= {members[due[row]].number: why for row, why in told.items()}
        return {place: self._faulty[each.number] for place, each in enumerate(members) if each.number in self._faulty}

    def _is_due(self, now_ms: float, member: Member) -> bool:
        seats = self._seats
        if member.seat >= len(seats.number) or seats.number[member.seat] != member.number:
            return True
        return not 0 <= now_ms - seats.at_ms[member.seat] < APART_MS

    def judge(self, now_ms: float, members: Sequence[Member], cameras: Cameras) -> dict[int, str]:
        """Take a sample, one camera for each member, and return whose is implausible, by place, and why."""
        seats = np.array([member.seat for member in members], np.int64)
        if len(seats) and seats.max() >= len(self._seats.number):
            roomy = _Poses.of_nobody(2 * int(seats.max()) + 2)
            roomy.put(np.arange(len(self._seats.number)), self._seats)
            self._seats = roomy
        numbers = np.array([member.number for member in members], np.int64)
        now = self._moved(now_ms, numbers, self._seats.take(seats), cameras)
        self._seats.put(seats, now)
        return self._faults(now, cameras)

    def _moved(self, now_ms: float, numbers: Ints, before: _Poses, cameras: Cameras) -> _Poses:
        """Return the poses now; who is new, or was sampled at a later time, has not moved yet."""
        passed_ms = np.where((before.number == numbers) & (now_ms > before.at_ms), now_ms - before.at_ms, np.inf)
        turned_deg = np.degrees(np.arccos(np.clip((cameras.toward * before.toward).sum(axis=1), -1, 1)))
        went_m = np.where(cameras.orthographic, 0.0, np.linalg.norm(cameras.eye - before.eye, axis=1))
        turns = turned_deg * 1000 > self._rules.turn_max_deg_per_s * passed_ms
        leaps = went_m * 1000 > self._speed_max_mps * passed_ms
        return _Poses(
            numbers,
            np.full(len(numbers), now_ms),
            cameras.eye,
            cameras.toward,
            np.where(turns, before.turning_ms + passed_ms, 0.0),
            np.where(turns, before.turns + 1, 0),
            np.where(leaps, before.leaps + 1, 0),
        )

    def _faults(self, now: _Poses, cameras: Cameras) -> dict[int, str]:
        rules = self._rules
        turns = (now.turns >= rules.intervals) & (now.turning_ms >= rules.turn_ms)
        sides_px = cameras.viewport_px
        screenless = ((sides_px < rules.viewport_px_min) | (sides_px > rules.viewport_px_max)).any(axis=1)
        found = (
            (turns, f"turns by more than {rules.turn_max_deg_per_s:g} degrees a second"),
            (now.leaps >= rules.intervals, f"travels faster than {self._speed_max_mps:g} m/s"),
            (
                screenless,
                f"its viewport is not {rules.viewport_px_min:g} to {rules.viewport_px_max:g} pixels wide, high",
            ),
            (self._is_pinhole(cameras), f"its field of view is below {rules.field_min_deg:g} degree"),
        )
        return {place: why for fault, why in found for place in np.flatnonzero(fault).tolist()}

    def _is_pinhole(self, cameras: Cameras) -> NDArray[np.bool_]:
        """Return whose perspective is so narrow that any board would fill it."""
        clip = cameras.clip_from_camera
        slope = np.abs(clip[:, 1, 1]) * np.tan(np.radians(self._rules.field_min_deg / 2))
        return np.asarray((slope > np.abs(clip[:, 3, 2])) & ~cameras.orthographic)
