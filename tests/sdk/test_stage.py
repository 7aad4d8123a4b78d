"""Scenes and things that come, move and go, each with a tree that is built once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_sdk.stage import Stage
from openslot_spec.errors import Code, OpenSlotError
from openslot_view import Camera, Cameras, Occluders, Surfaces, bvh, capsule, hiders, measure, triangles
from openslot_view.triangles import TriangleSet, triangle_set

BOARD = Surfaces.from_quads([[(-2, 0, 0), (2, 0, 0), (2, 3, 0), (-2, 3, 0)]])
EYE = Cameras.stack([Camera.perspective((0, 1.6, 6), target=(0, 1.5, 0))])
CRATE = triangle_set(
    np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]), [(0, 2, 1), (0, 1, 3), (1, 2, 3), (2, 0, 3)]
)


def placed(mesh: TriangleSet, place: Any) -> TriangleSet:
    matrix = np.eye(4)
    matrix[:3, 3] = place
    return mesh.placed(matrix, -1)


def visible(occluders: Occluders) -> float:
    return float(measure(EYE, BOARD, occluders, backend="numpy").visible_fraction[0, 0])


steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "person", "move", "remove"]),
        st.sampled_from("abcd"),
        st.tuples(st.floats(-2, 2), st.floats(0, 1), st.floats(0.5, 4)),
    ),
    max_size=12,
)


@given(steps)
@settings(max_examples=25)
def test_whatever_comes_moves_and_goes_hides_what_stands_there_at_the_end(
    story: list[tuple[str, str, tuple[float, float, float]]],
) -> None:
    stage, there = Stage(), {}
    person = triangle_set(*capsule(1.8, 0.28), one_sided=True)
    stage.add_scene(Occluders.of(placed(CRATE, (0, 0, 1)), Occluders.none().instances), [])
    stage.add_scene(Occluders.of(placed(CRATE, (1, 1, 1)), Occluders.none().instances), [])
    for what, name, place in story:
        if what == "put":
            stage.put(name, CRATE, place)
            there[name] = (CRATE, place)
        elif what == "person":
            stage.put_person(name, place, 1.8, 0.28)
            there[name] = (person, place)
        elif what == "remove":
            stage.remove(name)
            there.pop(name, None)
        elif name in there:
            stage.move(name, place)
            there[name] = (there[name][0], place)
    sets = [placed(CRATE, (0, 0, 1)), placed(CRATE, (1, 1, 1)), *(placed(*each) for each in there.values())]
    whole = Occluders.of(TriangleSet.join(sets), Occluders.none().instances)
    assert visible(stage.occluders) == pytest.approx(visible(whole), abs=1e-6)


def test_what_stays_is_not_built_again_when_something_comes_moves_or_goes() -> None:
    stage = Stage()
    stage.add_scene(Occluders.of(placed(CRATE, (0, 0, 1)), Occluders.none().instances), [])
    stage.put("crate", CRATE, (0, 0, 2))
    before = stage.occluders
    trees = before.static.tree, before.instances.shapes.meshes[0].tree
    changes: list[Callable[[], object]] = [
        lambda: stage.put_person("ann", (1, 0, 2), 1.8, 0.28),
        lambda: stage.move("ann", (0, 0, 2)),
        lambda: stage.move("crate", (0, 1, 2)),
        lambda: stage.add_scene(Occluders.build([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [(0, 1, 2)]), []),
        lambda: stage.remove("ann"),
    ]
    for change in changes:
        change()
        now = stage.occluders
        assert now is not before
        assert now.static.tree is trees[0]
        assert any(mesh.tree is trees[1] for mesh in now.instances.shapes.meshes)
        before = now


def test_numpy_moves_trees_and_bodies_and_finds_none_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    for number in range(4):
        stage.put_person(f"visitor {number}", (number, 0, 1), 1.8, 0.28)
    stage.put("crate", CRATE, (0, 0, 2))
    away = visible(stage.occluders)

    def again(*_given: object) -> None:
        raise AssertionError

    monkeypatch.setattr(bvh, "build", again)
    monkeypatch.setattr(triangles, "closed_bodies", again)
    stage.move("visitor 3", (0, 0, 2))
    assert visible(stage.occluders) < away


def test_moving_changes_no_shape_and_all_people_of_a_size_are_one() -> None:
    stage = Stage()
    for number in range(5):
        stage.put_person(f"visitor {number}", (number, 0, 1), 1.8, 0.28)
    shapes = stage.occluders.instances.shapes
    stage.move("visitor 3", (9, 0, 1))
    assert stage.occluders.instances.shapes is shapes
    assert len(shapes.meshes) == 1


def test_who_looks_out_of_their_own_capsule_is_not_in_their_way() -> None:
    stage = Stage()
    stage.put_person("me", (0, 0, 6), 1.8, 0.28)
    assert visible(stage.occluders) == 1.0
    stage.move("me", (0, 0, 3))
    assert visible(stage.occluders) < 0.9


def test_what_hides_is_blamed_by_name_whichever_scene_it_is_of() -> None:
    stage, crate = Stage(), TriangleSet.join([placed(CRATE, (-1, 0, 1))])
    for name in ("plaza", "annex"):
        owned = crate.placed(np.eye(4), 2) if name == "annex" else placed(crate, (0, 0, -9)).placed(np.eye(4), 2)
        owners = stage.add_scene(Occluders.of(owned, Occluders.none().instances, {2: f"crate of the {name}"}), [7, -1])
    stage.put("cart", CRATE, (0.5, 1, 1))
    assert owners == (15, -1)
    found = hiders(EYE, BOARD, stage.occluders, [0], [0])[0]
    assert {hider.name for hider in found} == {"crate of the annex", "cart"}


@pytest.mark.parametrize(
    ("place", "detail"),
    [
        ((np.nan, 0, 0), "not finite"),
        (np.zeros((4, 4)), "last row"),
        (np.diag([0.0, 1, 1, 1]), "singular"),
        ("x", "shape"),
    ],
)
def test_a_place_that_cannot_be_is_refused_and_nothing_changes(place: Any, detail: str) -> None:
    stage = Stage()
    stage.put("crate", CRATE, (0, 0, 1))
    before = stage.occluders
    with pytest.raises(OpenSlotError, match=detail) as refused:
        stage.move("crate", place)
    assert (refused.value.code, refused.value.where) == (Code.GEOMETRY_INVALID, "things/crate")
    assert stage.occluders is before


def test_what_is_not_there_cannot_move_but_need_not_be_there_to_go() -> None:
    stage = Stage()
    stage.remove("ghost")
    with pytest.raises(OpenSlotError, match="does not stand here"):
        stage.move("ghost", (0, 0, 0))
