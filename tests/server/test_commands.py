from __future__ import annotations

import csv
import io
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from openslot_server.cli.main import main
from openslot_server.impressions.ledger import Entry, Kind
from openslot_server.impressions.verify import verify
from openslot_server.storage.sqlite import SqliteStore, reading
from openslot_server.storage.store import KeyRow, LedgerRow, TicketKeyRow
from tests.server.market import Market


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database in which two views were paid for."""
    market = Market()
    market.slot()
    market.line_item(price=2_000)
    ticket = market.place(viewers=2).ticket
    market.pass_time(10_000)
    market.send(ticket, viewer=[1, 2])
    path = tmp_path / "market.sqlite3"
    with closing(SqliteStore(path)) as store:
        store.commit([row for rows in market.store.tables.values() for row in rows]).result(10)
    return path


@dataclass
class Ended:
    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Ended]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in this process."""

    def run(*words: str | Path) -> Ended:
        monkeypatch.setattr(sys, "argv", ["openslot", *map(str, words)])
        try:
            main()
        except SystemExit as end:
            return Ended(int(end.code or 0), *capsys.readouterr())
        return Ended(0, *capsys.readouterr())

    return run


def spawn(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "openslot_server", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_report_as_json_csv_and_table_says_the_same(database: Path, run: Run) -> None:
    as_json, as_csv, table = (run("report", "--database", database, *how) for how in (["--json"], ["--csv"], []))
    assert (as_json.returncode, as_csv.returncode, table.returncode) == (0, 0, 0)
    totals = json.loads(as_json.stdout)["totals"]
    assert (totals["viewable"], totals["spend_micros"]) == (2, 4_000)
    (row,) = csv.DictReader(io.StringIO(as_csv.stdout))
    assert (row["slot"], row["viewable"], row["spend_micros"]) == ("north", "2", "4000")
    head, _, line = table.stdout.splitlines()[1:4]
    assert head.split()[:7] == ["world", "/", "slot", "requests", "filled", "rendered", "viewable"]
    assert line.split()[:3] == ["plaza", "/", "north"]
    assert "0.0036 USD to worlds, 0.0004 fee" in table.stdout


def test_an_end_that_was_kept_elsewhere_tells_that_the_ledger_was_cut(database: Path, run: Run, tmp_path: Path) -> None:
    older = tmp_path / "older.sqlite3"
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(older)) as target:
        source.backup(target)
    before = run("ledger", "head", "--database", database)
    with closing(SqliteStore(database)) as store:
        with store.read() as reader:
            ledger = verify(reader).ledger
        store.commit([*ledger.append(Entry(Kind.RELEASE, 1, "", (), ()))]).result()
    after = run("ledger", "head", "--database", database)
    said = json.loads(run("ledger", "head", "--database", database, "--json").stdout)
    assert after.stdout.strip() == f"{said['seq']}:{said['sha256']}" != before.stdout.strip()
    both = ["--head", before.stdout.strip(), "--head", after.stdout.strip()]
    assert run("ledger", "verify", "--database", database, *both).returncode == 0
    cut = run("ledger", "verify", "--database", older, *both)
    assert (cut.returncode, "ledger.broken" in cut.stderr, "older copy" in cut.stderr) == (1, True, True)
    wrong = run("ledger", "verify", "--database", database, "--head", f"{said['seq']}:{'0' * 64}")
    assert (wrong.returncode, "another than was seen" in wrong.stderr) == (1, True)
    assert run("ledger", "verify", "--database", database, "--head", "nonsense").returncode == 2


def test_ledger_verify_says_yes_and_after_one_changed_digit_no_and_where(database: Path, run: Run) -> None:
    good = run("ledger", "verify", "--database", database, "--json")
    assert good.returncode == 0
    said = json.loads(good.stdout)
    assert (said["holds"], said["records"], said["batches"]) == (True, 3, 1)
    assert said["balances"]["payable plaza north li-1 USD"] == 3_600
    with closing(SqliteStore(database)) as store:
        store._connection.execute("UPDATE ledger SET record = replace(record, '3600', '3601')")
    bad = run("ledger", "verify", "--database", database)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert "ledger.broken at record 3" in bad.stderr
    assert run("report", "--database", database).returncode == 1


def test_keys_are_shown_once_and_kept_as_digests(database: Path, run: Run) -> None:
    key = run("keys", "add", "world", "arcade", "--database", database).stdout.strip()
    assert key.startswith("ok_world_")
    listed = json.loads(run("keys", "list", "--database", database, "--json").stdout)
    assert ("world", "arcade") in [(one["role"], one["account"]) for one in listed]
    assert key.encode() not in database.read_bytes()


def test_a_key_that_was_revoked_is_not_listed_and_cannot_be_revoked_again(database: Path, run: Run) -> None:
    run("keys", "add", "world", "arcade", "--database", database)
    line = next(line for line in run("keys", "list", "--database", database).stdout.splitlines() if "arcade" in line)
    name = line.split()[-1]
    assert run("keys", "revoke", name, "--database", database).stdout == "revoked: world arcade\n"
    assert "arcade" not in run("keys", "list", "--database", database).stdout
    again = run("keys", "revoke", name, "--database", database)
    assert (again.returncode, "auth.name_unknown" in again.stderr) == (1, True)


def test_tickets_are_signed_with_another_key_after_a_rotation_and_the_old_one_is_kept(database: Path, run: Run) -> None:
    with reading(database) as reader:
        before = list(reader.load(TicketKeyRow))
    key = json.loads(run("keys", "rotate-tickets", "--database", database, "--json").stdout)["key_id"]
    with reading(database) as reader:
        after = list(reader.load(TicketKeyRow))
    assert after[:-1] == before
    assert after[-1].key_id.hex() == key
    assert run("ledger", "verify", "--database", database).returncode == 0
    missing = run("keys", "rotate-tickets", "--database", database.with_name("typo.sqlite3"))
    assert (missing.returncode, database.with_name("typo.sqlite3").exists()) == (2, False)


def test_a_key_for_an_account_with_no_possible_name_is_refused(database: Path, run: Run) -> None:
    refused = run("keys", "add", "world", "no spaces", "--database", database)
    assert refused.returncode == 1
    assert "account" in refused.stderr


def test_a_reader_that_goes_away_is_no_failure(database: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "openslot_server", "report", "--json", "--database", str(database)]
    ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_the_command_says_its_version(run: Run) -> None:
    assert run("--version").stdout == f"openslot {version('openslot')}\n"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["report", "--database", "nowhere.sqlite3"], 2, "run.file_not_found"),
        (["report"], 2, "--database or --server"),
        (["report", "--server", "http://127.0.0.1:9"], 3, "run.server_away"),
        (["ledger", "verify", "--database", __file__], 2, "run.file_invalid"),
        (["serve", "--config", "nowhere.toml"], 2, "run.file_not_found"),
        (["serve", "--port", "123456"], 2, "run.config_invalid at port"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_a_code(run: Run, words: list[str], code: int, says: str) -> None:
    ended = run(*words)
    assert ended.returncode == code, ended.stderr
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "openslot_server", "serve", "--port", "0", "--json"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENSLOT_")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=environment) as child:
        yield child
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0


def test_a_server_says_where_it_is_and_whom_it_obeys_and_others_find_its_places_taken(
    serving: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert serving.stdout is not None
    ready = json.loads(serving.stdout.readline())
    port = ready["ready"].rsplit(":", 1)[1]
    with socket.create_connection(("127.0.0.1", int(port))):
        pass
    report = spawn("report", "--server", ready["ready"], "--key", ready["operator_key"], "--json")
    assert json.loads(report.stdout)["rows"] == []
    wrong = spawn("report", "--server", ready["ready"], "--key", "ok_world_wrong")
    assert (wrong.returncode, "auth.key_unknown" in wrong.stderr) == (1, True)
    taken = spawn("serve", "--port", port, "--database", tmp_path / "other.sqlite3")
    assert (taken.returncode, "run.port_in_use" in taken.stderr) == (3, True)
    held = spawn("serve", "--port", "0", "--database", tmp_path / "openslot.sqlite3")
    assert (held.returncode, "another server" in held.stderr) == (3, True)
    nowhere = spawn("serve", "--port", "0", "--database", "/dev/null/x")
    assert (nowhere.returncode, "run.storage_failed" in nowhere.stderr) == (3, True)
    with reading(tmp_path / "openslot.sqlite3") as reader:
        assert [row.role for row in reader.load(KeyRow)] == ["operator"]
        assert list(reader.load(LedgerRow)) == []
