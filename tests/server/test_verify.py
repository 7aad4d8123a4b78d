from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import msgpack
import pytest

from openslot_server.impressions.ledger import GENESIS, chain
from openslot_server.impressions.verify import Books, verify
from openslot_server.storage.store import (
    BatchRow,
    DecisionRow,
    HeadRow,
    LedgerRow,
    Row,
    SignalRow,
    VerdictRow,
    row_digest,
)
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import batch_digest
from tests.server.market import Market, MemoryStore

Rows = list[LedgerRow]


@cache
def busy_market() -> Market:
    market = Market()
    market.line_item(price=2_000, impressions=30)
    market.slot()
    market.ask("attic")
    for viewer in range(4):
        ticket = market.place(viewers=5).ticket
        market.pass_time(20_000)
        market.send(ticket, viewer=[viewer, viewer + 1])
    market.pass_time(10 * 60_000)
    return market


@pytest.fixture
def rows() -> Rows:
    return list(busy_market().store.load(LedgerRow))


@pytest.fixture
def head() -> HeadRow:
    return next(busy_market().store.load(HeadRow))


def chained(rows: Rows) -> tuple[Rows, HeadRow]:
    """Hash the records again from the first on, as one who has the database can."""
    sha256 = GENESIS
    made = []
    for seq, row in enumerate(rows, start=1):
        record = json.dumps(json.loads(row.record) | {"seq": seq}, sort_keys=True, separators=(",", ":"))
        sha256 = chain(sha256, record)
        made.append(LedgerRow(seq, record, sha256))
    return made, HeadRow(1, len(made), sha256)


def edited(row: LedgerRow, edit: Callable[[dict[str, object]], object]) -> LedgerRow:
    record = json.loads(row.record)
    edit(record)
    return replace(row, record=json.dumps(record, sort_keys=True, separators=(",", ":")))


def first_of(rows: Rows, kind: str) -> int:
    return next(index for index, row in enumerate(rows) if json.loads(row.record)["kind"] == kind)


def read(rows: Rows, head: HeadRow | None, **tables: list[Any]) -> Books:
    """Verify the market's books with other records, decisions or batches."""
    store = MemoryStore()
    store.tables = {**busy_market().store.tables, LedgerRow: list[Row](rows), HeadRow: [head] if head else []}
    store.tables |= {kind: tables[kind.TABLE] for kind in (DecisionRow, BatchRow) if kind.TABLE in tables}
    return verify(store)


def broken_at(rows: Rows, head: HeadRow | None, **tables: list[Any]) -> str:
    with pytest.raises(OpenSlotError) as broken:
        read(rows, head, **tables)
    assert broken.value.code is Code.LEDGER_BROKEN
    return broken.value.where


def test_an_honest_ledger_holds_and_decisions_and_batches_stand_under_it(rows: Rows, head: HeadRow) -> None:
    books = read(rows, head)
    assert books.counts == {DecisionRow: 5, BatchRow: 4, VerdictRow: 0, SignalRow: 0}
    assert sum(books.ledger.balances.values()) == 0
    assert books.ledger.balances["payable plaza north li-1 USD"] == 8 * 1_800
    assert books.advertisers == {"li-1": "aurora"}


def test_an_empty_ledger_holds() -> None:
    assert verify(MemoryStore()).ledger.sha256 == GENESIS


def test_books_go_on_where_they_ended() -> None:
    market = Market()
    books = Books()
    market.line_item()
    market.slot()
    for viewers in (1, 2):
        market.place(viewers=viewers)
        assert [entry.kind for entry, _ in books.read(market.store)][-1] == "reserve"
        assert list(books.read(market.store)) == []
    assert books.ledger.balances == market.books().ledger.balances
    market.store.tables[DecisionRow].append(market.store.tables[DecisionRow][0])
    with pytest.raises(OpenSlotError, match="hold a row that no record stands on"):
        list(books.read(market.store))


@pytest.mark.parametrize("index", range(12))
def test_one_altered_character_in_any_record_is_found_where_it_is(rows: Rows, head: HeadRow, index: int) -> None:
    row = rows[index % len(rows)]
    middle = len(row.record) // 2
    rows[index % len(rows)] = replace(row, record=row.record[:middle] + "~" + row.record[middle + 1 :])
    assert broken_at(rows, head) == f"record {row.seq}"


def test_a_removed_record_is_found(rows: Rows, head: HeadRow) -> None:
    for index in range(len(rows) - 1):
        assert broken_at(rows[:index] + rows[index + 1 :], head) == f"record {index + 1}"


def test_a_cut_tail_is_found(rows: Rows, head: HeadRow) -> None:
    for length in range(len(rows)):
        assert broken_at(rows[:length], head) == f"record {length + 1}"


def test_a_head_that_is_gone_is_found(rows: Rows) -> None:
    assert broken_at(rows, None) == f"record {len(rows)}"


def test_records_in_another_order_are_found(rows: Rows, head: HeadRow) -> None:
    rows[2], rows[3] = rows[3], rows[2]
    assert broken_at(rows, head) == "record 3"


def test_a_record_that_was_put_in_is_found(rows: Rows, head: HeadRow) -> None:
    assert broken_at([*rows[:3], rows[2], *rows[3:]], head) == "record 4"


def test_a_ledger_of_another_database_is_found(rows: Rows, head: HeadRow) -> None:
    assert broken_at(rows, replace(head, sha256="f" * 64)) == f"record {len(rows) + 1}"


def more_money(record: dict[str, object]) -> None:
    postings = record["postings"]
    assert isinstance(postings, list)
    postings[0][1] += 1


def money_from_nowhere(record: dict[str, object]) -> None:
    record["postings"] = [["payable plaza north li-1 USD", 1], ["budget li-9 USD", -1]]


def more_impressions(record: dict[str, object]) -> None:
    lots = record["lots"]
    assert isinstance(lots, list)
    lots[0][1] += 1


def no_impressions(record: dict[str, object]) -> None:
    record["lots"] = []


@pytest.mark.parametrize("edit", [more_money, money_from_nowhere, more_impressions])
@pytest.mark.parametrize("kind", ["settle", "release"])
def test_a_forged_record_with_a_fresh_chain_does_not_balance(
    rows: Rows, kind: str, edit: Callable[[dict[str, object]], object]
) -> None:
    index = first_of(rows, kind)
    rows[index] = edited(rows[index], edit)
    assert broken_at(*chained(rows)) == f"record {index + 1}"


def test_a_settlement_whose_lots_are_gone_does_not_balance_later(rows: Rows) -> None:
    index = first_of(rows, "settle")
    rows[index] = edited(rows[index], no_impressions)
    assert int(broken_at(*chained(rows)).split()[1]) > index


def test_rehashing_alone_changes_nothing(rows: Rows, head: HeadRow) -> None:
    assert chained(rows)[1] == head


COLUMNS = [
    *(("batches", column) for column in ("id", "world", "at_ms", "digest", "tickets", "columns", "verdicts")),
    *(("decisions", column) for column in ("id", "world", "session", "at_ms", "outcomes")),
]
PLACE = {"batches": 1, "decisions": 2}


def table(name: str) -> list[Any]:
    return list(busy_market().store.load(BatchRow if name == "batches" else DecisionRow))


def record_of(rows: Rows, row: Any) -> str:
    return next(f"record {record.seq}" for record in rows if json.loads(record.record)["ref"] == row.id.hex())


@pytest.mark.parametrize(("name", "column"), COLUMNS)
def test_a_row_that_was_altered_is_found_at_its_record(rows: Rows, head: HeadRow, name: str, column: str) -> None:
    found = table(name)
    row = found[PLACE[name]]
    value: Any = getattr(row, column)
    altered: Any = value + (1 if isinstance(value, int) else value[:1])
    found[PLACE[name]] = replace(row, **{column: altered})
    assert broken_at(rows, head, **{name: found}) == record_of(rows, row)


@pytest.mark.parametrize("name", PLACE)
def test_a_row_that_is_gone_put_in_or_moved_is_found(rows: Rows, head: HeadRow, name: str) -> None:
    first, second, *rest = table(name)
    assert broken_at(rows, head, **{name: [second, *rest]}) == record_of(rows, first)
    assert broken_at(rows, head, **{name: [first, second, *rest[:-1]]}) == record_of(rows, rest[-1])
    assert broken_at(rows, head, **{name: [second, first, *rest]}) == record_of(rows, first)
    assert broken_at(rows, head, **{name: [first, first, second, *rest]}) == record_of(rows, second)
    assert broken_at(rows, head, **{name: [first, second, *rest, first]}) == f"record {len(rows) + 1}"


@pytest.mark.parametrize("name", PLACE)
def test_a_row_of_another_type_is_found(rows: Rows, head: HeadRow, name: str) -> None:
    first, *rest = table(name)
    for odd in (None, 1.5, first.id.hex()):
        assert broken_at(rows, head, **{name: [replace(first, id=odd), *rest]}) == record_of(rows, first)


def in_another_order(packed: bytes) -> bytes:
    return bytes(msgpack.packb(dict(reversed(msgpack.unpackb(packed).items()))))


def at_greater_length(packed: bytes) -> bytes:
    return b"\xde\x00" + bytes([packed[0] & 0x0F]) + packed[1:]


def with_another_column(packed: bytes) -> bytes:
    return bytes(msgpack.packb(msgpack.unpackb(packed) | {"mood": b""}))


@pytest.mark.parametrize("write", [in_another_order, at_greater_length, with_another_column])
def test_a_batch_that_says_the_same_in_other_bytes_is_found(
    rows: Rows, head: HeadRow, write: Callable[[bytes], bytes]
) -> None:
    first, *rest = table("batches")
    batches = [replace(first, columns=write(first.columns)), *rest]
    assert broken_at(rows, head, batches=batches) == record_of(rows, first)


def test_a_batch_with_the_digest_of_its_altered_content_is_found(rows: Rows, head: HeadRow) -> None:
    first, *rest = table("batches")
    tickets, columns = msgpack.unpackb(first.tickets), msgpack.unpackb(first.columns)
    columns["viewer"] = bytes(len(columns["viewer"]))
    packed = bytes(msgpack.packb(columns))
    forged = replace(first, columns=packed, digest=batch_digest(tuple(tickets), columns))
    assert broken_at(rows, head, batches=[forged, *rest]) == record_of(rows, first)


def test_records_of_an_older_server_stand_on_whole_rows(rows: Rows) -> None:
    batches = iter(table("batches"))
    for index, row in enumerate(rows):
        if json.loads(row.record)["kind"] == "settle":
            whole = row_digest(next(batches)).hex()
            rows[index] = edited(row, lambda record, whole=whole: record.update(evidence=whole))  # type: ignore[misc]
    assert read(*chained(rows)).counts == {DecisionRow: 5, BatchRow: 4, VerdictRow: 0, SignalRow: 0}
    altered = [replace(row, columns=row.columns[:-1] + b"!") for row in table("batches")]
    assert broken_at(*chained(rows), batches=altered) == record_of(rows, altered[0])


@pytest.mark.parametrize("odd", [None, 1.5, b"{}"])
def test_a_record_of_another_type_is_found(rows: Rows, head: HeadRow, odd: Any) -> None:
    assert broken_at([replace(rows[0], record=odd), *rows[1:]], head) == "record 1"
    assert broken_at([replace(rows[0], sha256=odd), *rows[1:]], head) == "record 1"


def test_the_example_of_the_prose_holds() -> None:
    prose = (Path(__file__).parents[2] / "spec" / "ledger.md").read_text("utf-8")
    lines = prose.partition("```ledger\n")[2].partition("```")[0].splitlines()
    records = [
        LedgerRow(seq, record, sha256)
        for seq, (record, sha256) in enumerate(zip(lines[::2], lines[1::2], strict=True), 1)
    ]
    decision = DecisionRow(bytes(range(16)), "plaza", "s1", 1_790_000_001_000, b"\x90")
    head = HeadRow(1, len(records), lines[-1])
    store = MemoryStore()
    store.tables = {LedgerRow: list[Row](records), DecisionRow: [decision], HeadRow: [head]}
    balances = verify(store).ledger.balances
    assert balances == {"funding aurora USD": -10_000, "budget li-1 USD": 8_000, "reserved li-1 USD": 2_000}


def test_a_digest_tells_rows_apart_that_hold_the_same_bytes() -> None:
    row, as_text = DecisionRow(b"ab", "cd", "e", 1, b""), dict[str, Any](outcomes="")
    found = {row_digest(each) for each in (row, replace(row, world="c", session="de"), replace(row, **as_text))}
    assert len(found) == 3
