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
    shape = len(cameras), len(surfaces)
    sight, screen = np.empty(shape), np.empty(shape)
    centre, normal = surfaces.columns[:3], surfaces.columns[4:]
    eye = np.full((shape[0], 4), -1.0)
    eye[:, :3] = cameras.eye - surfaces.middle
    blocks = _viewers(*shape)
    room = np.empty((2, blocks[0].stop if blocks else 0, shape[1]))
    for rows in blocks:
        along, across, squared = sight[rows], screen[rows], room[0, : rows.stop - rows.start]
        _squared_distance(eye[rows], centre, squared, room[1, : len(squared)])
        np.copyto(squared, np.inf, where=squared == 0)
        np.matmul(eye[rows], normal, out=along)
        along /= np.sqrt(squared, out=squared)
        np.matmul(cameras.toward[rows], normal[:3], out=across)
        for cosine in (along, across):
            np.minimum(np.maximum(cosine, -1.0, out=cosine), 1.0, out=cosine)
    if cameras.orthographic.any():
        sight[cameras.orthographic] = screen[cameras.orthographic]
    return Facing(sight, screen)


def in_view(cameras: Cameras, surfaces: Surfaces) -> Bools:
    """Return (v, s): False where the surface's bounding sphere is wholly outside one plane of the frustum."""
    met = np.empty((len(cameras), len(surfaces)), np.bool_)
    # about a common origin, so that one matrix product serves all pairs without losing digits
    centre = surfaces.columns[:4]
    planes = cameras.planes.swapaxes(0, 1).copy()
    planes[..., 3] += np.einsum("pvk,vk->pv", planes[..., :3], surfaces.middle - cameras.eye)
    beyond = -surfaces.radius
    for rows in _viewers(*met.shape):
        nearest = planes[0, rows] @ centre
        distance = np.empty_like(nearest)
        for plane in planes[1:, rows]:
            np.minimum(nearest, np.matmul(plane, centre, out=distance), out=nearest)
        np.greater_equal(nearest, beyond, out=met[rows])
    return met


def _squared_distance(eye: Floats, centre: Floats, squared: Floats, room: Floats) -> None:
    """Write the squared distances of eyes (v, 4) and centres (3, s) to `squared` (v, s); `room` is as large."""
    for k in range(3):
        step = room if k else squared
        np.subtract(eye[:, k, None], centre[k], out=step)
        np.multiply(step, step, out=step)
        if k:
            np.add(squared, step, out=squared)


def _viewers(viewers: int, surfaces: int) -> list[slice]:
    step = max(1, _CHUNK // max(surfaces, 1))
    return [slice(begin, min(begin + step, viewers)) for begin in range(0, viewers, step)]
