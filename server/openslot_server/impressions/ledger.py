"""The ledger: append-only, double entry, integer micros, every record chained to the one before by sha-256.

    funding ──fund──▶ budget ──reserve──▶ reserved ──settle──▶ payable + fee
                        ▲                    │
                        ├──────release───────┘                late events are settled from budget, or delivered free
                        └──────audit───── payable + fee       what cannot have been seen

An account is a name of words: its kind, whose it is, its currency. There are `funding <advertiser> USD`,
`budget <line item> USD`, `reserved <line item> USD`, `payable <world> <slot> <line item> USD`, and `fee` likewise. The
postings of a record add up to zero in each currency, and no account but `funding` is ever below zero. A record also
says which placements moved (its lots), so that reservations can be rebuilt from the ledger alone.

Each decision, each batch, of signals too, and each verdict of an audit has one record, in the order in which they were
kept, also where no money moves: so they all stand under the chain.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any

from openslot_server.storage.store import HeadRow, LedgerRow

__all__ = [
    "GENESIS",
    "LOTS",
    "Entry",
    "Funded",
    "Kind",
    "Ledger",
    "Lot",
    "Posting",
    "Released",
    "Reserved",
    "Reversed",
    "Settled",
    "chain",
    "decode",
]

GENESIS = "0" * 64
"""What the first record is chained to."""

Posting = tuple[str, int]
"""An account and the micros added to it."""


class Kind(StrEnum):
    """What a record is about."""

    FUND = "fund"
    RESERVE = "reserve"
    SETTLE = "settle"
    RELEASE = "release"
    AUDIT = "audit"
    SIGNAL = "signal"


@dataclass(frozen=True, slots=True)
class Funded:
    """A line item's budget grew."""

    line_item: str
    currency: str
    micros: int


@dataclass(frozen=True, slots=True)
class Reserved:
    """A placement holds the price of `viewers` impressions until `until_ms`."""

    placement: str
    line_item: str
    price_micros: int
    viewers: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Settled:
    """Impressions of a placement: paid from what it held, from what was left of the budget, and delivered free."""

    placement: str
    from_reserved: int
    from_budget: int
    free: int


@dataclass(frozen=True, slots=True)
class Released:
    """A placement let go of what it held for `viewers` impressions."""

    placement: str
    viewers: int


@dataclass(frozen=True, slots=True)
class Reversed:
    """One impression's price went back to its budget, for an audit found against it."""

    batch: str
    event: int
    line_item: str
    price_micros: int


Lot = Funded | Reserved | Settled | Released | Reversed
LOTS: dict[Kind, type[Lot]] = {
    Kind.FUND: Funded,
    Kind.RESERVE: Reserved,
    Kind.SETTLE: Settled,
    Kind.RELEASE: Released,
    Kind.AUDIT: Reversed,
    Kind.SIGNAL: Released,  # of which there are none: no money moves
}
LOT_VALUES = {kind: attrgetter(*(one.name for one in fields(lot))) for kind, lot in LOTS.items()}
CANONICAL = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One record before it is chained."""

    kind: Kind
    at_ms: int
    ref: str
    """The decision, batch or line item it comes from."""
    postings: tuple[Posting, ...]
    lots: tuple[Lot, ...]
    evidence: str = ""
    """The digest of the row that it stands on: the decision that reserved, the batch that settled, the verdict."""

    def encode(self, seq: int) -> str:
        """Return the record's canonical JSON (RFC 8785: integers and ASCII keys only)."""
        plain = {  # sorted
            "at_ms": self.at_ms,
            "evidence": self.evidence,
            "kind": self.kind,
            "lots": [LOT_VALUES[self.kind](lot) for lot in self.lots],
            "postings": self.postings,
            "ref": self.ref,
            "seq": seq,
        }
        return CANONICAL.encode(plain)


class Ledger:
    """The end of the chain and the balance of every account."""

    def __init__(self, seq: int = 0, sha256: str = GENESIS) -> None:
        self.seq = seq
        self.sha256 = sha256
        self.balances: defaultdict[str, int] = defaultdict(int)

    def append(self, entry: Entry) -> tuple[LedgerRow, HeadRow]:
        """Return the rows that make `entry` the newest record."""
        self.post(entry.postings)
        self.seq += 1
        record = entry.encode(self.seq)
        self.sha256 = chain(self.sha256, record)
        return LedgerRow(self.seq, record, self.sha256), HeadRow(1, self.seq, self.sha256)

    def post(self, postings: Iterable[Posting]) -> None:
        """Add the postings to the balances; an `AssertionError` means that the server, not its input, is wrong."""
        sums: defaultdict[str, int] = defaultdict(int)
        for name, micros in postings:
            self.balances[name] += micros
            sums[name.rsplit(" ", 1)[1]] += micros
            assert self.balances[name] >= 0 or name.startswith("funding "), f"{name} overdrawn"  # noqa: S101  kept
        assert not any(sums.values()), f"postings do not add up to zero: {dict(sums)}"  # noqa: S101  kept on purpose


def chain(before: str, record: str) -> str:
    """Return the chain's hash with `record` after `before`."""
    return hashlib.sha256(bytes.fromhex(before) + record.encode("utf-8")).hexdigest()


def decode(record: str) -> tuple[int, Entry]:
    """Return a record's number and content; raises `ValueError`, `TypeError` or `KeyError` if it is not one."""
    plain: dict[str, Any] = json.loads(record)
    kind = Kind(plain["kind"])
    postings = tuple((str(name), int(micros)) for name, micros in plain["postings"])
    lots = tuple(LOTS[kind](*values) for values in plain["lots"])
    return plain["seq"], Entry(kind, plain["at_ms"], plain["ref"], postings, lots, plain["evidence"])
