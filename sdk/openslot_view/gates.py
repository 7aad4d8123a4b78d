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

_CHUNK = 1 << 14  # viewer–surface pairs at once: the working set stays in cache


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
    sight = np.empty((len(cameras), len(surfaces)))
    eye, centre, normal = cameras.eye, surfaces.centre.T.copy(), surfaces.facing.T.copy()
    for rows in _viewers(*sight.shape):
        along, squared = np.zeros((2, rows.stop - rows.start, len(surfaces)))
        for k in range(3):
            offset = eye[rows, k, None] - centre[k]
            along += offset * normal[k]
            offset *= offset
            squared += offset
        squared[squared == 0] = np.inf
        np.sqrt(squared, out=squared)
        np.divide(along, squared, out=sight[rows])
    screen = cameras.toward @ normal
    if cameras.orthographic.any():
        sight[cameras.orthographic] = screen[cameras.orthographic]
    for cosine in (sight, screen):
        np.minimum(np.maximum(cosine, -1.0, out=cosine), 1.0, out=cosine)
    return Facing(sight, screen)


def in_view(cameras: Cameras, surfaces: Surfaces) -> Bools:
    """Return (v, s): False where the surface's bounding sphere is wholly outside one plane of the frustum."""
    met = np.empty((len(cameras), len(surfaces)), np.bool_)
    # about a common origin, so that one matrix product serves all pairs without losing digits
    origin = surfaces.centre.mean(axis=0) if met.shape[1] else np.zeros(3)
    centre = np.concatenate([(surfaces.centre - origin).T, np.ones((1, met.shape[1]))])
    planes = cameras.planes.copy()
    planes[..., 3] += np.einsum("vpk,vk->vp", planes[..., :3], origin - cameras.eye)
    planes = np.ascontiguousarray(planes.swapaxes(0, 1))
    beyond = -surfaces.radius
    for rows in _viewers(*met.shape):
        nearest = planes[0, rows] @ centre
        distance = np.empty_like(nearest)
        for plane in planes[1:, rows]:
            np.minimum(nearest, np.matmul(plane, centre, out=distance), out=nearest)
        np.greater_equal(nearest, beyond, out=met[rows])
    return met


def _viewers(viewers: int, surfaces: int) -> list[slice]:
    step = max(1, _CHUNK // max(surfaces, 1))
    return [slice(begin, min(begin + step, viewers)) for begin in range(0, viewers, step)]
