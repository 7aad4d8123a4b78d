"""Things that stand before ads: placed many times, moved, excluded, refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_spec.errors import Code, OpenSlotError
from openslot_view import Cameras, Occluders, Shapes, Surfaces, Visibility, capsule, measure
from openslot_view.instances import Instances
from openslot_view.triangles import triangle_set
from tests.view.scenes import box_mesh, rigid, scene, soup

BACKENDS = ["numpy", "numba"]
seeds = st.integers(0, 2**32 - 1)


def seen_by(seed: int, occluders: Occluders, backend: str = "numpy", owner: int = -1) -> Visibility:
    this = scene(seed)
    cameras = Cameras(this.views, this.projections, np.full((3, 2), 1000.0))
    return measure(
        cameras, Surfaces.from_quads([this.corners], two_sided=True, owner=owner), occluders, backend=backend
    )


def placements(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    matrices = np.array([rigid(rng, 0.0) for _ in range(count)])
    matrices[:, :3, :3] *= rng.uniform(0.3, 1.0, (count, 1, 3)) * rng.choice([-1.0, 1.0], (count, 1, 1))
    matrices[:, :3, 3] = rng.uniform([-3, -3, -1], [3, 3, 8], (count, 3))
    return matrices


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("one_sided", [False, True])
@given(seed=seeds)
@settings(max_examples=15)
def test_placing_a_shape_is_the_same_as_writing_its_triangles_out(seed: int, one_sided: bool, backend: str) -> None:
    shapes = [soup(np.random.default_rng(seed), 6), box_mesh(np.zeros(3), np.array([0.5, 0.3, 0.4]))]
    matrices, which = placements(seed, 7), np.array([0, 1, 1, 0, 1, 1, 0])
    vertices, triangles, offset = [], [], 0
    for matrix, shape in zip(matrices, which, strict=True):
        points, faces = shapes[shape]
        vertices.append(points @ matrix[:3, :3].T + matrix[:3, 3])
        # a mirrored shape keeps its front
        triangles.append((faces[:, ::-1] if np.linalg.det(matrix[:3, :3]) < 0 else faces) + offset)
        offset += len(points)
    written = Occluders.build(np.concatenate(vertices), np.concatenate(triangles), one_sided=one_sided)
    placed = Occluders.none().with_instances(Shapes.build(shapes, one_sided=one_sided), which, matrices)
    expected, found = seen_by(seed, written), seen_by(seed, placed, backend)
    np.testing.assert_allclose(found.visible_fraction, expected.visible_fraction, atol=3e-5)
    np.testing.assert_allclose(found.coverage, expected.coverage, atol=3e-5)


@given(seed=seeds)
@settings(max_examples=20)
def test_trees_that_were_placed_and_joined_hold_each_triangle_once_inside_its_boxes(seed: int) -> None:
    shapes = Shapes.build([soup(np.random.default_rng(seed + number), 9) for number in range(2)])
    (found,) = Instances.of(shapes, [1, 0, 1, 0], placements(seed, 4)).sets
    tree = found.tree
    assert sorted(tree.order.tolist()) == list(range(len(found)))
    for node in range(len(tree.low)):
        under = [node]
        while tree.count[under[0]] == 0:
            under = [child for each in under for child in (tree.first[each], tree.first[each] + 1)]
        held = np.concatenate([tree.order[tree.first[leaf] :][: tree.count[leaf]] for leaf in under])
        corners = found.corners[held].reshape(-1, 3)
        assert (corners >= tree.low[node] - 1e-9).all()
        assert (corners <= tree.high[node] + 1e-9).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_placement_of_the_slots_own_owner_does_not_hide_it(backend: str) -> None:
    wall = Shapes.build([([(-9, -9, 0), (9, -9, 0), (0, 9, 0)], [(0, 1, 2)])])
    near = np.eye(4)
    near[2, 3] = 0.2
    occluders = Occluders.none().with_instances(wall, [0], [near], owner=[5], names={5: "the board's frame"})
    assert seen_by(4, occluders, backend, owner=5).visible_fraction.max() > 0.5
    assert seen_by(4, occluders, backend, owner=6).visible_fraction.max() < 0.5


@pytest.mark.parametrize("backend", BACKENDS)
@given(seed=seeds)
@settings(max_examples=10)
def test_moving_things_hide_as_if_they_stood_there(seed: int, backend: str) -> None:
    still, moving = soup(np.random.default_rng(seed), 10), soup(np.random.default_rng(seed + 1), 10)
    both = (np.concatenate([still[0], moving[0]]), np.concatenate([still[1], moving[1] + len(still[0])]))
    expected = seen_by(seed, Occluders.build(*both))
    found = seen_by(seed, Occluders.build(*still).with_dynamic(*moving), backend)
    np.testing.assert_allclose(found.visible_fraction, expected.visible_fraction, atol=3e-5)


@pytest.mark.parametrize("turn", [0.0, 0.05, 0.1])
def test_a_capsule_hides_what_a_true_one_does(turn: float) -> None:
    scale = np.diag([0.25, 0.25, -0.02, 1.0])
    scale[2, 3] = -1.0
    view = np.eye(4)
    view[1, 3], view[2, 3] = -1.0, -10.0
    about = np.array(
        [[np.cos(turn), 0, np.sin(turn), 0], [0, 1, 0, 0], [-np.sin(turn), 0, np.cos(turn), 4], [0, 0, 0, 1]]
    )
    person = Occluders.none().with_instances(Shapes.build([capsule()]), [0], [about])
    board = Surfaces.from_quads([[(-2, -1, 0), (2, -1, 0), (2, 3, 0), (-2, 3, 0)]])
    seen = measure(Cameras([view], [scale], [(500, 500)]), board, person, backend="numpy")
    true = 2 * 0.28 * (1.8 - 2 * 0.28) + np.pi * 0.28**2
    assert 16 * (1 - seen.visible_fraction[0, 0]) == pytest.approx(true, rel=0.006)


@pytest.mark.parametrize(
    ("shape", "change", "where"),
    [
        ([1], np.eye(4), "shape/0"),
        ([-1], np.eye(4), "shape/0"),
        ([0], np.diag([0.0, 1, 1, 1]), "world_from_shape/0"),
        ([0], np.diag([np.nan, 1, 1, 1]), "world_from_shape/0"),
        ([0], np.diag([1.0, 1, 1, 2]), "world_from_shape/0"),
    ],
)
def test_a_placement_that_cannot_be_is_refused(shape: list[int], change: np.ndarray, where: str) -> None:
    shapes = Shapes.build([box_mesh(np.zeros(3), np.ones(3))])
    with pytest.raises(OpenSlotError) as caught:
        Occluders.none().with_instances(shapes, shape, [change])
    assert (caught.value.code, caught.value.where) == (Code.GEOMETRY_INVALID, where)


def test_a_capsule_is_a_closed_body_of_the_size_it_says() -> None:
    person = triangle_set(*capsule(height=2.0, radius=0.3))
    assert (person.bodies.body == 0).all()
    assert person.corners[..., 1].max() == pytest.approx(2.0, abs=0.01)
    assert person.corners[..., 1].min() == pytest.approx(0.0, abs=0.01)
