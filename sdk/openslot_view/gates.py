"""The cheap questions, asked of all viewers × surfaces at once before anything costly: in view, facing, how oblique."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from openslot_spec.profiles import Profile
from openslot_view.cameras import Cameras
from openslot_view.surfaces import Surfaces

__all__ = ["Facing", "Gates", "facing", "in_view"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_CHUNK = 1 << 16  # viewer–surface pairs at once: the working set stays in cache


@dataclass(frozen=True, slots=True)
class Gates:
    """What a pair must meet to be worth measuring; bounds as in a profile."""

    visible_fraction_min: float = 0.0
    coverage_min: float = 0.0
    angle_max_deg: float = 180.0
    angle_inclusive: bool = True
    angle_basis: Literal["screen", "line_of_sight"] = "screen"

    @classmethod
    def of(cls, profile: Profile) -> Self:
        """Return the gates of a viewability profile."""
        return cls(
            profile.visible_fraction_min,
            profile.coverage_min,
            profile.angle_max_deg,
            profile.angle_inclusive,
            profile.angle_basis,
        )

    def angle_passes(self, line_of_sight_deg: Floats, screen_deg: Floats) -> Bools:
        """Return where the angle of this gate's basis is small enough."""
        angle = screen_deg if self.angle_basis == "screen" else line_of_sight_deg
        return angle <= self.angle_max_deg if self.angle_inclusive else angle < self.angle_max_deg


@dataclass(frozen=True, slots=True, eq=False)
class Facing:
    """(v, s) cosines: of the surface's normal with the direction from its centre to the eye, and to the screen."""

    sight: Floats
    screen: Floats


def facing(cameras: Cameras, surfaces: Surfaces) -> Facing:
    """Return how the surfaces are turned to the viewers; 0 where the eye is in the surface's centre."""
    shape = (len(cameras), len(surfaces))
    sight = np.empty(shape)
    normal = surfaces.facing
    for rows in _viewers(*shape):
        offset = [cameras.eye[rows, k, None] - surfaces.centre[None, :, k] for k in range(3)]
        squared = offset[0] ** 2
        squared += offset[1] ** 2
        squared += offset[2] ** 2
        along = offset[0] * normal[:, 0]
        along += offset[1] * normal[:, 1]
        along += offset[2] * normal[:, 2]
        np.divide(along, np.sqrt(squared), out=sight[rows], where=squared > 0)
        sight[rows][squared == 0] = 0.0
    screen = cameras.toward @ normal.T
    sight[cameras.orthographic] = screen[cameras.orthographic]
    return Facing(np.clip(sight, -1.0, 1.0), np.clip(screen, -1.0, 1.0))


def in_view(cameras: Cameras, surfaces: Surfaces) -> Bools:
    """Return (v, s): False where the surface's bounding sphere is wholly outside one plane of the frustum."""
    shape = (len(cameras), len(surfaces))
    met = np.empty(shape, np.bool_)
    # about a common origin, so that one matrix product serves all pairs without losing digits
    origin = surfaces.centre.mean(axis=0) if shape[1] else np.zeros(3)
    centre = (surfaces.centre - origin).T
    planes = cameras.planes.copy()
    planes[..., 3] += np.einsum("vpk,vk->vp", planes[..., :3], origin - cameras.eye)
    for rows in _viewers(*shape):
        part = planes[rows]
        distance = (part[..., :3].reshape(-1, 3) @ centre).reshape(*part.shape[:2], -1)
        distance += part[..., 3:]
        np.greater_equal(distance.min(axis=1), -surfaces.radius, out=met[rows])
    return met


def _viewers(viewers: int, surfaces: int) -> list[slice]:
    step = max(1, _CHUNK // max(surfaces, 1))
    return [slice(begin, min(begin + step, viewers)) for begin in range(0, viewers, step)]
