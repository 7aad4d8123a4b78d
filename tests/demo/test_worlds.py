import functools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from openslot_demo import worlds
from openslot_spec.slots import EXTENSION, SlotTerms
from tests.demo.geometry import Floats, array, blocked, document, hits, triangles
from tests.gltf.khronos import verdicts

every_world = pytest.mark.parametrize("name", worlds.NAMES)


@functools.cache
def glb(name: str) -> bytes:
    return worlds.build_world(name)


@functools.cache
def solid(name: str) -> Floats:
    return triangles(glb(name))


def test_the_khronos_validator_finds_no_error_and_no_warning(tmp_path: Path) -> None:
    for name, verdict in verdicts({name: glb(name) for name in worlds.NAMES}, tmp_path).items():
        assert (name, verdict["errors"], verdict["warnings"]) == (name, [], 0)


@every_world
def test_a_world_is_the_same_bytes_each_time(name: str) -> None:
    assert worlds.build_world(name) == glb(name)


@every_world
def test_a_world_is_small_enough_to_send_and_rich_enough_to_occlude(name: str) -> None:
    assert len(glb(name)) < 1_000_000
    assert 5_000 <= len(triangles(glb(name), skip=frozenset())) <= 30_000


@every_world
def test_every_slot_is_a_node_with_the_extension_mirrored_in_extras(name: str) -> None:
    parsed = document(glb(name))
    nodes = [node for node in parsed["nodes"] if EXTENSION in node.get("extensions", {})]
    terms = [SlotTerms.parse(node["extensions"][EXTENSION]) for node in nodes]
    assert [node["extras"]["openslot"] for node in nodes] == [term.plain() for term in terms]
    assert terms == [board.terms for board in worlds.boards(name)]
    assert EXTENSION in parsed["extensionsUsed"]
    assert "extensionsRequired" not in parsed


@every_world
def test_slots_have_ids_of_their_own_and_many_sizes(name: str) -> None:
    terms = [board.terms for board in worlds.boards(name)]
    assert 5 <= len(terms) <= 8
    assert len({term.id for term in terms}) == len({term.size for term in terms}) == len(terms)
    assert max(max(term.size) for term in terms) >= 4.5


@every_world
def test_badly_placed_slots_of_every_kind_hang_beside_good_ones(name: str) -> None:
    tags = Counter(tag for board in worlds.boards(name) for tag in board.terms.tags)
    assert {"occluded", "tiny", "misplaced", "large"} <= set(tags)


@every_world
def test_a_board_lies_behind_its_slot(name: str) -> None:
    for board in worlds.boards(name):
        for _, mesh in board.back.merged():
            inside = (np.abs(mesh.positions[:, :2]) < np.array(board.terms.size) / 2).all(axis=1)
            assert mesh.positions[inside, 2].max(initial=-1.0) <= -0.01


def free_before(name: str, board: worlds.Board, away: float) -> bool:
    yaw = np.deg2rad(board.yaw_deg)
    ahead = np.array([np.sin(yaw), 0.0, np.cos(yaw)])
    near, far = (np.array(board.position) + ahead * distance for distance in (0.01, away))
    return hits(near, far, solid(name)) == 0


@every_world
def test_nothing_stands_close_before_a_well_placed_slot(name: str) -> None:
    for board in worlds.boards(name):
        if not {"occluded", "misplaced"} & set(board.terms.tags):
            assert free_before(name, board, 1.5), board.terms.id


@every_world
def test_something_stands_before_a_slot_that_is_meant_to_be_hidden(name: str) -> None:
    for board in worlds.boards(name):
        if {"occluded", "misplaced"} & set(board.terms.tags):
            assert not free_before(name, board, 2.5), board.terms.id


@every_world
def test_every_triangle_is_wound_as_its_normals_say(name: str) -> None:
    parsed = document(glb(name))
    for primitive in (p for mesh in parsed["meshes"] for p in mesh["primitives"] if "NORMAL" in p["attributes"]):
        corners = array(glb(name), primitive["attributes"]["POSITION"])[array(glb(name), primitive["indices"])[:, 0]]
        normals = array(glb(name), primitive["attributes"]["NORMAL"])[array(glb(name), primitive["indices"])[:, 0]]
        a, b, c = corners.reshape(-1, 3, 3).astype(np.float64).transpose(1, 0, 2)
        facing = np.einsum("ij,ij->i", np.cross(b - a, c - a), normals.reshape(-1, 3, 3).mean(axis=1))
        assert (facing > 0).all()


@every_world
@pytest.mark.parametrize("height", [0.3, 1.0, 1.6])
def test_walkers_walk_through_nothing(name: str, height: float) -> None:
    walk = worlds.waypoints(name)
    assert blocked(walk.points, walk.edges, solid(name), height=height, aside=0.25) == []


@every_world
def test_walkers_stand_on_the_floor(name: str) -> None:
    for point in worlds.waypoints(name).points:
        assert hits(point + np.array([0.0, 0.15, 0.0]), point - np.array([0.0, 0.15, 0.0]), solid(name)) > 0


@every_world
def test_every_place_can_be_reached_from_every_other(name: str) -> None:
    walk = worlds.waypoints(name)
    reached = {0}
    for _ in range(len(walk.points)):
        reached |= {int(j) for pair in walk.edges for j in pair if reached & set(pair.tolist())}
    assert reached == set(range(len(walk.points)))


def test_an_unknown_world_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        worlds.build_world("moon")
