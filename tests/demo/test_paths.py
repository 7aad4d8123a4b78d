import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_demo import worlds
from openslot_demo.worlds.mesh import Mesh, join
from openslot_demo.worlds.shapes import box, panel, slab
from openslot_view.walkways import WalkGraph, free_paths
from tests.demo.geometry import blocked, triangles


def paths(mesh: Mesh, *, eye_height: float = 1.6, seed: int = 0) -> WalkGraph:
    return free_paths(mesh.positions, mesh.triangles, eye_height=eye_height, seed=seed)


def crossings(walk: WalkGraph, mesh: Mesh) -> list[tuple[int, int]]:
    return blocked(walk.points, walk.edges, mesh.positions[mesh.triangles], height=1.0, aside=0.1)


places = st.tuples(st.floats(-4, 4), st.floats(-4, 4), st.floats(0.3, 2), st.floats(0.3, 2), st.floats(0.3, 2.5))


@settings(max_examples=25, deadline=None)
@given(st.lists(places, max_size=8), st.integers(0, 5))
def test_no_way_leads_through_a_box(boxes: list[tuple[float, float, float, float, float]], seed: int) -> None:
    hall = join([slab(12, 12), *(box(w, h, d).moved(x, 0, z) for x, z, w, d, h in boxes)])
    walk = paths(hall, seed=seed)
    assert len(walk.edges) > 0
    assert crossings(walk, hall) == []


@pytest.mark.parametrize("name", worlds.NAMES)
def test_no_way_leads_through_a_demo_world(name: str) -> None:
    corners = triangles(worlds.build_world(name))
    walk = free_paths(corners.reshape(-1, 3), np.arange(len(corners) * 3).reshape(-1, 3))
    assert len(walk.edges) > 50
    assert blocked(walk.points, walk.edges, corners, height=1.0, aside=0.2) == []


def test_a_wall_parts_the_floor_and_the_larger_side_is_walked() -> None:
    walk = paths(join([slab(12, 6), panel(6, 3).turned(90).moved(2, 1.5, 0)]))
    assert (walk.points[:, 0] < 2).all()


def test_a_door_in_the_wall_joins_both_sides() -> None:
    wall = [panel(2.2, 3).turned(90).moved(2, 1.5, z) for z in (-1.9, 1.9)]
    walk = paths(join([slab(12, 6), *wall]))
    assert walk.points[:, 0].min() < 2 < walk.points[:, 0].max()


def test_a_step_is_walked_over_and_a_beam_over_head_is_walked_under() -> None:
    room = join([slab(8, 4), box(0.5, 0.15, 4), box(0.5, 0.3, 4, bottom=True).moved(y=2.2)])
    x = paths(room).points[:, 0]
    assert x.min() < -1 < 1 < x.max()


def test_a_taller_walker_does_not_fit_under_a_beam() -> None:
    room = join([slab(8, 4), box(0.5, 0.3, 4, bottom=True).moved(1, 2.2)])
    assert (paths(room, eye_height=2.3).points[:, 0] < 1).all()


def test_an_upper_storey_is_not_the_floor() -> None:
    floors = join([slab(8, 8), slab(8, 8).moved(y=3.0)])
    assert np.abs(paths(floors).points[:, 1]).max() < 1e-9


def test_a_thing_without_a_floor_is_walked_round() -> None:
    thing = box(0.4, 1.5, 0.4)
    walk = paths(thing)
    assert len(walk.edges) > 10
    assert np.hypot(walk.points[:, 0], walk.points[:, 2]).max() > 2
    assert crossings(walk, thing) == []


@pytest.mark.parametrize("corners", [[], [(0, 0, 0), (0, 0, 0), (0, 0, 0)], [(0, 0, 0), (0.1, 0, 0), (0, 0.1, 0)]])
def test_next_to_nothing_still_gives_a_place_to_stand(corners: list[tuple[float, float, float]]) -> None:
    walk = free_paths(corners, [(0, 1, 2)] if corners else [])
    assert len(walk.points) >= 1
    assert np.isfinite(walk.points).all()


def test_a_floor_full_of_shelves_gives_one_place_and_no_way() -> None:
    shelves = [panel(2.4, 2).moved(0, 1, z) for z in np.arange(-1.2, 1.3, 0.4)]
    walk = paths(join([slab(2.4, 2.4), *shelves]))
    assert (len(walk.points), len(walk.edges)) == (1, 0)


def test_the_seed_decides_and_another_seed_decides_otherwise() -> None:
    room = slab(20, 20)
    assert np.array_equal(paths(room, seed=1).points, paths(room, seed=1).points)
    assert not np.array_equal(paths(room, seed=1).points, paths(room, seed=2).points)


def test_a_scene_of_another_scale_is_still_bounded() -> None:
    walk = paths(slab(12, 12).scaled(1000))
    assert 1 < len(walk.points) <= 48
