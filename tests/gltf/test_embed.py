import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openslot_gltf import Document, add_slot, embed, read_document, scene_geometry, scene_slots, write_glb
from openslot_gltf.bounds import content_bounds
from openslot_gltf.embed import wrapper_of
from openslot_gltf.fit import fitted
from openslot_gltf.transforms import rotation_matrix
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import EXTENSION, SlotTerms
from tests.gltf.build import HONEST, Maker, plain_box, rich_material, room, spinning_box, textured_board
from tests.gltf.hostile import changed
from tests.gltf.khronos import shared_models, verdicts

COUNTED = ("materials", "meshes", "animations", "skins", "textures", "images", "samplers", "accessors")
BOARD = SlotTerms(id="board", size=(2, 1))


def stage(make: bytes | None = None) -> Document:
    return add_slot(read_document(make or room().glb()), BOARD, (0, 1.5, -2), (1, 0, 1))


def creatives() -> dict[str, bytes]:
    return {name: make().glb() for name, make in HONEST.items()} | {p.stem: p.read_bytes() for p in shared_models()}


def scenes() -> dict[str, bytes]:
    rooms = {"room": room().glb()}
    return rooms | {p.stem: p.read_bytes() for p in shared_models() if p.stem == "webxr_garage"}


def second_slot(scene: Document, creative: Maker) -> Document:
    """Return the scene with a second slot, filled."""
    grown = add_slot(scene, SlotTerms(id="two", size=(1, 1)), (0, 0, 0))
    return embed(grown, "two", read_document(creative.glb()))


def drawn(document: Document) -> np.ndarray[Any, Any]:
    geometry = scene_geometry(document)
    return geometry.vertices[geometry.triangles]


@pytest.mark.parametrize("name", list(scenes()))
def test_every_creative_embeds_without_an_error_in_the_khronos_validator(name: str, tmp_path: Path) -> None:
    scene = stage(scenes()[name])
    filled = {title: write_glb(embed(scene, "board", read_document(data))) for title, data in creatives().items()}
    found = verdicts(filled | {"as it was": write_glb(scene)}, tmp_path)
    assert {title: verdict["errors"] for title, verdict in found.items() if verdict["errors"]} == {}
    empty = found["as it was"]["info"]["totalTriangleCount"]
    for title, data in creatives().items():
        own = len(scene_geometry(read_document(data)).triangles)
        assert found[title]["info"]["totalTriangleCount"] == empty + own, title


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in creatives().items()])
def test_counts_add_up_and_the_scene_keeps_every_index(data: bytes) -> None:
    scene, creative = stage(), read_document(data)
    result = embed(scene, "board", creative)
    for array in COUNTED:
        assert len(result.array(array)) == len(scene.array(array)) + len(creative.array(array)), array
        if array != "accessors":
            assert result.array(array)[: len(scene.array(array))] == scene.array(array), array
    slot = scene_slots(scene).find("board").node
    for index, node in enumerate(scene.array("nodes")):
        kept = dict(result.array("nodes")[index])
        if index == slot:
            assert kept.pop("children") == [len(result.array("nodes")) - 1]
        assert kept == node
    assert result.binary.startswith(scene.binary)
    assert (result.json["scene"], result.json["scenes"]) == (scene.json["scene"], scene.json["scenes"])


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in creatives().items()])
def test_the_creative_stands_in_the_slot_as_the_fit_says(data: bytes) -> None:
    scene, creative = stage(), read_document(data)
    slot = scene_slots(scene).find("board").slot
    world_from_slot = np.eye(4)
    world_from_slot[:3, :3] = rotation_matrix(*slot.pose.rotation)
    world_from_slot[:3, 3] = slot.pose.position
    world_from_creative = world_from_slot @ fitted(content_bounds(creative), slot).slot_from_creative
    expected = drawn(creative) @ world_from_creative[:3, :3].T + world_from_creative[:3, 3]
    result = embed(scene, "board", creative)
    # Nodes are drawn parents first, and the creative's hang below the last of the scene's roots.
    assert drawn(result)[len(drawn(scene)) :] == pytest.approx(expected, abs=1e-5)
    assert drawn(result)[: len(drawn(scene))] == pytest.approx(drawn(scene))


@given(
    st.tuples(*[st.floats(0.2, 5)] * 3),
    st.integers(0, 7),
    st.sampled_from(["contain", "cover", "stretch"]),
    st.sampled_from(["box", "skinned"]),
)
def test_a_scaled_or_mirrored_slot_does_not_distort_or_mirror_its_creative(
    scale: tuple[float, float, float], mirrors: int, rule: str, name: str
) -> None:
    maker = Maker()
    terms = SlotTerms.model_validate({"id": "board", "size": (2.0, 1.0), "fit": rule})
    body = terms.model_dump(mode="json", exclude_defaults=True)
    signed = [-part if mirrors >> axis & 1 else part for axis, part in enumerate(scale)]
    maker.node(scale=signed, rotation=[0, 0.6, 0, 0.8], translation=[3, 2, 1], extensions={EXTENSION: body})
    maker.extension(EXTENSION)
    scene, creative = read_document(maker.glb()), read_document(HONEST[name]().glb())
    slot = scene_slots(scene).find("board").slot
    fit = fitted(content_bounds(creative), slot)
    world = drawn(embed(scene, "board", creative)) - slot.pose.position
    local = world @ rotation_matrix(*slot.pose.rotation)
    expected = drawn(creative) * fit.scale + fit.slot_from_creative[:3, 3]
    assert local == pytest.approx(expected, abs=1e-5)


def test_indices_inside_extensions_and_pointers_follow_their_things() -> None:
    scene = embed(stage(), "board", read_document(textured_board().glb()))
    result = second_slot(scene, rich_material())
    material, other = result.array("materials")[-2:]
    textures, materials = len(result.array("textures")), len(result.array("materials"))
    assert material["pbrMetallicRoughness"]["baseColorTexture"]["index"] == textures - 2
    assert material["extensions"]["KHR_materials_clearcoat"]["clearcoatTexture"]["index"] == textures - 1
    assert other == {"name": "other"}
    (mapping, _) = result.array("meshes")[-1]["primitives"][0]["extensions"]["KHR_materials_variants"]["mappings"]
    assert mapping == {"material": materials - 2, "variants": [0]}
    target = result.array("animations")[-1]["channels"][0]["target"]
    pointer = target["extensions"]["KHR_animation_pointer"]["pointer"]
    assert pointer == f"/materials/{materials - 1}/pbrMetallicRoughness/baseColorFactor"


def test_root_arrays_of_extensions_are_joined_and_shifted() -> None:
    first = embed(stage(), "board", read_document(rich_material().glb()))
    second = second_slot(first, rich_material())
    variants = second.json["extensions"]["KHR_materials_variants"]["variants"]
    assert [variant["name"] for variant in variants] == ["day", "night", "day", "night"]
    mappings = second.array("meshes")[-1]["primitives"][0]["extensions"]["KHR_materials_variants"]["mappings"]
    assert [mapping["variants"] for mapping in mappings] == [[2], [3]]
    assert second.json["extensions"]["KHR_lights_punctual"] == room().json["extensions"]["KHR_lights_punctual"]


def test_names_and_clips_of_scene_and_creative_stay_apart() -> None:
    maker = spinning_box()
    maker.node(name="box_2")
    result = embed(stage(), "board", read_document(maker.glb()))
    assert [clip["name"] for clip in result.array("animations")] == ["box", "box_2"]
    names = [node["name"] for node in result.array("nodes")]
    assert names == ["box", "floor", "pillar", "camera", "lamp", "board", "box_3", "box_2", "openslot:board"]


def test_copyright_is_joined_and_said_once() -> None:
    scene, creative = stage(), read_document(textured_board().glb())
    once = embed(scene, "board", creative)
    assert once.json["asset"]["copyright"] == "Room by Nobody; Board by Someone, CC-BY 4.0"
    assert once.json["asset"]["extras"] == {"kept": [1, 2, 3]}
    assert embed(scene, "board", read_document(plain_box().glb())).json["asset"]["copyright"] == "Room by Nobody"


def test_what_no_ad_may_bring_is_left_out(tmp_path: Path) -> None:
    maker = room()
    maker.json["nodes"][0] |= {
        "extensions": {EXTENSION: {"id": "stolen", "size": [9, 9]}},
        "extras": {"openslot": {"id": "stolen", "size": [9, 9]}, "own": 1},
    }
    maker.extension(EXTENSION)
    pointer = "/extensions/KHR_lights_punctual/lights/0/intensity"
    lamp = {"path": "pointer", "extensions": {"KHR_animation_pointer": {"pointer": pointer}}}
    sampler = {"input": maker.accessor([0.0, 1.0], bounds=True), "output": maker.accessor([0.0, 1.0])}
    maker.add("animations", {"samplers": [sampler], "channels": [{"sampler": 0, "target": lamp}]})
    maker.extension("KHR_animation_pointer")
    scene = add_slot(read_document(plain_box().glb()), BOARD, (0, 0, 0))
    result = embed(scene, "board", read_document(maker.glb()))
    text = json.dumps(result.json)
    for word in ("KHR_lights_punctual", "ACME_door", 'camera":', "stolen", "cameras"):
        assert word not in text, word
    assert [item.slot.id for item in scene_slots(result).slots] == ["board"]
    assert len(result.array("animations")) == 1
    assert result.array("nodes")[2]["extras"] == {"own": 1}
    assert verdicts({"stripped": write_glb(result)}, tmp_path)["stripped"]["errors"] == []


def test_a_creative_that_requires_what_is_left_out_is_refused() -> None:
    maker = plain_box()
    maker.json["nodes"][0]["extensions"] = {"KHR_node_visibility": {"visible": True}}
    maker.extension("KHR_node_visibility", required=True)
    with pytest.raises(OpenSlotError, match="KHR_node_visibility") as caught:
        embed(stage(), "board", read_document(maker.glb()))
    assert caught.value.code is Code.GLTF_REFUSED


def test_a_slot_holds_one_creative_and_is_named_rightly() -> None:
    creative = read_document(plain_box().glb())
    full = embed(stage(), "board", creative)
    with pytest.raises(OpenSlotError, match="already holds a creative") as caught:
        embed(full, "board", creative)
    assert caught.value.code is Code.GLTF_REFUSED
    with pytest.raises(OpenSlotError) as caught:
        embed(full, "bord", creative)
    assert caught.value.code is Code.SLOT_UNKNOWN


def test_the_wrapper_names_the_creative_by_its_hash() -> None:
    result = embed(stage(), "board", read_document(plain_box().glb()), "ab" * 32)
    wrapper = result.array("nodes")[-1]
    assert wrapper["extras"] == {"openslot": {"creative": "ab" * 32}}
    assert result.array("nodes")[wrapper["children"][0]]["mesh"] == len(result.array("meshes")) - 1


def test_both_documents_stay_as_they_are() -> None:
    scene, creative = stage(), read_document(rich_material().glb())
    before = json.dumps([scene.json, creative.json])
    embed(scene, "board", creative)
    assert json.dumps([scene.json, creative.json]) == before


def test_only_the_creatives_default_scene_is_shown() -> None:
    def hide(body: dict[str, Any]) -> None:
        body["nodes"].append({"mesh": 0, "name": "hidden"})
        body["scenes"].append({"nodes": [1]})

    result = embed(stage(), "board", read_document(changed(plain_box(), hide)))
    assert len(drawn(result)) == len(drawn(stage())) + 12


def test_the_wrapper_alone_tells_an_engine_where_a_creative_stands() -> None:
    scene, creative = stage(), read_document(plain_box().glb())
    wrapper = wrapper_of(scene, scene_slots(scene).find("board"), creative)
    assert wrapper == {key: embed(scene, "board", creative).array("nodes")[-1][key] for key in wrapper}
