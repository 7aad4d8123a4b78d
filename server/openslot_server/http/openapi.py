"""The table of operations as an OpenAPI 3.1 document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from openslot_server.http.bodies import ONCE
from openslot_server.http.errors import ErrorAnswer
from openslot_server.http.records import BYTES, Empty
from openslot_server.http.routes import Operation
from openslot_spec.records import Record

__all__ = ["document"]

VERSION = "1"
NO_CONTENT = 204
REF = "#/components/schemas/{model}"


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the document; every schema in it is made from the record that the server itself reads or writes."""
    schemas = _Schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "OpenSlot placement server",
            "version": VERSION,
            "description": "Every answer that is not a success is `ErrorAnswer`; its codes are stable.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas.definitions,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}],
    }


class _WithoutNull(GenerateJsonSchema):
    """An optional field may be left out; it is never null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default", ...) is None:
            del made["default"]
        return made


class _Schemas:
    """The records' schemas, each under one name."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        records: list[type[Record]] = [ErrorAnswer]
        for operation in operations:
            records += [operation.query, operation.body, operation.answer]
        models = [(record, "validation") for record in dict.fromkeys(records) if record not in BYTES]
        by_model, top = models_json_schema(
            models,  # type: ignore[arg-type]  # the mode is a literal
            ref_template=REF,
            schema_generator=_WithoutNull,
        )
        self._by_record = {model: schema for (model, _), schema in by_model.items()}
        self.definitions: dict[str, Any] = top["$defs"]

    def of(self, record: type[Record]) -> dict[str, Any]:
        return self._by_record[record]

    def fields(self, record: type[Record]) -> tuple[dict[str, Any], list[str]]:
        schema = self.definitions[self.of(record)["$ref"].rpartition("/")[2]]
        return schema.get("properties", {}), schema.get("required", [])


def _operation(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    said = (operation.handler.__doc__ or "").splitlines()
    made = {
        "operationId": operation.handler.__name__,
        "summary": said[0].rstrip("."),
        "description": " ".join(" ".join(said).split()),
        "parameters": [
            *_path_parameters(operation),
            *_query_parameters(operation, schemas),
            *_headers(operation),
        ],
        "responses": {
            str(operation.status): _success(operation, schemas),
            "default": {"description": "A refusal.", "content": _json(schemas.of(ErrorAnswer))},
        },
        "x-openslot-roles": sorted({*operation.roles, "operator"}),
    }
    if operation.body in BYTES:
        made["requestBody"] = {"required": True, "content": {media: {} for media in BYTES[operation.body]}}
    elif operation.body is not Empty:
        made["requestBody"] = {"required": True, "content": _json(schemas.of(operation.body))}
    return made


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)(?::\w+)?\}", operation.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(operation: Operation, schemas: _Schemas) -> list[dict[str, Any]]:
    properties, required = schemas.fields(operation.query)
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema, "explode": False}
        for name, schema in properties.items()
    ]


def _headers(operation: Operation) -> list[dict[str, Any]]:
    says = "The same request again, with the same key, makes nothing more and gets what was made."
    schema = {"type": "string", "minLength": 1, "maxLength": 255}
    return [{"name": ONCE, "in": "header", "description": says, "schema": schema}] * operation.is_once


def _success(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    if operation.status == NO_CONTENT:
        return {"description": "Done."}
    content = _json(schemas.of(operation.answer)) | {media: {} for media in operation.other_media}
    return {"description": operation.answer.__doc__, "content": content}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
