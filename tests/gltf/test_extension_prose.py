import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from openslot_gltf import read_document, scene_slots
from openslot_spec.slots import EXTENSION, SlotTerms
from tests.gltf.khronos import verdicts

FOLDER = Path(__file__).resolve().parents[2] / "spec" / EXTENSION
README = (FOLDER / "README.md").read_text("utf-8")
GOOD: dict[str, Any] = json.loads((FOLDER / "examples" / "expected.json").read_text("utf-8"))
BAD: dict[str, Any] = json.loads((FOLDER / "examples" / "bad" / "expected.json").read_text("utf-8"))


def prose_examples() -> Iterator[Any]:
    for number, text in enumerate(re.findall(r"^```json\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)):
        yield pytest.param(text, id=str(number))


def records(body: Any) -> list[Any]:
    return [node["extensions"][EXTENSION] for node in body["nodes"] if EXTENSION in node.get("extensions", {})]


@pytest.mark.parametrize("text", list(prose_examples()))
def test_an_example_in_the_prose_is_a_scene_with_a_slot(text: str) -> None:
    found = scene_slots(read_document(text.encode()))
    assert found.problems == ()
    assert len(found.slots) == 1


@pytest.mark.parametrize("name", sorted(GOOD))
def test_an_example_holds_the_slots_it_should(name: str) -> None:
    found = scene_slots(read_document((FOLDER / "examples" / name).read_bytes()))
    plain = [{"slot": item.slot.plain(), "node": item.node, "source": item.source} for item in found.slots]
    assert (plain, found.problems) == (GOOD[name], ())


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_example_is_refused_with_its_code_and_place(name: str) -> None:
    found = scene_slots(read_document((FOLDER / "examples" / "bad" / name).read_bytes()))
    assert [{"code": error.code.value, "where": error.where} for error in found.problems] == BAD[name]


def test_every_example_is_expected_and_named_in_the_prose() -> None:
    for folder, expected in ((FOLDER / "examples", GOOD), (FOLDER / "examples" / "bad", BAD)):
        assert sorted(path.name for path in folder.glob("*.gltf")) == sorted(expected)
    assert [name for name in GOOD if f"(examples/{name})" not in README] == []


def test_every_example_is_valid_gltf_by_the_khronos_validator(tmp_path: Path) -> None:
    files = {str(path): path.read_bytes() for path in FOLDER.glob("examples/**/*.gltf")}
    assert {name: v["errors"] for name, v in verdicts(files, tmp_path).items() if v["errors"]} == {}


@pytest.mark.parametrize("name", sorted(GOOD))
def test_the_schema_agrees_with_the_good_examples(name: str) -> None:
    schema = json.loads((FOLDER / "schema" / f"node.{EXTENSION}.schema.json").read_text("utf-8"))
    for record in records(json.loads((FOLDER / "examples" / name).read_text("utf-8"))):
        jsonschema.validate(record, schema)


@pytest.mark.parametrize("name", ["zero_width", "unknown_field", "null_field", "missing_id", "id_with_spaces"])
def test_the_schema_refuses_what_is_wrong_in_the_record_itself(name: str) -> None:
    schema = json.loads((FOLDER / "schema" / f"node.{EXTENSION}.schema.json").read_text("utf-8"))
    (record,) = records(json.loads((FOLDER / "examples" / "bad" / f"{name}.gltf").read_text("utf-8")))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record, schema)


def test_the_summary_names_every_property_and_no_other() -> None:
    summary = README.split("### Property Summary")[1].split("### Frame")[0]
    assert re.findall(r"^\| \*\*(\w+)\*\*", summary, re.MULTILINE) == list(SlotTerms.model_fields)
