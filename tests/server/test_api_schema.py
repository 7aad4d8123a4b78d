import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from openslot_server.http.api import OPERATIONS, description
from openslot_server.http.records import BYTES, Empty
from openslot_server.http.routes import Operation
from tests.server.json_schemas import fitting, nearly
from tests.server.serving import application

SCHEMAS = description()["components"]["schemas"]
WITH_BODY = [operation for operation in OPERATIONS if operation.body not in (Empty, *BYTES)]
HURRIED = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("schema")
    app, keys = asyncio.run(application(folder))
    headers = {"Authorization": f"Bearer {keys['operator']}"}
    with TestClient(app, raise_server_exceptions=False, headers=headers) as client:
        yield client
    app.state.server.store.close()


def name_of(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def valid(schema: dict[str, Any], value: Any) -> bool:
    whole = {**schema, "components": {"schemas": SCHEMAS}}
    return bool(jsonschema.Draft202012Validator(whole).is_valid(value))


def check_answer(operation: Operation, answer: Any) -> None:
    described = description()["paths"][operation.path][operation.method.lower()]["responses"]
    good = answer.status_code == operation.status
    expected = described[str(operation.status) if good else "default"]["content"]["application/json"]["schema"]
    assert valid(expected, answer.json()), answer.text
    assert good or 400 <= answer.status_code < 500, answer.text


@pytest.mark.parametrize("operation", WITH_BODY, ids=name_of)
@HURRIED
@given(data=st.data())
def test_any_body_is_answered_as_the_schema_says(client: TestClient, operation: Operation, data: st.DataObject) -> None:
    schema = SCHEMAS[operation.body.__name__]
    body = json.dumps(data.draw(nearly(schema, SCHEMAS)))
    path = re.sub(r"\{\w+\}", "x", operation.path)
    answer = client.request(operation.method, path, content=body, headers={"Content-Type": "application/json"})
    check_answer(operation, answer)


@pytest.mark.parametrize("operation", [one for one in WITH_BODY if one.method == "POST"], ids=name_of)
@HURRIED
@given(data=st.data())
def test_what_the_server_takes_fits_the_schema(client: TestClient, operation: Operation, data: st.DataObject) -> None:
    schema = SCHEMAS[operation.body.__name__]
    body = data.draw(nearly(schema, SCHEMAS))
    if _is_json(body) and client.post(operation.path, json=body).status_code == operation.status:
        assert valid({"$ref": f"#/components/schemas/{operation.body.__name__}"}, body)


@pytest.mark.parametrize("operation", OPERATIONS, ids=name_of)
@HURRIED
@given(data=st.data())
def test_any_query_and_path_is_answered(client: TestClient, operation: Operation, data: st.DataObject) -> None:
    query = data.draw(st.dictionaries(st.sampled_from(["limit", "after", "by", "format", "tier", "x"]), st.text()))
    name = data.draw(st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1))
    path = re.sub(r"\{\w+\}", lambda _: _quoted(name), operation.path)
    answer = client.request(operation.method, path, params=query)
    assert answer.status_code < 500, answer.text


@given(data=st.data())
@settings(max_examples=100)
def test_the_generator_keeps_to_the_schema(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["CampaignDraft", "StatusChange", "KeyDraft", "Account"]))
    assert valid(SCHEMAS[name], data.draw(fitting(SCHEMAS[name], SCHEMAS)))


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False).encode()
    except ValueError:
        return False
    return value is not None


def _quoted(name: str) -> str:
    return "".join(f"%{byte:02x}" for byte in name.encode())
