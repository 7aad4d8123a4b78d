"""Bits that turn over, and tails that are cut off: of the server's database, of its log, and of a world's spool.

Each is seen, with a name, or the figures are those of a moment that there was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from random import Random
from typing import get_args

import pytest

from openslot_sdk.spool import scan
from openslot_server.reports.queries import Dimension, report_of
from openslot_server.reports.rollups import Rollups
from openslot_server.rooms import open_rooms
from openslot_server.storage.sqlite import SqliteStore, reading
from openslot_server.storage.store import ROWS, Reader, Row
from openslot_spec.errors import Code, OpenSlotError
from tests.faults.busy import busy_market
from tests.faults.swapped import swapped
from tests.sdk.scripted_disk import ScriptedDisk
from tests.sdk.test_spool import NAME, filled
from tests.server.market import Market, MemoryStore

FLIPS, CHUNK, SOAK_FLIPS = 500, 250, 20_000
SPOOL_FLIPS = 1_000
BATCHES = 12
BY: tuple[Dimension, ...] = get_args(Dimension)
SEEN = {Code.LEDGER_BROKEN, Code.STORAGE_DAMAGED, Code.STORAGE_FAILED, Code.FILE_INVALID}


class Tape(MemoryStore):
    """A store that knows what was committed together."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[Sequence[Row]] = []

    def commit(self, rows: Sequence[Row]) -> Future[None]:
        self.commits.append(rows)
        return super().commit(rows)


class Archive:
    """The files of a busy market's server, running and stopped, and what could be said of it after each commit."""

    def __init__(self, folder: Path) -> None:
        with swapped({"tests.server.market.MemoryStore": Tape}):
            self.market = busy_market()
        assert isinstance(self.market.store, Tape)
        self.database = folder / "archive.sqlite3"
        self.said = [self._try(MemoryStore())]
        path = folder / "first.sqlite3"
        with closing(SqliteStore(path)) as store:
            memory = MemoryStore()
            for rows in self.market.store.commits:
                store.commit(rows).result(10)
                memory.commit(rows)
                self.said.append(self._try(memory))
            log = path.with_name(path.name + "-wal").read_bytes()
            self.running = {self.database: path.read_bytes(), self.log: log}
        self.stopped = {self.database: path.read_bytes(), self.log: b""}

    @property
    def log(self) -> Path:
        return self.database.with_name(self.database.name + "-wal")

    def restore(self, files: dict[Path, bytes]) -> str:
        """Return what is said of these files."""
        self.database.with_name(self.database.name + "-shm").unlink(missing_ok=True)
        for path, data in files.items():
            path.write_bytes(data)
        try:
            with reading(self.database) as reader:
                return _say(reader, self.market)
        except OpenSlotError as error:
            return error.code

    def _try(self, store: MemoryStore) -> str:
        try:
            return _say(store, self.market)
        except OpenSlotError as error:
            return error.code


def _say(reader: Reader, market: Market) -> str:
    """Return a hash of every report, and of all that a server would go on from."""
    rollups = Rollups()
    rollups.read(reader)
    rooms = open_rooms(reader, market.settings, market.now_ms, market.entropy)
    found = (
        [report_of(rollups, "USD", by) for by in BY],
        sorted(rooms.budgets.line_items.items()),
        sorted(rooms.budgets.placements.items()),
        [list(reader.load(kind)) for kind in ROWS],
    )
    return hashlib.sha256(repr(found).encode()).hexdigest()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return Archive(tmp_path_factory.mktemp("archive"))


def harmed(data: bytes, chance: Random) -> bytes:
    """Return the bytes with one bit turned over, or, one time in five, without their tail."""
    place = chance.randrange(len(data))
    if chance.random() < 0.2:
        return data[:place]
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]


def harm_database(archive: Archive, seed: int) -> str:
    files = archive.stopped | {archive.database: harmed(archive.stopped[archive.database], Random(seed))}  # noqa: S311
    said = archive.restore(files)
    assert said == archive.said[-1] or said in SEEN, f"seed {seed}"
    return said


def harm_log(archive: Archive, seed: int) -> str:
    files = archive.running | {archive.log: harmed(archive.running[archive.log], Random(seed))}  # noqa: S311  told again
    said = archive.restore(files)
    assert said in archive.said or said in SEEN, f"seed {seed}"
    return said


def test_files_as_they_were_written_say_the_same(archive: Archive) -> None:
    assert archive.restore(archive.running) == archive.restore(archive.stopped) == archive.said[-1]
    assert len(set(archive.said)) > 10


@pytest.mark.parametrize("first", range(0, FLIPS, CHUNK))
def test_harm_to_the_database_is_seen_or_changes_nothing(archive: Archive, first: int) -> None:
    said = [harm_database(archive, seed) for seed in range(first, first + CHUNK)]
    assert {Code.LEDGER_BROKEN, Code.STORAGE_DAMAGED, archive.said[-1]} <= set(said)


@pytest.mark.parametrize("first", range(0, FLIPS, CHUNK))
def test_harm_to_the_log_is_seen_or_leads_back_to_a_moment_that_there_was(archive: Archive, first: int) -> None:
    said = [harm_log(archive, seed) for seed in range(first, first + CHUNK)]
    assert len(set(said)) > 10


@pytest.mark.soak
def test_much_harm_to_the_database_and_its_log_is_seen(archive: Archive) -> None:
    for seed in range(FLIPS, SOAK_FLIPS):
        harm_database(archive, seed)
        harm_log(archive, seed)


def spool_files() -> Iterator[bytes]:
    """Yield a spool in which all waits, and one in which half is acknowledged."""
    disk = ScriptedDisk()
    spool = filled(disk, BATCHES)
    yield disk.files[NAME].cached
    for batch, _ in spool.waiting()[::2]:
        spool.acknowledge(batch)
    yield disk.files[NAME].cached


@pytest.mark.parametrize("data", [*spool_files()])
def test_harm_to_a_spool_costs_one_batch_or_brings_one_back_and_is_said(data: bytes) -> None:
    everything, _ = scan(next(spool_files()))
    whole, _ = scan(data)
    for seed in range(SPOOL_FLIPS // 2):
        hurt = harmed(data, Random(seed))  # noqa: S311  told again
        if len(hurt) < len(data) or hurt[:16] == data[:16]:  # another magic is another file: the spool refuses it
            waiting, unreadable = scan(hurt)
            assert waiting.items() <= everything.items(), f"seed {seed}"
            if len(hurt) == len(data):
                assert unreadable, f"seed {seed}"
                assert len(whole.keys() ^ waiting.keys()) <= 1, f"seed {seed}"
