from pathlib import Path

import pytest
from pygltflib import GLTF2, Asset, Buffer, BufferView, Node, Scene

from openslot_gltf import read_document, scene_slots, write_glb
from openslot_gltf.authoring import mark_slot
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import EXTENSION, SlotTerms

TERMS = SlotTerms(id="wall", size=(2.0, 1.0), tags=("indoor",))


def authored() -> GLTF2:
    root = Node(name="root", scale=[2.0, 2.0, 2.0], children=[1])
    board = Node(name="board", translation=[0, 1.5, -2])
    gltf = GLTF2(asset=Asset(), scene=0, scenes=[Scene(nodes=[0])], nodes=[root, board])
    gltf.buffers, gltf.bufferViews = [Buffer(byteLength=12)], [BufferView(buffer=0, byteLength=12)]
    gltf.set_binary_blob(bytes(12))  # without a buffer pygltflib writes one of no bytes, which glTF forbids
    return gltf


def saved(gltf: GLTF2, folder: Path) -> bytes:
    gltf.save_binary(str(folder / "scene.glb"))
    return (folder / "scene.glb").read_bytes()


def test_a_node_marked_with_pygltflib_is_a_slot(tmp_path: Path) -> None:
    gltf = authored()
    mark_slot(gltf, 1, TERMS)
    (found,) = scene_slots(read_document(saved(gltf, tmp_path))).require()
    assert (found.slot.id, found.slot.size, found.source) == ("wall", (4.0, 2.0), "extension")
    assert found.slot.pose.position == (0.0, 3.0, -4.0)


def test_what_we_write_keeps_its_slots_through_pygltflib(tmp_path: Path) -> None:
    gltf = authored()
    mark_slot(gltf, 1, TERMS)
    ours = write_glb(read_document(saved(gltf, tmp_path)))
    (tmp_path / "again.glb").write_bytes(ours)
    again = GLTF2.load_binary(str(tmp_path / "again.glb"))
    assert again.nodes[1].extensions[EXTENSION]["id"] == "wall"
    assert again.extensionsUsed == [EXTENSION]
    assert not again.extensionsRequired


def test_a_node_that_is_not_there_is_refused() -> None:
    with pytest.raises(OpenSlotError) as refused:
        mark_slot(authored(), 7, TERMS)
    assert refused.value.code is Code.SLOT_INVALID
