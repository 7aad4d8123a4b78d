import json
import re
from typing import Any

import jsonschema
import pytest

from openslot_server.http.api import OPERATIONS, description

DOCUMENT = description()


def references(value: Any) -> list[str]:
    match value:
        case {"$ref": str(reference)}:
            return [reference]
        case dict():
            return [found for item in value.values() for found in references(item)]
        case list():
            return [found for item in value for found in references(item)]
        case _:
            return []


def test_the_document_is_plain_json() -> None:
    assert json.loads(json.dumps(DOCUMENT)) == DOCUMENT


def test_every_reference_leads_to_a_schema() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    found = references(DOCUMENT)
    assert found
    assert {reference.rpartition("/")[2] for reference in found} <= schemas.keys()


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_a_schema_is_valid_and_knows_no_null(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert '"null"' not in json.dumps(schema)
    assert "null" not in re.findall(r'"default": (\w+)', json.dumps(schema))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: f"{operation.method} {operation.path}")
def test_an_operation_stands_in_the_document_as_it_is_routed(operation: Any) -> None:
    described = DOCUMENT["paths"][operation.path][operation.method.lower()]
    assert described["operationId"] == operation.handler.__name__
    assert described["summary"]
    assert set(described["responses"]) == {str(operation.status), "default"}
    assert set(described["x-openslot-roles"]) == {*operation.roles, "operator"}
    in_path = {parameter["name"] for parameter in described["parameters"] if parameter["in"] == "path"}
    assert in_path == set(re.findall(r"\{(\w+)\}", operation.path))
    in_query = {parameter["name"] for parameter in described["parameters"] if parameter["in"] == "query"}
    assert in_query == set(operation.query.model_fields)


def test_operation_ids_are_unique() -> None:
    names = [operation.handler.__name__ for operation in OPERATIONS]
    assert len(names) == len(set(names))
