"""An engine's frame as an oracle that shares nothing with us: Panda3D draws the scene, and its pixels are counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from openslot_view import Camera, Cameras, Occluders, Surfaces, measure
from tests.view.engine import SIDE_PX, Engine, Part, engine
from tests.view.pictured import BLUE, RED, Counted, Picture
from tests.view.scenes import box_mesh, scene

Floats = NDArray[np.float64]
BACKENDS = ["numpy", "numba"]
FRAME_PX = SIDE_PX**2
RASTER_PX = {"p3headlessgl": 1.0, "p3tinydisplay": 8.0}
"""A frame's error in pixels over the root of those on the edge: about .5 by chance; tinydisplay rounds corners."""


def loose(_rng: np.random.Generator, seed: int) -> list[Picture]:
    """Triangles and boxes of all sizes before and behind a board, looked at from all sides."""
    this = scene(seed)
    things = this.vertices[this.triangles]
    looks = zip(this.views, this.projections, strict=True)
    return [Picture(view, projection, this.corners, things) for view, projection in looks]


def boxes(rng: np.random.Generator, count: int = 8) -> Floats:
    parts = []
    for _ in range(count):
        points, faces = box_mesh(rng.uniform([-3, -2, 0.6], [3, 2, 6]), rng.uniform(0.1, 0.6, 3))
        parts.append(points[faces])
    return np.concatenate(parts)


def board(rng: np.random.Generator) -> Floats:
    half = np.append(rng.uniform(0.8, 2.5, 2), 1.0)
    return np.asarray(np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)]) * half)


def camera(rng: np.random.Generator, position: Floats, target: Floats, far: float = 100.0) -> Camera:
    """Return a camera held askew, so that no straight edge runs along a row of pixels."""
    fov, roll = rng.uniform(40, 95), rng.uniform(0.2, 1.3)
    look = Camera.perspective(position, target=target, fov_y_deg=fov, viewport_px=(1, 1), near=0.1, far=far)
    turn = np.eye(4)
    turn[:2, :2] = [(np.cos(roll), -np.sin(roll)), (np.sin(roll), np.cos(roll))]
    return replace(look, camera_from_world=turn @ look.camera_from_world)


def culled(rng: np.random.Generator, seed: int) -> list[Picture]:
    """Solids whose backs are culled, and a board that has no back, from before and behind."""
    side = 1 if seed % 4 else -1
    look = camera(rng, rng.uniform([-4, -2, 7], [4, 2, 10]) * (1, 1, side), rng.normal(0, 0.5, 3))
    picture = Picture(look.camera_from_world, look.clip_from_camera, board(rng), boxes(rng))
    return [replace(picture, one_sided=True, two_sided_slot=False)]


def mirrored(rng: np.random.Generator, seed: int) -> list[Picture]:
    """The same through a mirror."""
    (picture,) = culled(rng, seed)
    return [replace(picture, view=np.diag([-1.0, 1.0, 1.0, 1.0]) @ picture.view)]


def close(rng: np.random.Generator, _seed: int) -> list[Picture]:
    """A viewer so near the board that a part of it, and of what stands there, is nearer than the near plane."""
    corners = board(rng)
    position = np.array((*rng.uniform(-0.5, 0.5, 2) * corners[2, :2], rng.uniform(0.2, 0.7)))
    ahead = np.array((rng.choice([-1, 1]), rng.normal(0, 0.2), rng.uniform(-0.9, -0.2)))
    look = camera(rng, position, position + ahead)
    before = position + ahead * rng.uniform(0.05, 0.3, (6, 1)) + rng.normal(0, 0.15, (6, 3))
    things = before[:, None] + rng.normal(0, 0.15, (6, 3, 3))
    return [Picture(look.camera_from_world, look.clip_from_camera, corners, things)]


def cut(rng: np.random.Generator, _seed: int) -> list[Picture]:
    """A far plane through the board."""
    corners = board(rng) * 2
    position = np.array((rng.choice([-5, 5]), rng.uniform(-1, 1), rng.uniform(2, 4)))
    look = camera(rng, position, rng.normal(0, 0.3, 3), far=float(np.linalg.norm(position)))
    return [Picture(look.camera_from_world, look.clip_from_camera, corners, boxes(rng))]


def lensed(rng: np.random.Generator, _seed: int) -> list[Picture]:
    """A lens with its middle shifted, as headsets have it, and one without perspective."""
    (picture,) = culled(rng, 1)
    shifted, parallel = picture.projection.copy(), np.diag([0.25, 0.25, -0.1, 1.0])
    shifted[:2, 2] = rng.uniform(-0.4, 0.4, 2)
    parallel[2, 3] = -1.2
    return [replace(picture, projection=shifted), replace(picture, projection=parallel)]


KINDS: dict[Callable[[np.random.Generator, int], list[Picture]], int] = {
    loose: 14,
    culled: 10,
    mirrored: 8,
    close: 14,
    cut: 6,
    lensed: 6,
}


@pytest.fixture(scope="module")
def pictures() -> dict[str, Picture]:
    found = {}
    for kind, count in KINDS.items():
        for seed in range(count):
            for number, picture in enumerate(kind(np.random.default_rng(seed), seed)):
                found[f"{kind.__name__} {seed}.{number}"] = picture
    return found


@pytest.fixture(scope="module")
def frames(pictures: dict[str, Picture]) -> dict[str, Counted]:
    return {name: picture.drawn(engine()) for name, picture in pictures.items()}


def errors(picture: Picture, counted: Counted, backend: str) -> tuple[float, float]:
    """Return what we say over what the engine drew: share of the screen, share of the surface."""
    seen = picture.measured(backend)
    return float(seen.coverage[0, 0]) - counted.coverage, float(seen.visible_fraction[0, 0]) - counted.fraction


def agrees(picture: Picture, counted: Counted, backend: str) -> bool:
    coverage, fraction = errors(picture, counted, backend)
    # four pixels for the corners, where a border is not straight
    return abs(coverage) <= counted.coverage_bound + 4 / FRAME_PX and abs(fraction) <= counted.fraction_bound + 2e-5


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_view_agrees_to_the_pixels_on_the_edge(
    pictures: dict[str, Picture], frames: dict[str, Counted], backend: str
) -> None:
    wrong = {
        name: errors(picture, frames[name], backend)
        for name, picture in pictures.items()
        if not agrees(picture, frames[name], backend)
    }
    assert wrong == {}


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_views_together_are_wrong_by_chance_and_to_no_side(
    pictures: dict[str, Picture], frames: dict[str, Counted], backend: str
) -> None:
    scores = np.array(
        [
            errors(picture, frames[name], backend)[0] * FRAME_PX / np.sqrt(frames[name].edge_px)
            for name, picture in pictures.items()
            if frames[name].edge_px
        ]
    )
    chance = RASTER_PX[engine().display]
    assert np.sqrt(np.mean(scores**2)) < chance
    assert abs(scores.mean()) < 3 * chance / np.sqrt(len(scores))


def test_there_are_views_of_every_kind(pictures: dict[str, Picture], frames: dict[str, Counted]) -> None:
    assert len(pictures) >= 60
    alone = {name: replace(each, occluders=each.occluders[:0]).drawn(engine()) for name, each in pictures.items()}
    partly = [name for name, each in frames.items() if 0.02 < each.fraction < 0.98 * alone[name].fraction]
    assert len(partly) >= 40
    assert {name.split()[0] for name in partly} == {kind.__name__ for kind in KINDS}
    behind = [name for name, each in pictures.items() if name.startswith("close") and _crosses_near(each)]
    assert len(behind) >= 8
    assert sum(each.coverage == 0 for each in frames.values()) >= 3
    assert np.median([each.fraction_bound for each in frames.values()]) < 0.03


def _crosses_near(picture: Picture) -> bool:
    clip = np.append(picture.corners, np.ones((4, 1)), axis=1) @ (picture.projection @ picture.view).T
    near = clip[:, 2] < -clip[:, 3]
    return bool(near.any() and not near.all())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_thing_that_only_one_of_both_knows_is_noticed(
    pictures: dict[str, Picture], frames: dict[str, Counted], backend: str
) -> None:
    clear = {name: each for name, each in pictures.items() if frames[name].fraction > 0.85}
    assert len(clear) >= 10
    for name, picture in clear.items():
        first, along, _, up = picture.corners
        # a quarter of the board, just before it, in the middle: sides of half the board's
        start = first + 0.25 * (along - first) + 0.25 * (up - first)
        sides = np.array([(0, 0), (0.5, 0), (0, 0.5), (0.5, 0), (0.5, 0.5), (0, 0.5)])
        patch = start + sides[:, :1] * (along - first) + sides[:, 1:] * (up - first)
        patch = (patch + np.array((0, 0, 0.01))).reshape(2, 3, 3)
        with_fault = replace(picture, occluders=np.concatenate([picture.occluders, patch]))
        assert not agrees(picture, with_fault.drawn(engine()), backend), f"{name}: drawn as hidden where it is not"
        assert not agrees(with_fault, frames[name], backend), f"{name}: measured as hidden where it is not"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", range(6))
def test_a_board_bent_round_a_pillar_hides_its_own_far_side(seed: int, backend: str) -> None:
    rng = np.random.default_rng(seed)
    turn = np.linspace(0, rng.uniform(1.0, 1.8) * np.pi, 25)
    rim = np.stack([np.sin(turn), np.zeros(25), np.cos(turn)], axis=1)
    points = np.concatenate([rim + np.array((0, y, 0)) for y in (-0.8, 0.8)])
    low = np.arange(24)
    faces = np.concatenate([np.stack([low, low + 1, low + 26], axis=1), np.stack([low, low + 26, low + 25], axis=1)])
    things = boxes(rng, 5) * 0.6 + (0, 0, 1.2)
    look = camera(rng, rng.uniform([-4, -2, 3], [4, 3, 6]), rng.normal(0, 0.3, 3))
    parts = [Part(points[faces], RED), Part(things, BLUE)]
    shown = engine().draw(look.camera_from_world, look.clip_from_camera, parts)[..., 0] == 255
    stands = Occluders.build(things.reshape(-1, 3), np.arange(3 * len(things)).reshape(-1, 3))
    cameras = Cameras([look.camera_from_world], [look.clip_from_camera], [(SIDE_PX, SIDE_PX)])
    surface = Surfaces.from_mesh(points, faces, two_sided=True)
    seen = measure(cameras, surface, stands, backend=backend)
    edge = np.abs(np.diff(shown.astype(np.int8), axis=0)).sum() + np.abs(np.diff(shown.astype(np.int8), axis=1)).sum()
    assert 0.01 < shown.mean() < 0.5
    assert abs(float(seen.coverage[0, 0]) - shown.mean()) <= 0.5 * edge / FRAME_PX


@pytest.mark.parametrize("display", sorted(RASTER_PX))
def test_a_square_of_known_size_is_drawn_to_the_pixel(display: str) -> None:
    """Whichever renderer this machine has: a board that fills a quarter of the frame by construction."""
    try:
        drawing = Engine(display)
    except AssertionError:
        assert display != engine().display
        return
    square = np.array([(-1, -1, -2), (1, -1, -2), (1, 1, -2), (-1, 1, -2)], np.float64)
    look = Camera.perspective((0, 0, 0), fov_y_deg=90, viewport_px=(1, 1))
    frame = drawing.draw(look.camera_from_world, look.clip_from_camera, [Part(square[[[0, 1, 2], [0, 2, 3]]], RED)])
    rows, columns = np.nonzero(frame[..., 0] == 255)
    assert abs(len(rows) - FRAME_PX / 4) <= 2 * SIDE_PX
    assert abs(int(rows.min()) - SIDE_PX // 4) <= 1
    assert abs(int(columns.max()) - 3 * SIDE_PX // 4) <= 1
