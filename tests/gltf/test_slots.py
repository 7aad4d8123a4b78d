from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from openslot_gltf import Document, add_slot, read_document, scene_slots
from openslot_gltf.transforms import local_matrix, quaternion_of, rotation_matrix
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import EXTENSION, SlotTerms
from tests.gltf.build import Maker, room

TERMS = {"id": "wall-1", "size": [2.0, 1.0]}
METRES = st.floats(-50, 50)
SCALE = st.floats(0.1, 10)
DIRECTION = st.tuples(METRES, METRES, METRES).filter(lambda v: np.hypot(np.hypot(v[0], v[1]), v[2]) > 0.01)


def scene(*nodes: dict[str, Any]) -> Document:
    """Return a scene of these nodes, each a root unless another has it as a child."""
    maker = Maker()
    children = {child for node in nodes for child in node.get("children", [])}
    for index, node in enumerate(nodes):
        maker.node(root=index not in children, **node)
        for name in node.get("extensions", {}):
            maker.extension(name)
    return read_document(maker.glb())


def slot_node(**fields: Any) -> dict[str, Any]:
    return {"extensions": {EXTENSION: TERMS}, **fields}


def frame(**fields: Any) -> dict[str, Any]:
    return {"extensions": {"MOZ_hubs_components": {"media-frame": fields}}}


def problem(document: Document) -> tuple[Code, str]:
    found = scene_slots(document)
    assert found.slots == ()
    (error,) = found.problems
    return error.code, error.where


def test_a_slot_is_read_from_the_extension_on_its_node() -> None:
    (found,) = scene_slots(scene(slot_node(translation=[1, 2, 3]))).slots
    assert (found.slot.id, found.slot.size, found.node, found.source) == ("wall-1", (2.0, 1.0), 0, "extension")
    assert found.slot.pose.position == (1.0, 2.0, 3.0)


def test_a_slot_is_read_from_extras_where_a_tool_kept_only_those() -> None:
    (found,) = scene_slots(scene({"extras": {"openslot": TERMS}})).slots
    assert (found.slot.id, found.source) == ("wall-1", "extras")


def test_the_extension_goes_before_its_mirror_in_extras() -> None:
    (found,) = scene_slots(scene(slot_node(extras={"openslot": TERMS | {"id": "stale"}}))).slots
    assert (found.slot.id, found.source) == ("wall-1", "extension")


def test_the_tag_of_an_embedded_creative_is_no_slot() -> None:
    assert scene_slots(scene({"extras": {"openslot": {"creative": "ab" * 32}}})) == scene_slots(scene({}))


def test_a_hubs_media_frame_is_a_slot_that_faces_plus_z() -> None:
    node = frame(bounds={"x": 4, "y": 2, "z": 0.5}, mediaType="model") | {"name": "Big screen!"}
    (found,) = scene_slots(scene(node)).slots
    slot = found.slot
    assert (slot.id, slot.name, slot.size, slot.depth) == ("Big-screen", "Big screen!", (4.0, 2.0), 0.5)
    assert (found.source, slot.accepts.media) == ("hubs", ("model/gltf-binary",))


def test_media_frames_of_one_name_get_ids_of_their_own() -> None:
    found = scene_slots(scene(frame() | {"name": "frame"}, frame() | {"name": "frame"}, frame()))
    assert [item.slot.id for item in found.slots] == ["frame", "frame-1", "media-frame-2"]
    assert found.problems == ()


@pytest.mark.parametrize(
    ("node", "code", "where"),
    [
        ({"extras": {"openslot": 7}}, Code.SLOT_INVALID, "/nodes/0/extras/openslot"),
        ({"extras": {"openslot": {"id": "a"}}}, Code.SLOT_INVALID, "/nodes/0/extras/openslot/size"),
        (
            {"extensions": {EXTENSION: TERMS | {"size": [0, 1]}}},
            Code.SLOT_INVALID,
            f"/nodes/0/extensions/{EXTENSION}/size/0",
        ),
        (
            {"extensions": {EXTENSION: TERMS | {"price": 1}}},
            Code.SLOT_INVALID,
            f"/nodes/0/extensions/{EXTENSION}/price",
        ),
        (slot_node(scale=[1, 0, 1]), Code.SLOT_DEGENERATE, f"/nodes/0/extensions/{EXTENSION}"),
        (frame(mediaType="smell"), Code.SLOT_INVALID, "/nodes/0/extensions/MOZ_hubs_components/media-frame/mediaType"),
        (frame(bounds=[1, 2]), Code.SLOT_INVALID, "/nodes/0/extensions/MOZ_hubs_components/media-frame"),
    ],
)
def test_a_faulty_record_is_reported_with_its_place(node: dict[str, Any], code: Code, where: str) -> None:
    assert problem(scene(node)) == (code, where)


def test_a_sheared_slot_is_degenerate() -> None:
    turned = {"rotation": list(quaternion_of(rotation_matrix(0, 0, np.sin(0.4), np.cos(0.4))))}
    document = scene({"scale": [3, 1, 1], "children": [1]}, slot_node(**turned))
    assert problem(document) == (Code.SLOT_DEGENERATE, f"/nodes/1/extensions/{EXTENSION}")


def test_a_slot_outside_the_default_scene_is_reported() -> None:
    maker = Maker()
    maker.node()
    maker.extension(EXTENSION)
    maker.node(root=False, **slot_node())
    assert problem(read_document(maker.glb()))[0] is Code.SLOT_INVALID


def test_the_second_slot_of_an_id_is_a_problem_and_the_first_stands() -> None:
    found = scene_slots(scene(slot_node(), slot_node(translation=[9, 0, 0])))
    assert [item.node for item in found.slots] == [0]
    assert [(error.code, error.detail) for error in found.problems] == [(Code.SLOT_DUPLICATE, "wall-1")]
    with pytest.raises(OpenSlotError, match="wall-1"):
        found.require()


def test_requiring_slots_of_a_scene_without_any_says_so() -> None:
    with pytest.raises(OpenSlotError) as caught:
        scene_slots(scene({})).require()
    assert caught.value.code is Code.SCENE_WITHOUT_SLOTS


def test_asking_for_an_unknown_slot_names_the_known_ones() -> None:
    with pytest.raises(OpenSlotError, match="the scene has wall-1") as caught:
        scene_slots(scene(slot_node())).find("wall-2")
    assert caught.value.code is Code.SLOT_UNKNOWN


@given(st.tuples(SCALE, SCALE, SCALE), st.tuples(METRES, METRES, METRES), st.integers(0, 7))
def test_size_and_depth_take_the_nodes_scale_mirrored_or_not(
    scale: tuple[float, float, float], at: tuple[float, float, float], mirrors: int
) -> None:
    signs = [-1 if mirrors >> axis & 1 else 1 for axis in range(3)]
    node = slot_node(scale=[part * sign for part, sign in zip(scale, signs, strict=True)], translation=list(at))
    document = scene(node)
    slot = scene_slots(document).slots[0].slot
    assert slot.size == pytest.approx((2 * scale[0], scale[1]), abs=1e-6)
    assert slot.depth == pytest.approx(0.5 * scale[2], abs=1e-6)
    rotation, world = rotation_matrix(*slot.pose.rotation), local_matrix(node)
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert rotation[:, 2] * scale[2] == pytest.approx(world[:3, 2])
    assert rotation[:, 1] * scale[1] == pytest.approx(world[:3, 1])


@given(DIRECTION, st.tuples(METRES, METRES, METRES))
def test_an_added_slot_stands_where_and_looks_as_it_was_told(
    facing: tuple[float, float, float], at: tuple[float, float, float]
) -> None:
    document = add_slot(read_document(room().glb()), SlotTerms(id="new", size=(3, 2)), at, facing)
    slot = scene_slots(document).find("new").slot
    rotation = rotation_matrix(*slot.pose.rotation)
    assert rotation[:, 2] == pytest.approx(np.array(facing) / np.linalg.norm(facing), abs=1e-8)
    assert rotation[1, 0] == pytest.approx(0, abs=1e-8), "its width is level"
    assert rotation[1, 1] >= -1e-8, "its height points up"
    assert slot.pose.position == pytest.approx(at, abs=1e-6)
    assert slot.size == (3.0, 2.0)


def test_an_added_slot_is_mirrored_in_extras_and_never_required() -> None:
    before = read_document(room().glb())
    after = add_slot(before, SlotTerms(id="new", size=(3, 2), fit="cover"), (0, 1, 0))
    node = after.array("nodes")[-1]
    assert node["extensions"][EXTENSION] == node["extras"]["openslot"] == {"id": "new", "size": [3, 2], "fit": "cover"}
    assert after.json["extensionsUsed"] == [*before.json["extensionsUsed"], EXTENSION]
    assert "extensionsRequired" not in after.json
    assert after.array("nodes")[:-1] == before.array("nodes") == room().json["nodes"]


def test_adding_an_id_twice_or_facing_nowhere_is_refused() -> None:
    document = add_slot(read_document(room().glb()), SlotTerms(id="new", size=(3, 2)), (0, 1, 0))
    for at, facing, code in (
        ((0.0, 0.0, 0.0), (0.0, 0.0, 1.0), Code.SLOT_DUPLICATE),
        ((0.0, float("nan"), 0.0), (0.0, 0.0, 1.0), Code.SLOT_INVALID),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), Code.SLOT_DEGENERATE),
    ):
        terms = SlotTerms(id="new" if code is Code.SLOT_DUPLICATE else "other", size=(1, 1))
        with pytest.raises(OpenSlotError) as caught:
            add_slot(document, terms, at, facing)
        assert caught.value.code is code


@given(st.tuples(*[st.floats(-1, 1)] * 4))
def test_quaternions_and_rotations_agree(parts: tuple[float, float, float, float]) -> None:
    length = float(np.linalg.norm(parts))
    assume(length > 0.1)
    unit = np.array(parts) / length
    back = np.array(quaternion_of(rotation_matrix(*unit.tolist())))
    assert abs(float(back @ unit)) == pytest.approx(1)
    assert back[3] >= 0
