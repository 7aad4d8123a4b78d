"""Which part of an ad was seen for how long, held against `measure` and against `Exposures`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.profiles import profile
from openslot_view import Camera, Cameras, Exposures, HeatMaps, Occluders, Samples, Surfaces, measure
from openslot_view.cells import LINES
from tests.view.scenes import Scene, scene
from tests.view.test_measure import AHEAD, SQUARE, wall

Floats = NDArray[np.float64]

BOARD = Surfaces.from_quads([SQUARE])
EYE = Cameras.stack([AHEAD])
NOTHING = Occluders.none()
GAP_MS = 250.0
WHOLE = 0.004
"""Of 441 pairs the share of a whole map was off by .0002 on average, .0012 at the 99th percentile, .0018 at most."""
seeds = st.integers(0, 2**32 - 1)


def heat_of(*times_ms: float, occluders: Occluders = NOTHING, cells: int = 32) -> HeatMaps:
    heat = HeatMaps(BOARD, max_gap_ms=GAP_MS, cells=cells)
    for t_ms in times_ms:
        heat.add(t_ms, EYE, occluders, [[True]])
    return heat


def parts(this: Scene, surfaces: Surfaces | None = None) -> tuple[Cameras, Surfaces, Occluders]:
    cameras = Cameras(this.views, this.projections, np.full((len(this.views), 2), 1000.0), this.depth)
    board = surfaces or Surfaces.from_quads([this.corners], two_sided=True)
    return cameras, board, Occluders.build(this.vertices, this.triangles)


def shares(cameras: Cameras, board: Surfaces, occluders: Occluders, cells: int, backend: str) -> Floats:
    """What each view sees of the cells of the board."""
    found = np.zeros((len(cameras), cells, cells))
    for view in range(len(cameras)):
        heat = HeatMaps(board, max_gap_ms=1, cells=cells, backend=backend)
        for t_ms in (0, 1):
            heat.add(t_ms, cameras.take(slice(view, view + 1)), occluders, [[True]])
        found[view] = heat.maps_ms[0]
    return found


def test_behind_a_pillar_it_stays_cold() -> None:
    heat = heat_of(0, 100, 200, occluders=wall((-1, -1), (0, 1)))
    assert (heat.maps_ms[0, :, :16] == 0).all()
    np.testing.assert_allclose(heat.maps_ms[0, :, 16:], 200.0)
    assert heat.seen_ms == pytest.approx([100.0])


def test_rows_begin_at_the_bottom_and_columns_at_the_left() -> None:
    # at half the way the quarter 0 … 0.5 shadows 0 … 1: the upper right
    heat = heat_of(0, 100, occluders=wall((0, 0), (0.5, 0.5)), cells=2)
    np.testing.assert_allclose(heat.maps_ms[0], [[100, 100], [100, 0]], atol=1e-9)


def test_a_cell_that_is_seen_in_part_counts_in_part() -> None:
    heat = heat_of(0, 100, occluders=wall((-1, -1), (-0.375, 1)), cells=2)
    np.testing.assert_allclose(heat.maps_ms[0], [[75, 100], [75, 100]])


def cell_by_cell(this: Scene, cells: int) -> Floats:
    """Every cell as a surface of its own: slow, and exact."""
    steps = np.arange(cells + 1) / cells
    a, b, _, d = this.corners
    grid = a + steps[None, :, None] * (b - a) + steps[:, None, None] * (d - a)
    quads = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], axis=2).reshape(-1, 4, 3)
    seen = measure(*parts(this, Surfaces.from_quads(quads, two_sided=True)), backend="numpy")
    return seen.visible_fraction.reshape(-1, cells, cells)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@given(seed=seeds)
@settings(max_examples=12)
def test_every_cell_is_what_it_would_be_alone(seed: int, backend: str) -> None:
    this = scene(seed, cameras=2)
    found, exact = shares(*parts(this), 6, backend), cell_by_cell(this, 6)
    # an edge along u is off by half a line's band and lies in one row of six; each may hold a few
    off = np.abs(found - exact)
    assert off.max() < 3 / (2 * LINES)
    assert off.mean(axis=(1, 2)).max() < 3 / (2 * LINES) / 6


@given(seeds)
@settings(max_examples=12)
def test_backends_draw_the_same_lines(seed: int) -> None:
    this = parts(scene(seed))
    np.testing.assert_allclose(shares(*this, 16, "numba"), shares(*this, 16, "numpy"), atol=2e-5 * 16**2)


@given(seeds)
@settings(max_examples=25)
def test_a_whole_map_is_the_visible_fraction_times_the_time(seed: int) -> None:
    cameras, board, occluders = parts(scene(seed))
    heat = HeatMaps(board, max_gap_ms=GAP_MS)
    seen = measure(cameras, board, occluders, backend="numpy")
    for t_ms in (0, 100, 250):
        heat.add(t_ms, cameras, occluders, seen.visible_fraction > 0)
    assert heat.seen_ms[0] == pytest.approx(250 * seen.visible_fraction.sum(), abs=250 * 3 * WHOLE)


@pytest.mark.parametrize("third", [(1.5, 1.2), (0.6, 0.7), (2.5, 0.2)])
def test_a_quad_that_is_no_rectangle_has_its_map_over_its_box(third: tuple[float, float]) -> None:
    corners = np.array([(0, 0, 0), (1, 0, 0), (*third, 0), (0, 1, 0)])
    board = Surfaces.from_quads([corners])
    looking = Cameras.stack([Camera.perspective((1.3, 0.8, 2.0))])
    seen = measure(looking, board, wall((0.4, 0.1), (0.7, 1.0), z=1.0))
    heat = HeatMaps(board, max_gap_ms=GAP_MS)
    for t_ms in (0, 100):
        heat.add(t_ms, looking, wall((0.4, 0.1), (0.7, 1.0), z=1.0), [[True]])
    assert heat.seen_ms == pytest.approx(100 * seen.visible_fraction[0], abs=100 * WHOLE)
    assert heat.cell_share * 32**2 >= 1


@given(seeds)
@settings(max_examples=10)
def test_a_curved_surface_has_a_map_for_each_facet(seed: int) -> None:
    this = scene(seed)
    bent = np.concatenate([this.corners, [this.corners[0] * 0.9 + (0, 0, 1.0)]])
    cameras, roof, occluders = parts(this, Surfaces.from_mesh(bent, [(0, 1, 2), (0, 2, 3), (4, 0, 3)]))
    seen = measure(cameras, roof, occluders, backend="numpy")
    heat = HeatMaps(roof, max_gap_ms=GAP_MS)
    for t_ms in (0, 100):
        heat.add(t_ms, cameras, occluders, seen.visible_fraction > 0)
    assert len(heat.maps_ms) == 3
    assert heat.seen_ms[0] == pytest.approx(100 * seen.visible_fraction.sum(), abs=100 * 3 * WHOLE)


@pytest.mark.parametrize(
    ("times_ms", "spent_ms"),
    [((0,), 0), ((0, 250), 250), ((0, 251), 0), ((0, 100, 400, 500), 200), ((100, 200, 150, 160), 110), ((0, 0), 0)],
)
def test_time_runs_between_samples_that_are_near_enough(times_ms: tuple[float, ...], spent_ms: float) -> None:
    assert heat_of(*times_ms, cells=2).seen_ms == pytest.approx([spent_ms])


instants = st.lists(st.tuples(st.integers(-50, 400), st.booleans()), min_size=1, max_size=20)


@given(instants)
@settings(max_examples=40)
def test_a_board_seen_whole_is_as_warm_as_its_runs_are_long(steps: list[tuple[int, bool]]) -> None:
    exposures, heat = Exposures(profile("mrc-display")), HeatMaps(BOARD, max_gap_ms=GAP_MS, cells=1)
    seen = measure(EYE, BOARD)
    samples = Samples.of(seen, BOARD, (np.array([0]), np.array([0])))
    blind = Samples.of(seen, BOARD, (np.array([0]), np.array([0])), idle=True)
    exposures.open([0])
    now = 0
    for step, passes in steps:
        now += step
        exposures.sample(now, [0], samples if passes else blind)
        heat.add(now, EYE, NOTHING, [[passes]])
    assert heat.seen_ms == pytest.approx(exposures.totals([0])[1], abs=1e-6)


@given(st.lists(st.integers(1, 99), max_size=5), seeds)
@settings(max_examples=10)
def test_a_sample_more_between_two_that_agree_changes_nothing(between: list[int], seed: int) -> None:
    cameras, board, occluders = parts(scene(seed))
    few, many = (HeatMaps(board, max_gap_ms=GAP_MS, cells=8) for _ in range(2))
    passing = np.ones((3, 1), np.bool_)
    for t_ms in (0, 100):
        few.add(t_ms, cameras, occluders, passing)
    for t_ms in (0, *sorted(between), 100):
        many.add(t_ms, cameras, occluders, passing)
    np.testing.assert_allclose(many.maps_ms, few.maps_ms, atol=1e-9)


@given(st.permutations(range(4)), seeds)
@settings(max_examples=10)
def test_maps_of_parts_of_the_crowd_merge_to_the_map_of_all_in_any_order(order: list[int], seed: int) -> None:
    cameras, board, occluders = parts(scene(seed, cameras=4))
    alone = [HeatMaps(board, max_gap_ms=GAP_MS, cells=8) for _ in range(4)]
    crowd, one, other = (HeatMaps(board, max_gap_ms=GAP_MS, cells=8) for _ in range(3))
    for t_ms in (0, 200):
        crowd.add(t_ms, cameras, occluders, np.ones((4, 1), np.bool_))
        for viewer, heat in enumerate(alone):
            heat.add(t_ms, cameras.take(slice(viewer, viewer + 1)), occluders, [[True]])
    for viewer in range(4):
        one.merge(alone[viewer])
        other.merge(alone[order[viewer]])
    np.testing.assert_allclose(one.maps_ms, crowd.maps_ms, atol=1e-9)
    np.testing.assert_allclose(other.maps_ms, crowd.maps_ms, atol=1e-9)
    first, second = (HeatMaps(board, max_gap_ms=GAP_MS, cells=8) for _ in range(2))
    for heat, (a, b) in ((first, alone[:2]), (second, alone[1::-1])):
        heat.merge(a)
        heat.merge(b)
    assert (first.maps_ms == second.maps_ms).all()


@given(seeds, st.lists(st.sampled_from([0.0, 10.0, 90.0, 1e9, -1e9, np.inf, -np.inf, np.nan]), max_size=6))
@settings(max_examples=15)
def test_nothing_is_ever_nan_or_more_than_the_time(seed: int, times_ms: list[float]) -> None:
    cameras, board, occluders = parts(scene(seed))
    heat = HeatMaps(board, max_gap_ms=GAP_MS, cells=5)
    for t_ms in times_ms:
        heat.add(t_ms, cameras, occluders, np.ones((3, 1), np.bool_))
    assert np.isfinite(heat.maps_ms).all()
    assert (heat.maps_ms >= 0).all()
    assert (heat.maps_ms <= 3 * GAP_MS * max(len(times_ms) - 1, 0)).all()


def test_who_looks_with_two_eyes_is_one_viewer() -> None:
    # the pillar stands before the left half for one eye, and for the other before nothing
    eyes = Cameras.stack([AHEAD, Camera.perspective((2, 0, 10), viewport_px=(1000, 1000), fov_y_deg=60)])
    pillar, viewer = wall((-1, -1), (0, 1)), [5, 5]
    seen = measure(eyes, BOARD, pillar)
    heat = HeatMaps(BOARD, max_gap_ms=GAP_MS, cells=4)
    for t_ms in (0, 100):
        heat.add(t_ms, eyes, pillar, seen.better(viewer) & (seen.visible_fraction > 0), viewer)
    np.testing.assert_allclose(heat.maps_ms, 100.0)


def test_a_run_goes_on_from_one_eye_to_the_other() -> None:
    eyes, viewer = Cameras.stack([AHEAD, AHEAD]), [0, 0]
    heat = HeatMaps(BOARD, max_gap_ms=GAP_MS, cells=1)
    for t_ms, left in ((0, True), (100, False), (200, True)):
        heat.add(t_ms, eyes, NOTHING, [[left], [not left]], viewer)
    assert heat.seen_ms == pytest.approx([200.0])


def test_who_is_not_sampled_goes_on_within_the_gap_and_who_does_not_pass_does_not() -> None:
    away, blind = (HeatMaps(BOARD, max_gap_ms=GAP_MS, cells=1) for _ in range(2))
    nobody = Cameras.stack([])
    for heat, cameras, passing in ((away, nobody, np.zeros((0, 1), np.bool_)), (blind, EYE, [[False]])):
        heat.add(0, EYE, NOTHING, [[True]])
        heat.add(100, cameras, NOTHING, passing)
        heat.add(200, EYE, NOTHING, [[True]])
    assert (away.seen_ms[0], blind.seen_ms[0]) == (pytest.approx(200), 0)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_leaves_beyond_number_are_cut_in_groups(backend: str) -> None:
    rng = np.random.default_rng(4)
    middle = rng.uniform([-1, -1, 1], [1, 1, 4], (19_000, 1, 3))
    leaves = (middle + rng.normal(0, 0.007, (19_000, 3, 3))).reshape(-1, 3)
    behind = Occluders.build(leaves, np.arange(57_000).reshape(-1, 3))
    looks = Cameras.stack([Camera.perspective((x, 0, 10), fov_y_deg=30) for x in (-1, 0, 1)])
    exact = measure(looks, BOARD, behind, backend=backend).visible_fraction[:, 0]
    assert shares(looks, BOARD, behind, 32, backend).mean(axis=(1, 2)) == pytest.approx(exact, abs=WHOLE)


def heat_of_nobody(passing: object, viewers: object = None) -> None:
    HeatMaps(BOARD, max_gap_ms=GAP_MS).add(0, EYE, NOTHING, passing, viewers)  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize(
    ("passing", "viewers", "where"),
    [
        ([[True, True]], None, "passing"),
        ([True], None, "passing"),
        ([[True]], [0, 1], "viewer_of_view"),
        ([[True]], [-1], "viewer_of_view"),
    ],
)
def test_arrays_that_do_not_agree_are_refused(passing: object, viewers: object, where: str) -> None:
    with pytest.raises(OpenSlotError) as refused:
        heat_of_nobody(passing, viewers)
    assert (refused.value.code, refused.value.where) == (Code.CAMERA_INVALID, where)


def test_two_views_of_one_viewer_do_not_both_pass() -> None:
    with pytest.raises(OpenSlotError, match="two views"):
        HeatMaps(BOARD, max_gap_ms=GAP_MS).add(0, Cameras.stack([AHEAD, AHEAD]), NOTHING, [[True], [True]], [3, 3])


@pytest.mark.parametrize("cells", [0, -1, 257])
def test_maps_are_neither_empty_nor_huge(cells: int) -> None:
    with pytest.raises(OpenSlotError) as refused:
        HeatMaps(BOARD, max_gap_ms=GAP_MS, cells=cells)
    assert refused.value.where == "cells"


def test_maps_of_other_sizes_do_not_merge() -> None:
    with pytest.raises(OpenSlotError) as refused:
        heat_of(cells=2).merge(heat_of(cells=4))
    assert refused.value.code is Code.GEOMETRY_INVALID


def test_what_was_not_sampled_now_waits_for_its_next_sample() -> None:
    boards = Surfaces.join([BOARD, BOARD])
    heat = HeatMaps(boards, max_gap_ms=GAP_MS, cells=4)
    for t_ms, only in ((0, 0), (50, 1), (100, 0), (150, 1), (200, 0), (250, 1)):
        heat.add(t_ms, EYE, NOTHING, [[True]], only=[only])
    np.testing.assert_allclose(heat.maps_ms, 200.0)


def test_boards_may_be_added_while_others_are_looked_at() -> None:
    heat = heat_of(0, 100, cells=4).grown(Surfaces.join([BOARD, BOARD]))
    for t_ms in (200, 300):
        heat.add(t_ms, EYE, NOTHING, [[True, True]])
    assert heat.seen_ms == pytest.approx([300.0, 100.0])
