"""The examples in the prose are tests: ```json slot, ```json slot_terms, ```json world, ```json server, [CODE]."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.generate import generated
from openslot_spec.messages import MESSAGES, SERVER, WORLD
from openslot_spec.slots import Slot, SlotTerms

SPEC = Path(__file__).resolve().parents[2] / "spec"
FENCE = re.compile(r"^```json (\w+)(?: ([\w.]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SCHEMAS = {
    "slot": "schema/slot.json",
    "slot_terms": "OPENSLOT_ad_slot/schema/node.OPENSLOT_ad_slot.schema.json",
    "world": "schema/messages.json",
    "server": "schema/messages.json",
}


def examples() -> Iterator[Any]:
    for path in sorted(SPEC.glob("*.md")):
        for number, (kind, code, text) in enumerate(FENCE.findall(path.read_text("utf-8"))):
            yield pytest.param(kind, code, json.loads(text), id=f"{path.stem}-{number}-{kind}")


def read(kind: str, value: Any) -> None:
    match kind:
        case "slot":
            Slot.parse(value, Code.SLOT_INVALID)
        case "slot_terms":
            SlotTerms.parse(value, Code.SLOT_INVALID)
        case _:
            message = MESSAGES[value["type"]]
            assert message in (WORLD if kind == "world" else SERVER)
            message.parse(unbin(value["body"]))


def unbin(value: Any) -> Any:
    match value:
        case {"$bin": text}:
            return base64.b64decode(text)
        case dict():
            return {name: unbin(item) for name, item in value.items()}
        case list():
            return [unbin(item) for item in value]
        case _:
            return value


@pytest.mark.parametrize(("kind", "code", "value"), list(examples()))
def test_an_example_is_what_the_prose_says(kind: str, code: str, value: Any) -> None:
    if code:
        with pytest.raises(OpenSlotError) as refused:
            read(kind, value)
        assert refused.value.code == code
    else:
        read(kind, value)


@pytest.mark.parametrize(("kind", "code", "value"), [case for case in examples() if not case.values[1]])
def test_a_good_example_is_valid_by_its_schema(kind: str, code: str, value: Any) -> None:
    assert not code
    schema = json.loads((SPEC / SCHEMAS[kind]).read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(value, schema)


@pytest.mark.parametrize("name", sorted(generated()))
def test_the_generated_files_are_what_the_code_says(name: str) -> None:
    assert (SPEC / name).read_text("utf-8") == generated()[name], "run `make schema`"


def test_every_code_of_the_prose_exists() -> None:
    prose = "".join(path.read_text("utf-8") for path in SPEC.glob("*.md"))
    named = set(re.findall(r"`((?:wire|auth|slot|ticket|event|batch|spool|camera|audit)\.[a-z_]+)`", prose))
    assert named - {"slot.md", "audit.ack", "audit.md", "audit.reveal"} <= set(Code)


def test_every_link_of_the_prose_leads_somewhere() -> None:
    for path in SPEC.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)", path.read_text("utf-8")):
            assert (SPEC / target).exists(), f"{path.name} → {target}"
