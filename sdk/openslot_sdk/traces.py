"""Where the viewers who consented looked from in the last ten seconds, coarse, and the evidence that comes of it.

Pure, like the meter that holds it. Of a viewer who did not consent, or no longer does, nothing is here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openslot_spec.evidence import MAX_CAMERAS, MAX_FRUSTUMS, SAMPLE_MS, WINDOW_MS, Evidence
from openslot_spec.slots import Slot
from openslot_view.cameras import Cameras
from openslot_view.coarse import Coarse, coarsen
from openslot_view.proof import Claim

__all__ = ["Draft", "Subject", "Traces"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Subject:
    """What evidence is of."""

    placement: bytes
    viewer: int
    at_ms: int
    run_ms: int
    geometry: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """Evidence of one impression before anybody committed to it."""

    evidence: Evidence
    claim: Claim
    slot: Slot


@dataclass(frozen=True, slots=True, eq=False)
class _Instant:
    t_ms: int
    cameras: Coarse


class Traces:
    """The traces of one world's consenting viewers, by their numbers."""

    def __init__(self) -> None:
        self._instants: dict[int, deque[_Instant]] = {}
        self._withdrawn: set[int] = set()

    def note(
        self, now_ms: float, numbers: Sequence[int], consented: Sequence[bool], cameras: Cameras, of: Ints
    ) -> None:
        """Take a sample of viewers, `of` (v,) being the place of each camera's viewer.

        Who does not consent is forgotten; of a viewer who was sampled less than `SAMPLE_MS` ago nothing is taken.
        """
        for number, yes in zip(numbers, consented, strict=True):
            if not yes:
                self._withdraw(number)
        due = [place for place, yes in enumerate(consented) if yes and self._is_due(numbers[place], now_ms)]
        if not due:
            return
        rows = np.flatnonzero(np.isin(of, due))
        coarse, whose = coarsen(cameras.take(rows)), of[rows]
        for place in due:
            chosen = np.flatnonzero((whose == place) & coarse.described)[:MAX_CAMERAS]
            if len(chosen):
                self._add(numbers[place], _Instant(round(now_ms), _part(coarse, chosen)))

    def forget(self, number: int) -> None:
        """Drop a viewer who left."""
        self._instants.pop(number, None)

    def take_withdrawn(self) -> set[int]:
        """Return who no longer consents, since the last call."""
        withdrawn, self._withdrawn = self._withdrawn, set()
        return withdrawn

    def __contains__(self, number: int) -> bool:
        return number in self._instants

    def evidence(self, subject: Subject) -> Evidence | None:
        """Return evidence of a run that lasted until `subject.at_ms`, or None if there is none."""
        from_ms = subject.at_ms - min(subject.run_ms, WINDOW_MS)
        run = [each for each in self._instants.get(subject.viewer, ()) if from_ms <= each.t_ms <= subject.at_ms]
        if not run:
            return None
        frustums, which = np.unique(np.concatenate([each.cameras.frustum for each in run]), axis=0, return_inverse=True)
        if len(frustums) > MAX_FRUSTUMS:
            return None
        before_ms = np.repeat([subject.at_ms - each.t_ms for each in run], [len(each.cameras.turn) for each in run])
        return Evidence(
            subject.placement,
            subject.viewer,
            subject.at_ms,
            subject.geometry,
            frustums,
            before_ms.astype(np.uint16),
            which.ravel().astype(np.uint8),
            np.concatenate([each.cameras.position for each in run]),
            np.concatenate([each.cameras.turn for each in run]),
        )

    def _is_due(self, number: int, now_ms: float) -> bool:
        instants = self._instants.get(number)
        return not instants or round(now_ms) - instants[-1].t_ms >= SAMPLE_MS

    def _add(self, number: int, instant: _Instant) -> None:
        instants = self._instants.setdefault(number, deque())
        while instants and instants[0].t_ms < instant.t_ms - WINDOW_MS:
            instants.popleft()
        instants.append(instant)

    def _withdraw(self, number: int) -> None:
        if self._instants.pop(number, None) is not None:
            self._withdrawn.add(number)


def _part(coarse: Coarse, rows: NDArray[np.intp]) -> Coarse:
    return Coarse(coarse.position[rows], coarse.turn[rows], coarse.frustum[rows], coarse.described[rows])
