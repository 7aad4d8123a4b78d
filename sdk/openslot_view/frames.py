"""Coordinate systems of engines and tools as data, and the way from each to the canonical frame.

Canonical is glTF's: right-handed, +Y up, metres, column vectors, a camera looks along its local −Z, a slot's face along
its local +Z with its width along +X and its height along +Y. A frame's three `axes` are the canonical directions of its
own x, y and z; a camera's `camera_axes` are the same for camera space. They cancel out where both matrices of a camera
are given, and matter where only its place is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_spec.errors import Code, OpenSlotError
from openslot_view.cameras import Camera, Depth

__all__ = ["FRAMES", "Frame", "frame"]

Floats = NDArray[np.float64]
Axis = Literal["+x", "-x", "+y", "-y", "+z", "-z"]

_DIRECTIONS: dict[str, tuple[float, float, float]] = {
    "+x": (1, 0, 0),
    "-x": (-1, 0, 0),
    "+y": (0, 1, 0),
    "-y": (0, -1, 0),
    "+z": (0, 0, 1),
    "-z": (0, 0, -1),
}


@dataclass(frozen=True, slots=True)
class Frame:
    """How one system writes points, matrices and cameras.

    Args:
        name: the preset's name.
        axes: canonical directions of the system's x, y and z.
        camera_axes: canonical camera directions (x right, y up, −z ahead) of the system's camera x, y and z.
        metres: the length of one unit.
        row_vectors: matrices act on row vectors (translation in the last row).
        depth: the clip depths of the projections that the system's own calls return; a graphics interface under it may
            use others.
    """

    name: str
    axes: tuple[Axis, Axis, Axis]
    camera_axes: tuple[Axis, Axis, Axis]
    metres: float = 1.0
    row_vectors: bool = False
    depth: Depth = Depth.MINUS_ONE_TO_ONE

    @property
    def canonical_from_frame(self) -> Floats:
        """Return the 4×4 that takes this frame's points to canonical metres."""
        matrix = np.eye(4)
        matrix[:3, :3] = _columns(self.axes) * self.metres
        return matrix

    @property
    def canonical_camera_from_camera(self) -> Floats:
        """Return the 4×4 that takes this frame's camera space to the canonical one, in metres."""
        matrix = np.eye(4)
        matrix[:3, :3] = _columns(self.camera_axes) * self.metres
        return matrix

    @property
    def mirrored(self) -> bool:
        """Return whether the frame is left-handed: triangles then change their winding on the way."""
        return bool(np.linalg.det(_columns(self.axes)) < 0)

    def points(self, points: ArrayLike) -> Floats:
        """Return `points` (..., 3) in canonical metres."""
        return np.asarray(points, np.float64) @ (_columns(self.axes) * self.metres).T

    def directions(self, directions: ArrayLike) -> Floats:
        """Return `directions` (..., 3) in the canonical frame, their length kept."""
        return np.asarray(directions, np.float64) @ _columns(self.axes).T

    def triangles(self, triangles: ArrayLike) -> NDArray[np.int64]:
        """Return `triangles` (m, 3) wound so that their front is still their front in the canonical frame."""
        indices = np.asarray(triangles)
        return indices[:, ::-1].copy() if self.mirrored else indices

    def world_from_local(self, matrix: ArrayLike) -> Floats:
        """Return a placement (..., 4, 4) written in this frame as a canonical `world_from_local`."""
        change = self.canonical_from_frame
        return np.asarray(change @ self._columns_of(matrix) @ np.linalg.inv(change), np.float64)

    def camera_from_world(self, matrix: ArrayLike) -> Floats:
        """Return a view matrix (..., 4, 4) written in this frame as a canonical `camera_from_world`."""
        world_from_canonical = np.linalg.inv(self.canonical_from_frame)
        return np.asarray(
            self.canonical_camera_from_camera @ self._columns_of(matrix) @ world_from_canonical, np.float64
        )

    def clip_from_camera(self, matrix: ArrayLike) -> Floats:
        """Return a projection (..., 4, 4) of this frame's camera space as one of the canonical camera space."""
        return np.asarray(self._columns_of(matrix) @ np.linalg.inv(self.canonical_camera_from_camera), np.float64)

    def camera(
        self,
        camera_from_world: ArrayLike,
        clip_from_camera: ArrayLike,
        viewport_px: tuple[float, float],
        depth: Depth | None = None,
    ) -> Camera:
        """Return a camera of two matrices as this system writes them; `depth` where it is not the usual one."""
        view, projection = self.camera_from_world(camera_from_world), self.clip_from_camera(clip_from_camera)
        return Camera(view, projection, viewport_px, self.depth if depth is None else depth)

    def scaled(self, metres: float) -> Frame:
        """Return this frame with another unit, as for a USD stage's `metersPerUnit`."""
        if not (np.isfinite(metres) and metres > 0):
            raise OpenSlotError(Code.GEOMETRY_INVALID, f"{metres} metres a unit", where="metres")
        return replace(self, metres=float(metres))

    def _columns_of(self, matrix: ArrayLike) -> Floats:
        values = np.asarray(matrix, np.float64)
        return values.swapaxes(-1, -2) if self.row_vectors else values


def frame(name: str) -> Frame:
    """Return the preset `name`; raises `GEOMETRY_INVALID` that lists the known ones."""
    try:
        return FRAMES[name]
    except KeyError:
        known = ", ".join(sorted(FRAMES))
        raise OpenSlotError(Code.GEOMETRY_INVALID, f"no frame {name!r}; known are {known}", where="frame") from None


def _columns(axes: tuple[Axis, Axis, Axis]) -> Floats:
    return np.array([_DIRECTIONS[axis] for axis in axes], np.float64).T


def _presets(*frames: Frame) -> dict[str, Frame]:
    return {preset.name: preset for preset in frames}


_GLTF: dict[str, Any] = {"axes": ("+x", "+y", "+z"), "camera_axes": ("+x", "+y", "+z")}
_LEFT_Y_UP: dict[str, Any] = {"axes": ("+x", "+y", "-z"), "camera_axes": ("+x", "+y", "-z")}
_X_FORWARD_Z_UP: Any = ("-z", "+x", "+y")  # camera x ahead, y right, z up

_REVERSED = Depth.REVERSED_ZERO_TO_ONE
FRAMES: dict[str, Frame] = _presets(
    Frame("gltf", **_GLTF),
    Frame("three.js", **_GLTF),
    Frame("webxr", **_GLTF),
    Frame("godot", **_GLTF),
    Frame("playcanvas", **_GLTF),
    Frame("unity", **_LEFT_Y_UP),
    Frame("vrchat", **_LEFT_Y_UP),
    Frame("babylon", row_vectors=True, **_LEFT_Y_UP),
    Frame("decentraland", **_LEFT_Y_UP),
    Frame("unreal", ("-z", "+x", "+y"), _X_FORWARD_Z_UP, metres=0.01, row_vectors=True, depth=_REVERSED),
    Frame("blender", ("+x", "-z", "+y"), ("+x", "+y", "+z")),
    Frame("panda3d", ("+x", "-z", "+y"), ("+x", "-z", "+y"), row_vectors=True),
    Frame("roblox", metres=0.28, **_GLTF),
    Frame("opensim", ("+x", "-z", "+y"), ("-z", "-x", "+y")),
    Frame("second-life", ("+x", "-z", "+y"), ("-z", "-x", "+y")),
    Frame("usd-y-up", metres=0.01, row_vectors=True, **_GLTF),
    Frame("usd-z-up", ("+x", "-z", "+y"), ("+x", "+y", "+z"), metres=0.01, row_vectors=True),
)
"""Presets of facts on each system; units, handedness and matrices as their documentation states them."""
