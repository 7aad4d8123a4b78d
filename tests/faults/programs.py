"""A real server and a real world, as processes that can be killed and started again."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx2

from openslot_server.config import Settings
from openslot_server.creatives.library import Library
from openslot_server.demand.model import CampaignDraft, Creative, LineItemDraft
from openslot_server.keys import Principal
from openslot_server.run import now_ms
from openslot_server.state import Server
from openslot_server.storage.sqlite import SqliteStore
from openslot_spec.records import Money
from tests.sdk.scenes import creative

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
LIVES = 5
PRICE_MICROS = 1_003
OPERATOR_KEY = "ok_operator_" + "k" * 24


class Nursery:
    """Where programs are born; see `nursery`."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.faults.nursery"]
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # who forks has one thread
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def fork(self, words: tuple[str, ...], environment: dict[str, str], out: Path) -> int:
        """Return the number of a new process, whose standard output is `out`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"words": words, "environment": environment, "out": str(out)}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=PATIENCE_S)


@dataclass
class Program:
    """A process that says one line when it is ready; its next life has the same words."""

    nursery: Nursery
    fifo: Path
    words: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    number: int = 0
    """The process, 0 while there is none."""
    _said: IO[str] | None = None

    def start(self) -> str:
        """Return the line."""
        if not self.fifo.exists():
            os.mkfifo(self.fifo)
        self.number = self.nursery.fork(self.words, self.environment, self.fifo)
        self._said = self.fifo.open("r")
        line = self._said.readline()
        assert line, f"{self.words} said nothing"
        return line

    def end(self, how: signal.Signals) -> str:
        """Return what it said after the first line."""
        os.kill(self.number, how)
        return self.wait()

    def wait(self) -> str:
        """Return what it said after the first line once it has ended, and its status if that is not 0."""
        assert self._said is not None
        with self._said:
            said = self._said.read()
        end_s = time.monotonic() + PATIENCE_S
        while self.is_there():
            assert time.monotonic() < end_s, f"{self.words} does not end"
            time.sleep(0.001)
        self.number = 0
        return said

    def is_there(self) -> bool:
        """Return whether it lives."""
        try:
            os.kill(self.number, 0)
        except ProcessLookupError:
            return False
        return True


@dataclass
class Town:
    """One database, one spool, and the two programs on them."""

    folder: Path
    disk: Path
    """Where the database is."""
    nursery: Nursery = field(init=False)
    server: Program = field(init=False)
    world: Program = field(init=False)
    port: int = field(init=False)

    def __post_init__(self) -> None:
        self.port, key = _free_port(), asyncio.run(_prepare(self.database))
        self.nursery = Nursery()
        serve = ("openslot", "serve", "--json", "--port", str(self.port))
        self.server = Program(
            self.nursery,
            self.folder / "server.said",
            (*serve, "--database", str(self.database)),
            {"OPENSLOT_OPERATOR_KEY": OPERATOR_KEY, "OPENSLOT_PLACEMENT_MS": "4000", "OPENSLOT_LOG_LEVEL": "error"},
        )
        walk = ("world", f"ws://127.0.0.1:{self.port}", key, str(self.spool), str(self.folder / "cache"))
        self.world = Program(self.nursery, self.folder / "world.said", walk)

    @property
    def database(self) -> Path:
        return self.disk / "town.sqlite3"

    @property
    def spool(self) -> Path:
        return self.folder / "plaza.spool"

    def is_ready(self) -> bool:
        """Return whether the server says that it can make things durable."""
        return httpx2.get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200

    def stored(self) -> int:
        """Return how many batches the server has made durable."""
        with closing(sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S)) as database:
            (count,) = database.execute("SELECT count(*) FROM batches").fetchone()
        return int(count)

    def go_on(self) -> None:
        """Return once the server has made another batch durable."""
        before, end_s = self.stored(), time.monotonic() + PATIENCE_S
        while self.stored() == before:
            assert time.monotonic() < end_s, "nothing comes through"
            time.sleep(0.02)

    def come_to_rest(self) -> None:
        """End both programs in good order once the server has all that the world kept."""
        for _ in range(LIVES):
            self.go_on()
            counts = json.loads(self.world.end(signal.SIGTERM).splitlines()[-1])
            if counts["acknowledged"] == counts["spooled"] == counts["accepted"]:
                break
            self.world.start()
        else:
            raise AssertionError(f"the spool never runs empty: {counts}")
        self.server.end(signal.SIGTERM)

    def close(self) -> None:
        for program in (self.world, self.server):
            if program.number:
                program.end(signal.SIGKILL)
        self.nursery.close()


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


async def _prepare(database: Path) -> str:
    """Make a database with a creative and money for it, and return the key of the world."""
    operator, data = Principal("operator", "operator"), creative()
    settings = Settings(database=database, operator_key=OPERATOR_KEY)
    Library(settings.library).put(data)
    known = Creative(
        sha256=hashlib.sha256(data).hexdigest(),
        media_type="model/gltf-binary",
        size_bytes=len(data),
        advertiser="aurora",
        label="Ad · Aurora",
    )
    with closing(SqliteStore(database)) as store:
        server = Server(settings, store, now_ms, secrets.token_bytes)
        await server.creatives.register(operator, known)
        campaign = await server.orders.create_campaign(operator, CampaignDraft(name="Spring", advertiser="aurora"))
        draft = LineItemDraft(
            campaign=campaign.id,
            name="Posters",
            creatives=(known.sha256,),
            cpm=Money(micros=PRICE_MICROS * 1000),
            budget=Money(micros=PRICE_MICROS * 10_000_000),
            from_ms=0,
            to_ms=now_ms() + 10**9,
        )
        await server.orders.create_line_item(operator, draft)
        return await server.keys.add(operator, "world", "plaza")
