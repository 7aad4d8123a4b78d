"""What must hold of any database of the server, whatever happened to it; found without the product's code."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgpack

from tests.faults.recount import END, FREE, LETTERS, VALID, VIEWABLE, Event, events, records


@dataclass(frozen=True)
class Terms:
    """The server's settings that a verdict depends on."""

    skew_ms: int
    late_ms: int


def complaints(database: sqlite3.Connection, terms: Terms, *, at_rest: bool = False) -> list[str]:
    """Return what is wrong; `at_rest` says that every placement is over, so that nothing may be held any more."""
    kept = list(events(database))
    return [
        *_chain(database),
        *_postings(database),
        *_evidence(database),
        *_counted_once(kept),
        *_by_its_ticket(kept, terms),
        *_within_what_was_reserved(kept),
        *_money(database, kept),
        *(_held(database) if at_rest else ()),
    ]


def _chain(database: sqlite3.Connection) -> Iterator[str]:
    before, last = bytes(32), 0
    for seq, record, sha256 in database.execute("SELECT seq, record, sha256 FROM ledger ORDER BY seq"):
        before = hashlib.sha256(before + record.encode()).digest()
        if sha256 != before.hex() or seq != last + 1 or json.loads(record)["seq"] != seq:
            yield f"record {seq} does not follow from {last}"
        last = seq
    head = database.execute("SELECT seq, sha256 FROM ledger_head").fetchall()
    if head != ([(last, before.hex())] if last else []):
        yield f"the head says {head}, the chain ends at {last}"


def _postings(database: sqlite3.Connection) -> Iterator[str]:
    balances: Counter[str] = Counter()
    for record in records(database):
        if sum(micros for _, micros in record["postings"]):
            yield f"record {record['seq']} makes money"
        for name, micros in record["postings"]:
            balances[name] += micros
            if balances[name] < 0 and not name.startswith("funding "):
                yield f"{name} is overdrawn by record {record['seq']}"


def _evidence(database: sqlite3.Connection) -> Iterator[str]:
    """Decisions and batches stand under the chain, each under its own record, in their order."""
    for table, kind in (("decisions", "reserve"), ("batches", "settle")):
        said = [record["evidence"] for record in records(database) if record["kind"] == kind]
        rows = database.execute(f"SELECT * FROM {table} ORDER BY rowid")  # noqa: S608
        stored = [_digest(table, _by_its_digest(*row) if table == "batches" else row) for row in rows]
        if said != stored:
            yield f"{len(stored)} {table} are not those that {len(said)} records stand on"


def _by_its_digest(*row: Any) -> tuple[int | str | bytes, ...]:
    """Return a batch's row without its content, with the digest that this has instead of the one that it says."""
    batch, world, at_ms, _, tickets, columns, verdicts = row
    parts, named = msgpack.unpackb(tickets), msgpack.unpackb(columns)
    ordered = {name: named[name] for name in (*LETTERS, "evidence") if name in named}
    if (msgpack.packb(parts), msgpack.packb(ordered)) != (tickets, columns):
        return ()
    digest = hashlib.sha256()
    for part in (*parts, *ordered.values()):
        digest.update(len(part).to_bytes(4, "little") + part)
    return batch, world, at_ms, digest.digest(), verdicts


def _digest(table: str, row: tuple[int | str | bytes, ...]) -> str:
    digest = hashlib.sha256()
    for value in (table, *row):
        match value:
            case int():
                part = b"i" + value.to_bytes(8, "big", signed=True)
            case str():
                part = b"s" + value.encode()
            case _:
                part = b"b" + value
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest.hexdigest()


def _counted_once(kept: list[Event]) -> Iterator[str]:
    counted = Counter(
        (event.ticket.placement, event.viewer, event.kind, event.profile)
        for event in kept
        if event.ticket and event.verdict <= FREE
    )
    for (placement, viewer, kind, _), count in counted.items():
        if count > 1:
            yield f"event {kind} of viewer {viewer} at {placement.hex()} counts {count} times"


def _by_its_ticket(kept: list[Event], terms: Terms) -> Iterator[str]:
    for event in kept:
        ticket = event.ticket
        if event.verdict > FREE:
            continue
        if ticket is None or ticket.world != event.world:
            yield f"an event of {event.batch.hex()} was accepted without a ticket of its own"
        elif (ticket.viewer is None) != (ticket.audience == "shared") or ticket.viewer not in (None, event.viewer):
            yield f"an event of {event.batch.hex()} is of viewer {event.viewer}, its ticket for {ticket.viewer}"
        elif event.kind != END and event.at_ms > ticket.expires_ms + terms.skew_ms:
            yield f"an event of {event.batch.hex()} happened {event.at_ms - ticket.expires_ms} ms after its ticket"
        elif event.came_ms > ticket.expires_ms + terms.late_ms:
            yield f"an event of {event.batch.hex()} came {event.came_ms - ticket.expires_ms} ms after its ticket"


def _within_what_was_reserved(kept: list[Event]) -> Iterator[str]:
    paid = Counter(event.ticket for event in kept if event.ticket and _is_paid(event))
    for ticket, count in paid.items():
        if count > ticket.viewers:
            yield f"{count} impressions of {ticket.placement.hex()} were paid, {ticket.viewers} reserved"


def _money(database: sqlite3.Connection, kept: list[Event]) -> Iterator[str]:
    """What was budgeted is what the accounts hold, and what left the budget is what valid events cost."""
    cost: Counter[str] = Counter()
    for event in kept:
        if event.ticket and _is_paid(event):
            cost[event.ticket.line_item] += event.ticket.price_micros
    accounts = _accounts(database)
    for line_item, text in database.execute("SELECT id, record FROM line_items"):
        budget = json.loads(text)["budget"]["micros"]
        held = {kind: accounts[kind, line_item] for kind in ("budget", "reserved", "payable", "fee")}
        spent = held["payable"] + held["fee"]
        if sum(held.values()) != budget:
            yield f"{line_item} had {budget} micros, its accounts hold {held}"
        if spent != cost[line_item]:
            yield f"{line_item} spent {spent} micros on events that cost {cost[line_item]}"
        if spent > budget:
            yield f"{line_item} spent {spent} of {budget} micros"


def _held(database: sqlite3.Connection) -> Iterator[str]:
    for (kind, line_item), micros in _accounts(database).items():
        if kind == "reserved" and micros:
            yield f"{micros} micros of {line_item} are still reserved"


def _accounts(database: sqlite3.Connection) -> Counter[tuple[str, str]]:
    """Return the balances by kind and, after worlds and slots, line item or advertiser."""
    balances: Counter[tuple[str, str]] = Counter()
    for record in records(database):
        for name, micros in record["postings"]:
            kind, *_, whose, _ = name.split(" ")
            balances[kind, whose] += micros
    return balances


def _is_paid(event: Event) -> bool:
    return event.kind == VIEWABLE and event.verdict == VALID and not event.profile
