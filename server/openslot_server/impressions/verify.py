"""The ledger judged from outside: the chain, the balances, the reservations, and the evidence under each settlement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from openslot_server.demand.budgets import Budgets
from openslot_server.impressions.batches import evidence
from openslot_server.impressions.ledger import GENESIS, Entry, Funded, Kind, Ledger, chain, decode
from openslot_server.impressions.postings import account
from openslot_server.storage.store import BatchRow, HeadRow, LedgerRow
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["Verified", "verify", "verify_evidence"]


@dataclass(frozen=True, slots=True)
class Verified:
    """A ledger that holds, and what it says."""

    ledger: Ledger
    budgets: Budgets
    evidence: dict[str, int]
    """Evidence of settlements to the number of the record."""


def verify(rows: Iterable[LedgerRow], head: HeadRow | None) -> Verified:
    """Return what the ledger says; `head` is where it was said to end (None: an empty one).

    Raises:
        OpenSlotError: `LEDGER_BROKEN` naming the first record that was altered, removed, added or moved, or after which
            an account or a reservation does not hold.
    """
    found = Verified(Ledger(), Budgets(), {})
    for row in rows:
        entry = _next(found.ledger, row)
        try:
            _apply(found, entry)
        except (AssertionError, KeyError, TypeError, IndexError) as error:
            raise _broken(row.seq, f"does not balance: {error}") from None
        if entry.kind is Kind.SETTLE:
            found.evidence[entry.evidence] = row.seq
    if head is not None and (head.seq, head.sha256) != (found.ledger.seq, found.ledger.sha256):
        raise _broken(min(head.seq, found.ledger.seq) + 1, f"the chain was said to end at record {head.seq}")
    if head is None and found.ledger.seq:
        raise _broken(found.ledger.seq, "nothing says that the chain ends here")
    return found


def verify_evidence(verified: Verified, batches: Iterable[BatchRow]) -> int:
    """Return how many batches were checked; raises `LEDGER_BROKEN` for one altered, removed or made up."""
    open_records = dict(verified.evidence)
    count = 0
    for batch in batches:
        count += 1
        if open_records.pop(evidence(batch), None) is None:
            raise OpenSlotError(Code.LEDGER_BROKEN, "no record settles this batch", where=f"batch {batch.id.hex()}")
    if open_records:
        raise _broken(min(open_records.values()), "its batch is gone or altered")
    return count


def _next(ledger: Ledger, row: LedgerRow) -> Entry:
    if row.seq != ledger.seq + 1:
        raise _broken(ledger.seq + 1, f"record {row.seq} stands in its place")
    if row.sha256 != chain(ledger.sha256 or GENESIS, row.record):
        raise _broken(row.seq, "its hash does not follow from it and the one before")
    try:
        seq, entry = decode(row.record)
    except (ValueError, TypeError, KeyError) as error:
        raise _broken(row.seq, f"not a record: {error}") from None
    if seq != row.seq:
        raise _broken(row.seq, f"it calls itself record {seq}")
    ledger.seq, ledger.sha256 = row.seq, row.sha256
    return entry


def _apply(found: Verified, entry: Entry) -> None:
    found.ledger.post(entry.postings)
    for lot in entry.lots:
        found.budgets.apply(lot)
    for line_item in set(_touched(found.budgets, entry)):
        budget = found.budgets.line_items[line_item]
        for kind, micros in (("budget", budget.left), ("reserved", budget.reserved)):
            name = account(kind, line_item, budget.currency)
            if found.ledger.balances[name] != micros:
                raise AssertionError(f"{name} is {found.ledger.balances[name]}, its placements say {micros}")


def _touched(budgets: Budgets, entry: Entry) -> Iterator[str]:
    for lot in entry.lots:
        yield lot.line_item if isinstance(lot, Funded) else budgets.placements[lot.placement].line_item


def _broken(seq: int, detail: str) -> OpenSlotError:
    return OpenSlotError(Code.LEDGER_BROKEN, detail, where=f"record {seq}")
