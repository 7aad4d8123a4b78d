from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openslot_server.http.pacing import AddressPace, neighbourhood
from openslot_server.pace import Buckets
from tests.server.serving import serving


async def test_a_key_that_asks_too_often_is_told_when_to_come_back_and_others_go_on(tmp_path: Path) -> None:
    async with serving(tmp_path, requests_per_second=3) as served:
        answers = [await served.ask("aurora", "GET", "/v1/campaigns") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].headers["retry-after"] == "1"
        assert answers[-1].json()["error"]["code"] == "wire.rate_limited"
        assert (await served.ask("borealis", "GET", "/v1/campaigns")).status_code == 200


async def ask(paced: AddressPace, kind: str, path: str, address: str) -> int:
    """Return the status of an answer; 200 where the application was reached."""
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing of it is read")

    scope = {"type": kind, "path": path, "client": (address, 1), "extensions": {"websocket.http.response": {}}}
    await paced(scope, receive, send)
    return next((message["status"] for message in said if "status" in message), 200)


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_an_address_that_asks_too_often_gets_nothing_but_probes(kind: str) -> None:
    now_ms = [0]

    async def reached(*_: object) -> None:
        pass

    paced = AddressPace(reached, 2, lambda: now_ms[0])
    assert [await ask(paced, kind, "/v1/socket", "192.0.2.1") for _ in range(3)] == [200, 200, 429]
    assert await ask(paced, "http", "/healthz", "192.0.2.1") == 200
    assert await ask(paced, kind, "/v1/socket", "192.0.2.2") == 200
    now_ms[0] = 500
    assert [await ask(paced, kind, "/v1/socket", "192.0.2.1") for _ in range(2)] == [200, 429]


async def test_a_server_paces_addresses(tmp_path: Path) -> None:
    async with serving(tmp_path, requests_per_second_of_address=1) as served:
        statuses = [(await served.ask("", "GET", "/assets/none")).status_code for _ in range(2)]
        assert statuses == [404, 429]


@given(names=st.lists(st.sampled_from("abcdef"), max_size=60))
def test_there_are_never_more_buckets_than_there_may_be_and_none_gives_too_much_while_it_is_known(
    names: list[str],
) -> None:
    buckets, everyone = Buckets(per_second=2, most=3), Buckets(per_second=2, most=100)
    for name in names:
        buckets.take(name, 0)
        everyone.take(name, 0)
        assert len(buckets) <= 3
    through = [name for name in "abcdef" if not everyone.take(name, 0)]
    assert through == [name for name in "abcdef" if names.count(name) < 2]


def test_a_subscriber_is_one_address_or_one_64() -> None:
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff:2") != neighbourhood("2001:db8:0:1::1")
    assert neighbourhood("192.0.2.1") != neighbourhood("192.0.2.2")
    assert neighbourhood("::ffff:192.0.2.1") != neighbourhood("::ffff:192.0.2.2")
    assert neighbourhood("") == neighbourhood("")
