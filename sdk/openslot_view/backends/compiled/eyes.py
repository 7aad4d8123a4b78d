"""What the measurement needs of a camera, and the cheap questions about a pair; the numpy twin is `Cameras`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_view.backends.compiled.kernel import Record, inlined, kernel

__all__ = ["derive", "in_view", "turned"]

Floats = NDArray[np.float64]

_SINGULAR = 1e-12
_ZERO_TO_ONE, _REVERSED = 1, 2


@kernel
def derive(camera_from_world: Floats, clip_from_camera: Floats, depth: int, camera: Record) -> None:
    """Write the eye, its planes and its clip matrix to `camera`, as `Cameras` says them."""
    centre = np.empty(4)
    _projection_centre(clip_from_camera, centre)
    largest = max(abs(centre[0]), abs(centre[1]), abs(centre[2]), abs(centre[3]))
    flat = abs(centre[3]) <= _SINGULAR * largest
    camera.orthographic = int(flat)
    for k in range(3):
        centre[k] = 0.0 if flat else centre[k] / centre[3]
    _place(camera_from_world, centre, camera.eye)
    for i in range(4):
        for j in range(3):
            camera.clip[i, j] = 0.0
            for k in range(3):
                camera.clip[i, j] += clip_from_camera[i, k] * camera_from_world[k, j]
        camera.clip[i, 3] = 0.0
        if flat or i == 2:
            camera.clip[i, 3] = clip_from_camera[i, 3]
            for k in range(3):
                camera.clip[i, 3] += clip_from_camera[i, k] * centre[k]
    _planes(camera.clip, depth, camera.planes)
    _toward(camera)


@inlined
def in_view(camera: Record, surface: Record) -> bool:
    """Return False where the surface's bounding sphere is wholly outside one plane of the frustum."""
    x, y, z = surface.centre[0] - camera.eye[0], surface.centre[1] - camera.eye[1], surface.centre[2] - camera.eye[2]
    for k in range(6):
        plane = camera.planes
        if plane[k, 0] * x + plane[k, 1] * y + plane[k, 2] * z + plane[k, 3] < -surface.radius:
            return False
    return True


@inlined
def turned(camera: Record, surface: Record) -> tuple[float, float]:
    """Return the cosines of the surface's normal with the line to the eye and with the screen's normal."""
    normal, toward = surface.facing, camera.toward
    screen = _cosine(normal[0] * toward[0] + normal[1] * toward[1] + normal[2] * toward[2])
    if camera.orthographic:
        return screen, screen
    x, y, z = camera.eye[0] - surface.centre[0], camera.eye[1] - surface.centre[1], camera.eye[2] - surface.centre[2]
    squared = x * x + y * y + z * z
    if squared == 0:
        return 0.0, screen
    return _cosine((normal[0] * x + normal[1] * y + normal[2] * z) / np.sqrt(squared)), screen


@inlined
def _cosine(value: float) -> float:
    return min(max(value, -1.0), 1.0)


@inlined
def _projection_centre(matrix: Floats, centre: Floats) -> None:
    """Write the homogeneous point that rows x, y and w send to 0, by cofactors."""
    for k in range(4):
        a, b, c = (0 if k > 0 else 1), (1 if k > 1 else 2), (2 if k > 2 else 3)
        minor = matrix[0, a] * (matrix[1, b] * matrix[3, c] - matrix[1, c] * matrix[3, b])
        minor -= matrix[0, b] * (matrix[1, a] * matrix[3, c] - matrix[1, c] * matrix[3, a])
        minor += matrix[0, c] * (matrix[1, a] * matrix[3, b] - matrix[1, b] * matrix[3, a])
        centre[k] = minor if k % 2 == 0 else -minor


@inlined
def _place(view: Floats, centre: Floats, eye: Floats) -> None:
    """Write the world point that `view` takes to `centre`, by Cramer's rule."""
    x, y, z = centre[0] - view[0, 3], centre[1] - view[1, 3], centre[2] - view[2, 3]
    whole = 0.0
    for k in range(3):
        a, b = (k + 1) % 3, (k + 2) % 3
        cx = view[1, a] * view[2, b] - view[1, b] * view[2, a]
        cy = view[2, a] * view[0, b] - view[2, b] * view[0, a]
        cz = view[0, a] * view[1, b] - view[0, b] * view[1, a]
        eye[k] = cx * x + cy * y + cz * z
        whole = view[0, k] * cx + view[1, k] * cy + view[2, k] * cz
    for k in range(3):
        eye[k] /= whole


@inlined
def _planes(clip: Floats, depth: int, planes: Floats) -> None:
    """Write near, far, left, right, bottom, top, with unit normals but for a far plane at infinity."""
    for c in range(4):
        lowest = -clip[3, c] if depth not in (_ZERO_TO_ONE, _REVERSED) else 0.0
        low, high = clip[2, c] - lowest, clip[3, c] - clip[2, c]
        planes[0, c], planes[1, c] = (high, low) if depth == _REVERSED else (low, high)
        planes[2, c], planes[3, c] = clip[3, c] + clip[0, c], clip[3, c] - clip[0, c]
        planes[4, c], planes[5, c] = clip[3, c] + clip[1, c], clip[3, c] - clip[1, c]
    for k in range(6):
        gradient = np.sqrt(planes[k, 0] ** 2 + planes[k, 1] ** 2 + planes[k, 2] ** 2)
        constant = abs(planes[k, 3])
        scale = gradient if gradient > _SINGULAR * constant else max(constant, 1e-300)
        for c in range(4):
            planes[k, c] /= scale


@inlined
def _toward(camera: Record) -> None:
    """Write the unit direction from the screen to the viewer."""
    clip, near = camera.clip, camera.planes
    x, y, z = clip[3, 0], clip[3, 1], clip[3, 2]
    if camera.orthographic:
        x = clip[0, 1] * clip[1, 2] - clip[0, 2] * clip[1, 1]
        y = clip[0, 2] * clip[1, 0] - clip[0, 0] * clip[1, 2]
        z = clip[0, 0] * clip[1, 1] - clip[0, 1] * clip[1, 0]
        if x * near[0, 0] + y * near[0, 1] + z * near[0, 2] < 0:
            x, y, z = -x, -y, -z
    length = np.sqrt(x * x + y * y + z * z)
    camera.toward[0], camera.toward[1], camera.toward[2] = -x / length, -y / length, -z / length
