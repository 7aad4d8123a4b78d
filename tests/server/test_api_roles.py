from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from openslot_server.http.api import OPERATIONS, description
from openslot_server.http.routes import Operation
from openslot_server.keys import digest
from tests.server.glbs import board
from tests.server.serving import ACCOUNTS, MODEL, Serving, line_item_draft, serving

DOCUMENT = description()
ALONE: dict[str, dict[str, Any]] = {
    "create_campaign": {"json": {"name": "Spring", "advertiser": "aurora"}},
    "open_world": {"json": {"id": "new"}},
    "open_advertiser": {"json": {"id": "new"}},
    "create_key": {"json": {"role": "world", "account": "new"}},
    "add_peer": {"json": {"url": "https://two.example"}},
    "set_share": {"json": {"worlds": ["plaza"]}},
    "list_slots": {"params": {"world": "plaza"}},
    "set_actions": {
        "json": {"actions": [{"id": "shop", "kind": "open_url", "title": "Shop", "url": "https://a.example"}]}
    },
    "decide_review": {"json": {"state": "refused", "reasons": ["review.quality"]}},
    "set_policy": {"json": {"words_blocked": ["casino"]}},
}
"""Requests that need nothing to be there."""
TUS = {"Tus-Resumable": "1.0.0"}
PART = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
WHO = {"world": "plaza", "advertiser": "aurora", "reviewer": "judge", "operator": "operator"}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path) as served:
        yield served


async def example(served: Serving, name: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Return path values and a request about aurora's and plaza's things, once what it needs is there."""
    data = board()
    path: dict[str, str] = {}
    request = ALONE.get(name, {})
    match name:
        case "upload_creative":
            request = {"params": {"label": "Ad", "advertiser": "aurora"}, "content": data, "headers": dict(MODEL)}
        case "show_creative" | "revoke_creative" | "show_standings" | "decide_review" | "set_actions":
            path["sha256"] = (await served.upload("aurora", data)).json()["creative"]["sha256"]
        case "create_line_item":
            await served.upload("aurora", data)
            request = {"json": line_item_draft(await served.campaign(), data)}
        case "set_campaign_status":
            path["id"], request = await served.campaign(), {"json": {"status": "paused"}}
        case "set_line_item_status":
            path["id"], request = await served.line_item(), {"json": {"status": "paused"}}
        case "revoke_key":
            path["name"] = digest(served.keys["mall"])[:16]
        case "show_delivery":
            path["id"] = await served.line_item()
        case "set_peer_state" | "revoke_server_key":
            return await of_peers(served, name)
        case "begin_upload" | "show_upload" | "append_to_upload" | "end_upload" | "finish_upload":
            return await in_parts(served, name, data)
    return path, request


async def of_peers(served: Serving, name: str) -> tuple[dict[str, str], dict[str, Any]]:
    if name == "set_peer_state":
        made = await served.ask("operator", "POST", "/v1/peers", **ALONE["add_peer"])
        return {"origin": made.json()["origin"]}, {"json": {"state": "approved"}}
    (key,) = served.server.peers.described(served.server.rooms.federation.identity.origin).keys
    await served.ask("operator", "POST", "/v1/server-keys")
    return {"public": key.public}, {}


async def in_parts(served: Serving, name: str, data: bytes) -> tuple[dict[str, str], dict[str, Any]]:
    if name == "begin_upload":
        return {}, {"params": {"advertiser": "aurora"}, "headers": TUS | {"Upload-Length": str(len(data))}}
    upload = await begun(served, len(data))
    request: dict[str, Any] = (
        {"headers": TUS | PART, "content": data} if name == "append_to_upload" else {"headers": TUS}
    )
    if name == "finish_upload":
        await served.ask("aurora", "PATCH", f"/v1/uploads/{upload}", headers=TUS | PART, content=data)
        request = {"params": {"label": "Ad"}}
    return {"upload": upload}, request


async def begun(served: Serving, length: int) -> str:
    made = await served.ask("aurora", "POST", "/v1/uploads", headers=TUS | {"Upload-Length": str(length)})
    return str(made.json()["id"])


async def ask(served: Serving, who: str, operation: Operation) -> Any:
    path, request = await example(served, operation.handler.__name__)
    return await served.ask(who, operation.method, operation.path.format(**path), **request)


def name_of(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def assert_answers(schema: dict[str, Any], body: Any) -> None:
    jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(body)


def assert_refused(answer: Any, status: int, code: str) -> None:
    assert_answers({"$ref": "#/components/schemas/ErrorAnswer"}, answer.json())
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text


@pytest.mark.parametrize("operation", OPERATIONS, ids=name_of)
@pytest.mark.parametrize("role", WHO)
async def test_each_role_may_what_the_table_says(served: Serving, operation: Operation, role: str) -> None:
    answer = await ask(served, WHO[role], operation)
    if role == "operator" or role in operation.roles:
        assert answer.status_code == operation.status, answer.text
        described = DOCUMENT["paths"][operation.path][operation.method.lower()]
        if operation.status == 204:
            assert answer.content == b""
            return
        schema = described["responses"][str(operation.status)]["content"]["application/json"]["schema"]
        assert_answers(schema, answer.json())
    else:
        assert_refused(answer, 403, "auth.role_forbidden")


@pytest.mark.parametrize("operation", OPERATIONS, ids=name_of)
@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Bearer ok_operator_nobody", "Basic b3BlcmF0b3I6"])
async def test_nobody_may_anything(served: Serving, operation: Operation, authorization: str) -> None:
    path = operation.path.format(sha256="0" * 64, id="x", name="x", upload="x", origin="x", public="x")
    answer = await served.ask("", operation.method, path, headers={"Authorization": authorization})
    assert_refused(answer, 401, "auth.key_unknown")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if "advertiser" in one.roles], ids=name_of)
async def test_another_advertisers_things_are_out_of_reach(served: Serving, operation: Operation) -> None:
    answer = await ask(served, "borealis", operation)
    if operation.method == "GET" and "{" not in operation.path:
        assert answer.status_code == 200
        assert "aurora" not in answer.text
    else:
        assert_refused(answer, 403, "auth.role_forbidden")


async def test_another_worlds_slots_are_out_of_reach(served: Serving) -> None:
    answer = await served.ask("mall", "GET", "/v1/slots", params={"world": "plaza"})
    assert_refused(answer, 403, "auth.role_forbidden")
    assert (await served.ask("mall", "GET", "/v1/slots")).json() == {"items": []}


@pytest.mark.parametrize(
    ("who", "by"), [("plaza", "line_item"), ("plaza", "advertiser"), ("plaza", "profile"), ("aurora", "world")]
)
async def test_a_report_by_what_is_not_ones_own_is_refused(served: Serving, who: str, by: str) -> None:
    assert_refused(await served.ask(who, "GET", "/v1/reports", params={"by": by}), 403, "auth.role_forbidden")


@pytest.mark.parametrize("who", [*(name for name, role in ACCOUNTS.items() if role != "reviewer"), "operator"])
async def test_a_report_comes_as_csv_too(served: Serving, who: str) -> None:
    await served.line_item("aurora")
    answer = await served.ask(who, "GET", "/v1/reports", params={"format": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "viewable" in answer.text.splitlines()[0].split(",")


async def test_a_new_key_works_at_once_and_is_listed_without_its_secret(served: Serving) -> None:
    made = (await served.ask("operator", "POST", "/v1/worlds", json={"id": "harbour"})).json()
    served.keys["harbour"] = made["key"]
    assert (await served.ask("harbour", "GET", "/v1/slots")).status_code == 200
    listed = await served.ask("operator", "GET", "/v1/keys")
    assert "harbour" in {key["account"] for key in listed.json()["items"]}
    assert made["key"] not in listed.text
    assert {"id": "harbour"} in (await served.ask("operator", "GET", "/v1/worlds")).json()["items"]


async def test_a_list_is_read_page_by_page(served: Serving) -> None:
    made = {await served.campaign() for _ in range(7)}
    found: list[str] = []
    after = ""
    while True:
        page = (await served.ask("aurora", "GET", "/v1/campaigns", params={"limit": "3", "after": after})).json()
        found += [campaign["id"] for campaign in page["items"]]
        if "next" not in page:
            break
        after = page["next"]
    assert found == sorted(made)


async def test_a_revoked_key_opens_nothing_any_more_and_is_not_listed(served: Serving) -> None:
    name = digest(served.keys["aurora"])[:16]
    assert (await served.ask("aurora", "GET", "/v1/campaigns")).status_code == 200
    ended = (await served.ask("operator", "DELETE", f"/v1/keys/{name}")).json()
    assert (ended["name"], ended["account"]) == (name, "aurora")
    after = await served.ask("aurora", "GET", "/v1/campaigns")
    assert (after.status_code, after.json()["error"]["code"]) == (401, "auth.key_unknown")
    listed = (await served.ask("operator", "GET", "/v1/keys")).json()["items"]
    assert name not in [key["name"] for key in listed]
    again = await served.ask("operator", "DELETE", f"/v1/keys/{name}")
    assert (again.status_code, again.json()["error"]["code"]) == (404, "auth.name_unknown")


async def test_the_last_operators_key_stays(served: Serving) -> None:
    path = f"/v1/keys/{digest(served.keys['operator'])[:16]}"
    refused = await served.ask("operator", "DELETE", path)
    assert (refused.status_code, refused.json()["error"]["where"]) == (422, "name")
    await served.ask("operator", "POST", "/v1/keys", json={"role": "operator", "account": "second"})
    assert (await served.ask("operator", "DELETE", path)).status_code == 200
