"""Visits to a world as cameras: paths and walkers, sampled at equal steps of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from openslot_spec.paths import Paths
from openslot_view.cameras import Camera, Cameras
from openslot_view.walkers import Walker

__all__ = ["Visits"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LEVEL = 1 - 1e-9  # a gaze steeper than this has −Z as its up


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """n visits: sample k of visit i is row `start[i] + k`, at k × `sample_ms`.

    Args:
        eye: (m, 3) world metres.
        gaze: (m, 3) unit vectors.
        start: (n + 1,).
        sample_ms: the time between two samples.
        lens: the camera all look through; its projection and viewport count, not where it stands.
    """

    eye: Floats
    gaze: Floats
    start: Ints
    sample_ms: int
    lens: Camera

    @classmethod
    def of_paths(cls, paths: Paths, sample_ms: int) -> Self:
        """Return one visit per path, at least one sample each."""
        eyes, gazes = [], []
        for path in paths.paths:
            t = np.array([point.t_ms for point in path])
            eye, target = (np.array([getattr(point, name) for point in path]) for name in ("position", "target"))
            at = np.arange(t[0], t[-1] + 1e-6, sample_ms)
            before = np.clip(np.searchsorted(t, at, "right") - 1, 0, len(t) - 1)
            eyes.append(_between(at, t, eye))
            # an eye that passes through its target goes on looking where it looked
            gazes.append(_unit(_between(at, t, target) - eyes[-1], _unit(target - eye, eye)[before]))
        lens = Camera.perspective((0, 0, 0), fov_y_deg=paths.fov_y_deg, viewport_px=paths.viewport_px)
        return cls(
            np.concatenate(eyes), np.concatenate(gazes), np.cumsum([0, *(len(eye) for eye in eyes)]), sample_ms, lens
        )

    @classmethod
    def of_walkers(cls, walkers: Sequence[Walker], samples: int, sample_ms: int, lens: Camera) -> Self:
        """Let the walkers walk and return one visit of `samples` each."""
        eye, gaze = np.empty((len(walkers), samples, 3)), np.empty((len(walkers), samples, 3))
        for k in range(samples):
            for row, walker in enumerate(walkers):
                eye[row, k], gaze[row, k] = walker.eye, walker.gaze
                walker.step(sample_ms / 1000)
        start = np.arange(len(walkers) + 1) * samples
        return cls(eye.reshape(-1, 3), gaze.reshape(-1, 3), start, sample_ms, lens)

    def __len__(self) -> int:
        return len(self.start) - 1

    @property
    def lengths(self) -> Ints:
        """Return (n,): how many samples each visit has."""
        return np.diff(self.start)

    @property
    def visit_ms(self) -> Floats:
        """Return (n,): how long each visit lasts; each sample stands for one step of time."""
        return np.asarray(self.lengths * float(self.sample_ms))

    def part(self, first: int, end: int) -> Self:
        """Return the visits `first` to `end`, the latter not included."""
        low, high = self.start[first], self.start[end]
        start = self.start[first : end + 1] - low
        return type(self)(self.eye[low:high], self.gaze[low:high], start, self.sample_ms, self.lens)

    def blocks(self, samples: int) -> Iterator[Self]:
        """Yield all visits in parts of about so many samples, one visit each at least."""
        first = 0
        while first < len(self):
            end = int(np.searchsorted(self.start, self.start[first] + samples, "right")) - 1
            end = max(end, first + 1)
            yield self.part(first, end)
            first = end

    def some(self, count: int) -> Self:
        """Return at most `count` of the visits, evenly from all."""
        chosen = np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).round().astype(np.int64))
        rows = np.concatenate([np.arange(self.start[i], self.start[i + 1]) for i in chosen])
        start = np.concatenate([[0], np.cumsum(self.lengths[chosen])])
        return type(self)(self.eye[rows], self.gaze[rows], start, self.sample_ms, self.lens)

    def cameras(self, rows: Ints | slice) -> Cameras:
        """Return the cameras of these samples."""
        eye, back = self.eye[rows], -self.gaze[rows]
        steep = np.abs(back[:, 1:2]) > _LEVEL
        right = np.cross(np.where(steep, (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)), back)
        right /= np.linalg.norm(right, axis=1, keepdims=True)
        turn = np.stack([right, np.cross(back, right), back], axis=1)
        camera_from_world = np.tile(np.eye(4), (len(eye), 1, 1))
        camera_from_world[:, :3, :3] = turn
        camera_from_world[:, :3, 3] = -np.einsum("vij,vj->vi", turn, eye)
        each = (len(eye), 4, 4)
        viewport = np.broadcast_to(self.lens.viewport_px, (len(eye), 2))
        return Cameras(camera_from_world, np.broadcast_to(self.lens.clip_from_camera, each), viewport, self.lens.depth)


def _between(at: Floats, t: Floats, points: Floats) -> Floats:
    return np.stack([np.interp(at, t, points[:, k]) for k in range(3)], axis=1)


def _unit(vectors: Floats, otherwise: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(length > 1e-9, vectors / np.maximum(length, 1e-9), otherwise)
