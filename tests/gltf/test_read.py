import base64
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from openslot_gltf import SCENE, TIERS, Rule, check, read_document, write_glb
from openslot_gltf.rules import SENTENCES, Report
from openslot_gltf.strip import stripped
from tests.gltf.build import HONEST, bending_tower, chunk, glb, plain_box, rich_material, room, textured_board
from tests.gltf.hostile import changed
from tests.gltf.khronos import shared_models, verdicts

NAMES = sorted(HONEST)


def repaired(data: bytes) -> list[Rule]:
    return [finding.code for finding in check(data).findings if finding.severity == "repaired"]


@pytest.mark.parametrize("name", NAMES)
def test_honest_files_are_accepted_without_a_word(name: str) -> None:
    verdict = check(HONEST[name]().glb())
    assert verdict.accepted
    assert verdict.findings == ()
    assert verdict.stats is not None
    assert verdict.stats.triangles == 12


@pytest.mark.parametrize("name", NAMES)
def test_glb_and_self_contained_gltf_are_the_same_document(name: str) -> None:
    maker = HONEST[name]()
    binary, text = read_document(maker.glb()), read_document(maker.gltf())
    assert (binary.json, binary.binary) == (text.json, text.binary)


@pytest.mark.parametrize("name", NAMES)
def test_writing_and_reading_again_changes_nothing(name: str) -> None:
    document = read_document(HONEST[name]().glb())
    data = write_glb(document)
    again = read_document(data)
    assert (again.json, again.binary, write_glb(again)) == (document.json, document.binary, data)


def test_a_written_file_is_padded_and_says_its_length() -> None:
    data = write_glb(read_document(glb({"asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}], "nodes": [{}]})))
    assert struct.unpack_from("<4sII", data) == (b"glTF", 2, len(data))
    assert len(data) % 4 == 0
    assert b"BIN" not in data


def test_images_and_buffers_in_data_uris_become_views_of_one_chunk(tmp_path: Path) -> None:
    maker = textured_board()
    picture = maker.json["images"].pop()
    view = maker.json["bufferViews"][picture["bufferView"]]
    pixels = bytes(maker.binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]])
    body = json.loads(maker.gltf())
    body["images"] = [{"uri": "data:image/png;base64," + base64.b64encode(pixels).decode(), "name": "poster"}]
    body["buffers"].append({"byteLength": 8, "uri": "data:application/octet-stream;base64,AAAAAAAAAAA="})
    body["bufferViews"].append({"buffer": 1, "byteLength": 8, "byteOffset": 0})
    document = read_document(json.dumps(body).encode())
    image = document.array("images")[0]
    place = document.array("bufferViews")[image["bufferView"]]
    assert document.binary[place["byteOffset"] :][: place["byteLength"]] == pixels
    assert (image["name"], image["mimeType"]) == ("poster", "image/png")
    assert document.array("buffers") == [{"byteLength": len(document.binary)}]
    assert verdicts({"packed": write_glb(document)}, tmp_path)["packed"]["errors"] == []


def test_missing_and_wrong_bounds_are_computed() -> None:
    def spoil(body: dict[str, list[dict[str, object]]]) -> None:
        del body["accessors"][0]["min"]
        body["accessors"][3]["max"] = [9]

    data = changed(plain_box(), spoil)
    assert repaired(data) == [Rule.ACCESSOR_BOUNDS, Rule.ACCESSOR_BOUNDS]
    accessors = read_document(data).array("accessors")
    assert (accessors[0]["min"], accessors[0]["max"]) == ([-0.5] * 3, [0.5] * 3)
    assert (accessors[3]["min"], accessors[3]["max"]) == ([0], [23])


def test_a_scene_that_lists_a_child_lists_its_root_instead() -> None:
    data = changed(bending_tower(), lambda body: body["scenes"][0].update(nodes=[0, 3, 1]))
    assert repaired(data) == [Rule.SCENE_NON_ROOT_NODE]
    assert read_document(data).json["scenes"] == [{"nodes": [3]}]


def test_a_file_without_scenes_gets_one_of_its_roots() -> None:
    data = changed(bending_tower(), lambda body: [body.pop(name) for name in ("scene", "scenes")])
    assert repaired(data) == [Rule.SCENE_MISSING]
    assert read_document(data).json["scenes"] == [{"nodes": [3]}]


def test_a_creative_hears_what_will_be_left_out_and_a_scene_keeps_it() -> None:
    assert repaired(room().glb()) == [Rule.EXTENSION_STRIPPED, Rule.CONTENT_STRIPPED, Rule.CONTENT_STRIPPED]
    assert read_document(room().glb(), SCENE).json == room().finished()


def test_what_nothing_refers_to_is_said_and_left_out() -> None:
    maker = textured_board()
    maker.accessor(np.zeros((50, 3)))
    maker.add("materials", {"pbrMetallicRoughness": {"baseColorTexture": {"index": maker.texture()}}})
    maker.binary += b"hidden" * 100
    sound = read_document(textured_board().glb(), TIERS["M"])
    verdict = check(maker.glb())
    assert [finding.code for finding in verdict.findings] == [Rule.DATA_UNUSED]
    assert "1 accessors, " in verdict.findings[0].message
    assert verdict.document is not None
    assert (verdict.document.json, verdict.document.binary) == (sound.json, sound.binary)


def test_chunks_of_an_unknown_kind_are_said_and_left_out() -> None:
    data = plain_box().glb() + chunk(0x41414141, b"hidden words")
    data = data[:8] + struct.pack("<I", len(data)) + data[12:]
    verdict = check(data)
    assert [finding.code for finding in verdict.findings] == [Rule.DATA_UNUSED]
    assert verdict.document is not None
    assert write_glb(verdict.document) == write_glb(read_document(plain_box().glb()))


def test_what_blinds_is_dimmed() -> None:
    maker = rich_material()
    maker.json["materials"][0]["extensions"]["KHR_materials_emissive_strength"]["emissiveStrength"] = 1e30
    verdict = check(maker.glb())
    assert [finding.code for finding in verdict.findings] == [Rule.MATERIAL_GLARE]
    assert verdict.document is not None
    material = stripped(verdict.document.json)["materials"][0]
    assert material["extensions"]["KHR_materials_emissive_strength"] == {"emissiveStrength": 32.0}


def test_accessors_without_a_view_are_zeros() -> None:
    maker = plain_box()
    primitive = maker.json["meshes"][0]["primitives"][0]
    primitive["attributes"]["TEXCOORD_1"] = primitive["attributes"]["TEXCOORD_0"]
    zeros = maker.add("accessors", {"componentType": 5126, "count": 24, "type": "VEC2"})
    primitive["attributes"]["TEXCOORD_0"] = zeros
    assert check(maker.glb()).findings == ()


def test_unknown_properties_are_carried_along() -> None:
    data = changed(plain_box(), lambda body: body["nodes"][0].update(unheard={"of": 1}))
    verdict = check(data)
    assert [(finding.code, finding.pointer) for finding in verdict.findings] == [
        (Rule.SHAPE_UNKNOWN, "/nodes/0/unheard")
    ]
    assert read_document(data).array("nodes")[0]["unheard"] == {"of": 1}


def test_centimetres_and_heavy_files_are_said_and_accepted() -> None:
    maker = plain_box()
    maker.json["nodes"][0]["scale"] = [100, 100, 100]
    maker.json["meshes"][0]["primitives"] *= 5
    codes = [finding.code for finding in check(maker.glb()).findings]
    assert codes == [Rule.BUDGET_DRAWS_ADVISED, Rule.UNITS_CENTIMETRES]


def test_a_reader_imports_nothing_once_it_runs_so_that_a_sandbox_may_forbid_files() -> None:
    program = (
        "import sys; from openslot_gltf import check; before = set(sys.modules);"
        "assert all([check(bytes.fromhex(line)).accepted for line in sys.stdin.read().split()]);"
        "sys.exit(str(set(sys.modules) - before) if set(sys.modules) != before else 0)"
    )
    files = "\n".join(make().glb().hex() for make in HONEST.values())
    run = subprocess.run([sys.executable, "-c", program], input=files, text=True, capture_output=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_findings_are_bounded_and_the_refusal_is_among_them() -> None:
    report = Report()
    for number in range(1000):
        report.add(Rule.SHAPE_UNKNOWN, f"/{number}")
    report.add(Rule.NODE_LOOP, "/nodes")
    assert len(report.findings) == 101
    assert report.findings[-1].code is Rule.NODE_LOOP


def test_every_rule_has_a_sentence_that_says_what_to_do() -> None:
    assert set(SENTENCES) == set(Rule)
    for rule, sentence in SENTENCES.items():
        assert sentence.endswith("."), rule
        assert ";" in sentence, rule


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in shared_models()])
def test_real_models_are_accepted_by_the_tier_they_fit(path: Path) -> None:
    verdict = check(path.read_bytes(), "L")
    assert verdict.accepted, verdict.refusal()
