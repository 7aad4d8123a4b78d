from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.server.serving import Serving, serving


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Serving]:
    async with serving(tmp_path) as served:
        yield served


async def step(served: Serving, who: str, line_item: str, status: str) -> str:
    answer = await served.ask(who, "PATCH", f"/v1/line-items/{line_item}", json={"status": status})
    body = answer.json()
    return str(body["status"] if answer.status_code == 200 else body["error"]["code"])


async def test_an_operator_refuses_and_only_an_operator_takes_it_back(served: Serving) -> None:
    line_item = await served.line_item()
    assert await step(served, "aurora", line_item, "refused") == "auth.role_forbidden"
    assert await step(served, "operator", line_item, "refused") == "refused"
    assert await step(served, "aurora", line_item, "draft") == "auth.role_forbidden"
    assert await step(served, "operator", line_item, "active") == "wire.invalid"
    assert await step(served, "operator", line_item, "draft") == "draft"
    assert await step(served, "aurora", line_item, "active") == "active"
