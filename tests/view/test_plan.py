from dataclasses import replace

import numpy as np
import pytest

from openslot_spec.exposures import WhyNot
from openslot_spec.paths import Paths
from openslot_spec.profiles import profile
from openslot_view import Camera, Occluders, Surfaces
from openslot_view.costs import costs
from openslot_view.plan import Forecast, plan
from openslot_view.visits import Visits
from openslot_view.walkers import Sight, crowd
from openslot_view.walkways import WalkGraph
from tests.view.corridors import AT_THE_END, CRATE, PILLAR, SHELL, SURFACES, TO_THE_WALL, board, occluders, walks

IIG = profile("iig-2.0-display")
LENS = Camera.perspective((0, 0, 0), fov_y_deg=60, viewport_px=(1280, 720))


def planned(visits: Visits, stands: Occluders, surfaces: Surfaces = SURFACES) -> Forecast:
    return plan(visits, surfaces, stands, IIG, backend="numpy")


def test_a_board_down_the_corridor_beats_one_that_faces_the_wall() -> None:
    forecast = planned(walks(turned_back=3), occluders(SHELL))
    down, wall = forecast.counted_share(0), forecast.counted_share(1)
    assert (down.mean, wall.mean) == (0.75, 0.0)
    assert wall.high < 0.3 < down.low < down.high < 1
    assert forecast.exposure(0).mean > 2000
    assert forecast.reasons(0) == {WhyNot.COUNTED: 9, WhyNot.VIEWPORT: 3}
    assert forecast.reasons(1) == {WhyNot.BACK_FACING: 12}


def test_the_pillar_before_a_board_is_what_costs_most() -> None:
    stands = occluders(SHELL | {"crate": CRATE, "pillar": PILLAR})
    forecast = planned(walks(), stands)
    assert forecast.counted_share(0).mean < 0.5
    assert forecast.reasons(0)[WhyNot.OBSTRUCTED] > 3
    worst, *others = costs(walks(), SURFACES, 0, stands, IIG, backend="numpy")
    assert stands.names[worst.owner] == "pillar"
    assert all(other.counted_share == 0 for other in others)


def test_what_the_pillar_costs_is_what_its_absence_brings() -> None:
    with_it = planned(walks(), occluders(SHELL | {"pillar": PILLAR}))
    without = planned(walks(), occluders(SHELL))
    (cost,) = costs(walks(), SURFACES, 0, occluders(SHELL | {"pillar": PILLAR}), IIG, backend="numpy")
    assert cost.counted_share == pytest.approx(without.counted_share(0).mean - with_it.counted_share(0).mean)
    assert cost.exposure_ms == pytest.approx(without.exposure(0).mean - with_it.exposure(0).mean)


def test_a_boards_own_frame_costs_nothing_though_it_stands_before_it() -> None:
    stands = occluders(SHELL | {"pillar": PILLAR, "glass": ((0, 1.6, 0.1), (3, 2, 0.02))})
    surfaces = Surfaces.from_quads([AT_THE_END], owner=5)
    (cost,) = costs(walks(), surfaces, 0, stands, IIG, backend="numpy")
    assert stands.names[cost.owner] == "pillar"
    assert cost.counted_share > 0


def test_nothing_in_the_way_costs_nothing() -> None:
    assert costs(walks(), SURFACES, 0, occluders(SHELL), IIG, backend="numpy") == ()
    assert costs(walks(), SURFACES, 1, Occluders.none(), IIG, backend="numpy") == ()


def test_a_look_shorter_than_the_profile_asks_is_too_short() -> None:
    visits = walks(4)
    start = np.arange(5) * 10
    rows = (visits.start[1:, None] + np.arange(-10, 0)).ravel()
    short = replace(visits, eye=visits.eye[rows], gaze=visits.gaze[rows], start=start)
    forecast = planned(short, occluders(SHELL))
    assert forecast.reasons(0) == {WhyNot.TOO_SHORT: 4}
    assert (forecast.exposure_ms[:, 0] == 900).all()


def test_visits_of_any_length_and_any_cutting_into_blocks_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = walks(7)
    uneven = replace(whole, start=np.array([0, 1, 40, 41, 150, 200, len(whole.eye)]))
    at_once = planned(uneven, occluders(SHELL | {"pillar": PILLAR}))
    monkeypatch.setattr("openslot_view.plan._PAIRS_AT_ONCE", 90)
    monkeypatch.setattr("openslot_view.plan._PAIRS_MEASURED", 7)
    in_pieces = planned(uneven, occluders(SHELL | {"pillar": PILLAR}))
    assert np.array_equal(at_once.why, in_pieces.why)
    assert np.array_equal(at_once.exposure_ms, in_pieces.exposure_ms)


def test_the_interval_holds_the_truth_of_many_visits_nineteen_times_in_twenty() -> None:
    truth = 0.3
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(400):
        counted = rng.random((60, 1)) < truth
        why = np.where(counted, WhyNot.COUNTED, WhyNot.VIEWPORT).astype(np.uint8)
        share = Forecast(np.zeros((60, 1), np.int64), why, np.full(60, 1000.0)).counted_share(0)
        held += share.low <= truth <= share.high
    assert 0.92 < held / 400 < 0.98


def test_an_hour_has_as_many_visits_as_fit_into_it_for_everyone_there() -> None:
    forecast = Forecast(np.zeros((3, 1), np.int64), np.zeros((3, 1), np.uint8), np.array([60e3, 120e3, 180e3]))
    assert forecast.visits_per_hour() == 3 * 30


GRAPH = WalkGraph(np.array([(0.0, 0.0, 12.0), (0.0, 0.0, 3.0), (1.0, 0.0, 3.0)]), np.array([(0, 1), (1, 2)]))


def walked(seed: int) -> Visits:
    sights = [Sight(AT_THE_END.mean(axis=0), np.array((0.0, 0.0, 1.0)))]
    return Visits.of_walkers(crowd(GRAPH, sights, 5, seed), 100, 100, LENS)


def test_the_same_seed_walks_the_same_ways_and_another_does_not() -> None:
    first, again, other = (planned(walked(seed), occluders(SHELL)) for seed in (1, 1, 2))
    assert np.array_equal(first.exposure_ms, again.exposure_ms)
    assert not np.array_equal(first.exposure_ms, other.exposure_ms)


def test_cameras_of_visits_are_the_cameras_of_their_poses() -> None:
    visits = walked(3)
    gaze = visits.gaze.copy()
    gaze[:2] = (0, 1, 0), (0, -1, 0)
    visits = replace(visits, gaze=gaze)
    rows = np.array([0, 1, 17, 450])
    cameras = visits.cameras(rows)
    for camera, row in zip(cameras.camera_from_world, rows, strict=True):
        one = Camera.perspective(visits.eye[row], target=visits.eye[row] + visits.gaze[row], fov_y_deg=60)
        np.testing.assert_allclose(camera, one.camera_from_world, atol=1e-9)


def test_a_path_is_walked_in_straight_lines_between_its_points() -> None:
    points = [
        (100, (0, 1.6, 0), (0, 1.6, -5)),
        (1100, (0, 1.6, -10), (0, 1.6, -5)),
        (1300, (0, 1.6, -10), (5, 1.6, -10)),
    ]
    written = [{"t_ms": t, "position": position, "target": target} for t, position, target in points]
    visits = Visits.of_paths(Paths.parse({"paths": [written]}), 100)
    assert visits.start.tolist() == [0, 13]
    np.testing.assert_allclose(visits.eye[:, 2], [*np.linspace(0, -10, 11), -10, -10], atol=1e-9)
    # the eye passes through what it looks at: it goes on looking that way for the moment
    np.testing.assert_allclose(visits.gaze[[0, 5, 6, 12]], [(0, 0, -1), (0, 0, -1), (0, 0, 1), (1, 0, 0)], atol=1e-9)


def test_some_visits_are_whole_ones_and_blocks_are_all_of_them() -> None:
    visits = replace(walks(6), start=np.array([0, 10, 30, 31, 41, 100, len(walks(6).eye)]))
    some = visits.some(3)
    assert some.lengths.tolist() == [10, 1, len(visits.eye) - 100]
    assert np.array_equal(some.eye[10], visits.eye[30])
    assert [block.lengths.tolist() for block in visits.blocks(31)] == [[10, 20, 1], [10], [59], [len(visits.eye) - 100]]


def test_a_wider_board_is_not_worth_less() -> None:
    surfaces = Surfaces.from_quads([board((0, 1.6, 0), (0, 0, 1), width) for width in (1.0, 2.0, 3.0)])
    exposure = planned(walks(), occluders(SHELL), surfaces).exposure_ms
    assert (np.diff(exposure, axis=1) >= 0).all()


def test_the_board_to_the_wall_counts_once_it_is_turned_round() -> None:
    turned = Surfaces.from_quads([TO_THE_WALL[[1, 0, 3, 2]]])
    aside = walks()
    toward = np.array((1.9, 1.6, 4.0)) - aside.eye
    visits = replace(aside, gaze=toward / np.linalg.norm(toward, axis=1, keepdims=True))
    assert planned(visits, occluders(SHELL), turned).counted_share(0).mean > 0.5
