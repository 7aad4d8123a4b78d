from dataclasses import replace

import numpy as np
import pytest

from openslot_spec.paths import Paths
from openslot_spec.profiles import profile
from openslot_view import Occluders
from openslot_view.plan import plan
from openslot_view.spots import Size, Spots, standing_spots, wall_spots
from openslot_view.suggest import best_spots
from openslot_view.visits import Visits
from openslot_view.walkways import floor_of
from tests.view.corridors import Box, occluders

IIG = profile("iig-2.0-display")
ROOM: dict[str, Box] = {
    "floor": ((0, -0.1, 0), (10, 0.2, 10)),
    "north": ((0, 1.5, -5.1), (10, 3, 0.2)),
    "south": ((0, 1.5, 5.1), (10, 3, 0.2)),
    "west": ((-5.1, 1.5, 0), (0.2, 3, 10)),
    "east": ((5.1, 1.5, 0), (0.2, 3, 10)),
}
SIZE: Size = (2.0, 1.0)


def looking(at: tuple[float, float, float], count: int = 8) -> Visits:
    """Return people about the middle of the room who look at one place, a little beside it."""
    rng = np.random.default_rng(3)
    paths = []
    for _ in range(count):
        position = [*rng.uniform(-1, 1, 1), 1.6, *rng.uniform(-1, 1, 1)]
        target = np.array(at) + rng.normal(0, 0.4, 3)
        paths.append([{"t_ms": t, "position": position, "target": target.tolist()} for t in (0, 2500)])
    return Visits.of_paths(Paths.parse({"paths": paths}), 100)


def spots(stands: Occluders, visits: Visits) -> Spots:
    floor = floor_of(stands.static.corners, 1.9)
    free = standing_spots(stands.static, floor, visits.eye, SIZE)
    return Spots.join([wall_spots(stands.static, SIZE), free], SIZE)


@pytest.mark.parametrize(
    ("wall", "at"),
    [("north", (0, 1.6, -5)), ("south", (0, 1.6, 5)), ("west", (-5, 1.6, 0)), ("east", (5, 1.6, 0))],
)
def test_the_wall_people_look_at_is_the_wall_for_a_board(wall: str, at: tuple[float, float, float]) -> None:
    stands = occluders(ROOM)
    visits = looking(at)
    found = best_spots(visits, wall_spots(stands.static, SIZE), stands, IIG, 1, backend="numpy")
    assert stands.names[int(found.owner[0])] == wall
    np.testing.assert_allclose(found.facing[0], -np.array((at[0] / 5, 0, at[2] / 5)), atol=1e-9)
    assert np.linalg.norm(found.position[0] - at) < 1.0
    assert plan(visits, found.surfaces(), stands, IIG, backend="numpy").counted_share(0).mean == 1.0


def test_suggestions_are_apart_from_each_other_and_the_best_comes_first() -> None:
    stands, visits = occluders(ROOM), looking((-5, 1.6, -5))
    found = best_spots(visits, spots(stands, visits), stands, IIG, 4, backend="numpy")
    assert 2 <= len(found) <= 4
    distances = np.linalg.norm(found.position[:, None] - found.position, axis=2) + 99 * np.eye(len(found))
    assert distances.min() >= found.apart_m
    exposure = plan(visits, found.surfaces(), stands, IIG, backend="numpy").exposure_ms.sum(axis=0)
    assert exposure[0] == exposure.max()


def test_what_hangs_already_keeps_its_place() -> None:
    stands, visits = occluders(ROOM), looking((0, 1.6, -5))
    walls = wall_spots(stands.static, SIZE)
    (first,) = best_spots(visits, walls, stands, IIG, 1, backend="numpy").position
    (second,) = best_spots(visits, walls.apart_from(first[None]), stands, IIG, 1, backend="numpy").position
    assert np.linalg.norm(first - second) >= walls.apart_m


def test_where_nobody_looks_nothing_is_suggested() -> None:
    stands = occluders(ROOM)
    visits = looking((0, 1.6, -5))
    upwards = replace(visits, gaze=np.tile((0.0, 1.0, 0.0), (len(visits.gaze), 1)))
    assert len(best_spots(upwards, wall_spots(stands.static, SIZE), stands, IIG, 3, backend="numpy")) == 0
    assert len(best_spots(visits, wall_spots(Occluders.none().static, SIZE), stands, IIG, 3, backend="numpy")) == 0


def inside(found: Spots, low: tuple[float, float], high: tuple[float, float]) -> np.ndarray:
    """Return which boards reach into a rectangle (x, y) of the north wall's face."""
    north = found.facing[:, 2] > 0.99
    x, y = found.position[:, 0], found.position[:, 1]
    across = (x + SIZE[0] / 2 > low[0]) & (x - SIZE[0] / 2 < high[0])
    return np.asarray(north & across & (y + SIZE[1] / 2 > low[1]) & (y - SIZE[1] / 2 < high[1]))


def test_boards_stay_on_their_wall_and_off_what_stands_before_it() -> None:
    cupboard: Box = ((1, 1, -4.8), (1.0, 2.0, 0.4))
    found = wall_spots(occluders(ROOM | {"cupboard": cupboard}).static, SIZE)
    north = found.position[(found.facing[:, 2] > 0.99) & (found.position[:, 2] < 0)]
    assert len(north) > 10
    assert (np.abs(north[:, 0]) <= 4).all()
    assert ((north[:, 1] >= 0.5) & (north[:, 1] <= 2.5)).all()
    assert np.allclose(north[:, 2], -4.98)
    before = inside(found, (0.5, 0.0), (1.5, 2.0)) & (found.position[:, 2] < -4.9)
    assert not before.any()


def test_a_window_in_a_wall_is_no_place_for_a_board() -> None:
    pieces: dict[str, Box] = {
        "left": ((-3, 1.5, -5.1), (4, 3, 0.2)),
        "right": ((3, 1.5, -5.1), (4, 3, 0.2)),
        "sill": ((0, 0.25, -5.1), (2, 0.5, 0.2)),
    }
    found = wall_spots(occluders(pieces).static, SIZE)
    assert len(found) > 10
    assert not inside(found, (-1.0, 0.5), (1.0, 3.0)).any()


def test_a_wall_smaller_than_the_board_and_a_floor_are_no_walls() -> None:
    assert len(wall_spots(occluders({"post": ((0, 1, 0), (0.4, 2, 0.4))}).static, SIZE)) == 0
    assert len(wall_spots(occluders({"floor": ROOM["floor"]}).static, SIZE)) == 0


def test_a_thin_two_sided_wall_has_two_faces() -> None:
    points = [(-3.0, 0.0, 0.0), (3.0, 0.0, 0.0), (3.0, 3.0, 0.0), (-3.0, 3.0, 0.0)]
    for one_sided, faces in ((True, {1.0}), (False, {1.0, -1.0})):
        wall = Occluders.build(points, [(0, 1, 2), (0, 2, 3)], one_sided=one_sided).static
        assert set(wall_spots(wall, SIZE).facing[:, 2].tolist()) == faces


def test_boards_that_stand_free_keep_out_of_walls_and_ways() -> None:
    stands = occluders(ROOM)
    walked = np.stack([np.linspace(-4, 4, 50), np.full(50, 1.6), np.zeros(50)], axis=1)
    found = standing_spots(stands.static, floor_of(stands.static.corners, 1.9), walked, SIZE)
    assert len(found) > 20
    assert (np.abs(found.position[:, 2]) >= 1.4 - 0.2).all()
    right = np.cross((0.0, 1.0, 0.0), found.facing)
    ends = np.concatenate([found.position + right, found.position - right])
    assert (np.abs(ends[:, [0, 2]]) <= 5).all()
    assert (found.owner == -1).all()
    np.testing.assert_allclose(np.linalg.norm(found.facing, axis=1), 1)
