"""The embreex backend estimates what the numpy backend computes, within the bound that it states."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_spec.errors import Code, OpenSlotError
from openslot_view import Camera, Cameras, Occluders, Surfaces, Visibility, backends, measure
from openslot_view.backends import ERROR_MAX
from openslot_view.bench.town import foliage
from openslot_view.capsules import capsule
from tests.view.scenes import rigid, scene, soup

BOARD = Surfaces.from_quads([[(-2, 0, 0), (2, 0, 0), (2, 3, 0), (-2, 3, 0)]], owner=7)
WALL = np.array([(-9, -9, 2), (0, -9, 2), (0, 9, 2), (-9, 9, 2)], np.float64)
FACES = [(0, 1, 2), (0, 2, 3)]
AHEAD = Cameras.stack([Camera.perspective((0, 1.5, 10), target=(0, 1.5, 0))])
seeds = st.integers(0, 2**32 - 1)


def close(estimate: Visibility, exact: Visibility) -> bool:
    bounds = zip(("visible_fraction", "coverage"), ERROR_MAX["embreex"], strict=True)
    return all(np.abs(getattr(estimate, name) - getattr(exact, name)).max() <= bound for name, bound in bounds)


def compared(cameras: Cameras, surfaces: Surfaces, occluders: Occluders) -> tuple[Visibility, Visibility]:
    estimate, exact = (measure(cameras, surfaces, occluders, backend=name) for name in ("embreex", "numpy"))
    return estimate, exact


@given(seed=seeds)
@settings(max_examples=25)
def test_it_agrees_with_numpy_on_random_scenes_wherever_they_lie(seed: int) -> None:
    here = scene(seed)
    there = here.moved(rigid(np.random.default_rng(seed), 1e5))
    assert close(here.measured("embreex"), here.measured("numpy"))
    assert close(there.measured("embreex"), here.measured("numpy"))


@given(seed=seeds, one_sided=st.booleans(), owner=st.sampled_from([-1, 6, 7]))
@settings(max_examples=15)
def test_it_agrees_on_one_sided_and_owned_things(seed: int, *, one_sided: bool, owner: int) -> None:
    vertices, triangles = soup(np.random.default_rng(seed), 20)
    occluders = Occluders.build(vertices, triangles, one_sided=one_sided, owner=owner)
    estimate, exact = compared(AHEAD, BOARD, occluders)
    assert close(estimate, exact)
    assert owner != 7 or estimate.visible_fraction[0, 0] == 1.0


@given(seed=seeds)
@settings(max_examples=5)
def test_it_agrees_on_a_mesh_slot_that_hides_parts_of_itself(seed: int) -> None:
    rng = np.random.default_rng(seed)
    column = Surfaces.from_mesh(*capsule(3.0, 1.0), two_sided=bool(seed % 2))
    cameras = Cameras.stack([Camera.perspective(rng.uniform([3, 0, 3], [9, 3, 9]), target=(0, 1.5, 0))])
    assert close(*compared(cameras, column, Occluders.build(*soup(rng, 10))))


def test_it_agrees_on_a_board_behind_leaves() -> None:
    assert close(*compared(AHEAD, BOARD, Occluders.build(*foliage(2_000))))


def test_a_wall_before_half_of_the_board_hides_half_and_from_behind_only_if_it_has_two_sides() -> None:
    behind = Occluders.build(WALL, [face[::-1] for face in FACES], one_sided=True)
    assert measure(AHEAD, BOARD, behind, backend="embreex").visible_fraction[0, 0] == 1.0
    front = Occluders.build(WALL, FACES, one_sided=True)
    assert measure(AHEAD, BOARD, front, backend="embreex").visible_fraction[0, 0] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(("x", "seen"), [(4.0, 0.0), (-3.0, 1.0)])
def test_what_is_hidden_whole_or_not_at_all_is_exactly_that(x: float, seen: float) -> None:
    wall = Occluders.build(WALL + np.array([x, 0, 0]), FACES)
    found = measure(AHEAD, BOARD, wall, backend="embreex")
    assert found.visible_fraction[0, 0] == seen
    assert (found.coverage[0, 0] > 0) == (seen > 0)


@pytest.mark.parametrize("name", ["numba", "embreex"])
def test_a_backend_whose_package_is_not_installed_is_refused_by_that_name(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda _: None)
    with pytest.raises(OpenSlotError, match=f"needs the package {name}") as refused:
        backends.choose(name)
    assert refused.value.code == Code.INVALID
