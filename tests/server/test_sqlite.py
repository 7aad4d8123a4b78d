from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_server.storage import sqlite
from openslot_server.storage.sqlite import SqliteStore, exclusive, reading
from openslot_server.storage.store import (
    ROWS,
    AnswerRow,
    CreativeRow,
    Forgotten,
    KeyRow,
    LedgerRow,
    SessionRow,
    SlotRow,
    SomeRow,
)
from openslot_spec.errors import Code, OpenSlotError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a database.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


def loaded(store: SqliteStore, kind: type[SomeRow]) -> list[SomeRow]:
    with store.read() as reader:
        return list(reader.load(kind))


def test_rows_come_back_as_they_went_in_and_in_order(store: SqliteStore) -> None:
    rows = [SessionRow(f"session-{number}", "plaza", number) for number in (3, 1, 2)]
    store.commit(rows).result(5)
    assert loaded(store, SessionRow) == rows


def test_every_row_class_has_its_table(store: SqliteStore) -> None:
    assert [loaded(store, kind) for kind in ROWS] == [[] for _ in ROWS]


def test_a_latest_row_replaces_the_one_with_its_key(store: SqliteStore) -> None:
    store.commit([CreativeRow("aa", "aurora", "old", 1), CreativeRow("aa", "aurora", "new", 2)]).result(5)
    assert loaded(store, CreativeRow) == [CreativeRow("aa", "aurora", "new", 2)]


@settings(max_examples=15, deadline=None)  # every commit waits for the disk
@given(names=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1, max_size=45))
def test_rows_of_one_transaction_are_as_if_they_came_one_by_one(names: list[tuple[str, str]]) -> None:
    slots = [SlotRow(world, slot, str(place), "{}", place) for place, (world, slot) in enumerate(names)]
    sessions = [SessionRow(str(place), "plaza", place) for place in range(len(names))]
    rows = [row for pair in zip(slots, sessions, strict=True) for row in pair]
    with TemporaryDirectory() as folder:
        together, apart = (SqliteStore(Path(folder) / name) for name in ("together", "apart"))
        together.commit(rows).result(5)
        for row in rows:
            apart.commit([row]).result(5)
        for kind in (SlotRow, SessionRow):
            assert loaded(together, kind) == loaded(apart, kind)
        together.close()
        apart.close()


def test_old_answers_are_forgotten_a_bounded_number_at_once(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "FORGOTTEN_MOST", 3)
    rows = [AnswerRow("s1", bytes([number]), number, b"", b"") for number in (5, 1, 4, 2, 3, 6)]
    store.commit(rows).result(5)
    store.commit([Forgotten("answers", 5)]).result(5)
    assert sorted(row.at_ms for row in loaded(store, AnswerRow)) == [4, 5, 6]
    store.commit([Forgotten("answers", 5)]).result(5)
    assert sorted(row.at_ms for row in loaded(store, AnswerRow)) == [5, 6]


def test_rows_are_there_after_a_restart(path: Path) -> None:
    first = SqliteStore(path)
    first.commit([LedgerRow(1, "{}", "00")])
    first.close()
    second = SqliteStore(path)
    assert loaded(second, LedgerRow) == [LedgerRow(1, "{}", "00")]
    second.close()


def test_a_commit_is_whole_or_not_at_all_and_after_a_failed_one_nothing_is_acknowledged(path: Path) -> None:
    store = SqliteStore(path)
    store.commit([LedgerRow(1, "{}", "00")]).result(5)
    refused = store.commit([LedgerRow(2, "{}", "00"), LedgerRow(1, "again", "00")])
    assert isinstance(refused.exception(5), OpenSlotError)
    after = store.commit([LedgerRow(3, "{}", "00")]).exception(5)
    assert isinstance(after, OpenSlotError)
    assert after.code is Code.STORAGE_FAILED
    assert store.failed
    assert [row.seq for row in loaded(store, LedgerRow)] == [1]
    store.close()


class FullDisk(sqlite3.Connection):
    """A disk on which the second transaction does not become durable."""

    commits = 0

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        if sql == "COMMIT":
            self.commits += 1
            if self.commits == 2:
                raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *values)  # type: ignore[arg-type]  # the overload of the standard library is narrower


def test_a_disk_that_fails_once_is_not_believed_again(path: Path) -> None:
    store = SqliteStore(path, connection=FullDisk)
    outcomes = [store.commit([LedgerRow(seq, "{}", "00")]).exception(5) for seq in (1, 2, 3)]
    store.close()
    assert [getattr(outcome, "code", None) for outcome in outcomes] == [None, Code.STORAGE_FAILED, Code.STORAGE_FAILED]
    again = SqliteStore(path)
    assert [row.seq for row in loaded(again, LedgerRow)] == [1]
    again.close()


def test_what_was_committed_is_carried_over_into_the_file_when_nobody_waits(path: Path, tmp_path: Path) -> None:
    store = SqliteStore(path)
    store.commit([SessionRow("a", "plaza", 1)]).result(5)
    alone = tmp_path / "without its log.sqlite3"
    for _ in range(200):
        alone.write_bytes(path.read_bytes())
        with closing(sqlite3.connect(alone)) as copy, suppress(sqlite3.OperationalError):
            if copy.execute("SELECT count(*) FROM sessions").fetchall() == [(1,)]:
                break
        time.sleep(0.05)
    else:
        pytest.fail("it never was")
    store.close()


class SlowCheckpoint(sqlite3.Connection):
    """A disk that takes its time to carry the log over."""

    begun, may_end = Event(), Event()

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        if "wal_checkpoint" in sql:
            self.begun.set()
            assert self.may_end.wait(5)
        return super().execute(sql, *values)  # type: ignore[arg-type]  # the overload of the standard library is narrower


def test_who_commits_while_the_log_is_carried_over_does_not_wait(path: Path) -> None:
    store = SqliteStore(path, connection=SlowCheckpoint)
    store.commit([SessionRow("a", "plaza", 1)]).result(5)
    assert SlowCheckpoint.begun.wait(5)
    store.commit([SessionRow("b", "plaza", 1)]).result(5)
    SlowCheckpoint.may_end.set()
    store.close()


def test_a_log_that_cannot_be_carried_over_is_a_disk_that_failed(path: Path) -> None:
    store = SqliteStore(path, connection=NoCheckpoint)
    for _ in range(200):
        if store.failed:
            break
        time.sleep(0.05)
    assert isinstance(store.commit([SessionRow("a", "plaza", 1)]).exception(5), OpenSlotError)
    store.close()


class NoCheckpoint(sqlite3.Connection):
    """A disk on which the log cannot be carried over."""

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        if "wal_checkpoint" in sql:
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *values)  # type: ignore[arg-type]  # the overload of the standard library is narrower


def test_a_reader_sees_one_moment(store: SqliteStore) -> None:
    store.commit([SessionRow("a", "plaza", 1)]).result(5)
    with store.read() as reader:
        store.commit([SessionRow("b", "plaza", 2)]).result(5)
        assert len(list(reader.load(SessionRow))) == 1
    assert len(loaded(store, SessionRow)) == 2


def test_who_stops_waiting_does_not_stop_the_writer(store: SqliteStore) -> None:
    first = store.commit([SessionRow("a", "plaza", 1)])
    assert not first.cancel()
    store.commit([SessionRow("b", "plaza", 2)]).result(5)
    assert len(loaded(store, SessionRow)) == 2


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database, by far not one" * 40)
    with pytest.raises(OpenSlotError) as refused:
        SqliteStore(path)
    assert refused.value.code is Code.FILE_INVALID


def damage(path: Path, harm: Callable[[bytearray, int], None]) -> str:
    """Harm the page of the keys, of which there are two, and return what is said when they are read."""
    store = SqliteStore(path)
    store.commit([KeyRow("aa", "world", "plaza", 1), KeyRow("bb", "world", "arcade", 2)]).result(5)
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'keys'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    data = bytearray(path.read_bytes())
    harm(data, (page - 1) * size)
    path.write_bytes(data)
    with pytest.raises(OpenSlotError) as damaged, reading(path) as reader:
        list(reader.load(KeyRow))
    assert damaged.value.code is Code.STORAGE_DAMAGED
    return damaged.value.where


def test_a_row_that_was_altered_is_not_read(path: Path) -> None:
    def alter(data: bytearray, page: int) -> None:
        data[data.index(b"plaza", page)] ^= 1

    assert damage(path, alter) == "keys"


def test_a_row_that_is_gone_is_missed(path: Path) -> None:
    def lose(data: bytearray, page: int) -> None:
        assert data[page + 4] == 2
        data[page + 4] = 1  # the page's count of rows

    assert damage(path, lose) == "keys"


@pytest.mark.parametrize("byte", [0x01, 0x80])
def test_a_harmed_table_of_tables_is_named(path: Path, byte: int) -> None:
    SqliteStore(path).close()
    data = bytearray(path.read_bytes())
    data[data.index(b"CREATE TABLE keys") + 4] ^= byte
    path.write_bytes(data)
    with pytest.raises(OpenSlotError) as damaged:
        SqliteStore(path)
    assert damaged.value.code is Code.STORAGE_DAMAGED


def test_rows_from_before_there_were_digests_get_theirs(path: Path) -> None:
    folder = resources.files("openslot_server.storage") / "migrations"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript((folder / "0001.sql").read_text("utf-8") + "PRAGMA user_version = 1;")
        connection.execute("INSERT INTO keys VALUES ('aa', 'world', 'plaza', 1)")
    store = SqliteStore(path.rename(path.with_name("old.sqlite3")))
    assert loaded(store, KeyRow) == [KeyRow("aa", "world", "plaza", 1)]
    store.close()


def test_a_database_of_a_newer_version_is_refused(path: Path) -> None:
    SqliteStore(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9999")
    connection.close()
    with pytest.raises(OpenSlotError, match="version 9999"):
        SqliteStore(path)


def test_a_database_serves_one_server_at_a_time(path: Path) -> None:
    with exclusive(path), pytest.raises(OpenSlotError, match="another server"), exclusive(path):
        pass
    with exclusive(path):
        pass


KILLED = dedent("""
    import sys
    from pathlib import Path
    from openslot_server.storage.sqlite import SqliteStore
    from openslot_server.storage.store import SessionRow

    store, seed = SqliteStore(Path(sys.argv[1])), sys.argv[2]
    waiting = []
    for number in range(100_000):
        rows = [SessionRow(f"{seed}/{number}/{part}", "plaza", number) for part in (0, 1)]
        waiting.append((number, store.commit(rows)))
        while len(waiting) > 40 or waiting and waiting[0][1].done():
            oldest, done = waiting.pop(0)
            done.result()
            print(oldest, flush=True)
""")


def test_what_was_acknowledged_before_a_kill_is_stored_and_nothing_is_stored_by_half(path: Path) -> None:
    for seed in range(5):
        acknowledged = _acknowledged_until_killed(path, seed, lines=20 * (seed + 1))
        store = SqliteStore(path)
        stored = [row.id for row in loaded(store, SessionRow) if row.id.startswith(f"{seed}/")]
        store.close()
        assert {f"{seed}/{number}/{part}" for number in acknowledged for part in (0, 1)} <= set(stored)
        assert len(stored) % 2 == 0
        assert acknowledged


def _acknowledged_until_killed(path: Path, seed: int, lines: int) -> list[int]:
    with subprocess.Popen([sys.executable, "-c", KILLED, path, str(seed)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        heard = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        heard += child.stdout.readlines()
    return [int(line) for line in heard if line.endswith("\n")]


def test_a_database_of_another_program_is_not_read_as_ours(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    connection.close()
    with pytest.raises(OpenSlotError) as refused, reading(path):
        pass
    assert refused.value.code is Code.FILE_INVALID
