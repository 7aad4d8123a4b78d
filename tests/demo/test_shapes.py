import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openslot_demo.worlds.mesh import Mesh, join, linear, quads
from openslot_demo.worlds.shapes import arch, ball, box, extrude, gable, lathe, prism, slab, tube

lengths = st.floats(0.1, 50)
angles = st.floats(-360, 360)


def volume(mesh: Mesh) -> float:
    """Of a closed mesh; negative where its triangles are wound inward."""
    a, b, c = mesh.positions[mesh.triangles].transpose(1, 0, 2)
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


@given(lengths, lengths, lengths)
def test_a_box_encloses_its_volume(width: float, height: float, depth: float) -> None:
    assert volume(box(width, height, depth, bottom=True)) == pytest.approx(width * height * depth)


@given(lengths, lengths)
def test_a_prism_of_many_sides_nears_a_cylinder(radius: float, height: float) -> None:
    closed = join([prism(radius, height, 64), prism(radius, 0.0, 64).flipped()])
    assert volume(closed) == pytest.approx(np.pi * radius**2 * height, rel=0.01)


@pytest.mark.parametrize("detail", [0, 1, 2])
def test_a_ball_is_twenty_triangles_each_in_four_parts(detail: int) -> None:
    sphere = ball(2.0, detail=detail)
    assert len(sphere.triangles) == 20 * 4**detail
    assert np.linalg.norm(sphere.positions, axis=1) == pytest.approx(2.0)
    assert 0.6 < volume(sphere) / (4 / 3 * np.pi * 8) < 1


def test_a_lumpy_ball_is_still_closed() -> None:
    edges = ball(1.0, detail=1, lumps=0.3, seed=5).welded()
    assert volume(edges) > 0


def test_an_outline_drawn_out_is_closed() -> None:
    assert volume(extrude([(0, 0), (2, 0), (0, 1)], 3)) == pytest.approx(3.0)


def test_a_roof_is_closed() -> None:
    assert volume(gable(4, 2, 3)) == pytest.approx(12.0)


def test_an_arch_leaves_its_opening_free() -> None:
    bay = arch(4, 4.6, 0.7, opening=2.8, spring=2.4)
    assert np.hypot(bay.positions[:, 0], np.maximum(0, bay.positions[:, 1] - 2.4)).min() >= 1.4 - 1e-9


def test_a_smooth_lathe_has_normals_square_to_its_axis() -> None:
    wall = lathe([(1, 0), (1, 2)], 12, shading="around")
    assert wall.normals[:, 1] == pytest.approx(0)
    assert np.einsum("ij,ij->i", wall.normals, wall.positions * [1, 0, 1]) == pytest.approx(1)


def test_a_tube_points_its_faces_outward() -> None:
    rod = tube((0, 0, 0), (0, 3, 4), 0.5, 8)
    along = np.array([0, 3, 4]) / 5
    away = rod.positions - np.outer(rod.positions @ along, along)
    assert (np.einsum("ij,ij->i", rod.normals, away) > 0).all()


@given(angles, st.sampled_from(["x", "y", "z"]), lengths)
def test_turning_and_moving_keep_the_volume(degrees: float, axis: str, away: float) -> None:
    turned = box(1, 2, 3, bottom=True).turned(degrees, axis).moved(away, -away, away)  # type: ignore[arg-type] # sampled
    assert volume(turned) == pytest.approx(6.0, rel=1e-6)


@given(lengths, lengths, lengths)
def test_stretching_keeps_normals_square_to_their_faces(x: float, y: float, z: float) -> None:
    mesh = gable(1, 1, 1).scaled(x, y, z)
    a, b, c = mesh.positions[mesh.triangles].transpose(1, 0, 2)
    faces = np.cross(b - a, c - a)
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    assert np.einsum("ij,ij->i", faces, mesh.normals[mesh.triangles[:, 0]]) == pytest.approx(1.0)


def test_welding_keeps_every_triangle_and_drops_twins() -> None:
    twice = join([slab(1, 1), slab(1, 1).moved(1)])
    welded = twice.welded()
    assert len(welded.positions) == len(twice.positions)  # their texture coordinates differ
    assert np.allclose(welded.positions[welded.triangles], twice.positions[twice.triangles])
    assert len(join([slab(1, 1), slab(1, 1)]).welded().positions) == 4


def test_two_corners_in_one_place_make_a_triangle() -> None:
    mesh = quads([[(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 1, 0)]])
    assert (len(mesh.triangles), len(mesh.positions)) == (1, 3)


def test_shading_stays_within_the_colours_range() -> None:
    bright = box(1, 1, 1).painted("#ffffff").shaded(0.2, 3.0)
    assert bright.colors.max() == 1.0
    assert bright.colors[:, 0].min() == pytest.approx(0.2)


def test_colours_are_linear() -> None:
    assert linear("#ffffff") == (1.0, 1.0, 1.0, 1.0)
    assert linear("#808080", 0.5) == pytest.approx((0.2159, 0.2159, 0.2159, 0.5), abs=1e-4)
