import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from openslot_server.http import bodies
from tests.server.glbs import board, glb, hostile
from tests.server.serving import MODEL, Serving, line_item_draft, serving

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path) as served:
        yield served


def refused(answer: Any) -> tuple[int, str, str]:
    error = answer.json()["error"]
    assert error["message"]
    return answer.status_code, error["code"], error["where"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{} {}",
        b'{"name": "a", "name": "b"}',
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b'{"name": "\\ud800"}',
        b'{"\\ud800": "a"}',
        b'{"name": "\xff"}',
        b"\xff\xfe{\x00}\x00",
        b'{"name": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b"[" * 20 + b"]" * 20,
        b'{"name":' * 400 + b"1" + b"}" * 400,
    ],
)
async def test_what_is_not_strict_json_is_malformed(served: Serving, body: bytes) -> None:
    answer = await served.ask("aurora", "POST", "/v1/campaigns", content=body, headers=JSON)
    assert refused(answer)[:2] == (400, "wire.malformed")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ([], ""),
        ("name", ""),
        (None, ""),
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": 5}, "name"),
        ({"name": None}, "name"),
        ({"name": "Spring", "budget": 1}, "budget"),
        ({"name": "Spring", "advertiser": "no space"}, "advertiser"),
    ],
)
async def test_a_body_that_does_not_fit_names_its_field(served: Serving, body: Any, where: str) -> None:
    answer = await served.ask("aurora", "POST", "/v1/campaigns", content=json.dumps(body), headers=JSON)
    assert refused(answer) == (422, "wire.invalid", where)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"cpm": {"micros": 0}}, ""),
        ({"cpm": {"micros": 1_500}}, ""),
        ({"cpm": {"micros": 2_000_000.0}}, "cpm/micros"),
        ({"cpm": {"micros": 2**63}}, "cpm/micros"),
        ({"cpm": {"micros": 10**4000}}, "cpm/micros"),
        ({"budget": {"micros": -1}}, "budget/micros"),
        ({"budget": {"micros": 1}}, ""),
        ({"budget": {"micros": 10_000_000, "currency": "EUR"}}, ""),
        ({"creatives": []}, "creatives"),
        ({"creatives": ["0"]}, "creatives/0"),
        ({"from_ms": 2, "to_ms": 1}, ""),
        ({"aspect_ratio_max": 1e999}, "aspect_ratio_max"),
        ({"targeting": {"planet": "mars"}}, "targeting/planet"),
    ],
)
async def test_a_line_item_that_cannot_run_is_refused(served: Serving, change: dict[str, Any], where: str) -> None:
    await served.upload("aurora", board())
    draft = line_item_draft(await served.campaign(), board()) | change
    body = json.dumps(draft).replace("Infinity", "1e999")
    answer = await served.ask("aurora", "POST", "/v1/line-items", content=body, headers=JSON)
    assert refused(answer) == (422, "wire.invalid", where)
    assert (await served.ask("aurora", "GET", "/v1/line-items")).json() == {"items": []}


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"campaign": "none"}, 404, "campaign.unknown"),
        ({"creatives": ["0" * 64]}, 422, "line_item.invalid"),
        ({"from_ms": 1, "to_ms": 2}, 422, "line_item.invalid"),
    ],
)
async def test_a_line_item_about_nothing_is_refused(
    served: Serving, change: dict[str, Any], status: int, code: str
) -> None:
    await served.upload("aurora", board())
    draft = line_item_draft(await served.campaign(), board()) | change
    assert refused(await served.ask("aurora", "POST", "/v1/line-items", json=draft))[:2] == (status, code)


@pytest.mark.parametrize("path", ["/v1/campaigns/none", "/v1/line-items/none", "/v1/line-items/%00%ff"])
async def test_the_status_of_nothing_is_not_found(served: Serving, path: str) -> None:
    status, code, _ = refused(await served.ask("aurora", "PATCH", path, json={"status": "paused"}))
    assert (status, code.rpartition(".")[2]) == (404, "unknown")


async def test_a_status_step_that_is_not_in_the_table_is_refused(served: Serving) -> None:
    path = f"/v1/campaigns/{await served.campaign()}"
    assert (await served.ask("aurora", "PATCH", path, json={"status": "completed"})).status_code == 200
    answer = await served.ask("aurora", "PATCH", path, json={"status": "active"})
    assert refused(answer) == (422, "wire.invalid", "status")


@pytest.mark.parametrize(
    ("query", "status", "where"),
    [
        ("limit=0", 422, "?limit"),
        ("limit=1001", 422, "?limit"),
        ("limit=ten", 422, "?limit"),
        ("limit=1&limit=2", 400, ""),
        ("limit=1.5", 422, "?limit"),
        ("offset=3", 422, "?offset"),
        ("after=%ff", 400, ""),
        ("&".join(f"a{n}=1" for n in range(40)), 400, ""),
    ],
)
async def test_a_query_is_as_strict_as_a_body(served: Serving, query: str, status: int, where: str) -> None:
    answer = await served.ask("aurora", "GET", f"/v1/campaigns?{query}")
    assert (refused(answer)[0], refused(answer)[2]) == (status, where)


@pytest.mark.parametrize("media", ["", "text/plain", "application/octet-stream", "application/json; charset=utf-8 "])
async def test_a_model_is_sent_as_a_model(served: Serving, media: str) -> None:
    request = {"params": {"label": "Ad"}, "content": board(), "headers": {"Content-Type": media}}
    answer = await served.ask("aurora", "POST", "/v1/creatives", **request)
    assert refused(answer) == (415, "http.media_unknown", "Content-Type")


async def test_json_is_sent_as_json(served: Serving) -> None:
    answer = await served.ask("aurora", "POST", "/v1/campaigns", content=b'{"name": "a"}', headers=MODEL)
    assert refused(answer) == (415, "http.media_unknown", "Content-Type")


async def test_a_long_json_body_is_refused_before_it_is_read(served: Serving) -> None:
    body = b'{"name": "' + b"x" * bodies.MAX_JSON_BYTES + b'"}'
    answer = await served.ask("aurora", "POST", "/v1/campaigns", content=body, headers=JSON)
    assert refused(answer) == (413, "wire.frame_too_large", "Content-Length")


async def test_a_creative_beyond_its_tier_is_refused_while_it_comes(served: Serving) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65_536
            yield bytes(65_536)

    request = {"params": {"label": "Ad"}, "content": endless(), "headers": MODEL}
    answer = await served.ask("aurora", "POST", "/v1/creatives", **request)
    assert refused(answer)[:2] == (413, "creative.too_large")
    assert sent < 1_000_000


async def test_a_body_that_does_not_come_is_given_up(served: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_DEADLINE_S", 0.01)

    async def silent() -> AsyncIterator[bytes]:
        yield b"glTF"
        await asyncio.sleep(60)

    request = {"params": {"label": "Ad"}, "content": silent(), "headers": MODEL}
    answer = await served.ask("aurora", "POST", "/v1/creatives", **request)
    assert refused(answer)[:2] == (408, "http.body_timeout")


async def test_an_account_uploads_a_few_at_once_and_the_others_still_may(served: Serving) -> None:
    come = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        await come.wait()
        yield board()

    request = {"params": {"label": "Ad"}, "headers": MODEL}
    waiting = [
        asyncio.create_task(served.ask("aurora", "POST", "/v1/creatives", content=slow(), **request)) for _ in range(5)
    ]
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert [refused(task.result())[:2] for task in done] == [(429, "wire.rate_limited")]
    assert [task.result().headers["retry-after"] for task in done] == ["1"]
    assert (await served.upload("borealis", board(name="other"))).status_code == 201
    come.set()
    statuses = [answer.status_code for answer in await asyncio.gather(*waiting)]
    assert sorted(statuses) == [201, 201, 201, 201, 429]
    assert (await served.upload("aurora", board())).status_code == 201


@pytest.mark.parametrize("name", hostile())
async def test_a_hostile_creative_is_refused_with_all_findings_and_not_kept(served: Serving, name: str) -> None:
    answer = await served.upload("aurora", hostile()[name])
    status, code, _ = refused(answer)
    assert (status, code) in {(422, "creative.refused"), (413, "creative.too_large")}
    if status == 422:
        assert "error" in {finding["severity"] for finding in answer.json()["error"]["findings"]}
    kept = {path.name for path in served.server.settings.library.iterdir()}
    assert kept == {"incoming", "uploads"}


async def test_a_refusal_says_where_in_the_file(served: Serving) -> None:
    broken = glb({"asset": {"version": "2.0"}, "scene": 7})
    assert refused(await served.upload("aurora", broken)) == (422, "creative.refused", "/scene")


@pytest.mark.parametrize("name", ["label", "landing_url", "tier", "categories"])
async def test_what_is_said_of_a_creative_is_checked_before_its_bytes(served: Serving, name: str) -> None:
    wrong = {"label": "", "landing_url": "javascript:alert(1)", "tier": "XL", "categories": "IAB1,,"}
    answer = await served.upload("aurora", b"no model at all", **{name: wrong[name]})
    assert refused(answer)[:2] == (422, "wire.invalid")
    assert refused(answer)[2].startswith(f"?{name}")


async def test_a_creative_is_kept_with_what_is_said_of_it(served: Serving) -> None:
    said = {"landing_url": "https://aurora.example/?a=1&b=ü", "categories": "IAB8,IAB8-5", "tier": "S"}
    answer = (await served.upload("aurora", board(3, 2), **said)).json()
    creative = answer["creative"]
    assert (creative["label"], creative["landing_url"]) == ("Ad · Aurora", said["landing_url"])
    assert (creative["categories"], creative["size"], creative["tier"]) == (["IAB8", "IAB8-5"], [3.0, 2.0, 0.0], "S")
    assert creative["sha256"] == hashlib.sha256(board(3, 2)).hexdigest()
    assert answer["url"] == f"/assets/{creative['sha256']}"
    assert (answer["triangles"], answer["draws"], answer["findings"]) == (2, 1, [])


async def test_the_same_bytes_again_are_the_same_creative(served: Serving) -> None:
    first, second = await served.upload("aurora", board()), await served.upload("aurora", board())
    assert first.json() == second.json()
    assert len((await served.ask("aurora", "GET", "/v1/creatives")).json()["items"]) == 1


async def test_the_same_bytes_of_another_advertiser_are_refused(served: Serving) -> None:
    await served.upload("aurora", board())
    assert refused(await served.upload("borealis", board()))[:2] == (422, "creative.refused")


async def test_an_operator_says_for_whom(served: Serving) -> None:
    assert refused(await served.upload("operator", board())) == (422, "wire.invalid", "?advertiser")
    assert (await served.upload("operator", board(), advertiser="aurora")).status_code == 201


async def test_the_whole_server_judges_in_its_sandbox(tmp_path: Path) -> None:
    async with serving(tmp_path, sandboxed=True) as served:
        assert (await served.upload("aurora", board())).status_code == 201
        assert refused(await served.upload("aurora", board()[:-4]))[:2] == (422, "creative.refused")
        assert (await served.upload("aurora", board(name="other"))).status_code == 201


@pytest.mark.parametrize("path", ["/v2/creatives", "/v1/creatives/", "/v1", "/", "/v1/creatives/a/b"])
async def test_a_path_that_is_not_there_is_said_so(served: Serving, path: str) -> None:
    assert refused(await served.ask("aurora", "GET", path)) == (404, "http.path_unknown", f"GET {path}")


async def test_a_method_that_is_not_there_is_said_with_those_there_are(served: Serving) -> None:
    answer = await served.ask("aurora", "PUT", "/v1/creatives")
    assert refused(answer)[:2] == (405, "http.method_unknown")
    assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))


async def test_a_failure_inside_is_said_without_its_inside(served: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("a secret path")

    monkeypatch.setattr(served.server.orders, "campaigns", broken)
    answer = await served.ask("aurora", "GET", "/v1/campaigns")
    assert refused(answer) == (500, "wire.internal", "")
    assert "secret" not in answer.text
