"""A second recount of the reports: plain SQL and Python over the rows as they are stored.

Written apart from the product and importing nothing of it, from the layouts in `spec/`: whoever does not trust the
server's reports can run this on its database and must find the same numbers.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import struct
from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import msgpack

WHY = (
    *("counted", "viewport", "back_facing", "clipped", "too_oblique", "too_small", "obstructed", "too_short"),
    *("no_window_focus", "idle", "unmeasurable"),
)
RENDERED, VIEWABLE, END = 1, 2, 3
VIDEO = {4: "start", 5: "first_quartile", 6: "midpoint", 7: "third_quartile", 8: "complete", 9: "pause"}
PROFILES = (
    *("", "iig-2.0-display", "iig-2.0-video", "mrc-display", "mrc-large", "mrc-video"),
    *("roblox-image", "roblox-video", "ias-gaming", "full-view"),
)
"""By their numbers; 0 is the profile of the ticket."""
TIMES = {
    "mean_exposure_ms": "cumulative_ms",
    "mean_longest_ms": "continuous_ms",
    "mean_half_ms": "half_cumulative_ms",
    "mean_full_ms": "full_cumulative_ms",
}
VALID, FREE = 0, 1
REFUSED = {
    2: "event.duplicate",
    3: "ticket.invalid",
    4: "ticket.expired",
    5: "ticket.foreign",
    6: "event.out_of_range",
    7: "traffic.replayed",
    8: "traffic.backwards",
    9: "traffic.too_long",
    10: "traffic.too_often",
    11: "traffic.crowd",
    12: "traffic.absurd",
    13: "slot.stale",
    14: "action.unknown",
}
MARKED = {
    64: "traffic.periodic",
    65: "traffic.copied",
    66: "traffic.frozen",
    67: "traffic.perfect",
    68: "traffic.stacked",
    96: "audit.inflated",
    97: "audit.mismatch",
    98: "audit.replayed",
    99: "audit.unrevealed",
}
"""Taken and acknowledged, but not paid for."""
STACKED = 68
"""From here on it says something of a slot or a world, not of a viewer."""
ENOUGH = 8
"""Views of one viewer before they are called valid."""
RULES = "openslot-traffic 1"
LETTERS = {
    "kind": "B",
    "profile": "B",
    "ticket": "H",
    "viewer": "I",
    "at_ms": "q",
    "continuous_ms": "I",
    "cumulative_ms": "I",
    "half_continuous_ms": "I",
    "half_cumulative_ms": "I",
    "full_continuous_ms": "I",
    "full_cumulative_ms": "I",
    "visible_fraction": "f",
    "coverage": "f",
    "angle_deg": "f",
    "why": "B",
}
KEYS = {"slot": (0, 1), "world": (0,), "line_item": (2, 3), "advertiser": (3,), "profile": (4,)}
"""Which of world, slot, line item, advertiser and profile name a row."""
Where = tuple[str, str, str, str]
"""World, slot, line item, profile."""


class Ticket(NamedTuple):
    """The terms of a placement, in the order in which they are signed."""

    placement: bytes
    world: str
    session: str
    slot: str
    slot_revision: str
    creative: str
    line_item: str
    price_micros: int
    currency: str
    audience: str
    viewers: int
    viewer: int | None
    profile: str
    issued_ms: int
    expires_ms: int


class Event(NamedTuple):
    """One stored event, what it came in, and what the server made of it."""

    batch: bytes
    world: str
    came_ms: int
    ticket: Ticket | None
    verdict: int
    kind: int
    profile: int
    viewer: int
    at_ms: int
    times: tuple[int, ...]
    why: int


def events(database: sqlite3.Connection) -> Iterator[Event]:
    """Yield every stored event in the order in which they came."""
    secrets = dict(database.execute("SELECT key_id, secret FROM ticket_keys"))
    rows = database.execute("SELECT id, world, at_ms, tickets, columns, verdicts FROM batches ORDER BY rowid")
    audited = against(database)
    for batch, world, came_ms, tickets, columns, judged in rows:
        verdicts = bytearray(judged)
        for place in audited.get((world, batch), {}):
            verdicts[place] = audited[world, batch][place]
        known = [ticket(token, secrets) for token in msgpack.unpackb(tickets)]
        for event, verdict in zip(unpacked(msgpack.unpackb(columns)), verdicts, strict=True):
            kind, profile, viewer, at_ms = (event[name] for name in ("kind", "profile", "viewer", "at_ms"))
            head = (batch, world, came_ms, known[event["ticket"]], verdict)
            times = tuple(event[name] for name in TIMES.values())
            yield Event(*head, kind, profile, viewer, at_ms, times, event["why"])


def against(database: sqlite3.Connection) -> dict[tuple[str, bytes], dict[int, int]]:
    """Return what audits found against events, by world and batch: a mark of the event, given later."""
    found: dict[tuple[str, bytes], dict[int, int]] = {}
    marks = {name: mark for mark, name in MARKED.items()}
    for world, batch, event, state in database.execute("SELECT world, batch, event, state FROM verdicts"):
        if state in marks:
            found.setdefault((world, batch), {})[event] = marks[state]
    return found


def unpacked(columns: dict[str, bytes]) -> Iterator[dict[str, Any]]:
    """Yield a batch's events, a value by column."""
    count = len(columns["kind"])
    arrays = [struct.unpack(f"<{count}{letter}", columns[name]) for name, letter in LETTERS.items()]
    for values in zip(*arrays, strict=True):
        yield dict(zip(LETTERS, values, strict=True))


def ticket(token: bytes, secrets: dict[bytes, bytes]) -> Ticket | None:
    """Return the ticket, or None if none of our keys signed it."""
    body, mac = token[:-16], token[-16:]
    secret = secrets.get(body[:4])
    if secret is None or hmac.new(secret, body, hashlib.sha256).digest()[:16] != mac:
        return None
    return Ticket(*msgpack.unpackb(body[4:]))


def report(database: sqlite3.Connection, by: str, fee_ppm: int, currency: str = "USD") -> dict[str, Any]:
    """Return what the server's report must say, figure by figure."""
    advertisers = dict(database.execute("SELECT id, advertiser FROM line_items"))
    sums: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    found = [*decided(database), *happened(database, fee_ppm, by), *traffic(database, by), *unfinished(database)]
    found += signalled(database)
    for (*place, profile), figure, count in found:
        names = (*place, advertisers.get(place[2], ""), profile)
        key = tuple(name if place in KEYS[by] else "" for place, name in enumerate(names))
        sums[key][figure] += count
    totals: Counter[str] = Counter()
    for row in sums.values():
        totals.update(row)
    records, sha256 = chain_end(database)
    return {
        "by": by,
        "currency": currency,
        "rows": [_row(key, row) for key, row in sorted(sums.items()) if any(key)],
        "totals": _row(("",) * 5, totals),
        "traffic_rules": RULES,
        "ledger_records": records,
        "ledger_sha256": sha256,
    }


def decided(database: sqlite3.Connection) -> Iterator[tuple[Where, str, int]]:
    """Yield a request for each slot that was asked for, and what came of it."""
    for world, outcomes in database.execute("SELECT world, outcomes FROM decisions"):
        for slot, reason, _, line_item, *_ in msgpack.unpackb(outcomes):
            yield (world, slot, line_item, ""), "requests", 1
            yield (world, slot, line_item, ""), f"no_ad.{reason}" if reason else "filled", 1


def happened(database: sqlite3.Connection, fee_ppm: int, by: str) -> Iterator[tuple[Where, str, int]]:
    """Yield what each event adds to which figure."""
    for event in events(database):
        terms = event.ticket
        if event.verdict in REFUSED:
            yield place(event), f"refused.{REFUSED[event.verdict]}", 1
            continue
        if event.verdict in MARKED or (event.profile and by != "profile"):
            continue
        assert terms is not None, "an event without a ticket was accepted"
        for figure, count in accepted(event):
            yield place(event), figure, count
        for figure, count in paid(event, terms, fee_ppm):
            yield (terms.world, terms.slot, terms.line_item, ""), figure, count


def place(event: Event) -> Where:
    """Return what an event is about; what names no ticket of its world is about no slot."""
    terms = event.ticket
    profile = PROFILES[event.profile] if event.profile < len(PROFILES) else ""
    if terms is None or terms.world != event.world or REFUSED.get(event.verdict) == "ticket.invalid":
        return event.world, "", "", profile
    return terms.world, terms.slot, terms.line_item, profile or terms.profile


def traffic(database: sqlite3.Connection, by: str) -> Iterator[tuple[Where, str, int]]:
    """Yield gross, valid, invalid and undetermined views, and why invalid ones are."""
    good: defaultdict[tuple[str, str, int], list[Where]] = defaultdict(list)
    known: Counter[tuple[str, str, int]] = Counter()
    suspects = set()
    for event in events(database):
        if event.kind != VIEWABLE:
            continue
        who = (event.world, event.ticket.session if event.ticket else "", event.viewer)
        if event.verdict in MARKED and event.verdict < STACKED:
            suspects.add(who)
        if event.profile and by != "profile":
            continue
        yield place(event), "gross", 1
        if event.verdict <= FREE:
            good[who].append(place(event))
            known[who] += not event.profile
            continue
        yield place(event), "invalid", 1
        yield place(event), f"invalid_why.{(REFUSED | MARKED)[event.verdict]}", 1
    for who, places in good.items():
        for where in places:
            yield where, "valid" if known[who] >= ENOUGH and who not in suspects else "undetermined", 1


def unfinished(database: sqlite3.Connection) -> Iterator[tuple[Where, str, int]]:
    """Yield the views of which neither that they were viewable nor their end is known."""
    views: defaultdict[tuple[bytes, int], set[int]] = defaultdict(set)
    where = {}
    for event in events(database):
        if event.ticket and event.verdict not in REFUSED and not event.profile:
            views[event.ticket.placement, event.viewer].add(event.kind)
            where[event.ticket.placement] = place(event)
    for (placement, _), kinds in views.items():
        if RENDERED in kinds and not kinds & {VIEWABLE, END}:
            yield where[placement], "funnel.unfinished", 1


def accepted(event: Event) -> Iterator[tuple[str, int]]:
    """Yield what one accepted event adds."""
    if event.kind == RENDERED:
        yield "rendered", 1
    elif event.kind == VIEWABLE:
        yield "viewable", 1
    elif event.kind in VIDEO:
        yield f"video.{VIDEO[event.kind]}", 1
    elif event.why:
        yield f"funnel.{WHY[event.why]}", 1
    else:
        yield "counted_ends", 1
        yield from zip(TIMES.values(), event.times, strict=True)
    if event.verdict == FREE:
        yield "free", 1


def signalled(database: sqlite3.Connection) -> Iterator[tuple[Where, str, int]]:
    """Yield what viewers did with ads and said of them, and what was refused of that."""
    secrets = dict(database.execute("SELECT key_id, secret FROM ticket_keys"))
    for kind, world, tickets, told, verdicts, names in database.execute(
        "SELECT kind, world, tickets, events, verdicts, names FROM signals ORDER BY rowid"
    ):
        known = [ticket(token, secrets) for token in msgpack.unpackb(tickets)]
        for event, verdict, name in zip(msgpack.unpackb(told), verdicts, msgpack.unpackb(names), strict=True):
            terms = known[event["ticket"]]
            where = (world, "", "", "")
            if terms is not None and terms.world == world:
                where = (world, terms.slot, terms.line_item, terms.profile)
            yield where, f"refused.{REFUSED[verdict]}" if verdict else f"{kind.removesuffix('.put')}.{name}", 1


def paid(event: Event, terms: Ticket, fee_ppm: int) -> Iterator[tuple[str, int]]:
    """Yield the money that one accepted event moved."""
    if event.kind == VIEWABLE and event.verdict == VALID and not event.profile:
        fee = terms.price_micros * fee_ppm // 1_000_000
        yield "spend_micros", terms.price_micros
        yield "revenue_micros", terms.price_micros - fee
        yield "fee_micros", fee


def chain_end(database: sqlite3.Connection) -> tuple[int, str]:
    """Return how many records the ledger has and the hash that they add up to."""
    sha256 = bytes(32)
    records = 0
    for (record,) in database.execute("SELECT record FROM ledger ORDER BY seq"):
        sha256 = hashlib.sha256(sha256 + record.encode()).digest()
        records += 1
    return records, sha256.hex()


def records(database: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return the ledger's records."""
    return [json.loads(record) for (record,) in database.execute("SELECT record FROM ledger ORDER BY seq")]


def _row(key: tuple[str, ...], sums: Counter[str]) -> dict[str, Any]:
    names = (
        *("requests", "filled", "rendered", "viewable", "free", "spend_micros", "revenue_micros", "fee_micros"),
        *("gross", "valid", "invalid", "undetermined"),
    )
    ends = max(sums["counted_ends"], 1)
    return {
        **dict(zip(("world", "slot", "line_item", "advertiser", "profile"), key, strict=True)),
        **{name: sums[name] for name in names},
        **{name: round(Fraction(sums[column], ends)) for name, column in TIMES.items()},
        "decision_rate": round((sums["valid"] + sums["invalid"]) / max(sums["gross"], 1), 6),
        "ctr": round(_total(sums, "interactions") / max(sums["viewable"], 1), 6),
        **{kind: _reasons(sums, kind) for kind in ("no_ad", "funnel", "video", "refused", "invalid_why")},
        **{kind: _reasons(sums, kind) for kind in ("interactions", "feedback")},
    }


def _total(sums: Counter[str], kind: str) -> int:
    return sum(_reasons(sums, kind).values())


def _reasons(sums: Counter[str], kind: str) -> dict[str, int]:
    return {name.removeprefix(f"{kind}."): count for name, count in sums.items() if name.startswith(f"{kind}.")}
