from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from openslot_spec.evidence import POSITION_STEP_M
from openslot_view.cameras import Camera, Cameras, Depth, rotation_matrix
from openslot_view.coarse import AXIS_ERROR_DEG, CELL_RADIUS_M, TURN_ERROR_DEG, coarsen, world_from_camera

Floats = NDArray[np.float64]
UNIT = st.floats(-1, 1)
QUATERNIONS = st.tuples(UNIT, UNIT, UNIT, UNIT).filter(lambda q: np.linalg.norm(q) > 0.1)


def turned(quaternion: tuple[float, ...], position: tuple[float, ...] = (0, 0, 0)) -> Cameras:
    return Cameras.stack([Camera.perspective(position, rotation=quaternion)])


@given(QUATERNIONS)
def test_a_cell_holds_the_rotation_it_was_made_from(quaternion: tuple[float, ...]) -> None:
    true = rotation_matrix(np.array(quaternion))
    coarse = world_from_camera(coarsen(turned(quaternion)).turn)[0]
    angle = np.degrees(np.arccos(np.clip((np.trace(true.T @ coarse) - 1) / 2, -1, 1)))
    assert angle <= TURN_ERROR_DEG + 1e-6
    axis = np.degrees(np.arccos(np.clip(true[:, 2] @ coarse[:, 2], -1, 1)))
    assert axis <= AXIS_ERROR_DEG + 1e-6


@given(st.tuples(*[st.floats(-1e5, 1e5)] * 3), QUATERNIONS)
def test_a_cell_holds_the_eye_it_was_made_from(position: tuple[float, ...], quaternion: tuple[float, ...]) -> None:
    coarse = coarsen(turned(quaternion, position))
    assert coarse.described.all()
    assert np.linalg.norm(coarse.position[0] * POSITION_STEP_M - position) <= CELL_RADIUS_M + 1e-9


@pytest.mark.parametrize("pitch_sign", [-1, 1])
def test_straight_up_and_down_has_a_cell_too(pitch_sign: int) -> None:
    s = np.sqrt(0.5)
    coarse = coarsen(turned((pitch_sign * s, 0, 0, s)))
    assert coarse.turn[0].tolist() == [0, 18 * pitch_sign, 0]


def test_a_frustum_is_what_its_tangents_say_whatever_the_depth_range() -> None:
    camera = Camera.perspective((1, 2, 3), fov_y_deg=90, viewport_px=(1600, 800), near=0.25)
    assert coarsen(Cameras.stack([camera])).frustum[0].tolist() == [-64, 64, -32, 32, 3]
    clip = camera.clip_from_camera.copy()
    clip[2] = [0, 0, 0, 0.25]  # reversed, far plane at infinity
    other = Camera(camera.camera_from_world, clip, camera.viewport_px, Depth.REVERSED_ZERO_TO_ONE)
    assert coarsen(Cameras.stack([other])).frustum[0].tolist() == [-64, 64, -32, 32, 3]


def test_half_an_eyes_frustum_is_not_centred() -> None:
    clip = Camera.perspective((0, 0, 0), fov_y_deg=90, viewport_px=(1, 1)).clip_from_camera.copy()
    clip[0, 2] = 0.5
    assert coarsen(Cameras(np.eye(4)[None], clip[None], [[1, 1]])).frustum[0, :4].tolist() == [-16, 48, -32, 32]


Matrices = tuple[Floats, Floats]
"""View and clip."""


def mirrored(view: Floats, clip: Floats) -> Matrices:
    return np.diag([-1.0, 1, 1, 1]) @ view, clip


def scaled(view: Floats, clip: Floats) -> Matrices:
    return np.diag([2.0, 2, 2, 1]) @ view, clip


def orthographic(view: Floats, clip: Floats) -> Matrices:
    return view, np.concatenate([clip[:2], [[0, 0, -0.1, 0], [0, 0, 0, 1]]])


def slanted(view: Floats, clip: Floats) -> Matrices:
    return view, clip + np.outer([0, 0, 1, 0], [0.3, 0, 0, 0])


def blind_up_close(view: Floats, clip: Floats) -> Matrices:
    return view, clip + np.outer([0, 0, 1, 0], [0, 0, 0, 11 * clip[2, 3]])


@pytest.mark.parametrize("change", [mirrored, scaled, orthographic, slanted, blind_up_close])
def test_what_numbers_cannot_describe_is_said_to_be_so(change: Callable[[Floats, Floats], Matrices]) -> None:
    camera = Camera.perspective((0, 0, 0))
    other = Camera(*change(camera.camera_from_world, camera.clip_from_camera), camera.viewport_px)
    assert coarsen(Cameras.stack([camera, other])).described.tolist() == [True, False]
