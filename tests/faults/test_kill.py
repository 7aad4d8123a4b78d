from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import msgpack
import pytest

from openslot_server.reports.queries import recount as product_recount
from openslot_server.storage.sqlite import reading
from tests.faults import recount, spool_file
from tests.faults.audit import Terms, complaints
from tests.faults.programs import Program, Town

CYCLES, SOAK_CYCLES = 20, 500
FEE_PPM = 100_000
TERMS = Terms(skew_ms=5_000, late_ms=24 * 3_600_000)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = Town(tmp_path)
    yield town
    town.close()


class Witness:
    """What the spool file said whenever it was looked at: what the world kept, and what it was told is durable."""

    def __init__(self, spool: Path) -> None:
        self.kept: dict[bytes, bytes] = {}
        self.acknowledged: set[bytes] = set()
        self._spool = spool

    def look(self) -> None:
        for batch, payload in spool_file.records(self._spool.read_bytes()):
            if payload:
                assert self.kept.setdefault(batch, payload) == payload
            else:
                self.acknowledged.add(batch)


def stored(town: Town) -> dict[bytes, list[tuple[bytes, bytes]]]:
    with closing(sqlite3.connect(town.database)) as database:
        rows: dict[bytes, list[tuple[bytes, bytes]]] = {}
        for batch, tickets, columns in database.execute("SELECT id, tickets, columns FROM batches"):
            rows.setdefault(batch, []).append((tickets, columns))
    return rows


def kill(program: Program, witness: Witness) -> None:
    program.end(signal.SIGKILL)
    witness.look()
    program.start()


def play(town: Town, cycles: int, seed: int) -> Witness:
    """Let a crowd walk while the server and the world are killed in turns; then let all come to rest."""
    chance, witness = Random(seed), Witness(town.spool)  # noqa: S311  a story to be told again
    town.server.start()
    town.world.start()
    for cycle in range(cycles):
        town.go_on()
        time.sleep(chance.random())
        witness.look()
        kill(town.server if cycle % 2 else town.world, witness)
        assert witness.acknowledged <= stored(town).keys()
    town.come_to_rest()
    witness.look()
    return witness


def check(town: Town, witness: Witness) -> None:
    """What was kept is stored, once, as it was, and nothing else is; and the books and reports hold."""
    rows = stored(town)
    assert rows.keys() == witness.kept.keys()
    for batch, payload in witness.kept.items():
        body = msgpack.unpackb(payload)
        assert rows[batch] == [(msgpack.packb(body["tickets"]), msgpack.packb(body["columns"]))]
    with closing(sqlite3.connect(town.database)) as database, reading(town.database) as reader:
        assert complaints(database, TERMS) == []
        assert not any(event.verdict in recount.REFUSED for event in recount.events(database))
        assert recount.report(database, "slot", FEE_PPM) == product_recount(reader, "USD", "slot").plain()


def test_killing_server_and_world_again_and_again_loses_and_doubles_nothing(town: Town) -> None:
    check(town, play(town, CYCLES, seed=1))


@pytest.mark.soak
def test_killing_them_for_hours_loses_and_doubles_nothing(town: Town) -> None:
    check(town, play(town, SOAK_CYCLES, seed=2))
