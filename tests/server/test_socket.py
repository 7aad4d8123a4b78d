from __future__ import annotations

import asyncio
import re
import secrets
import sqlite3
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from openslot_server.desks import keys
from openslot_server.http import protocols
from openslot_server.http.socket import CLOSE_CODES
from openslot_server.keys import digest, new_key
from openslot_server.run import now_ms
from openslot_server.storage.sqlite import SqliteStore
from openslot_server.storage.store import KeyEndRow
from openslot_server.ticket_keys import new_ticket_key
from openslot_spec.codec import JSON, MSGPACK, Codec
from openslot_spec.errors import OpenSlotError
from openslot_spec.exposures import COLUMNS, EventKind, ExposureColumns
from openslot_spec.limits import MAX_FRAME_BYTES, MAX_HELLO_BYTES, Limits
from openslot_spec.messages import (
    Bye,
    Error,
    ExposuresAck,
    ExposuresPut,
    Hello,
    Placements,
    PlacementsGet,
    PlacementsRevoked,
    SlotsAck,
    SlotsPut,
    SlotsRemove,
)
from openslot_spec.session import Broadcast
from tests.server.live import CREATIVE, OPERATOR, SLOT, Live, live, until

CODECS = pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path) as running:
        yield running


def viewable(ticket: bytes, at_ms: int, viewers: int = 1, batch: bytes = b"b" * 16) -> ExposuresPut:
    figures: dict[str, Any] = {
        "kind": EventKind.VIEWABLE,
        "profile": 0,
        "ticket": 0,
        "viewer": np.arange(viewers),
        "at_ms": at_ms,
        "continuous_ms": 1000,
        "cumulative_ms": 1000,
        "half_continuous_ms": 1000,
        "half_cumulative_ms": 1000,
        "full_continuous_ms": 0,
        "full_cumulative_ms": 0,
        "visible_fraction": 1.0,
        "coverage": 0.1,
        "angle_deg": 0.0,
        "why": 0,
    }
    columns = {name: np.broadcast_to(figures[name], viewers) for name in COLUMNS}
    return ExposuresPut(batch=batch, tickets=(ticket,), columns=ExposureColumns.build(columns).pack())


@CODECS
async def test_a_world_registers_asks_reports_and_is_paid(served: Live, codec: Codec) -> None:
    await served.line_item(price=2_000)
    async with served.world(codec) as world:
        await world.ready()
        kept = await world.ask(SlotsPut(slots=(SLOT, {"id": "flat", "size": [0, 1]})))
        assert isinstance(kept, SlotsAck)
        assert ([slot.id for slot in kept.kept], [one.code for one in kept.refused]) == (["north"], ["slot.degenerate"])
        answer = await world.ask(PlacementsGet(slots=("north", "attic"), viewers=3))
        assert isinstance(answer, Placements)
        (placement,) = answer.placements
        assert placement.creative.sha256 == CREATIVE
        assert [(none.slot, none.reason) for none in answer.none] == [("attic", "slot_unknown")]
        batch = viewable(placement.ticket, now_ms(), viewers=2)
        assert await world.ask(batch) == ExposuresAck(batch=batch.batch, accepted=2)
        assert await world.ask(batch) == ExposuresAck(batch=batch.batch, accepted=2, repeated=True)
        removed = await world.ask(SlotsRemove(ids=("north",)))
        assert removed == SlotsAck()
        await world.say(Bye())
        assert await world.close_code() == 1000
    report = await served.server.reports.report(OPERATOR, "slot")
    assert (report.totals.viewable, report.totals.spend_micros) == (2, 4_000)


@CODECS
async def test_a_hello_that_does_not_fit_is_refused_and_a_good_one_may_follow(served: Live, codec: Codec) -> None:
    async with served.world(codec) as world:
        bad = Hello.model_construct(versions=("1",), role="god", key=world.key, world="plaza")  # type: ignore[arg-type]
        await world.say(bad)
        world.session.state = type(world.session.state).OPENING  # the server did not move, so neither do we
        error = await world.hear()
        assert isinstance(error, Error)
        assert (error.code, error.where) == ("wire.invalid", "role")
        await world.ready()


async def test_a_key_that_is_not_known_is_told_so_and_turned_away(served: Live) -> None:
    async with served.world(key="ok_world_nobody_knows_me") as world:
        await world.say(Hello(versions=("1",), role="world", key=world.key, world="plaza"))
        assert await world.refusal() == ("auth.key_unknown", 4401)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"world": "arcade"}, ("auth.role_forbidden", 4403)),
        ({"role": "peer"}, ("auth.role_forbidden", 4403)),
        ({"versions": ["9", "10"]}, ("wire.unsupported_version", 1002)),
    ],
)
async def test_who_may_not_come_in_is_told_why(served: Live, changes: dict[str, Any], refusal: tuple[str, int]) -> None:
    async with served.world() as world:
        error = await world.hello(**changes)
        assert (error.code, await world.close_code()) == refusal


async def test_a_world_that_comes_back_hears_what_was_revoked_meanwhile(tmp_path: Path) -> None:
    async with live(tmp_path) as served:
        await served.line_item()
        async with served.world() as world:
            await world.with_slot()
            assert (await world.ask(PlacementsGet(slots=("north",)))).placements
        await served.server.creatives.revoke(OPERATOR, CREATIVE, "withdrawn")
        async with served.world() as again:
            await again.ready()
            assert await again.hear() == PlacementsRevoked(creative=CREATIVE)
    async with live(tmp_path) as restarted, restarted.world() as third:
        await third.ready()
        assert await third.hear() == PlacementsRevoked(creative=CREATIVE)


async def test_a_key_that_another_process_adds_is_known(
    served: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "KEYS_READ_AGAIN_MS", 0)
    token = "ok_world_" + "n" * 32
    other = SqliteStore(tmp_path / "live.sqlite3")
    other.commit([new_key(token, "world", "arcade", now_ms())]).result(5)
    other.close()
    async with served.world(key=token, name="arcade") as world:
        await world.ready()


async def test_who_says_nothing_is_closed_after_the_deadline(tmp_path: Path) -> None:
    async with live(tmp_path, hello_deadline_ms=50) as served, served.world() as world:
        assert await world.refusal() == ("wire.hello_timeout", 4408)


async def test_a_request_before_hello_is_unexpected(served: Live) -> None:
    async with served.world() as world:
        world.session.state = type(world.session.state).READY
        await world.say(PlacementsGet(slots=("north",)))
        assert await world.refusal() == ("wire.unexpected", 1002)


async def test_a_second_hello_is_unexpected(served: Live) -> None:
    async with served.world() as world:
        await world.ready()
        world.session.state = type(world.session.state).OPENING
        await world.say(Hello(versions=("1",), role="world", key=world.key, world="plaza"))
        assert await world.refusal() == ("wire.unexpected", 1002)


@pytest.mark.parametrize(
    ("codec", "frame"),
    [
        (MSGPACK, b"\xc1"),
        (MSGPACK, b"\x81\xa4type\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"),
        (JSON, b'{"type": NaN}'),
        (JSON, b'{"type": "hello", "type": "hello"}'),
        (JSON, b"[]"),
    ],
)
async def test_bytes_that_are_no_envelope_end_the_connection(served: Live, codec: Codec, frame: bytes) -> None:
    async with served.world(codec) as world:
        await world.send(frame)
        assert await world.refusal() == ("wire.malformed", 1007)


async def test_a_text_frame_where_binary_was_agreed_is_malformed(served: Live) -> None:
    async with served.world(MSGPACK) as world:
        await world.connection.send("{}")
        assert await world.refusal() == ("wire.malformed", 1007)


async def test_a_frame_too_large_before_welcome_is_refused(served: Live) -> None:
    async with served.world() as world:
        await world.send(b"\x80" * (MAX_HELLO_BYTES + 1))
        assert await world.refusal() == ("wire.frame_too_large", 1009)


async def test_a_frame_too_large_after_welcome_ends_the_connection(served: Live) -> None:
    async with served.world() as world:
        await world.ready()
        await world.send(b"\x80" * (MAX_FRAME_BYTES + 1))
        assert await world.close_code() == 1009


async def test_an_invalid_request_costs_that_request_alone(served: Live) -> None:
    async with served.world() as world:
        await world.with_slot()
        for bad in (
            PlacementsGet.model_construct(slots=("north",), viewers=0),
            ExposuresPut.model_construct(batch=b"short", tickets=(b"t",), columns={}),
        ):
            error = await world.ask(bad)
            assert (error.TYPE, error.code) == ("error", "wire.invalid")
        assert (await world.ask(PlacementsGet(slots=("north",)))).none[0].reason == "no_demand"


async def test_too_many_messages_are_refused_and_later_ones_are_not(tmp_path: Path) -> None:
    async with live(tmp_path, limits=Limits(messages_per_second=5)) as served, served.world() as world:
        welcome = await world.ready()
        assert welcome.limits.messages_per_second == 5
        answers = [await world.ask(PlacementsGet(slots=("north",))) for _ in range(8)]
        refused = [answer for answer in answers if isinstance(answer, Error)]
        assert 0 < len(refused) < 8
        assert {error.code for error in refused} == {"wire.rate_limited"}
        assert all(error.retry_after_ms > 0 for error in refused)


async def test_a_world_goes_on_with_its_session_and_no_other_world_may(served: Live) -> None:
    async with served.world() as world:
        first = await world.ready()
    async with served.world() as world:
        again = await world.ready(resume=first.session)
    arcade = await served.server.keys.add(OPERATOR, "world", "arcade")
    async with served.world(key=arcade, name="arcade") as world:
        other = await world.ready(resume=first.session)
    assert (first.resumed, again.resumed, again.session) == (False, True, first.session)
    assert (other.resumed, other.session == first.session) == (False, False)


async def test_a_revoked_creative_leaves_every_screen_and_never_serves_again(served: Live) -> None:
    await served.line_item()
    async with served.world() as plaza, served.world(JSON) as also_plaza, served.world() as stranger:
        await plaza.with_slot()
        await also_plaza.ready()
        await served.server.creatives.revoke(OPERATOR, CREATIVE, "withdrawn")
        told = PlacementsRevoked(creative=CREATIVE, reason="withdrawn")
        assert (await plaza.hear(), await also_plaza.hear()) == (told, told)
        assert (await plaza.ask(PlacementsGet(slots=("north",)))).none[0].reason == "no_demand"
        await stranger.ready()


async def test_a_key_that_another_process_revokes_ends_its_connections(served: Live) -> None:
    operators = await served.server.keys.add(OPERATOR, "operator", "second")
    async with served.world() as world, served.world(key=operators) as other:
        await world.ready()
        await other.ready()
        served.server.store.commit([KeyEndRow(digest(served.key), now_ms())]).result()  # as `openslot keys revoke` does
        assert await world.refusal() == ("auth.key_unknown", 4401)
        assert isinstance(await other.ask(SlotsPut(slots=(SLOT,))), SlotsAck)
    async with served.world() as again:
        assert isinstance(await again.hello(), Error)


async def test_a_rotated_key_signs_without_a_restart_and_what_it_replaced_is_still_taken(served: Live) -> None:
    await served.line_item()
    async with served.world() as world:
        await world.with_slot()
        before = (await world.ask(PlacementsGet(slots=("north",)))).placements[0].ticket
        row = new_ticket_key(secrets.token_bytes, now_ms())
        served.server.store.commit([row]).result()  # as `openslot keys rotate-tickets` does
        await until(lambda: served.server.rooms.keys.newest == row.key_id)
        after = (await world.ask(PlacementsGet(slots=("north",)))).placements[0].ticket
        assert (before[:4] == row.key_id, after[:4] == row.key_id) == (False, True)
        said = {"kind": [EventKind.RENDERED] * 2, "ticket": [0, 1], "at_ms": [now_ms()] * 2}
        columns = {name: np.array(said.get(name, [0, 0])) for name in COLUMNS}
        batch = ExposuresPut(batch=bytes(16), tickets=(before, after), columns=ExposureColumns.build(columns).pack())
        ack = await world.ask(batch)
        assert (ack.accepted, ack.refused) == (2, ())


async def test_a_reader_that_stops_reading_is_let_go_and_holds_little(tmp_path: Path) -> None:
    async with live(tmp_path, outbound_bytes=64 * 1024) as served, served.world() as world:
        await world.ready()
        (connection,) = served.server.listeners
        push = PlacementsRevoked(creative=CREATIVE, reason="x" * 1000)
        for _ in range(20_000):
            connection.push(Broadcast(push))
            await asyncio.sleep(0)
            if not served.server.listeners:
                break
        assert await world.close_code() == 1013
        await until(lambda: not served.server.listeners)


async def test_a_server_that_stops_says_bye_and_when_to_come_back(tmp_path: Path) -> None:
    async with live(tmp_path) as served:
        world = await served.world().__aenter__()
        await world.ready()
        served.process.should_exit = True
        bye = await world.hear()
        assert isinstance(bye, Bye)
        assert bye.retry_after_ms > 0
        assert await world.close_code() == 1012


class FailingDisk(sqlite3.Connection):
    broken = False

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        if self.broken and sql == "COMMIT":
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *values)  # type: ignore[arg-type]  # the overload of the standard library is narrower


async def test_a_batch_that_could_not_be_made_durable_is_not_acknowledged(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "live.sqlite3", connection=FailingDisk)
    async with live(tmp_path, store) as served, served.world() as world:
        await served.line_item()
        await world.with_slot()
        ticket = (await world.ask(PlacementsGet(slots=("north",)))).placements[0].ticket
        FailingDisk.broken = True
        try:
            await world.say(viewable(ticket, now_ms()))
            assert await world.refusal() == ("run.storage_failed", 1011)
        finally:
            FailingDisk.broken = False
        async with asyncio.timeout(10):
            await served.running  # who supervises it starts it again
        with pytest.raises(OpenSlotError, match=r"run\.storage_failed"):
            served.server.require_sound()
    async with live(tmp_path) as served, served.world(key=world.key) as world:
        await world.ready()
        assert (await served.server.reports.report(OPERATOR, "slot")).totals.viewable == 0
        ack = await world.ask(viewable(ticket, now_ms()))
        assert (ack.accepted, ack.repeated) == (1, False)


async def test_an_answer_that_fails_unforeseen_ends_all_answers_until_a_restart(
    served: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("books")

    async with served.world() as first, served.world() as second:
        await first.with_slot()
        await second.ready()
        monkeypatch.setattr(served.server.rooms.catalogue, "find", fail)
        await first.say(PlacementsGet(slots=("north",)))
        assert await first.refusal() == ("wire.internal", 1011)
        monkeypatch.undo()
        with pytest.raises(OpenSlotError, match=r"wire\.internal"):
            served.server.require_sound()
        assert isinstance(await second.hear(), Bye)
        async with asyncio.timeout(10):
            await served.running


async def test_one_connection_too_many_is_not_let_in(tmp_path: Path) -> None:
    async with live(tmp_path, connections=1) as served, served.world() as world:
        await world.ready()
        with pytest.raises(InvalidStatus) as refused:
            await served.world().__aenter__()
        assert refused.value.response.status_code == 429


async def test_half_a_request_head_is_cut_after_the_deadline(served: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "HEADER_DEADLINE_S", 0.1)
    host, port = served.address.removeprefix("http://").split(":")
    for sent in (b"", b"GET /healthz HTTP/1.1\r\nHost: x", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /he"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        async with asyncio.timeout(5):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200") == (b"\r\n\r\n" in sent)
        writer.close()


async def test_a_request_head_without_an_end_is_cut(served: Live) -> None:
    host, port = served.address.removeprefix("http://").split(":")
    for sent in (b"GET /healthz HTTP/1.1\r\nX: ", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /"):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        async with asyncio.timeout(5):
            with suppress(ConnectionError):
                for _ in range(1_000):
                    writer.write(b"x" * 65_536)
                    await writer.drain()
                pytest.fail("64 MiB of one head were taken")
        writer.close()


async def test_a_large_body_is_no_large_head(served: Live) -> None:
    async with httpx2.AsyncClient(base_url=served.address) as client:
        for _ in range(3):  # on one connection
            answer = await client.post("/v1/worlds", content=b"x" * 200_000, headers={"Authorization": "Bearer ok_no"})
            assert answer.status_code == 401


async def test_a_client_without_a_subprotocol_is_not_let_in(served: Live, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(served.address.replace("http:", "ws:") + "/v1/socket"):
            pass
    assert refused.value.response.status_code == 422
    assert b"openslot.v1+msgpack" in (refused.value.response.body or b"")
    assert not caplog.records  # it is the client's fault


async def test_the_figures_for_the_operator_count_what_happened(served: Live) -> None:
    async with served.world() as world:
        await world.with_slot()
        await world.ask(PlacementsGet(slots=("north",)))
        async with httpx2.AsyncClient(base_url=served.address) as client:
            text = (await client.get("/metrics")).text
    assert "openslot_connections 1.0" in text
    assert 'openslot_placements_total{outcome="no_demand"} 1.0' in text


def test_close_codes_are_those_of_the_protocol() -> None:
    prose = (Path(__file__).resolve().parents[2] / "spec" / "protocol.md").read_text("utf-8")
    table = re.findall(r"^\| (\d{4}) \| (.*) \|$", prose, re.MULTILINE)
    written = {name: int(code) for code, said in table for name in re.findall(r"`([a-z]+\.[a-z_]+)`", said)}
    for code, number in CLOSE_CODES.items():
        if code in written:
            assert written.pop(code) == number
    assert written == {}
