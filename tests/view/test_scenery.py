"""Parts of scenes as occluders: once or many times, flattened, with holes, joined and taken away again."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from openslot_view import Cameras, Occluders, Surfaces, Visibility, measure, occluders_of
from openslot_view.scenery import PIECES
from openslot_view.triangles import TriangleSet, triangle_set
from tests.view.scenes import box_mesh, rigid, scene, soup

seeds = st.integers(0, 2**32 - 1)
HERE = np.eye(4)[None]


@dataclass(frozen=True, eq=False)
class Texels:
    uv: NDArray[np.float64]
    opaque: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Mesh:
    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]
    one_sided: bool = False
    world_from_part: NDArray[np.float64] = field(default_factory=lambda: HERE)
    owner: NDArray[np.int64] = field(default_factory=lambda: np.array([3]))
    holes: Texels | None = None


def seen(seed: int, occluders: Occluders) -> Visibility:
    this = scene(seed)
    cameras = Cameras(this.views, this.projections, np.full((3, 2), 1000.0))
    return measure(cameras, Surfaces.from_quads([this.corners], two_sided=True), occluders, backend="numpy")


def places(seed: int, count: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    found = np.array([rigid(rng, 2.0) for _ in range(count)])
    found[::2, :3, 0] *= -1
    found[1:2, :3, 2] = 0  # flattened
    return found


@pytest.mark.parametrize("one_sided", [False, True])
@given(seed=seeds)
@settings(max_examples=15)
def test_a_part_of_many_places_hides_as_if_each_were_written_out(seed: int, one_sided: bool) -> None:
    box, loose = box_mesh(np.zeros(3), np.array([0.4, 0.9, 0.2])), soup(np.random.default_rng(seed), 12)
    often = Mesh(*box, one_sided=one_sided, world_from_part=places(seed, 5), owner=np.arange(5))
    parts = [triangle_set(*box, one_sided=one_sided).placed(place, 1) for place in often.world_from_part]
    whole = Occluders.of(TriangleSet.join([triangle_set(*loose, owner=3), *parts]), Occluders.none().instances)
    found = occluders_of([often, Mesh(*loose)], ["a", "b"])
    assert len(found.instances) == 4
    np.testing.assert_allclose(
        seen(seed, found).visible_fraction, seen(seed, whole).visible_fraction, atol=1e-6, rtol=0
    )


def test_what_stands_once_is_no_placement_and_has_its_owner() -> None:
    found = occluders_of([Mesh(*box_mesh(np.zeros(3), np.ones(3)))], {3: "crate"})
    assert (len(found.static), len(found.instances), set(found.static.owner.tolist())) == (12, 0, {3})
    assert found.names[3] == "crate"


def test_a_texture_too_fine_to_afford_is_halved_until_it_is_not() -> None:
    wall = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], np.float64)
    uv = np.array([(0, 1), (1, 1), (1, 0), (0, 0)], np.float64)
    rows, columns = np.indices((512, 512))
    dots = ((rows // 2 + columns // 2) % 2 == 0) & (columns < 256)
    found = occluders_of([Mesh(wall, np.array([(0, 1, 2), (0, 2, 3)]), holes=Texels(uv, dots))])
    # half of the texels are there, but only on the left half of the wall
    assert 0 < len(found.static) <= 3 * PIECES
    assert found.static.corners[..., 0].max() <= 0
    area = np.linalg.norm(found.static.normal, axis=1).sum() / 2
    assert area == pytest.approx(1.0, rel=0.01)


@given(seeds)
@settings(max_examples=20)
def test_taking_triangles_keeps_their_neighbours_among_themselves(seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = triangle_set(*box_mesh(np.zeros(3), np.ones(3)))
    kept = rng.random(len(whole)) < 0.6
    expected = triangle_set(whole.corners[kept].reshape(-1, 3), np.arange(3 * kept.sum()).reshape(-1, 3))
    np.testing.assert_array_equal(whole.take(kept).neighbour, expected.neighbour)


def test_what_belongs_to_an_owner_can_be_taken_away_everywhere() -> None:
    box = box_mesh(np.zeros(3), np.ones(3))
    often = Mesh(*box, world_from_part=places(1, 3)[[0, 0, 2]], owner=np.array([3, 4, 5]))
    found = occluders_of([Mesh(*box), often]).with_dynamic(*box, owner=4)
    left = found.without(4)
    assert left.static is found.static
    assert (len(left.dynamic), left.instances.owner.tolist()) == (0, [3, 5])
    assert (len(found.without(3).static), len(found.without(3).dynamic)) == (0, 12)
