"""What the bench compares with is measured fairly: each peer is given the same question."""

import numpy as np
import pytest

from openslot_view import Camera, Cameras, Surfaces
from openslot_view.beams import Beams, cast
from openslot_view.bench.node import three_mesh_bvh
from openslot_view.bench.peers import installed, rays
from openslot_view.outlines import outlines
from openslot_view.sobol import sobol

SURFACES = Surfaces.from_quads([[(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)]])
WALL = np.array([(-9, -9, 0), (0, -9, 0), (0, 9, 0), (-9, 9, 0)], np.float64)
FACES = np.array([(0, 1, 2), (0, 2, 3)])


def ahead() -> Beams:
    cameras = Cameras.stack([Camera.perspective((0, 0, 10), near=0.1)])
    first = np.zeros(1, np.int64)
    return cast(cameras, SURFACES, outlines(cameras, SURFACES, first, first))


PLACES = pytest.mark.parametrize(("z", "hidden"), [(5.0, 0.5), (9.85, 0.5), (9.95, 0.0), (-1.0, 0.0)])


@PLACES
@pytest.mark.parametrize("name", sorted(installed()))
def test_a_peer_counts_only_what_stands_between_the_near_plane_and_the_board(
    name: str, z: float, hidden: float
) -> None:
    trace = installed()[name](WALL + np.array([0, 0, z]), FACES)
    assert trace(rays(ahead(), SURFACES)).mean() == pytest.approx(hidden, abs=0.002)


@PLACES
def test_three_mesh_bvh_does_too(z: float, hidden: float) -> None:
    share, seconds = three_mesh_bvh(WALL + np.array([0, 0, z]), FACES, SURFACES, ahead())
    assert share == pytest.approx(hidden)
    assert seconds > 0


def test_every_quarter_of_the_square_gets_a_quarter_of_the_rays() -> None:
    quarter = (sobol(64) * 2).astype(int) @ (1, 2)
    assert np.bincount(quarter).tolist() == [16, 16, 16, 16]
