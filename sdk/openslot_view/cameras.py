"""Cameras as arrays: any projection, any depth range, and the forms the measurement needs from them.

All geometry is later expressed relative to each camera's eye, subtracted in float64, so that a world 100 km from its
origin measures like one at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_spec.errors import Code, OpenSlotError

__all__ = ["Camera", "Cameras", "Depth"]

Floats = NDArray[np.float64]

_SINGULAR = 1e-12
_LARGEST = 1e12
_LAST_ROW = np.array([0.0, 0.0, 0.0, 1.0])
_DEPTH_ROW = np.array([False, False, True, False])  # of x, y, z, w: the one that the eye does not send to 0


class Depth(IntEnum):
    """Which clip depths are drawn: near and far in units of w."""

    MINUS_ONE_TO_ONE = 0
    ZERO_TO_ONE = 1
    REVERSED_ZERO_TO_ONE = 2


_SYMMETRIC, _REVERSED = int(Depth.MINUS_ONE_TO_ONE), int(Depth.REVERSED_ZERO_TO_ONE)


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera, in column-vector matrices of the canonical frame."""

    camera_from_world: Floats
    clip_from_camera: Floats
    viewport_px: tuple[float, float]
    depth: Depth = Depth.MINUS_ONE_TO_ONE

    @classmethod
    def perspective(  # noqa: PLR0913 - a camera has that many numbers, all named
        cls,
        position: ArrayLike,
        *,
        target: ArrayLike | None = None,
        rotation: ArrayLike | None = None,
        fov_y_deg: float = 60.0,
        viewport_px: tuple[float, float] = (1920.0, 1080.0),
        near: float = 0.1,
        far: float = 1000.0,
    ) -> Self:
        """Return a camera at `position` that looks at `target`, or is turned by `rotation` (quaternion x, y, z, w).

        With neither it looks along −Z. `far` may be infinite. Up is +Y, or −Z where the view is vertical. Raises
        `CAMERA_INVALID` that names the argument.
        """
        position = _finite(position, (3,), "position")
        if target is not None:
            turn = _looking(_finite(target, (3,), "target") - position)
        else:
            turn = _turned(_finite((0, 0, 0, 1) if rotation is None else rotation, (4,), "rotation"))
        camera_from_world = np.eye(4)
        camera_from_world[:3, :3] = turn.T
        camera_from_world[:3, 3] = -turn.T @ position
        return cls(camera_from_world, _perspective(fov_y_deg, viewport_px, near, far), viewport_px)


@dataclass(frozen=True, eq=False)
class Cameras:
    """v cameras as a structure of arrays, validated; what the measurement needs from them is derived when asked for.

    Args:
        camera_from_world: (v, 4, 4); may mirror or scale.
        clip_from_camera: (v, 4, 4); any projection, far plane at infinity allowed; orthographic ones are recognised.
        viewport_px: (v, 2).
        depth: (v,) of `Depth`, or one for all.

    Raises `CAMERA_INVALID` that names the field and the camera.
    """

    camera_from_world: Floats
    clip_from_camera: Floats
    viewport_px: Floats
    depth: NDArray[np.uint8]

    def __init__(
        self,
        camera_from_world: ArrayLike,
        clip_from_camera: ArrayLike,
        viewport_px: ArrayLike,
        depth: ArrayLike = Depth.MINUS_ONE_TO_ONE,
    ) -> None:
        count = len(np.atleast_1d(np.asarray(camera_from_world)))
        view = _finite(camera_from_world, (count, 4, 4), "camera_from_world")
        projection = _finite(clip_from_camera, (count, 4, 4), "clip_from_camera")
        viewport = _finite(viewport_px, (count, 2), "viewport_px")
        _refuse(np.logical_or.reduce(view[:, 3] != _LAST_ROW, axis=1), "camera_from_world", "last row is not 0 0 0 1")
        singular = _singular(_side_by_side(view, projection))
        _refuse(singular[:count], "camera_from_world", "singular")
        _refuse(singular[count:], "clip_from_camera", "singular")
        _refuse(np.logical_or.reduce(viewport <= 0, axis=1), "viewport_px", "not positive")
        object.__setattr__(self, "camera_from_world", view)
        object.__setattr__(self, "clip_from_camera", projection)
        object.__setattr__(self, "viewport_px", viewport)
        object.__setattr__(self, "depth", _depths(depth, count))

    @classmethod
    def stack(cls, cameras: Sequence[Camera]) -> Self:
        """Return `cameras` side by side, in their order; of none, none."""
        return cls(
            _stacked([camera.camera_from_world for camera in cameras], (4, 4), "camera_from_world"),
            _stacked([camera.clip_from_camera for camera in cameras], (4, 4), "clip_from_camera"),
            _stacked([camera.viewport_px for camera in cameras], (2,), "viewport_px"),
            [camera.depth for camera in cameras] or Depth.MINUS_ONE_TO_ONE,
        )

    def take(self, rows: NDArray[Any] | slice) -> Cameras:
        """Return the cameras of `rows`."""
        return Cameras(
            self.camera_from_world[rows], self.clip_from_camera[rows], self.viewport_px[rows], self.depth[rows]
        )

    def __len__(self) -> int:
        return len(self.camera_from_world)

    @property
    def eye(self) -> Floats:
        """Return the eyes (v, 3), world metres; of an orthographic camera only the origin of relative coordinates."""
        return self._derived.eye

    @property
    def toward(self) -> Floats:
        """Return the unit directions (v, 3) from the screens to the viewers."""
        return self._derived.toward

    @property
    def orthographic(self) -> NDArray[np.bool_]:
        """Return which cameras have a direction instead of an eye (v,)."""
        return self._derived.orthographic

    @property
    def clip_from_eye(self) -> Floats:
        """Return the matrices (v, 4, 4) from eye-relative world metres to clip space."""
        return self._derived.clip_from_eye

    @property
    def planes(self) -> Floats:
        """Return near, far, left, right, bottom, top (v, 6, 4) on eye-relative world metres, inside ≥ 0."""
        return self._derived.planes

    @cached_property
    def _derived(self) -> _Derived:
        # rows x, y and w send one homogeneous point to 0: the eye, or at infinity the direction of view
        inverse = np.linalg.inv(_side_by_side(self.camera_from_world, self.clip_from_camera))
        world_from_turned, centre = inverse[: len(self), :3, :3], inverse[len(self) :, :, 2]
        orthographic = np.abs(centre[:, 3]) <= _SINGULAR * np.abs(centre).max(axis=1, initial=0)
        eye_camera = np.where(orthographic[:, None], 0.0, centre[:, :3])
        eye_camera /= np.where(orthographic, 1.0, centre[:, 3])[:, None]
        shift = eye_camera - self.camera_from_world[:, :3, 3]
        eye = (world_from_turned @ shift[..., None])[..., 0]
        camera_from_eye = self.camera_from_world.copy()
        camera_from_eye[:, :3, 3] = eye_camera
        clip_from_eye = self.clip_from_camera @ camera_from_eye
        # the eye maps to x = y = w = 0 by its definition; rounding must not say otherwise
        clip_from_eye[:, :, 3] *= orthographic[:, None] | _DEPTH_ROW
        planes = _planes(clip_from_eye, self.depth)
        return _Derived(eye, _toward(clip_from_eye, planes, orthographic), orthographic, clip_from_eye, planes)


class _Derived(NamedTuple):
    eye: Floats
    toward: Floats
    orthographic: NDArray[np.bool_]
    clip_from_eye: Floats
    planes: Floats


def rotation_matrix(quaternion: Floats) -> Floats:
    """Return the 3×3 (…, 3, 3) of unit quaternions (…, 4), x y z w; they are normalised first."""
    x, y, z, w = np.moveaxis(quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _planes(clip_from_eye: Floats, depth: NDArray[np.uint8]) -> Floats:
    z, w = clip_from_eye[:, 2], clip_from_eye[:, 3]
    low, high = np.where((depth == _SYMMETRIC)[:, None], w + z, z), w - z
    reverse = (depth == _REVERSED)[:, None]
    planes = np.empty((len(depth), 6, 4))
    planes[:, 0], planes[:, 1] = np.where(reverse, high, low), np.where(reverse, low, high)
    across = clip_from_eye[:, :2]
    np.add(w[:, None], across, out=planes[:, 2::2])
    np.subtract(w[:, None], across, out=planes[:, 3::2])
    gradient = np.sqrt(np.einsum("vpk,vpk->vp", planes[..., :3], planes[..., :3]))
    constant = np.abs(planes[..., 3])
    # a far plane at infinity has no gradient: it stays the constant that is always inside
    planes /= np.where(gradient > _SINGULAR * constant, gradient, np.maximum(constant, 1e-300))[..., None]
    return planes


def _toward(clip_from_eye: Floats, planes: Floats, orthographic: NDArray[np.bool_]) -> Floats:
    ahead = clip_from_eye[:, 3, :3].copy()
    if orthographic.any():
        across = np.cross(clip_from_eye[orthographic, 0, :3], clip_from_eye[orthographic, 1, :3])
        deeper = np.sign(np.sum(across * planes[orthographic, 0, :3], axis=1, keepdims=True))
        ahead[orthographic] = across * deeper
    return np.asarray(-ahead / np.linalg.norm(ahead, axis=1, keepdims=True))


def _looking(direction: Floats) -> Floats:
    length = np.linalg.norm(direction)
    if length == 0:
        raise OpenSlotError(Code.CAMERA_INVALID, "the target is the position", where="target")
    back = -direction / length
    up = np.array([0.0, 1.0, 0.0]) if abs(back[1]) < 1 - 1e-9 else np.array([0.0, 0.0, -1.0])
    right = np.cross(up, back)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(back, right), back], axis=1)


def _turned(quaternion: Floats) -> Floats:
    if not quaternion.any():
        raise OpenSlotError(Code.CAMERA_INVALID, "without length", where="rotation")
    return rotation_matrix(quaternion)


def _perspective(fov_y_deg: float, viewport_px: tuple[float, float], near: float, far: float) -> Floats:
    if not 0 < fov_y_deg < 180:
        raise OpenSlotError(Code.CAMERA_INVALID, f"{fov_y_deg} degrees", where="fov_y_deg")
    if not (0 < near < far and np.isfinite(near)):
        raise OpenSlotError(Code.CAMERA_INVALID, f"near {near}, far {far}", where="near")
    if not (_finite(viewport_px, (2,), "viewport_px") > 0).all():
        raise OpenSlotError(Code.CAMERA_INVALID, "not positive", where="viewport_px")
    focal = 1 / np.tan(np.radians(fov_y_deg) / 2)
    ratio = near / far
    matrix = np.zeros((4, 4))
    matrix[0, 0], matrix[1, 1] = focal * viewport_px[1] / viewport_px[0], focal
    matrix[2, 2], matrix[2, 3] = -(1 + ratio) / (1 - ratio), -2 * near / (1 - ratio)
    matrix[3, 2] = -1
    return matrix


def _side_by_side(camera_from_world: Floats, clip_from_camera: Floats) -> Floats:
    """Return (2 v, 4, 4): the views without their shifts, then the projections, to ask linalg about all at once."""
    matrices = np.concatenate([camera_from_world, clip_from_camera])
    matrices[: len(camera_from_world), :3, 3] = 0
    return matrices


def _singular(matrices: Floats) -> NDArray[np.bool_]:
    """Return which matrices have no inverse worth the name, whatever the lengths of their rows."""
    squares = np.multiply.reduce(np.einsum("nij,nij->ni", matrices, matrices), axis=1)
    return np.asarray(~(np.linalg.det(matrices) ** 2 > _SINGULAR**2 * squares))


def _depths(values: ArrayLike, count: int) -> NDArray[np.uint8]:
    depths = np.asarray(values)
    if depths.dtype.kind not in "iu" or depths.shape not in {(), (count,)}:
        raise OpenSlotError(Code.CAMERA_INVALID, f"{depths.dtype} {depths.shape}", where="depth")
    unknown = (depths < 0) | (depths > _REVERSED)
    if unknown.any():
        _refuse(np.broadcast_to(unknown, (count,)), "depth", "not a known depth range")
    return np.full(count, depths, np.uint8)


def _finite(values: ArrayLike, shape: tuple[int, ...], where: str) -> Floats:
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError):
        raise OpenSlotError(Code.CAMERA_INVALID, "not numbers", where=where) from None
    if array.shape != shape:
        raise OpenSlotError(Code.CAMERA_INVALID, f"shape {array.shape}, not {shape}", where=where)
    if not np.abs(array).max(initial=0) <= _LARGEST:
        bad = ~(np.abs(array) <= _LARGEST)
        _refuse(np.atleast_1d(np.any(bad.reshape(len(bad), -1), axis=1)), where, "not finite")
    return array


def _stacked(values: Sequence[ArrayLike], shape: tuple[int, ...], where: str) -> Floats:
    try:
        return np.asarray(values, np.float64) if values else np.zeros((0, *shape))
    except (TypeError, ValueError):
        # one after another, which names the camera
        return np.array([_finite(value, shape, f"{where}/{index}") for index, value in enumerate(values)])


def _refuse(bad: NDArray[np.bool_], where: str, detail: str) -> None:
    if bad.any():
        raise OpenSlotError(Code.CAMERA_INVALID, detail, where=f"{where}/{int(np.argmax(bad))}")
