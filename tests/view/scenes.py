"""Small random scenes from a seed: a board, things before it, cameras that look at it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from openslot_view import Camera, Cameras, Depth, Occluders, Surfaces, Visibility, measure
from openslot_view.cameras import rotation_matrix

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Scene:
    """Canonical arrays of one board seen by a few cameras, and the triangles about it."""

    views: Floats
    projections: Floats
    corners: Floats
    vertices: Floats
    triangles: Ints
    depth: Depth = Depth.MINUS_ONE_TO_ONE

    def measured(self, backend: str = "numpy", *, two_sided: bool = True) -> Visibility:
        cameras = Cameras(self.views, self.projections, np.full((len(self.views), 2), 1000.0), self.depth)
        occluders = Occluders.build(self.vertices, self.triangles)
        return measure(cameras, Surfaces.from_quads([self.corners], two_sided=two_sided), occluders, backend=backend)

    def moved(self, matrix: Floats) -> Scene:
        """Return the scene moved as a whole by a 4×4."""
        return replace(
            self,
            views=self.views @ np.linalg.inv(matrix),
            corners=self.corners @ matrix[:3, :3].T + matrix[:3, 3],
            vertices=self.vertices @ matrix[:3, :3].T + matrix[:3, 3],
        )


def scene(seed: int, things: int = 30, cameras: int = 3) -> Scene:
    """Return a scene of `things` loose triangles and boxes between the board and the cameras, and behind both."""
    rng = np.random.default_rng(seed)
    half = rng.uniform(0.5, 3.0, 2)
    corners = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)]) * [*half, 1.0]
    looks = [_camera(rng) for _ in range(cameras)]
    vertices, triangles = soup(rng, things)
    return Scene(
        np.array([look.camera_from_world for look in looks]),
        np.array([look.clip_from_camera for look in looks]),
        corners,
        vertices,
        triangles,
    )


def soup(rng: np.random.Generator, things: int) -> tuple[Floats, Ints]:
    """Return loose triangles and closed boxes of all sizes in front of and behind the board."""
    loose = rng.uniform([-4, -3, -2], [4, 3, 8], (things, 1, 3)) + rng.normal(0, 0.8, (things, 3, 3))
    parts, indices = [loose.reshape(-1, 3)], [np.arange(3 * things).reshape(-1, 3)]
    for _ in range(things // 6):
        box, faces = box_mesh(rng.uniform([-4, -3, 0.5], [4, 3, 8]), rng.uniform(0.1, 0.8, 3))
        indices.append(faces + sum(len(part) for part in parts))
        parts.append(box)
    return np.concatenate(parts), np.concatenate(indices)


def box_mesh(centre: Floats, half: Floats) -> tuple[Floats, Ints]:
    """Return a closed box, wound outwards."""
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))])
    return signs * half + centre, faces


def rigid(rng: np.random.Generator, distance: float) -> Floats:
    """Return a random turn and a shift of about `distance` metres."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation_matrix(rng.normal(size=4))
    matrix[:3, 3] = rng.normal(0, distance, 3)
    return matrix


def _camera(rng: np.random.Generator) -> Camera:
    position = rng.uniform([-8, -3, 1.5], [8, 3, 14])
    target = rng.normal(0, 1.5, 3)
    return Camera.perspective(
        position, target=target, fov_y_deg=rng.uniform(35, 90), viewport_px=(1000, 1000), near=0.2, far=200.0
    )
