from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from openslot_server.impressions.ledger import GENESIS, chain
from openslot_server.impressions.verify import verify, verify_evidence
from openslot_server.storage.store import BatchRow, HeadRow, LedgerRow
from openslot_spec.errors import Code, OpenSlotError
from tests.server.market import Market

Rows = list[LedgerRow]


@cache
def busy_market() -> Market:
    market = Market()
    market.line_item(price=2_000, impressions=30)
    market.slot()
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


def broken_at(rows: Rows, head: HeadRow | None) -> str:
    with pytest.raises(OpenSlotError) as broken:
        verify(rows, head)
    assert broken.value.code is Code.LEDGER_BROKEN
    return broken.value.where


def test_an_honest_ledger_holds_and_its_batches_stand_under_it(rows: Rows, head: HeadRow) -> None:
    books = verify(rows, head)
    assert verify_evidence(books, busy_market().store.load(BatchRow)) == 4
    assert sum(books.ledger.balances.values()) == 0
    assert books.ledger.balances["payable plaza north li-1 USD"] == 8 * 1_800


def test_an_empty_ledger_holds() -> None:
    assert verify([], None).ledger.sha256 == GENESIS


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


@pytest.mark.parametrize("column", ["columns", "tickets", "verdicts", "world", "at_ms", "id"])
def test_events_that_were_altered_do_not_stand_under_the_ledger(rows: Rows, head: HeadRow, column: str) -> None:
    batches = list(busy_market().store.load(BatchRow))
    value: Any = getattr(batches[1], column)
    altered: Any = value + (1 if isinstance(value, int) else value[:1])
    batches[1] = replace(batches[1], **{column: altered})
    with pytest.raises(OpenSlotError, match=f"batch {batches[1].id.hex()}"):
        verify_evidence(verify(rows, head), batches)


def test_events_that_were_removed_are_missed(rows: Rows, head: HeadRow) -> None:
    batches = list(busy_market().store.load(BatchRow))
    with pytest.raises(OpenSlotError, match="its batch is gone"):
        verify_evidence(verify(rows, head), batches[1:])


def test_an_event_batch_that_was_put_in_is_found(rows: Rows, head: HeadRow) -> None:
    batches = list(busy_market().store.load(BatchRow))
    with pytest.raises(OpenSlotError, match="no record settles this batch"):
        verify_evidence(verify(rows, head), [*batches, batches[0]])
