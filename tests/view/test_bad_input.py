"""What the public functions refuse, by which code, and what they take as nothing instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import Pose, Slot
from openslot_view import (
    FRAMES,
    Camera,
    Cameras,
    Gates,
    Occluders,
    Shapes,
    Surfaces,
    capsule,
    cut_out,
    frame,
    hiders,
    measure,
)
from openslot_view.backends import BACKENDS, choose

NAN, INF = float("nan"), float("inf")
EYE = np.eye(4)
LENS = Camera.perspective((0, 0, 0)).clip_from_camera
PIXELS = (100.0, 100.0)
SQUARE = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], np.float64)
FACE = [(0, 1, 2)]


def changed(array: Any, place: tuple[int, ...] | int, value: float) -> Any:
    copy = np.array(array, np.float64)
    copy[place] = value
    return copy


def slot(**terms: Any) -> Slot:
    pose = Pose(position=(0.0, 0.0, 0.0), rotation=(0.0, 0.0, 0.0, 1.0))
    return Slot.model_validate({"id": "east", "size": (3.0, 2.0), "pose": pose, "profile": "mrc-display", **terms})


def looking(**terms: Any) -> Callable[[], Any]:
    return lambda: Camera.perspective(**{"position": (0, 0, 0), **terms})


def cameras(**terms: Any) -> Callable[[], Any]:
    given = {"camera_from_world": [EYE], "clip_from_camera": [LENS], "viewport_px": [PIXELS], **terms}
    return lambda: Cameras(**given)


def stacked(**terms: Any) -> Callable[[], Any]:
    """Two cameras, the second of them bad."""
    good: dict[str, Any] = {"camera_from_world": EYE, "clip_from_camera": LENS, "viewport_px": PIXELS}
    return lambda: Cameras.stack([Camera(**good), Camera(**{**good, **terms})])


def quads(*corners: Any, **terms: Any) -> Callable[[], Any]:
    return lambda: Surfaces.from_quads(corners, **terms)


def curved(vertices: Any = SQUARE, triangles: Any = FACE) -> Callable[[], Any]:
    return lambda: Surfaces.from_mesh(vertices, triangles)


def things(vertices: Any = SQUARE, triangles: Any = FACE, **terms: Any) -> Callable[[], Any]:
    return lambda: Occluders.build(vertices, triangles, **terms)


def moving(vertices: Any = SQUARE, triangles: Any = FACE, **terms: Any) -> Callable[[], Any]:
    return lambda: Occluders.none().with_dynamic(vertices, triangles, **terms)


def placed(shape: Any = (0,), at: Any = (EYE,), **terms: Any) -> Callable[[], Any]:
    return lambda: Occluders.none().with_instances(Shapes.build([(SQUARE, FACE)]), shape, at, **terms)


def holed(vertices: Any = SQUARE, triangles: Any = FACE, uv: Any = SQUARE[:, :2], opaque: Any = ((True,),)) -> Any:
    return lambda: cut_out(vertices, triangles, uv, opaque)


def blamed(viewers: Any, indices: Any) -> Callable[[], Any]:
    board = Surfaces.from_quads([SQUARE])
    return lambda: hiders(Cameras.stack([Camera.perspective((0, 0, 5))]), board, Occluders.none(), viewers, indices)


FLAT_LENS = changed(LENS, 3, 0)
CAMERAS = {
    "a position that is not a number": (looking(position=(NAN, 0, 0)), "position/0"),
    "a position of two numbers": (looking(position=(0, 0)), "position"),
    "a position of words": (looking(position=("a", "b", "c")), "position"),
    "a target at infinity": (looking(target=(0, INF, 0)), "target/1"),
    "a target at the position": (looking(target=(0, 0, 0)), "target"),
    "a rotation without length": (looking(rotation=(0, 0, 0, 0)), "rotation"),
    "no angle of view": (looking(fov_y_deg=0), "fov_y_deg"),
    "an angle of view of 180": (looking(fov_y_deg=180), "fov_y_deg"),
    "an angle of view that is not a number": (looking(fov_y_deg=NAN), "fov_y_deg"),
    "a near plane at the eye": (looking(near=0), "near"),
    "a near plane behind the far one": (looking(near=2, far=1), "near"),
    "a far plane that is not a number": (looking(far=NAN), "near"),
    "a viewport without height": (looking(viewport_px=(100, 0)), "viewport_px"),
    "a viewport at infinity": (looking(viewport_px=(INF, INF)), "viewport_px/0"),
    "a view that is not a number": (cameras(camera_from_world=[changed(EYE, (0, 0), NAN)]), "camera_from_world/0"),
    "a view at infinity": (cameras(camera_from_world=[changed(EYE, (0, 3), INF)]), "camera_from_world/0"),
    "a view beyond all measure": (cameras(camera_from_world=[changed(EYE, (0, 3), 1e13)]), "camera_from_world/0"),
    "a view without an inverse": (cameras(camera_from_world=[changed(EYE, (0, 0), 0)]), "camera_from_world/0"),
    "a view that is a projection": (cameras(camera_from_world=[changed(EYE, (3, 2), -1)]), "camera_from_world/0"),
    "a view of three rows": (cameras(camera_from_world=[EYE[:3]]), "camera_from_world"),
    "one view for two projections": (cameras(clip_from_camera=[LENS, LENS]), "clip_from_camera"),
    "a projection that is not a number": (cameras(clip_from_camera=[changed(LENS, (0, 0), NAN)]), "clip_from_camera/0"),
    "a projection without an inverse": (cameras(clip_from_camera=[FLAT_LENS]), "clip_from_camera/0"),
    "a viewport without width": (cameras(viewport_px=[(0, 100)]), "viewport_px/0"),
    "a negative viewport": (cameras(viewport_px=[(-100, -100)]), "viewport_px/0"),
    "a viewport that is not a number": (cameras(viewport_px=[(NAN, 100)]), "viewport_px/0"),
    "a viewport of one number": (cameras(viewport_px=[(100,)]), "viewport_px"),
    "a depth range nobody knows": (cameras(depth=3), "depth/0"),
    "a depth range below all": (cameras(depth=[-1]), "depth/0"),
    "a depth range by name": (cameras(depth="zero_to_one"), "depth"),
    "two depth ranges for one camera": (cameras(depth=[0, 0]), "depth"),
    "the second of two, not a number": (stacked(camera_from_world=EYE * NAN), "camera_from_world/1"),
    "the second of two, of another shape": (stacked(clip_from_camera=LENS[:3]), "clip_from_camera/1"),
    "the second of two, of words": (stacked(viewport_px=("wide", "high")), "viewport_px/1"),
    "the second of two, of another depth": (stacked(depth=9), "depth/1"),
}
SLOTS = {
    "a quad that is not a number": (quads(SQUARE, changed(SQUARE, (1, 1), NAN)), "surfaces/1"),
    "a quad at infinity": (quads(changed(SQUARE, (1, 1), INF)), "surfaces/0"),
    "a quad that is a point": (quads(SQUARE, SQUARE * 0), "surfaces/1"),
    "a quad that is a line": (quads(SQUARE * (1, 0, 0)), "surfaces/0"),
    "a quad folded by a hundredth of its size": (quads(changed(SQUARE, (2, 2), 0.02)), "surfaces/0"),
    "a quad folded in half": (quads(changed(SQUARE, (2, 2), 2.0)), "surfaces/0"),
    "a quad with a corner pushed in": (quads(changed(SQUARE, 2, -0.5)), "surfaces/0"),
    "a quad whose sides cross": (quads(SQUARE[[0, 2, 1, 3]]), "surfaces/0"),
    "a quad of three corners": (quads(SQUARE[:3]), "corners"),
    "a quad of words": (quads("abcd"), "corners"),
    "owners for other surfaces": (quads(SQUARE, owner=[1, 2]), "owner"),
    "sides for other surfaces": (quads(SQUARE, SQUARE, two_sided=[True]), "two_sided"),
    "a curved surface of points": (curved(SQUARE * 0), "triangles"),
    "a curved surface of lines": (curved(triangles=[(0, 1, 1), (2, 3, 2)]), "triangles"),
    "a curved surface without triangles": (curved(triangles=[]), "triangles"),
    "a curved surface that is not a number": (curved(changed(SQUARE, (0, 0), NAN)), "surfaces/0"),
}
GEOMETRY = {
    "a curved surface's index out of range": (curved(triangles=[(0, 1, 4)]), "triangles"),
    "a curved surface's negative index": (curved(triangles=[(0, 1, -1)]), "triangles"),
    "a curved surface's index that is not whole": (curved(triangles=[(0, 1, 1.5)]), "triangles"),
    "a vertex that is not a number": (things(changed(SQUARE, (3, 0), NAN)), "vertices/3"),
    "a vertex at infinity": (things(changed(SQUARE, (0, 0), -INF)), "vertices/0"),
    "vertices of two numbers": (things(SQUARE[:, :2]), "vertices"),
    "vertices of words": (things([("a", "b", "c")]), "vertices"),
    "an index out of range": (things(triangles=[(0, 1, 4)]), "triangles"),
    "a negative index": (things(triangles=[(0, 1, -1)]), "triangles"),
    "an index that is not whole": (things(triangles=[(0.0, 1.0, 2.0)]), "triangles"),
    "triangles of four corners": (things(triangles=[(0, 1, 2, 3)]), "triangles"),
    "triangles of different lengths": (things(triangles=[(0, 1, 2), (0, 1)]), "triangles"),
    "owners of words": (things(owner=["pillar"]), "owner"),
    "owners for other triangles": (things(owner=[1, 2]), "owner"),
    "sides for other triangles": (things(one_sided=[True, False]), "one_sided"),
    "a moving vertex that is not a number": (moving(changed(SQUARE, (0, 0), NAN)), "vertices/0"),
    "a moving index out of range": (moving(triangles=[(0, 1, 4)]), "triangles"),
    "a placement of no shape": (placed(shape=(1,)), "shape/0"),
    "a placement that is not a number": (placed(at=(EYE * NAN,)), "world_from_shape/0"),
    "a placement without an inverse": (placed(at=(changed(EYE, (0, 0), 0),)), "world_from_shape/0"),
    "a placement that is a projection": (placed(at=(changed(EYE, (3, 2), 1),)), "world_from_shape/0"),
    "a placement that is no matrix": (placed(at=((1, 2, 3),)), "world_from_shape"),
    "owners for other placements": (placed(owner=[1, 2]), "owner"),
    "a hole without a texture": (holed(opaque=True), "uv"),
    "holes for other vertices": (holed(uv=SQUARE[:3, :2]), "uv"),
    "holes that are not a number": (holed(uv=SQUARE[:, :2] * NAN), "uv"),
    "holes in an index out of range": (holed(triangles=[(0, 1, 9)]), "triangles"),
    "holes without end": (holed(uv=SQUARE[:, :2] * 1e6), "opaque"),
    "a capsule of two sides": (lambda: capsule(around=2), "capsule"),
    "a capsule of an odd number of rings": (lambda: capsule(along=3), "capsule"),
    "a capsule wider than high": (lambda: capsule(height=1, radius=0.6), "capsule"),
    "a capsule that is not a number": (lambda: capsule(radius=NAN), "capsule"),
    "a viewer who is not there": (blamed([1], [0]), "viewers"),
    "a viewer before the first": (blamed([-1], [0]), "viewers"),
    "a surface that is not there": (blamed([0], [1]), "indices"),
    "two surfaces for one viewer": (blamed([0], [0, 0]), "indices"),
    "a frame nobody knows": (lambda: frame("minecraft"), "frame"),
    "a unit without length": (lambda: FRAMES["gltf"].scaled(0), "metres"),
    "a unit that is not a number": (lambda: FRAMES["gltf"].scaled(NAN), "metres"),
}
TABLE = [
    *((Code.CAMERA_INVALID, name, *case) for name, case in CAMERAS.items()),
    *((Code.SLOT_DEGENERATE, name, *case) for name, case in SLOTS.items()),
    *((Code.GEOMETRY_INVALID, name, *case) for name, case in GEOMETRY.items()),
]


@pytest.mark.parametrize(
    ("code", "call", "where"),
    [pytest.param(code, call, where, id=name) for code, name, call, where in TABLE],
)
def test_what_makes_no_sense_is_refused_by_name(code: Code, call: Callable[[], Any], where: str) -> None:
    with pytest.raises(OpenSlotError) as refused:
        call()
    assert (refused.value.code, refused.value.where) == (code, where)


def test_a_backend_that_is_not_here_is_refused_with_those_that_are() -> None:
    with pytest.raises(OpenSlotError, match="numpy") as refused:
        choose("abacus")
    assert refused.value.where == "backend"


NOTHING = {
    "no triangles": Occluders.build((), ()),
    "vertices without triangles": Occluders.build(SQUARE, ()),
    "a triangle that is a line": Occluders.build(SQUARE, [(0, 1, 1)]),
    "a triangle that is a point": Occluders.build(SQUARE, [(3, 3, 3)]),
    "placements of a shape without triangles": Occluders.none().with_instances(Shapes.build([((), ())]), [0], [EYE]),
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_has_no_area_hides_nothing(name: str) -> None:
    surfaces = Surfaces.from_quads([SQUARE - (0, 0, 5)])
    seen = measure(Cameras.stack([Camera.perspective((0, 0, 0))]), surfaces, NOTHING[name])
    assert seen.visible_fraction[0, 0] == 1.0


def test_triangles_without_area_are_no_part_of_a_curved_surface() -> None:
    whole, torn = (Surfaces.from_mesh(SQUARE, [(0, 1, 2), (0, 2, 3), *more]) for more in ((), [(0, 0, 1), (2, 3, 3)]))
    assert (torn.corners == whole.corners).all()
    assert torn.total_area[0] == pytest.approx(4.0)


def test_a_quad_folded_by_less_than_a_thousandth_measures_like_a_flat_one() -> None:
    camera = Cameras.stack([Camera.perspective((3, 0, 5), target=(0, 0, 0))])
    folded = Surfaces.from_quads([SQUARE, changed(SQUARE, (2, 2), 0.0019)])
    seen = measure(camera, folded, Occluders.build(SQUARE * 0.5 + (0, 0, 1), FACE))
    assert seen.visible_fraction[0, 1] == pytest.approx(seen.visible_fraction[0, 0], abs=1e-3)
    assert seen.coverage[0, 1] == pytest.approx(seen.coverage[0, 0], rel=1e-3)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("gates", [None, Gates(0.5, 0.01, 55.0)], ids=["ungated", "gated"])
@pytest.mark.parametrize("views", [0, 2])
@pytest.mark.parametrize("slots", [0, 3])
def test_of_nobody_and_of_nothing_there_is_nothing_to_say(
    views: int, slots: int, gates: Gates | None, backend: str
) -> None:
    surfaces = Surfaces.from_slots([slot(id=f"s{n}") for n in range(slots)])
    looks = Cameras.stack([Camera.perspective((0, 0, 5))] * views)
    seen = measure(looks, surfaces, Occluders.build(SQUARE, FACE), gates=gates, backend=backend)
    assert (len(looks), len(surfaces)) == (views, slots)
    assert seen.visible_fraction.shape == seen.why.shape == seen.angle_deg.shape == (views, slots)


def test_surfaces_of_nothing_join_with_others() -> None:
    joined = Surfaces.join([Surfaces.from_quads(()), Surfaces.from_slots([slot()]), Surfaces.from_slots(())])
    assert len(joined) == 1
    assert len(Surfaces.join([])) == 0
