"""A whole system in one process and virtual time: real worlds, a real server, and a storm of faults between them.

    worlds: openslot_sdk.World ── spool ── RiskyDisk        server: openslot_server's application ── VirtualStore
              └──────────────────────── Network (ASGI at the server's end) ──────────────┘

Everything that happens follows from the seed. `python -m tests.faults.simulation SEED` plays one again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import astuple, dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from starlette.applications import Starlette
from structlog.testing import capture_logs

from openslot_server.app import build
from openslot_server.config import Settings
from openslot_server.state import Server
from tests.faults.devices import COMMIT_S, VirtualStore
from tests.faults.network import DELAY_S, Connection, Network
from tests.faults.process import Process, own_tasks
from tests.faults.remembered import REMEMBERED
from tests.faults.stage import SETTINGS, opening
from tests.faults.swapped import swapped
from tests.faults.walkers import Walker
from tests.sdk.scripted_server import EPOCH_MS
from tests.sdk.simulated import simulate, until

PLAY_S = 6.0
REST_S = (SETTINGS["placement_ms"] + SETTINGS["settle_grace_ms"]) / 1000 + 20
HEALING_S = 600.0
LONG_MS, SHORT_MS = 3_600_000, 2_000

Storm = Callable[["Simulation"], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Ack:
    """What the server promised a world, as it left the server."""

    batch: bytes
    accepted: int
    refused: tuple[tuple[str, int], ...]


class Simulation:
    """One seed's play: `run` it, then look at what is left."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.chance = Random(seed)  # noqa: S311  that it can be foretold is the point
        late_ms = LONG_MS if self.chance.random() < 0.8 else SHORT_MS
        self.settings = Settings(**SETTINGS, late_ms=late_ms, assets=folder / "assets")
        self.platter = opening()
        self.network = Network(self.chance, self._hear)
        self.walkers = [Walker(name, self.network, self.chance, folder) for name in ("plaza", "arcade")]
        self.store = VirtualStore(self.platter, self.chance)
        self.server: Server | None = None
        self.acks: list[Ack] = []
        self.sent: dict[bytes, tuple[str, dict[str, Any]]] = {}
        """What worlds sent, by batch: whose it is, and its message."""
        self.foul: list[str] = []
        """What must never happen, and was seen."""
        self._process = Process()
        self._errands: list[asyncio.Task[None]] = []

    def run(self, storm: Storm) -> None:
        """Play, heal, and rest until every reservation is over."""
        with capture_logs() as logs:
            simulate(self._play(storm), HEALING_S)
        self.foul += [str(entry) for entry in logs if entry.get("exc_info")]

    def errand(self, work: Coroutine[Any, Any, None]) -> None:
        """Let `work` go on beyond the storm's end."""
        self._errands.append(asyncio.create_task(work))

    def clock(self) -> int:
        return EPOCH_MS + round(asyncio.get_running_loop().time() * 1000)

    def start_server(self) -> None:
        self._process = Process()
        self.store = VirtualStore(self.platter, self.chance)
        self.server = Server(self.settings, self.store, self.clock, self.chance.randbytes)
        self.store.commit_s = COMMIT_S
        app = build(self.server)
        self._process.spawn(_lifespan(app))
        self.network.answer = lambda connection: self._answer(app, connection)

    def kill_server(self) -> None:
        self.network.answer = self.server = None
        self.store.crash()
        self._process.kill()
        self.network.cut_all()

    def state_hash(self) -> str:
        """Return what two plays of one seed must agree on: every row, every disk, every promise."""
        rows = {kind.TABLE: [astuple(row) for row in table] for kind, table in self.platter.tables.items()}
        disks = [{name: astuple(file) for name, file in walker.disk.files.items()} for walker in self.walkers]
        return hashlib.sha256(repr((sorted(rows.items()), disks, self.acks, self.foul)).encode()).hexdigest()

    async def _play(self, storm: Storm) -> None:
        asyncio.get_running_loop().set_task_factory(own_tasks)
        supervisor = asyncio.create_task(self._supervise())
        raging = asyncio.create_task(storm(self))
        self.start_server()
        await asyncio.sleep(PLAY_S)
        raging.cancel()
        await asyncio.gather(raging, return_exceptions=True)
        self._heal()
        await until(lambda: all(walker.is_done for walker in self.walkers), 0.1)
        await asyncio.gather(*self._errands)
        await asyncio.sleep(REST_S)
        supervisor.cancel()

    async def _supervise(self) -> None:
        """Start what is down: a world whose program ended, and the server once it says that it cannot go on."""
        while True:
            for walker in self.walkers:
                if walker.is_down and not walker.is_done:
                    walker.start()
            await asyncio.sleep(0.5)
            if self.server is not None and not self.server.healthy:
                self.kill_server()
                self.start_server()

    def _heal(self) -> None:
        self.network.is_away = False
        for connection in self.network.open:
            connection.delay_s = DELAY_S
        self.store.commit_s, self.store.fails_at = COMMIT_S, 0
        if self.server is None:
            self.start_server()
        for walker in self.walkers:
            walker.is_walking = False
            walker.disk.failing = 0.0

    def _answer(self, app: Starlette, connection: Connection) -> None:
        self._process.spawn(connection.serve(app))

    def _hear(self, connection: Connection, kind: str, body: dict[str, Any]) -> None:
        if kind == "exposures.ack":
            refused = tuple((each["code"], each["events"]) for each in body.get("refused", ()))
            self.acks.append(Ack(body["batch"], body["accepted"], refused))
            return
        walker = next((walker for walker in self.walkers if walker.name == connection.sender), None)
        if walker is not None and body["batch"] not in self.sent:
            self.sent[body["batch"]] = walker.name, body
            if not walker.is_durable(body["batch"]):
                self.foul.append(f"{walker.name} sent {body['batch'].hex()} before it was durable")


async def _lifespan(app: Starlette) -> None:
    """What a process does beside its connections; it never ends by itself."""
    started = False

    async def receive() -> dict[str, Any]:
        nonlocal started
        if started:
            await asyncio.Event().wait()
        started = True
        return {"type": "lifespan.startup"}

    async def send(_: Any) -> None:
        pass

    await app({"type": "lifespan"}, receive, send)


def play(seed: int, storm: Storm) -> Simulation:
    """Return what is left of a seed's play."""
    with TemporaryDirectory() as folder, swapped(REMEMBERED):
        simulation = Simulation(seed, Path(folder))
        simulation.run(storm)
        return simulation
