"""The store in one SQLite file: WAL, synchronous=FULL, one writer thread, many commits in one transaction.

A commit is acknowledged after the transaction that holds it is on the disk. After one that failed, nothing is
acknowledged any more until the process starts again and reads what the disk really holds. What the log holds is carried
over into the file when nobody waits, by a thread with a connection of its own: that takes many times as long as a
commit, and who comes meanwhile does not wait for it.
"""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, fields
from importlib import resources
from itertools import chain
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from openslot_server.storage.store import (
    FORGETTABLE,
    FORGOTTEN_MOST,
    ROWS,
    VALUES,
    Forgotten,
    LatestRow,
    Reader,
    Row,
    SomeRow,
    row_digest,
)
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["SqliteStore", "exclusive", "reading"]

GROUP_MAX = 16_384
"""Rows after which a transaction takes no further commit."""
AT_ONCE = 64
"""Rows in one statement at the most: each statement waits for the interpreter's lock, which a busy server holds."""
PREPARED = 512
"""Statements that are kept prepared."""
BUSY_S = 5.0
IDLE_S = 0.1
"""After so long without a commit the log is carried over."""
LOG_PAGES = 16_384
"""Pages, of 4 KiB, after which the log is carried over whoever waits."""
SUM = "sum"
"""The column with which rows that stand under no chain are kept: the first bytes of their digest."""
SUM_BYTES = 8

Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Group:
    """What becomes durable in one transaction."""

    rows: list[Row] = field(default_factory=list)
    done: Future[None] = field(default_factory=Future)


class SqliteStore:
    """A `Store` in one file; `connection` lets tests script a disk that fails.

    Raises:
        OpenSlotError: `FILE_INVALID` if it is not a database, `STORAGE_DAMAGED` if it is not whole, `STORAGE_FAILED` if
            it is of a newer version or cannot be opened.
    """

    def __init__(self, path: Path, *, connection: type[sqlite3.Connection] = sqlite3.Connection) -> None:
        self._path = path
        self._groups: SimpleQueue[_Group | None] = SimpleQueue()
        self._open: _Group | None = None
        """The last of them, while it takes further commits."""
        self._lock = threading.Lock()
        self._failure: OpenSlotError | None = None
        self._pauses: SimpleQueue[float | None] = SimpleQueue()
        """A pause of so many seconds was there, each once it lasts so long; None at the end."""
        try:
            self._connection, self._carrier = (_connect(path, connection) for _ in range(2))
            _prepare(self._connection)
            self._carrier.execute("SELECT * FROM ledger_head").fetchall()  # before a read it knows of no log
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise _refusal(error, path) from None
        self._threads = [
            threading.Thread(target=work, name=f"openslot-{name}", daemon=True)
            for name, work in (("store", self._write_all), ("log", self._carry_over))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def failed(self) -> bool:
        """Whether a commit has failed; only a restart helps."""
        return self._failure is not None

    def read(self) -> AbstractContextManager[Reader]:
        """Return a view of the rows that are durable now; see `Store.read`."""
        return reading(self._path)

    def commit(self, rows: Sequence[Row]) -> Future[None]:
        """Return a future that is done once the rows are durable; see `Store.commit`."""
        with self._lock:
            if self._open is None or len(self._open.rows) >= GROUP_MAX:
                self._open = _Group()
                self._open.done.set_running_or_notify_cancel()  # who stops waiting does not stop the commit
                self._groups.put(self._open)
            self._open.rows.extend(rows)
            return self._open.done

    def close(self) -> None:
        """Make what was committed durable and let go of the file."""
        self._groups.put(None)
        for thread in self._threads:
            thread.join()
        self._carrier.close()
        self._connection.close()

    def _write_all(self) -> None:
        while (group := self._next()) is not None:
            with self._lock:
                if self._open is group:
                    self._open = None
            self._write(group)
        self._pauses.put(None)

    def _carry_over(self) -> None:
        while self._pauses.get() is not None:
            self._attempt(lambda: self._carrier.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall())

    def _next(self) -> _Group | None:
        try:
            return self._groups.get(timeout=IDLE_S)
        except Empty:
            self._pauses.put(IDLE_S)
            return self._groups.get()

    def _attempt(self, work: Callable[[], object]) -> None:
        if self._failure is None:
            try:
                work()
            except Exception as error:  # whatever it was, the disk does not hold what memory holds
                self._failure = OpenSlotError(Code.STORAGE_FAILED, str(error), where=str(self._path))

    def _write(self, group: _Group) -> None:
        self._attempt(lambda: _insert(self._connection, group.rows))
        if self._failure is None:
            group.done.set_result(None)
        else:
            group.done.set_exception(self._failure)


class _Snapshot:
    """A `Reader` within one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def load(self, kind: type[SomeRow], after: int = 0) -> Iterator[SomeRow]:
        """Yield the table's rows in the order in which they were added, without the first `after`.

        Raises:
            OpenSlotError: `STORAGE_DAMAGED` for a row that is not what was written.
        """
        if not kind.CHAINED:
            self._check(kind)
        rows = f"SELECT {', '.join(COLUMNS[kind])} FROM {kind.TABLE} WHERE rowid > ? ORDER BY rowid"  # noqa: S608  ours
        for values in self._connection.execute(rows, (after,)):
            row = kind(*values[: len(fields(kind))])
            if _values(row) != values:
                raise OpenSlotError(Code.STORAGE_DAMAGED, f"a row of {kind.TABLE} was altered", where=kind.TABLE)
            yield row

    def _check(self, kind: type[Row]) -> None:
        """Look for rows that are gone: they are still in the table's index."""
        (said,) = self._connection.execute(f"PRAGMA integrity_check({kind.TABLE})").fetchone()
        if said != "ok":
            raise OpenSlotError(Code.STORAGE_DAMAGED, str(said), where=kind.TABLE)

    def find(self, kind: type[SomeRow], **columns: Any) -> SomeRow | None:
        """Return a row whose columns have these values, or None."""
        names = ", ".join(column.name for column in fields(kind))
        wanted = " AND ".join(f"{name} = ?" for name in columns)
        query = f"SELECT {names} FROM {kind.TABLE} WHERE {wanted} LIMIT 1"  # noqa: S608  ours
        values = self._connection.execute(query, tuple(columns.values())).fetchone()
        return None if values is None else kind(*values)


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """Read a database as it is at this moment, whether a server runs on it or not.

    Raises:
        OpenSlotError: `FILE_NOT_FOUND`, `FILE_INVALID` if it is not an OpenSlot database, or `STORAGE_FAILED`.
    """
    if not path.is_file():
        raise OpenSlotError(Code.FILE_NOT_FOUND, "no such database", where=str(path))
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT * FROM ledger_head").fetchall()  # a read fixes the moment
            yield _Snapshot(connection)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _refusal(error, path) from None


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the database for one server: two with their own budgets in memory would spend the same money twice.

    Raises:
        OpenSlotError: `STORAGE_FAILED` if another server holds it or the folder cannot be written.
    """
    lock = path.with_name(path.name + ".lock")
    try:
        with lock.open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError:
        raise OpenSlotError(Code.STORAGE_FAILED, "another server runs on this database", where=str(path)) from None
    except OSError as error:
        raise OpenSlotError(Code.STORAGE_FAILED, error.strerror or "cannot be locked", where=str(lock)) from None


def _connect(path: Path, connection: type[sqlite3.Connection]) -> sqlite3.Connection:
    made = sqlite3.connect(
        path,
        timeout=BUSY_S,
        isolation_level=None,
        check_same_thread=False,
        factory=connection,
        cached_statements=PREPARED,
    )
    made.execute("PRAGMA synchronous = FULL")
    return made


def _refusal(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> OpenSlotError:
    cause = getattr(error, "sqlite_errorcode", None)  # none where it is ours
    if isinstance(error, UnicodeDecodeError) or (cause is not None and cause & 0xFF == sqlite3.SQLITE_CORRUPT):
        return OpenSlotError(Code.STORAGE_DAMAGED, str(error), where=str(path))
    if cause in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):  # no such table, no such column
        return OpenSlotError(Code.FILE_INVALID, f"not an OpenSlot database ({error})", where=str(path))
    return OpenSlotError(Code.STORAGE_FAILED, str(error), where=str(path))


def _prepare(connection: sqlite3.Connection) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "trusted_schema = OFF", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    folder = resources.files("openslot_server.storage") / "migrations"
    migrations = sorted((int(entry.name[:4]), entry) for entry in folder.iterdir() if entry.name.endswith(".sql"))
    if version > migrations[-1][0]:
        raise sqlite3.DatabaseError(f"the file is of version {version}, this server knows {migrations[-1][0]}")
    for number, entry in migrations:
        if number > version:
            script = entry.read_text("utf-8")
            connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")
    for kind in (kind for kind in ROWS if not kind.CHAINED):
        if version < migrations[-1][0] or SUM not in _column_names(connection, kind):
            _sum_up(connection, kind)


def _sum_up(connection: sqlite3.Connection, kind: type[Row]) -> None:
    """Give every row of a table its digest: those that there are were written by an older version."""
    names = ", ".join(column.name for column in fields(kind))
    connection.execute("SAVEPOINT sums")
    if SUM not in _column_names(connection, kind):
        connection.execute(f"ALTER TABLE {kind.TABLE} ADD COLUMN {SUM} BLOB")
    for number, *values in connection.execute(f"SELECT rowid, {names} FROM {kind.TABLE}").fetchall():  # noqa: S608  ours
        digest = row_digest(kind(*values))[:SUM_BYTES]
        connection.execute(f"UPDATE {kind.TABLE} SET {SUM} = ? WHERE rowid = ?", (digest, number))  # noqa: S608  ours
    connection.execute("RELEASE sums")


def _column_names(connection: sqlite3.Connection, kind: type[Row]) -> set[str]:
    return {name for _, name, *_ in connection.execute(f"PRAGMA table_info({kind.TABLE})")}


def _insert(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    tables: defaultdict[type[Row], list[Row]] = defaultdict(list)
    for row in rows:
        tables[type(row)].append(row)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for old in tables.pop(Forgotten, []):
            connection.execute(FORGET[getattr(old, "table")], (getattr(old, "before_ms"), FORGOTTEN_MOST))  # noqa: B009
        for kind, added in tables.items():
            values = [_values(row) for row in (_newest(added, kind.KEY) if issubclass(kind, LatestRow) else added)]
            for start in range(0, len(values), AT_ONCE):
                part = values[start : start + AT_ONCE]
                connection.execute(_statement(kind, len(part)), tuple(chain.from_iterable(part)))
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _newest(rows: Sequence[Row], key: int) -> list[Row]:
    """Return the rows without those that a later one replaces; their first `key` fields are the key."""
    kept: dict[Values, Row] = {}
    for row in rows:
        name = VALUES[type(row)](row)[:key]
        kept.pop(name, None)
        kept[name] = row
    return list(kept.values())


def _values(row: Row) -> Values:
    values = VALUES[type(row)](row)
    return values if row.CHAINED else (*values, row_digest(row)[:SUM_BYTES])


def _statement(kind: type[Row], rows: int) -> str:
    verb = "INSERT OR REPLACE" if issubclass(kind, LatestRow) else "INSERT"
    columns = COLUMNS[kind]
    marks = ", ".join("?" for _ in columns)
    return f"{verb} INTO {kind.TABLE} ({', '.join(columns)}) VALUES " + ", ".join([f"({marks})"] * rows)


COLUMNS = {kind: [*(column.name for column in fields(kind)), *[SUM] * (not kind.CHAINED)] for kind in ROWS}
FORGET = {
    kind.TABLE: f"DELETE FROM {kind.TABLE} WHERE rowid IN "  # noqa: S608  ours
    f"(SELECT rowid FROM {kind.TABLE} WHERE {at_ms} < ? ORDER BY {at_ms} LIMIT ?)"
    for kind, at_ms in FORGETTABLE.items()
}
