from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from openslot_server.demand.model import Creative
from openslot_server.impressions.verify import verify
from openslot_server.run import now_ms
from openslot_server.storage.sqlite import SqliteStore, reading
from openslot_server.storage.store import BatchRow, CreativeRow
from openslot_spec.exposures import COLUMNS, EventKind, ExposureColumns
from openslot_spec.ids import make_id
from openslot_spec.messages import ExposuresAck, ExposuresPut, PlacementsGet, SlotsPut
from tests.server.live import CREATIVE, SLOT, World, until

OPERATOR_KEY = "ok_operator_" + "j" * 24
CYCLES = 3
BATCHES = 150
VIEWERS = 5


@dataclass
class Daemon:
    """`openslot serve` as a process that can be killed and started again."""

    database: Path
    port: int = 0
    process: Process | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        command = [sys.executable, "-m", "openslot_server", "serve", "--json", "--port", str(self.port)]
        environment = {**os.environ, "OPENSLOT_OPERATOR_KEY": OPERATOR_KEY, "OPENSLOT_LOG_LEVEL": "error"}
        self.process = await asyncio.create_subprocess_exec(
            *command, "--database", str(self.database), stdin=DEVNULL, stdout=PIPE, env=environment
        )
        assert self.process.stdout is not None
        ready = json.loads(await asyncio.wait_for(self.process.stdout.readline(), 30))
        assert "operator_key" not in ready
        self.port = int(ready["ready"].rsplit(":", 1)[1])

    async def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return await asyncio.wait_for(self.process.wait(), 30)

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        async with httpx2.AsyncClient(base_url=self.address) as client:
            answer = await client.post(path, json=body, headers={"Authorization": f"Bearer {OPERATOR_KEY}"})
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    daemon = Daemon(tmp_path / "journey.sqlite3")
    await daemon.start()
    yield daemon
    if daemon.process is not None and daemon.process.returncode is None:
        await daemon.end(signal.SIGKILL)


def batch(ticket: bytes, number: int) -> ExposuresPut:
    """The next five viewers, each of whom saw it once."""
    figures: dict[str, Any] = {
        "kind": EventKind.VIEWABLE,
        "profile": 0,
        "ticket": 0,
        "viewer": number * VIEWERS + np.arange(VIEWERS),
        "at_ms": now_ms(),
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
    columns = {name: np.broadcast_to(figures[name], VIEWERS) for name in COLUMNS}
    name = make_id(now_ms(), os.urandom(10))
    return ExposuresPut(batch=name, tickets=(ticket,), columns=ExposureColumns.build(columns).pack())


async def send_all(world: World, spool: dict[bytes, ExposuresPut], acknowledged: set[bytes]) -> None:
    """Send the spool without waiting and strike out what is acknowledged, until it is empty or the server is gone."""
    try:
        for message in list(spool.values()):
            await world.say(message)
        while spool:
            ack = await world.hear()
            assert isinstance(ack, ExposuresAck)
            assert ack.accepted == VIEWERS
            del spool[ack.batch]
            acknowledged.add(ack.batch)
    except ConnectionClosed:
        pass


async def test_a_server_killed_again_and_again_loses_and_doubles_nothing(daemon: Daemon) -> None:
    key = (await daemon.post("/v1/worlds", {"id": "plaza"}))["key"]
    await _line_item(daemon)
    acknowledged: set[bytes] = set()
    spool: dict[bytes, ExposuresPut] = {}
    session: dict[str, str] = {}
    for cycle in range(CYCLES):
        async with World(daemon.address, key) as world:
            welcome = await world.ready(**session)
            assert welcome.resumed == (cycle > 0)
            session = {"resume": welcome.session}
            if cycle == 0:
                await world.ask(SlotsPut(slots=(SLOT,)))
            ticket = (await world.ask(PlacementsGet(slots=("north",), viewers=1000))).placements[0].ticket
            fresh = [batch(ticket, number) for number in range(BATCHES)]
            spool |= {message.batch: message for message in fresh}
            sending = asyncio.create_task(send_all(world, spool, acknowledged))
            await _acknowledgements(acknowledged, BATCHES * cycle + BATCHES // 3)
            assert await daemon.end(signal.SIGKILL) == -signal.SIGKILL
            await sending
        _check(daemon.database, acknowledged)
        await daemon.start()
    async with World(daemon.address, key) as world:
        await world.ready(**session)
        await send_all(world, spool, acknowledged)
    assert spool == {}
    report = await _report(daemon)
    assert report["totals"]["viewable"] == CYCLES * BATCHES * VIEWERS
    assert report["totals"]["spend_micros"] == CYCLES * BATCHES * VIEWERS * 2_000
    assert await daemon.end(signal.SIGTERM) == 0
    _check(daemon.database, acknowledged)


async def _acknowledgements(acknowledged: set[bytes], count: int) -> None:
    await until(lambda: len(acknowledged) >= count)


async def _line_item(daemon: Daemon) -> None:
    """A creative's row is written as the gate would, for this is not about the gate."""
    await daemon.end(signal.SIGTERM)
    creative = Creative(
        sha256=CREATIVE, media_type="model/gltf-binary", size_bytes=10, advertiser="aurora", label="Ad · Aurora"
    )
    with closing(SqliteStore(daemon.database)) as store:
        store.commit([CreativeRow(CREATIVE, "aurora", creative.model_dump_json(exclude_none=True), now_ms())]).result(5)
    await daemon.start()
    campaign = await daemon.post("/v1/campaigns", {"name": "Spring", "advertiser": "aurora"})
    draft = {
        "campaign": campaign["id"],
        "name": "Posters",
        "creatives": [CREATIVE],
        "cpm": {"micros": 2_000_000},
        "budget": {"micros": 10_000_000},
        "from_ms": 0,
        "to_ms": now_ms() + 10**9,
    }
    await daemon.post("/v1/line-items", draft)


def _check(database: Path, acknowledged: set[bytes]) -> None:
    """What was acknowledged is stored, nothing is stored twice, and the books hold."""
    with reading(database) as reader:
        stored = [row.id for row in reader.load(BatchRow)]
        assert verify(reader).counts[BatchRow] == len(stored)
    assert acknowledged <= set(stored)
    assert len(stored) == len(set(stored))


async def _report(daemon: Daemon) -> Any:
    command = [sys.executable, "-m", "openslot_server", "report", "--server", daemon.address, "--key", OPERATOR_KEY]
    child = await asyncio.create_subprocess_exec(*command, "--json", stdout=PIPE)
    out, _ = await child.communicate()
    assert child.returncode == 0
    return json.loads(out)
