"""What must hold of any scene: laws that need no known answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_view import FRAMES, Camera, Cameras, Depth, Frame, Occluders, Surfaces, Visibility, measure
from tests.view.scenes import Scene, box_mesh, rigid, scene, soup

BACKENDS = ["numpy", "numba"]
seeds = st.integers(0, 2**32 - 1)


def same(a: Visibility, b: Visibility, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(a.visible_fraction, b.visible_fraction, atol=tolerance, rtol=0)
    np.testing.assert_allclose(a.coverage, b.coverage, atol=tolerance, rtol=0)
    np.testing.assert_allclose(a.angle_deg, b.angle_deg, atol=1e-4, rtol=0)


@given(seeds, st.sampled_from([1.0, 1e3, 1e5]))
@settings(max_examples=30)
def test_moving_everything_changes_nothing(seed: int, distance: float) -> None:
    this = scene(seed)
    same(this.measured(), this.moved(rigid(np.random.default_rng(seed), distance)).measured(), 2e-5)


@given(seeds)
@settings(max_examples=30)
def test_mirroring_everything_changes_nothing(seed: int) -> None:
    this = scene(seed)
    mirrored = this.moved(np.diag([-1.0, 1.0, 1.0, 1.0]))
    rewound = replace(mirrored, triangles=mirrored.triangles[:, ::-1], corners=mirrored.corners[[1, 0, 3, 2]])
    same(this.measured(two_sided=False), rewound.measured(two_sided=False))


@given(seeds, st.sampled_from([0.1, 3.0, 40.0]))
@settings(max_examples=20)
def test_another_unit_changes_nothing(seed: int, scale: float) -> None:
    this = scene(seed)
    unit = Frame("unit", ("+x", "+y", "+z"), ("+x", "+y", "+z"), metres=scale)
    scaled = replace(
        this,
        views=unit.camera_from_world(this.views),
        projections=unit.clip_from_camera(this.projections),
        corners=unit.points(this.corners),
        vertices=unit.points(this.vertices),
    )
    # only the plane bias is an absolute length
    same(this.measured(), scaled.measured(), 1e-3 if scale < 1 else 1e-4)


@given(seeds)
@settings(max_examples=30)
def test_one_thing_more_never_raises_anything(seed: int) -> None:
    this = scene(seed)
    rng = np.random.default_rng(seed + 1)
    vertices, triangles = soup(rng, 8)
    more = replace(
        this,
        vertices=np.concatenate([this.vertices, vertices]),
        triangles=np.concatenate([this.triangles, triangles + len(this.vertices)]),
    )
    before, after = this.measured(), more.measured()
    assert (after.visible_fraction <= before.visible_fraction + 1e-7).all()
    assert (after.coverage <= before.coverage + 1e-7).all()


@given(seeds)
@settings(max_examples=30)
def test_cutting_triangles_in_pieces_changes_nothing(seed: int) -> None:
    this = scene(seed, things=12)
    corners = this.vertices[this.triangles]
    middle = (corners + np.roll(corners, -1, axis=1)) / 2
    pieces = np.concatenate(
        [middle, *(np.stack([corners[:, k], middle[:, k], middle[:, k - 1]], axis=1) for k in range(3))]
    )
    same(
        this.measured(),
        replace(this, vertices=pieces.reshape(-1, 3), triangles=np.arange(pieces.size // 3).reshape(-1, 3)).measured(),
    )


@given(seeds)
@settings(max_examples=30)
def test_saying_everything_twice_in_any_order_changes_nothing(seed: int) -> None:
    this = scene(seed)
    order = np.random.default_rng(seed).permutation(np.tile(np.arange(len(this.triangles)), 2))
    same(this.measured(), replace(this, triangles=this.triangles[order]).measured())


@pytest.mark.parametrize("backend", BACKENDS)
@given(seed=seeds, shift=st.sampled_from([1e-14, 1e-12, 1e-11, 1e-10, 1e-8]))
@settings(max_examples=30)
def test_copies_that_almost_coincide_change_almost_nothing(seed: int, shift: float, backend: str) -> None:
    this = scene(seed, things=12)
    moved = this.vertices + np.random.default_rng(seed).normal(0, shift, this.vertices.shape)
    copied = replace(
        this,
        vertices=np.concatenate([this.vertices, moved]),
        triangles=np.concatenate([this.triangles, this.triangles + len(this.vertices)]),
    )
    same(this.measured("numpy"), copied.measured(backend), 3e-5)


@pytest.mark.parametrize("backend", BACKENDS)
@given(seed=seeds, width=st.sampled_from([1e-12, 1e-10, 1e-9, 1e-8, 1e-7]))
@settings(max_examples=30)
def test_needles_along_edges_change_almost_nothing(seed: int, width: float, backend: str) -> None:
    this = scene(seed, things=12)
    rng = np.random.default_rng(seed)
    corners = this.vertices[this.triangles]
    # along a part of an edge or all of it, as a face is that is seen almost edge-on
    share = np.clip(rng.uniform(-0.5, 1.5, (len(corners), 2, 1)), 0, 1)
    ends = share * corners[:, 1:2] + (1 - share) * corners[:, :1]
    tips = ends.mean(axis=1, keepdims=True) + rng.normal(0, width, (len(corners), 1, 3))
    needles = np.concatenate([ends, tips], axis=1).reshape(-1, 3)
    more = replace(
        this,
        vertices=np.concatenate([this.vertices, needles]),
        triangles=np.concatenate([this.triangles, np.arange(len(needles)).reshape(-1, 3) + len(this.vertices)]),
    )
    # twelve needles of some 1e-7 m times a few metres, on boards of a square metre and more, and near the eye
    same(this.measured("numpy"), more.measured(backend), 5e-5)


@given(seeds)
@settings(max_examples=10)
def test_the_order_of_viewers_is_the_order_of_answers(seed: int) -> None:
    this = scene(seed, cameras=5)
    order = np.random.default_rng(seed).permutation(5)
    turned = replace(this, views=this.views[order], projections=this.projections[order]).measured()
    np.testing.assert_allclose(turned.visible_fraction, this.measured().visible_fraction[order], atol=1e-9)


@given(seeds)
@settings(max_examples=20)
def test_depth_ranges_are_one_camera_written_in_three_ways(seed: int) -> None:
    this = scene(seed)
    half = np.eye(4)
    half[2, 2], half[2, 3] = 0.5, 0.5  # −1 … 1 to 0 … 1
    reverse = np.eye(4)
    reverse[2, 2], reverse[2, 3] = -1.0, 1.0
    same(this.measured(), replace(this, projections=half @ this.projections, depth=Depth.ZERO_TO_ONE).measured())
    reversed_depth = replace(this, projections=reverse @ half @ this.projections, depth=Depth.REVERSED_ZERO_TO_ONE)
    same(this.measured(), reversed_depth.measured())


@pytest.mark.parametrize("name", sorted(FRAMES))
def test_one_scene_written_in_any_frame_gives_the_same_answers(name: str) -> None:
    this, used = scene(7), FRAMES[name]
    there = np.linalg.inv(used.canonical_from_frame)
    camera_there = np.linalg.inv(used.canonical_camera_from_camera)
    written = {
        "vertices": this.vertices @ there[:3, :3].T,
        "corners": this.corners @ there[:3, :3].T,
        "triangles": this.triangles[:, ::-1] if used.mirrored else this.triangles,
        "views": camera_there @ this.views @ used.canonical_from_frame,
        "projections": this.projections @ used.canonical_camera_from_camera,
    }
    if used.row_vectors:
        written |= {key: written[key].swapaxes(-1, -2) for key in ("views", "projections")}
    read = Scene(
        used.camera_from_world(written["views"]),
        used.clip_from_camera(written["projections"]),
        used.points(written["corners"]),
        used.points(written["vertices"]),
        used.triangles(written["triangles"]),
    )
    same(this.measured(two_sided=False), read.measured(two_sided=False), 1e-9)


@given(seeds)
@settings(max_examples=20)
def test_rays_through_a_fine_grid_agree(seed: int) -> None:
    this = scene(seed, cameras=2)
    seen = this.measured()
    steps = (np.arange(48) + 0.5) / 48
    u, v = (axis.ravel()[:, None] for axis in np.meshgrid(steps, steps))
    a, b, _, d = this.corners
    points = a + u * (b - a) + v * (d - a)
    for viewer in range(2):
        np.testing.assert_allclose(seen.visible_fraction[viewer, 0], share_seen(this, viewer, points), atol=0.03)


def share_seen(this: Scene, viewer: int, points: np.ndarray) -> float:
    """Return the share of `points` on screen that no triangle stands before, one ray each (Möller and Trumbore)."""
    clip = (
        np.concatenate([points, np.ones((len(points), 1))], axis=1) @ (this.projections[viewer] @ this.views[viewer]).T
    )
    free = (np.abs(clip[:, :3]) <= clip[:, 3:]).all(axis=1)
    eye = np.linalg.inv(this.views[viewer])[:3, 3]
    ahead = -this.views[viewer][2, :3]
    ray = points - eye
    for a, b, c in this.vertices[this.triangles]:
        p = np.cross(ray, c - a)
        scale = p @ (b - a)
        with np.errstate(divide="ignore", invalid="ignore"):
            u = p @ (eye - a) / scale
            q = np.cross(eye - a, b - a)
            v = ray @ q / scale
            t = (c - a) @ q / scale
            near = t * (ray @ ahead) >= 0.2
            free &= ~((u >= 0) & (v >= 0) & (u + v <= 1) & (t < 1 - 1e-6) & near)
    return float(free.mean())


@pytest.mark.parametrize("seed", range(12))
def test_numba_agrees_with_numpy(seed: int) -> None:
    this = scene(seed, things=(10, 60, 300)[seed % 3], cameras=4)
    same(this.measured("numpy"), this.measured("numba"), 3e-5)


def test_threads_do_not_disturb_each_other() -> None:
    seeds = range(24)
    alone = [scene(seed).measured("numba").visible_fraction for seed in seeds]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda seed: scene(seed).measured("numba").visible_fraction, seeds))
    np.testing.assert_array_equal(alone, together)


def test_a_beam_with_more_shadows_than_room_is_cut_in_parts() -> None:
    rng = np.random.default_rng(5)
    middle = rng.uniform([-1, -1, 1], [1, 1, 4], (60_000, 1, 3))
    leaves = middle + rng.normal(0, 0.002, (60_000, 3, 3))
    this = replace(scene(1, cameras=1), vertices=leaves.reshape(-1, 3), triangles=np.arange(180_000).reshape(-1, 3))
    same(this.measured("numpy"), this.measured("numba"), 2e-3)


def test_nothing_is_ever_nan_even_where_everything_degenerates() -> None:
    box, faces = box_mesh(np.zeros(3), np.full(3, 1e-6))
    surfaces = Surfaces.from_quads([scene(3).corners, scene(3).corners * 1e-5])
    eyes = np.tile(np.eye(4), (4, 1, 1))
    eyes[1, 2, 3], eyes[2, :3, 3], eyes[3, 2, 3] = -1e-9, 1e8, -1e-5
    cameras = Cameras(eyes, np.tile(scene(3).projections[0], (4, 1, 1)), np.full((4, 2), 1.0))
    seen = measure(cameras, surfaces, Occluders.build(box, faces), backend="numpy")
    for name in ("visible_fraction", "on_screen_fraction", "coverage", "angle_deg", "screen_angle_deg"):
        assert np.isfinite(getattr(seen, name)).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_little_that_is_left_of_a_long_ad_may_be_much_of_the_screen(backend: str) -> None:
    lane = Surfaces.from_quads([[(0, -1, 0), (100, -1, 0), (100, 1, 0), (0, 1, 0)]])
    sheet = np.array([(0.205, -2, 0.001), (101, -2, 0.001), (101, 2, 0.001), (0.205, 2, 0.001)])
    eye = Camera.perspective((0, 0, 0.2), target=(1, 0, 0.2), fov_y_deg=90, viewport_px=(500, 500))
    seen = measure(Cameras.stack([eye]), lane, Occluders.build(sheet, [(0, 1, 2), (0, 2, 3)]), backend=backend)
    # the lane begins at the screen's edge, x = 0.2; the sheet's own edge is seen at 0.205 ÷ 0.199 of a lane's height
    assert seen.visible_fraction[0, 0] < 2e-5
    assert seen.coverage[0, 0] == pytest.approx((1 - 0.199 / 0.205) / 2, rel=1e-3)
