"""A corridor that people walk down, boards in it, and pillars before them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_spec.paths import Paths
from openslot_view import Occluders, Surfaces
from openslot_view.visits import Visits
from tests.view.scenes import box_mesh

Floats = NDArray[np.float64]
Box = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Centre and size."""

SHELL: dict[str, Box] = {
    "floor": ((0, -0.1, 7), (5, 0.2, 15)),
    "left wall": ((-2.1, 1.5, 7), (0.2, 3, 15)),
    "right wall": ((2.1, 1.5, 7), (0.2, 3, 15)),
    "end wall": ((0, 1.5, -0.2), (4, 3, 0.2)),
}
PILLAR: Box = ((0, 1.5, 1.0), (1.6, 3, 0.3))
CRATE: Box = ((-1.7, 0.4, 6.0), (0.5, 0.8, 0.5))


def occluders(boxes: dict[str, Box]) -> Occluders:
    vertices, triangles, owners = [], [], []
    for number, (centre, size) in enumerate(boxes.values()):
        points, faces = box_mesh(np.array(centre), np.array(size) / 2)
        triangles.append(faces + 8 * number)
        vertices.append(points)
        owners += [number] * len(faces)
    return Occluders.build(
        np.concatenate(vertices), np.concatenate(triangles), one_sided=True, owner=owners, names=list(boxes)
    )


def board(at: tuple[float, float, float], facing: tuple[float, float, float], width: float = 2.0) -> Floats:
    forward = np.array(facing, np.float64)
    right = np.cross((0.0, 1.0, 0.0), forward)
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) / 2
    corners: Floats = np.array(at) + signs[:, :1] * width * right + signs[:, 1:] * np.array((0.0, 1.0, 0.0))
    return corners


AT_THE_END = board((0, 1.6, 0), (0, 0, 1))
TO_THE_WALL = board((1.9, 1.6, 4), (1, 0, 0))
SURFACES = Surfaces.from_quads([AT_THE_END, TO_THE_WALL])


def walks(count: int = 12, *, seed: int = 0, turned_back: int = 0) -> Visits:
    """Return people who walk down the corridor and look ahead; the first `turned_back` look back."""
    rng = np.random.default_rng(seed)
    paths = []
    for number in range(count):
        x, far = rng.uniform(-1.2, 1.2), rng.uniform(8, 10)
        ahead = 1.0 if number < turned_back else -1.0
        ends = ((0.0, far), (4000.0, far - 6.0))
        paths.append([{"t_ms": t, "position": [x, 1.6, z], "target": [x / 2, 1.6, z + 20 * ahead]} for t, z in ends])
    return Visits.of_paths(Paths.parse({"paths": paths}), 100)
