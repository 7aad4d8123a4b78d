"""People who walk, stop, and look at boards that face them. Pure: a seed and time steps in, poses out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from openslot_view.walkways import WalkGraph

__all__ = ["EYE_M", "Sight", "Walker", "crowd"]

EYE_M = 1.65
PACE_M_S = 1.3
TURN_DEG_S = 140.0
STOP_CHANCE = 0.5
"""At each point of the graph."""
INTEREST_M = 14.0
"""Boards farther away than this draw nobody's eye."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sight:
    """Something worth looking at. position, normal: (3,), world metres."""

    position: Floats
    normal: Floats


@dataclass
class Walker:
    """One person on a walk graph.

    `position` (3,) stands on the floor; `gaze` (3,) is a unit vector from the eye.
    """

    graph: WalkGraph
    sights: Sequence[Sight]
    random: np.random.Generator
    at: int
    position: Floats = field(init=False)
    gaze: Floats = field(init=False)
    _next: int = field(init=False)
    _pause_s: float = 0.0
    _watched: Sight | None = None

    def __post_init__(self) -> None:
        self.position = self.graph.points[self.at].copy()
        turn = self.random.uniform(0, math.tau)
        self.gaze = np.array([math.cos(turn), 0.0, math.sin(turn)])
        self._next = self._choose(came_from=self.at)

    @property
    def eye(self) -> Floats:
        """Where this person's eye is, world metres."""
        eye: Floats = self.position + np.array((0.0, EYE_M, 0.0))
        return eye

    def step(self, dt_s: float) -> None:
        """Walk, pause or look about for `dt_s` seconds."""
        self._turn(self._wanted(), dt_s)
        if self._pause_s > 0:
            self._pause_s -= dt_s
            return
        ahead = self.graph.points[self._next] - self.position
        left = float(np.linalg.norm(ahead))
        reach = PACE_M_S * dt_s
        if left > reach:
            self.position = self.position + ahead * (reach / left)
        else:
            self._arrive()

    def _arrive(self) -> None:
        self.position = self.graph.points[self._next].copy()
        came_from, self.at = self.at, self._next
        self._next = self._choose(came_from)
        self._watched = self._interesting()
        if self._watched is not None and self.random.random() < STOP_CHANCE:
            self._pause_s = float(self.random.uniform(1.0, 4.0))

    def _choose(self, came_from: int) -> int:
        """Return the next point, going back only from a dead end."""
        edges = self.graph.edges
        ways = [int(j if i == self.at else i) for i, j in edges if self.at in (i, j)]
        onward = [way for way in ways if way != came_from] or ways or [self.at]
        return int(self.random.choice(onward))

    def _interesting(self) -> Sight | None:
        near = [sight for sight in self.sights if self._faces(sight)]
        if not near or self.random.random() < 0.25:  # some look where they go
            return None
        return near[int(self.random.integers(len(near)))]

    def _faces(self, sight: Sight) -> bool:
        """Return whether a board is near and turned this way; whether something stands between, nobody asks."""
        toward = self.eye - sight.position
        return bool(toward @ sight.normal > 0 and np.linalg.norm(toward) < INTEREST_M)

    def _wanted(self) -> Floats:
        """Return where this person would look: at a board that caught the eye, else ahead."""
        if self._watched is not None:
            return _unit(self._watched.position - self.eye, self.gaze)
        ahead = self.graph.points[self._next] - self.position
        return _unit(ahead * np.array((1.0, 0.0, 1.0)), self.gaze)

    def _turn(self, wanted: Floats, dt_s: float) -> None:
        angle = math.acos(float(np.clip(self.gaze @ wanted, -1.0, 1.0)))
        share = 1.0 if angle < 1e-6 else min(1.0, math.radians(TURN_DEG_S) * dt_s / angle)
        straight = _unit((1 - share) * self.gaze + share * wanted, wanted)
        self.gaze = straight


def crowd(graph: WalkGraph, sights: Sequence[Sight], count: int, seed: int) -> list[Walker]:
    """Return `count` walkers at random points of the graph."""
    random = np.random.default_rng(seed)
    starts = random.integers(len(graph.points), size=count)
    return [Walker(graph, sights, child, int(at)) for child, at in zip(random.spawn(count), starts, strict=True)]


def _unit(vector: Floats, otherwise: Floats) -> Floats:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-6 else otherwise
