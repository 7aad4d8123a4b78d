"""The books judged from outside: the chain, the balances, the reservations, and the row under each record.

ledger   1 fund   2 reserve   3 reserve   4 settle   5 release   6 settle …   each hashed onto the one before
                     │            │           │                     │
rows             decision 1   decision 2   batch 1               batch 2      by their digests, in this order
"""

from __future__ import annotations

from collections.abc import Iterator

from openslot_server.demand.budgets import Budgets
from openslot_server.impressions.batches import has_its_content
from openslot_server.impressions.ledger import GENESIS, Entry, Funded, Kind, Ledger, Reversed, chain, decode
from openslot_server.impressions.postings import account
from openslot_server.storage.store import (
    BatchRow,
    DecisionRow,
    HeadRow,
    LedgerRow,
    Reader,
    SignalRow,
    VerdictRow,
    batch_evidence,
    row_digest,
)
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["Books", "Evidence", "check_end", "verify"]

Evidence = DecisionRow | BatchRow | VerdictRow | SignalRow
"""What a record may stand on."""
EVIDENCE: dict[Kind, type[Evidence]] = {
    Kind.RESERVE: DecisionRow,
    Kind.SETTLE: BatchRow,
    Kind.AUDIT: VerdictRow,
    Kind.SIGNAL: SignalRow,
}


class Books:
    """Books that hold as far as they were read; `read` goes on where it ended."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.budgets = Budgets()
        self.advertisers: dict[str, str] = {}
        """By line item: who funded it."""
        self.counts: dict[type[Evidence], int] = dict.fromkeys(EVIDENCE.values(), 0)
        self._audited: set[tuple[str, int]] = set()
        """By batch and event: what was given back."""

    def read(self, reader: Reader) -> Iterator[tuple[Entry, Evidence | None]]:
        """Yield each new record and the row that it stands on, and check that nothing is left over.

        Raises:
            OpenSlotError: `LEDGER_BROKEN` naming the first record that was altered, removed, added or moved, whose row
                was, or after which an account or a reservation does not hold. These books are of no use then.
        """
        rows = {kind: reader.load(kind, after) for kind, after in self.counts.items()}
        for record in reader.load(LedgerRow, self.ledger.seq):
            entry = _next(self.ledger, record)
            try:
                self._apply(entry)
            except (AssertionError, KeyError, TypeError, ValueError, IndexError) as error:
                raise _broken(record.seq, f"does not balance: {error}") from None
            kind = EVIDENCE.get(entry.kind)
            yield entry, self._evidence(entry, kind, rows[kind]) if kind else None
        for kind, left in rows.items():
            if next(left, None) is not None:
                raise _broken(self.ledger.seq + 1, f"{kind.TABLE} hold a row that no record stands on")
        self._require_end(next(reader.load(HeadRow), None))

    def _evidence(self, entry: Entry, kind: type[Evidence], rows: Iterator[Evidence]) -> Evidence:
        row = next(rows, None)
        if row is None or not _is_evidence(row, entry.evidence):
            raise _broken(self.ledger.seq, f"row {entry.ref} of {kind.TABLE}, on which it stands, is gone or altered")
        self.counts[kind] += 1
        return row

    def _apply(self, entry: Entry) -> None:
        self.ledger.post(entry.postings)
        for lot in entry.lots:
            self.budgets.apply(lot)
            if isinstance(lot, Reversed):
                self._reverse(lot)
        if entry.kind is Kind.FUND:
            self._fund(entry)
        for line_item in set(_touched(self.budgets, entry)):
            budget = self.budgets.line_items[line_item]
            for kind, micros in (("budget", budget.left), ("reserved", budget.reserved)):
                name = account(kind, line_item, budget.currency)
                if self.ledger.balances[name] != micros:
                    raise AssertionError(f"{name} is {self.ledger.balances[name]}, its placements say {micros}")

    def _reverse(self, lot: Reversed) -> None:
        if (lot.batch, lot.event) in self._audited:
            raise AssertionError(f"event {lot.event} of batch {lot.batch} is given back twice")
        self._audited.add((lot.batch, lot.event))

    def _fund(self, entry: Entry) -> None:
        names = (name.split(" ") for name, _ in entry.postings)
        (advertiser,) = (whose for kind, whose, *_ in names if kind == "funding")
        self.advertisers.update((lot.line_item, advertiser) for lot in entry.lots if isinstance(lot, Funded))

    def _require_end(self, head: HeadRow | None) -> None:
        ledger = self.ledger
        if head is None and ledger.seq:
            raise _broken(ledger.seq, "nothing says that the chain ends here")
        if head is not None and head != HeadRow(1, ledger.seq, ledger.sha256):
            raise _broken(min(head.seq, ledger.seq) + 1, f"the chain was said to end at record {head.seq}")


def verify(reader: Reader) -> Books:
    """Return the books once all of them was read; raises `LEDGER_BROKEN`."""
    books = Books()
    for _ in books.read(reader):
        pass
    return books


def check_end(reader: Reader, seq: int, sha256: str) -> None:
    """Raise `LEDGER_BROKEN` unless a ledger that holds went through this end, which somebody kept elsewhere."""
    record = reader.find(LedgerRow, seq=seq)
    found = GENESIS if seq == 0 else None if record is None else record.sha256
    if found != sha256:
        what = "is gone: the ledger was cut, or is an older copy" if found is None else "is another than was seen"
        raise _broken(seq, f"the record {what}")


def _next(ledger: Ledger, row: LedgerRow) -> Entry:
    if row.seq != ledger.seq + 1:
        raise _broken(ledger.seq + 1, f"record {row.seq} stands in its place")
    if not isinstance(row.record, str) or row.sha256 != chain(ledger.sha256 or GENESIS, row.record):
        raise _broken(row.seq, "its hash does not follow from it and the one before")
    try:
        seq, entry = decode(row.record)
    except (ValueError, TypeError, KeyError) as error:
        raise _broken(row.seq, f"not a record: {error}") from None
    if seq != row.seq:
        raise _broken(row.seq, f"it calls itself record {seq}")
    ledger.seq, ledger.sha256 = row.seq, row.sha256
    return entry


def _is_evidence(row: Evidence, evidence: str) -> bool:
    """Return whether a record stands on this row; older records stand on the digest of the whole row of a batch."""
    if isinstance(row, BatchRow) and batch_evidence(row).hex() == evidence:
        return has_its_content(row)
    return row_digest(row).hex() == evidence


def _touched(budgets: Budgets, entry: Entry) -> Iterator[str]:
    for lot in entry.lots:
        yield lot.line_item if isinstance(lot, Funded | Reversed) else budgets.placements[lot.placement].line_item


def _broken(seq: int, detail: str) -> OpenSlotError:
    return OpenSlotError(Code.LEDGER_BROKEN, detail, where=f"record {seq}")
