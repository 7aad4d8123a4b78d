from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from openslot_server.state import Server
from openslot_server.storage.sqlite import SqliteStore
from tests.server.glbs import board
from tests.server.serving import NOW_MS, Serving, counting_entropy, line_item_draft, serving

ONCE = {"Idempotency-Key": "order-7"}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path) as served:
        yield served


async def post(served: Serving, path: str, body: Any, who: str = "aurora", **headers: str) -> tuple[int, Any]:
    answer = await served.ask(who, "POST", path, json=body, headers=ONCE | headers)
    return answer.status_code, answer.json()


async def test_the_same_campaign_again_is_the_same(served: Serving) -> None:
    first, again = [await post(served, "/v1/campaigns", {"name": "Spring"}) for _ in range(2)]
    assert first == again
    assert first[0] == 201
    await served.ask("aurora", "PATCH", f"/v1/campaigns/{first[1]['id']}", json={"status": "paused"})
    assert (await post(served, "/v1/campaigns", {"name": "Spring"}))[1]["status"] == "paused"
    assert len((await served.ask("aurora", "GET", "/v1/campaigns")).json()["items"]) == 1


async def test_a_line_item_is_funded_once_over_a_restart_too(served: Serving) -> None:
    await served.upload("aurora", board())
    draft = line_item_draft(await served.campaign(), board())
    first, again = [await post(served, "/v1/line-items", draft) for _ in range(2)]
    assert first == again
    assert first[0] == 201
    store = SqliteStore(served.server.settings.database)
    restarted = Server(served.server.settings, store, lambda: NOW_MS, counting_entropy())
    assert list(restarted.rooms.orders.line_items) == [first[1]["id"]]
    assert restarted.rooms.budgets.left(first[1]["id"]) == draft["budget"]["micros"]
    store.close()


async def test_a_key_that_was_used_for_something_else_is_refused_and_each_account_has_its_own(served: Serving) -> None:
    mine = await post(served, "/v1/campaigns", {"name": "Spring"})
    status, refused = await post(served, "/v1/campaigns", {"name": "Autumn"})
    assert (status, refused["error"]["code"]) == (422, "http.once_reused")
    theirs = await post(served, "/v1/campaigns", {"name": "Autumn"}, "borealis")
    assert (theirs[0], theirs[1]["id"] != mine[1]["id"]) == (201, True)


async def test_without_a_key_each_request_makes_one_more(served: Serving) -> None:
    assert await served.campaign() != await served.campaign()


@pytest.mark.parametrize("once", ["", "a b", "x" * 256, "é".encode()])
async def test_a_key_that_is_none_is_refused(served: Serving, once: str | bytes) -> None:
    answer = await served.ask("aurora", "POST", "/v1/campaigns", json={"name": "x"}, headers={"Idempotency-Key": once})
    assert (answer.status_code, answer.json()["error"]["where"]) == (422, "Idempotency-Key")


async def test_where_it_cannot_hold_it_is_not_taken(served: Serving) -> None:
    status, refused = await post(served, "/v1/worlds", {"id": "new"}, "operator")
    assert (status, refused["error"]["where"]) == (422, "Idempotency-Key")
    twice = [await served.ask("aurora", "GET", "/v1/campaigns", headers=ONCE) for _ in range(2)]
    assert [answer.status_code for answer in twice] == [200, 200]
