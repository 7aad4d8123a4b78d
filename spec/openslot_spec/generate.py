"""Writes the generated parts of `spec/`: JSON Schemas and tables. `make schema` runs it; a test compares."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from openslot_spec.creatives import CreativeRef
from openslot_spec.errors import SENTENCES, Code
from openslot_spec.exposures import COLUMNS, EVIDENCE, RANGES, EventKind, WhyNot
from openslot_spec.feeds import Head, SlotRecord
from openslot_spec.messages import MESSAGES, Envelope, Message
from openslot_spec.paths import Paths
from openslot_spec.peering import PEERING
from openslot_spec.profiles import Profile, profile_numbers
from openslot_spec.records import Record
from openslot_spec.servers import Server
from openslot_spec.slots import EXTENSION, Slot, SlotTerms

__all__ = ["generated"]

BIN_SCHEMA = {
    "type": "object",
    "properties": {"$bin": {"type": "string", "contentEncoding": "base64"}},
    "required": ["$bin"],
    "additionalProperties": False,
}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def generated() -> dict[str, str]:
    """Return every generated file of `spec/`: path to text."""
    return {
        "schema/slot.json": _schema(Slot, "An ad slot as it stands in a world"),
        "schema/creative.json": _schema(CreativeRef, "What a world needs to fetch, check and show a creative"),
        "schema/profile.json": _schema(Profile, "A definition of a viewable impression"),
        "schema/paths.json": _schema(Paths, "The ways of visitors through a world"),
        "schema/messages.json": _messages(),
        "schema/server.json": _schema(Server, "What a server says of itself, before it is signed"),
        "schema/slot_record.json": _schema(SlotRecord, "What stands at one slot, in a feed"),
        "schema/head.json": _schema(Head, "Where a feed ends"),
        "schema/peering.json": _enveloped("An OpenSlot message between servers in JSON", PEERING),
        f"{EXTENSION}/schema/node.{EXTENSION}.schema.json": _schema(SlotTerms, f"{EXTENSION} glTF node extension"),
        "errors.md": _errors(),
        "columns.md": _columns(),
    }


def _schema(record: type[Record], title: str) -> str:
    schema = record.model_json_schema()
    _tidy(schema)
    return _json({"$schema": DIALECT, **schema, "title": title})


def _messages() -> str:
    return _enveloped("An OpenSlot message in JSON", MESSAGES)


def _enveloped(title: str, messages: Mapping[str, type[Message]]) -> str:
    """Return one schema for all envelopes: `body` follows from `type`."""
    models = [(Envelope, "validation"), *((message, "validation") for message in messages.values())]
    _, schema = models_json_schema(models, ref_template="#/$defs/{model}")  # type: ignore[arg-type]  # literal modes
    _tidy(schema)
    kinds = [
        {
            "if": {"properties": {"type": {"const": name}}},
            "then": {"properties": {"body": {"$ref": f"#/$defs/{message.__name__}"}}},
        }
        for name, message in messages.items()
    ]
    envelope = schema["$defs"].pop("Envelope")
    envelope["properties"]["type"] = {"enum": list(messages)}
    return _json({"$schema": DIALECT, **envelope, "title": title, "allOf": kinds, **schema})


def _tidy(schema: Any) -> None:
    """Bring pydantic's schema to the wire's rules, in place: no null, bytes as `$bin`, no titles made of names."""
    match schema:
        case {"type": "string", "format": "binary"}:
            schema.clear()
            schema.update(BIN_SCHEMA)
        case {"anyOf": [kept, {"type": "null"}]}:
            del schema["anyOf"], schema["default"]
            schema.update(kept)
            _tidy(schema)
        case dict():
            if isinstance(schema.get("title"), str):
                del schema["title"]
            for value in schema.values():
                _tidy(value)
        case list():
            for value in schema:
                _tidy(value)


def _errors() -> str:
    rows = "\n".join(f"| `{code}` | {SENTENCES[code]} |" for code in Code)
    return (
        "# Errors\nGenerated from `openslot_spec/errors.py`. The codes are the same on the wire, over HTTP and in the "
        "command line's output.\n\n| code | what it means, and what to do |\n|---|---|\n" + rows + "\n"
    )


def _columns() -> str:
    lines = [
        "# Columns of an exposure batch",
        "Generated from `openslot_spec/exposures.py`. All are little-endian.",
        "",
    ]
    lines += ["| column | type | range |", "|---|---|---|"]
    for name, dtype in COLUMNS.items():
        low, high = RANGES.get(name, ("", ""))
        span = "an index into `tickets`" if name == "ticket" else f"{low} … {high}" if name in RANGES else "any"
        lines.append(f"| `{name}` | `{dtype}` | {span} |")
    lines.append(f"| `{EVIDENCE}` | `<u2` and 32 bytes | may be left out: [audit.md](audit.md#evidence) |")
    for title, kinds in (("kind", EventKind), ("why", WhyNot)):
        lines += ["", f"| `{title}` | name |", "|---|---|", *(f"| {kind.value} | {kind.name} |" for kind in kinds)]
    lines += ["", "| `profile` | name |", "|---|---|", "| 0 | the profile of the event's ticket |"]
    lines += [f"| {number} | {profile.name} |" for number, profile in profile_numbers().items()]
    return "\n".join(lines) + "\n"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the files below the folder named on the command line."""
    root = Path(sys.argv[1])
    for name, text in generated().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
