"""Cameras as evidence holds them: rounded to cells of 10 cm and 5°, and the poses that such a cell can mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openslot_spec.evidence import ANGLE_STEP_DEG, FRUSTUM_STEP, MAX_NEAR, POSITION_STEP_M
from openslot_view.cameras import Cameras

__all__ = ["CELL_RADIUS_M", "Coarse", "coarsen", "cone_deg", "world_from_camera"]

Floats = NDArray[np.floating[Any]]

CELL_RADIUS_M = POSITION_STEP_M * np.sqrt(3) / 2
"""No eye is farther from the middle of its cell."""
TURN_ERROR_DEG = 3 * ANGLE_STEP_DEG / 2
"""No rotation is farther from its cell's: yaw, pitch and roll are off by half a step each (triangle inequality)."""
AXIS_ERROR_DEG = 2 * ANGLE_STEP_DEG / 2
"""The same for the axis of view, which roll does not move."""
_RIGID = 1e-6
_LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Coarse:
    """n cameras in steps; `position` (n, 3) i4, `turn` (n, 3) i1, `frustum` (n, 5) i2 as `openslot_spec.evidence`.

    `described` (n,) is False for cameras that these numbers cannot describe: orthographic, mirrored, scaled or sheared
    ones, and near planes beyond a metre. Their rows mean nothing.
    """

    position: NDArray[np.int32]
    turn: NDArray[np.int8]
    frustum: NDArray[np.int16]
    described: NDArray[np.bool_]


def coarsen(cameras: Cameras) -> Coarse:
    """Return cameras rounded to their cells."""
    turn = cameras.camera_from_world[:, :3, :3].swapaxes(1, 2)
    described = _is_rigid(turn) & _is_plain(cameras.clip_from_camera)
    eye = np.rint(cameras.eye / POSITION_STEP_M)
    angles = np.rint(_angles_deg(turn) / ANGLE_STEP_DEG)
    frustum = _frustum(cameras, described)
    described &= (np.abs(eye) < _LARGEST).all(axis=1) & (np.abs(frustum) < 2**15).all(axis=1)
    described &= (frustum[:, 0] < frustum[:, 1]) & (frustum[:, 2] < frustum[:, 3])
    described &= (frustum[:, 4] >= 0) & (frustum[:, 4] <= MAX_NEAR)
    known = described[:, None]
    return Coarse(
        np.where(known, eye, 0).astype(np.int32),
        np.where(known, angles, 0).astype(np.int8),
        np.where(known, frustum, 0).astype(np.int16),
        described,
    )


def world_from_camera(turn: NDArray[np.int8]) -> Floats:
    """Return the rotations (n, 3, 3) of turns (n, 3) in steps: Ry(yaw) · Rx(pitch) · Rz(roll)."""
    radians = np.radians(turn * ANGLE_STEP_DEG)
    yaw, pitch, roll = (_about(axis, radians[:, place]) for place, axis in enumerate((1, 0, 2)))
    return np.asarray(yaw @ pitch @ roll)


def cone_deg(distance_m: Floats) -> Floats:
    """Return by how much the direction to a point can be off when the eye is anywhere in its cell."""
    return np.asarray(np.degrees(np.arcsin(np.minimum(1.0, CELL_RADIUS_M / np.maximum(distance_m, 1e-9)))))


def _about(axis: int, radians: Floats) -> Floats:
    turned = np.tile(np.eye(3), (len(radians), 1, 1))
    one, two = (axis + 1) % 3, (axis + 2) % 3
    cosine, sine = np.cos(radians), np.sin(radians)
    turned[:, one, one], turned[:, one, two] = cosine, -sine
    turned[:, two, one], turned[:, two, two] = sine, cosine
    return turned


def _angles_deg(turn: Floats) -> Floats:
    """Return yaw, pitch and roll (n, 3); straight up and down the roll is 0, for yaw says the same."""
    back = turn[:, :, 2]
    pitch = np.arcsin(np.clip(-back[:, 1], -1.0, 1.0))
    upright = np.hypot(back[:, 0], back[:, 2]) > _RIGID
    yaw = np.where(upright, np.arctan2(back[:, 0], back[:, 2]), np.arctan2(-turn[:, 2, 0], turn[:, 0, 0]))
    roll = np.where(upright, np.arctan2(turn[:, 1, 0], turn[:, 1, 1]), 0.0)
    return np.asarray(np.degrees(np.stack([yaw, pitch, roll], axis=1)))


def _is_rigid(turn: Floats) -> NDArray[np.bool_]:
    square = np.einsum("nij,nik->njk", turn, turn) - np.eye(3)
    return np.asarray((np.abs(square).max(axis=(1, 2), initial=0) < _RIGID) & (np.linalg.det(turn) > 0))


def _is_plain(clip: Floats) -> NDArray[np.bool_]:
    """Return whose projection is a perspective with upright planes, in units of its w."""
    zeros = clip[:, [0, 0, 1, 1, 2, 2, 3, 3, 3], [1, 3, 0, 3, 0, 1, 0, 1, 3]]
    scale = np.abs(clip).max(axis=(1, 2), initial=0)
    straight = np.abs(zeros).max(axis=1, initial=0) <= 1e-9 * scale
    return np.asarray(straight & (clip[:, 3, 2] < 0) & (clip[:, 0, 0] > 0) & (clip[:, 1, 1] > 0))


def _frustum(cameras: Cameras, described: NDArray[np.bool_]) -> Floats:
    """Return left, right, bottom, top and near (n, 5) in steps, near rounded up: what is before it does not block."""
    clip = np.where(described[:, None, None], cameras.clip_from_camera, np.eye(4))
    depth = np.where(described, -clip[:, 3, 2], 1.0)
    across, up, aside, over = clip[:, 0, 0], clip[:, 1, 1], clip[:, 0, 2], clip[:, 1, 2]
    tangents = np.stack([aside - depth, aside + depth, over - depth, over + depth]) / np.stack([across, across, up, up])
    near = np.ceil(-cameras.planes[:, 0, 3] / POSITION_STEP_M - _RIGID)
    return np.concatenate([np.rint(tangents / FRUSTUM_STEP), near[None]]).T
