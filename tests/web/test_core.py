"""The browser measures as Python does: vectors, made cases, rendered cases, and the coarse picture bit for bit."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from openslot_view import Camera, Cameras, Occluders, Surfaces, measure
from openslot_view.backends.compiled.mask import paint
from openslot_view.blame import hiders
from openslot_view.cases import answer_cases
from openslot_view.instances import Shapes
from tests.conformance.drive import drive
from tests.view.families import FAMILIES, case
from tests.view.scenes import box_mesh, rigid, scene
from tests.web.programs import ANSWER, WEB, Program, WebBackend, running

CASES = Path(__file__).resolve().parents[2].parent / "shared" / "visibility-cases"
EXACT = 1e-6
AREAS = {"visibility", "exposure"}
SEEDS = range(6)


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    with running() as program:
        yield program


@pytest.fixture(scope="module")
def web(program: Program) -> Any:
    return WebBackend(program)


@pytest.fixture(scope="module")
def tools() -> Iterator[Program]:
    with running(Path(__file__).with_name("core.mjs")) as program:
        yield program


def test_it_answers_the_vectors_as_the_standard_says() -> None:
    results = [(vector, given) for vector, given in drive(["node", str(ANSWER)]) if vector.area in AREAS]
    assert {vector.area for vector, _ in results} == AREAS
    assert [vector.name for vector, given in results if not vector.meets(given)] == []


def test_its_profiles_are_those_of_the_standard(tmp_path: Path) -> None:
    subprocess.run(["node", str(WEB / "generate.mjs"), str(tmp_path / "profiles.js")], check=True)
    fresh = (tmp_path / "profiles.js").read_text("utf-8")
    assert (WEB / "profiles.js").read_text("utf-8") == fresh, "run: node sdk/web/generate.mjs"


@pytest.mark.parametrize("family", FAMILIES)
def test_it_agrees_on_made_cases(web: Any, family: str) -> None:
    for seed in SEEDS:
        made = case(family, seed)
        mine, reference = made.measured(seed, web), made.measured(seed, "numpy")
        for name in ("visible_fraction", "on_screen_fraction", "coverage", "angle_deg", "screen_angle_deg"):
            note = f"{name}, {family} {seed}"
            np.testing.assert_allclose(getattr(mine, name), getattr(reference, name), atol=EXACT, rtol=0, err_msg=note)
        np.testing.assert_array_equal(mine.why, reference.why)


@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_on_loose_and_closed_things_together(web: Any, seed: int) -> None:
    made = scene(seed, things=120)
    mine, reference = made.measured(web), made.measured("numpy")
    np.testing.assert_allclose(mine.visible_fraction, reference.visible_fraction, atol=EXACT, rtol=0)
    np.testing.assert_allclose(mine.coverage, reference.coverage, atol=EXACT, rtol=0)


def test_it_agrees_on_rendered_cases(web: Any) -> None:
    if not CASES.exists():
        return  # made cases of the same families are all that a clone has
    described = json.loads((CASES / "cases.json").read_text("utf-8"))
    arrays = dict(np.load(CASES / "occluders.npz"))
    truths = json.loads((CASES / "truth.json").read_text("utf-8"))
    assert truths
    answers = zip(*(answer_cases(described, arrays, each) for each in ("numba", web)), strict=True)
    for reference, mine in answers:
        for name in ("visible_fraction", "on_screen_fraction", "coverage", "angle_deg"):
            assert abs(mine[name] - reference[name]) <= EXACT, (mine["id"], name)


def test_above_a_thousand_shadows_it_counts_rows_as_python_does(web: Any) -> None:
    made = scene(7, things=6000, cameras=2)
    mine, reference = made.measured(web), made.measured("numba")
    np.testing.assert_allclose(mine.visible_fraction, reference.visible_fraction, atol=2e-5, rtol=0)
    np.testing.assert_allclose(mine.coverage, reference.coverage, atol=2e-5, rtol=0)


def test_masks_are_the_same_bit_for_bit(tools: Program) -> None:
    rng = np.random.default_rng(20261201)
    for _ in range(400):
        turn = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 9)))
        points = rng.uniform(-0.2, 1.2, 2) + rng.uniform(0.01, 1.0) * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        bits, span = np.zeros(32, np.uint32), np.zeros((2, 32))
        paint(points, 0, len(points), bits, span)
        assert tools.ask("mask", points.tolist()) == {"ok": bits.tolist()}


CORNERS = np.array([(-2, -1, 0), (2, -1, 0), (2, 1, 0), (-2, 1, 0)], np.float64)
LOOK = Camera.perspective((0.4, 0.3, 9.0), target=(0, 0, 0), viewport_px=(1000, 1000))


def town(seed: int) -> tuple[list[Any], list[int], NDArray[np.float64]]:
    """Return shapes, and which of them stand where: turned, stretched, every third one mirrored."""
    rng = np.random.default_rng(seed)
    loose = (np.float64(np.float32(rng.normal(0, 0.4, (9, 3)))), np.arange(9).reshape(-1, 3))
    shapes = [loose, box_mesh(np.zeros(3), np.array([0.5, 0.25, 0.125])), box_mesh(np.ones(3), np.full(3, 0.25))]
    matrices = np.array([rigid(rng, 0.0) for _ in range(40)])
    matrices[:, :3, :3] *= rng.uniform(0.3, 1.5, (40, 1, 3))
    matrices[::3, :3, 0] *= -1
    matrices[:, :3, 3] = rng.uniform([-3, -2, 1], [3, 2, 7], (40, 3))
    return shapes, rng.integers(0, 3, 40).tolist(), matrices


def measured(shapes: Any, which: list[int], matrices: NDArray[np.float64], owner: list[int]) -> dict[str, float]:
    placed = Shapes.build([(points, faces) for points, faces in shapes], one_sided=[True, False, False])
    occluders = Occluders.build(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    occluders = occluders.with_instances(placed, which, matrices, owner=owner)
    seen = measure(Cameras.stack([LOOK]), Surfaces.from_quads([CORNERS], two_sided=True, owner=0), occluders)
    return {"visible_fraction": float(seen.visible_fraction[0, 0]), "coverage": float(seen.coverage[0, 0])}


def asked(shapes: Any, which: list[int], matrices: NDArray[np.float64], owner: list[int], steps: Any) -> dict[str, Any]:
    """Return the question about placed shapes; the first of them is one-sided."""
    return {
        "view": LOOK.camera_from_world.tolist(),
        "projection": LOOK.clip_from_camera.tolist(),
        "corners": CORNERS.tolist(),
        "shapes": [
            {"vertices": points.tolist(), "triangles": faces.tolist(), "oneSided": place == 0}
            for place, (points, faces) in enumerate(shapes)
        ],
        "placements": [
            {"shape": shape, "matrix": matrix.tolist(), "owner": whose}
            for shape, matrix, whose in zip(which, matrices, owner, strict=True)
        ],
        "steps": steps,
        "names": [f"thing {place}" for place in range(len(which))],
    }


@pytest.mark.parametrize("seed", range(3))
def test_placed_things_move_mirror_and_go(tools: Program, seed: int) -> None:
    shapes, which, matrices = town(seed)
    owner = [0 if place == 5 else -1 for place in range(len(which))]
    moved = matrices.copy()
    moved[7, :3, 3] += (0.5, -0.2, 0.1)
    steps = [[7, moved[7].tolist()], [11, None]]
    found = tools.ask("placed", asked(shapes, which, matrices, owner, steps))["ok"]["found"]
    rest = [place for place in range(len(which)) if place != 11]
    expected = [
        measured(shapes, which, matrices, owner),
        measured(shapes, which, moved, owner),
        measured(shapes, [which[place] for place in rest], moved[rest], [owner[place] for place in rest]),
    ]
    assert 0 < expected[0]["visible_fraction"] < 1
    for mine, reference in zip(found, expected, strict=True):
        assert mine == pytest.approx(reference, abs=EXACT)


def test_what_hides_is_named_with_its_share_the_worst_first(tools: Program) -> None:
    shapes, which, matrices = town(4)
    owner = list(range(len(which)))
    told = tools.ask("placed", asked(shapes, which, matrices, owner, []))["ok"]["hiders"]
    placed = Shapes.build([(points, faces) for points, faces in shapes], one_sided=[True, False, False])
    names = {place: f"thing {place}" for place in owner}
    occluders = Occluders.build(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    occluders = occluders.with_instances(placed, which, matrices, owner=owner, names=names)
    surfaces = Surfaces.from_quads([CORNERS], two_sided=True, owner=0)
    (reference,) = hiders(Cameras.stack([LOOK]), surfaces, occluders, [0], [0])
    assert len(reference) > 5
    assert [name for name, _ in told] == [each.name for each in reference]
    assert [share for _, share in told] == pytest.approx([each.hidden_fraction for each in reference], abs=EXACT)


def test_a_mesh_that_bends_hides_where_it_is(tools: Program) -> None:
    points, faces = box_mesh(np.array([0.0, 0, 3]), np.array([0.5, 0.5, 0.25]))
    poses = [points, points + np.array([1.0, 0.25, 0.0]), points * (1.0, 0.5, 1.0)]
    given = {"view": LOOK.camera_from_world.tolist(), "projection": LOOK.clip_from_camera.tolist()}
    given |= {"corners": CORNERS.tolist(), "positions": [pose.tolist() for pose in poses], "triangles": faces.tolist()}
    found = tools.ask("bent", given)["ok"]
    for mine, pose in zip(found, poses, strict=True):
        seen = measure(
            Cameras.stack([LOOK]), Surfaces.from_quads([CORNERS], two_sided=True), Occluders.build(pose, faces)
        )
        assert mine["visible_fraction"] == pytest.approx(float(seen.visible_fraction[0, 0]), abs=EXACT)


def test_growing_a_large_mesh_can_be_interrupted(tools: Program) -> None:
    assert tools.ask("pauses", 5000)["ok"] > 1000
