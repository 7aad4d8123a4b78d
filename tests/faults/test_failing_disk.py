"""The n-th write or fsync fails, for every n until a run is clean: a world's spool, a server's store, SQLite itself."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from openslot_server.reports.queries import recount as product_recount
from openslot_server.sessions import Seat
from openslot_server.state import Server
from openslot_server.storage.sqlite import SqliteStore
from openslot_server.storage.store import Row
from openslot_spec.errors import OpenSlotError
from openslot_spec.messages import ExposuresAck, Message, Placements, PlacementsGet, SlotsPut
from tests.faults import recount
from tests.faults.audit import Terms, complaints
from tests.faults.devices import VirtualStore
from tests.faults.judgement import judge
from tests.faults.simulation import Simulation, play
from tests.faults.stage import SETTINGS, SLOTS, opening
from tests.server.market import Market, exposures
from tests.server.serving import counting_entropy

SEED = 3
SEAT = Seat("plaza", "s1")


class DiskFault:
    """The plaza's disk fails, or loses power, at one operation."""

    def __init__(self, harm: str, number: int) -> None:
        self._harm = harm
        self._number = number
        self._disk: Any = None

    async def __call__(self, play: Simulation) -> None:
        self._disk = play.walkers[0].disk
        setattr(self._disk, self._harm, self._number)

    @property
    def struck(self) -> bool:
        return int(getattr(self._disk, self._harm)) < 0


class CommitFault:
    """One commit of the server fails."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._store: VirtualStore | None = None

    async def __call__(self, play: Simulation) -> None:
        self._store = play.store
        self._store.fails_at = self._number + 1

    @property
    def struck(self) -> bool:
        return self._store is not None and self._store.failed


@pytest.mark.parametrize("harm", ["fails_in", "power_cut_in"])
def test_a_world_survives_whatever_operation_of_its_disk_goes_wrong(harm: str) -> None:
    for number in count():
        fault = DiskFault(harm, number)
        assert judge(play(SEED, fault)) == [], f"operation {number}"
        if not fault.struck:
            break
    assert number > 10


def test_a_server_survives_whatever_commit_fails() -> None:
    for number in count():
        fault = CommitFault(number)
        assert judge(play(SEED, fault)) == [], f"commit {number}"
        if not fault.struck:
            break
    assert number > 20


class FailingDisk(sqlite3.Connection):
    """SQLite's n-th statement fails, before or after it did its work."""

    left = 0
    is_late = False

    def execute(self, *asked: Any) -> Any:
        return self._maybe(super().execute, asked)

    def executemany(self, *asked: Any) -> Any:
        return self._maybe(super().executemany, asked)

    def executescript(self, *asked: Any) -> Any:
        return self._maybe(super().executescript, asked)

    def _maybe(self, work: Any, asked: tuple[Any, ...]) -> Any:
        type(self).left -= 1
        fails_now = self.left == -1
        result = work(*asked) if self.is_late or not fails_now else None
        if fails_now:
            raise sqlite3.OperationalError("disk I/O error")
        return result


class Teller:
    """A server on SQLite whose first life has a failing disk; whatever was not answered is asked again of the next."""

    def __init__(self, path: Path, disk: type[sqlite3.Connection]) -> None:
        self._path = path
        self._entropy = counting_entropy()
        self.now_ms = Market().now_ms
        self._open(disk)

    def ask(self, message: Message) -> Message:
        while True:
            reply, durable = self.server.answer(SEAT, message)
            try:
                durable.result(10)
            except OpenSlotError:
                self.store.close()
                self._open(sqlite3.Connection)
            else:
                return reply

    def _open(self, disk: type[sqlite3.Connection]) -> None:
        with suppress(OpenSlotError):  # it could not even be opened: the next life has a good disk
            self.store = SqliteStore(self._path, connection=disk)
            try:
                self.server = Server(MARKET.settings, self.store, lambda: self.now_ms, self._entropy)
            except OpenSlotError:
                self.store.close()
                raise
            return
        self._open(sqlite3.Connection)


MARKET = Market(placement_ms=SETTINGS["placement_ms"], platform_fee_ppm=SETTINGS["platform_fee_ppm"])


def orders() -> list[Row]:
    return [row for rows in opening().tables.values() for row in rows]


def work_day(teller: Teller) -> set[bytes]:
    """Register, get placements, and send batches of two events; return what was acknowledged."""
    acknowledged: set[bytes] = set()
    teller.ask(SlotsPut(slots=tuple(slot.plain() for slot in SLOTS)))
    for viewer in range(3):
        answer = teller.ask(PlacementsGet(slots=("board", "kiosk"), viewers=4, viewer=viewer))
        assert isinstance(answer, Placements)
        teller.now_ms += 2_000
        MARKET.now_ms = teller.now_ms
        batch = exposures(MARKET, [each.ticket for each in answer.placements], ticket=[0, 1], viewer=viewer)
        ack = teller.ask(batch)
        assert isinstance(ack, ExposuresAck)
        acknowledged.add(batch.batch)
    return acknowledged


@pytest.mark.parametrize("is_late", [False, True])
def test_whatever_statement_of_sqlite_fails_nothing_is_acknowledged_that_is_not_there(
    tmp_path: Path, is_late: bool
) -> None:
    for number in count():
        path = tmp_path / f"{number}.sqlite3"
        with closing(SqliteStore(path)) as store:
            store.commit(orders()).result(10)
        disk: type[FailingDisk] = type("Failing", (FailingDisk,), {"left": number, "is_late": is_late})
        teller = Teller(path, disk)
        acknowledged = work_day(teller)
        teller.store.close()
        check(path, acknowledged)
        if disk.left >= 0:
            break
    assert number > 30


def check(path: Path, acknowledged: set[bytes]) -> None:
    with closing(sqlite3.connect(path)) as database:
        assert complaints(database, Terms(5_000, 24 * 3_600_000)) == []
        assert Counter(event.batch for event in recount.events(database)) == dict.fromkeys(acknowledged, 2)
        theirs = recount.report(database, "slot", SETTINGS["platform_fee_ppm"])
    store = SqliteStore(path)
    with closing(store), store.read() as reader:
        assert product_recount(reader, "USD", "slot").plain() == theirs
