"""Signals: what viewers did with ads, and what they say of them. Counted once, under the ledger's chain, never billed.

A batch is known by its id, as one of exposures is. What is counted once is (placement, viewer, action); of each kind of
feedback, which has no viewer, a placement takes no more than it has viewers.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import msgpack

from openslot_server.demand.model import Creative
from openslot_server.impressions.judge import Judge
from openslot_server.impressions.ledger import Entry, Kind, Ledger
from openslot_server.impressions.verdicts import CODES, Verdict
from openslot_server.sessions import Seat
from openslot_server.storage.store import ConflictRow, Row, SignalRow, row_digest
from openslot_server.ticket_keys import TicketKeys
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.messages import (
    BatchAck,
    Error,
    Feedback,
    FeedbackAck,
    FeedbackPut,
    Interaction,
    InteractionsAck,
    InteractionsPut,
    RefusedEvents,
)
from openslot_spec.tickets import Ticket, read

__all__ = ["FEEDBACK", "INTERACTIONS", "Counted", "Signals", "counted"]

INTERACTIONS, FEEDBACK = InteractionsPut.TYPE, FeedbackPut.TYPE
ACKS: dict[str, type[InteractionsAck | FeedbackAck]] = {INTERACTIONS: InteractionsAck, FEEDBACK: FeedbackAck}
Once = tuple[str, ...]
"""What is counted so many times of a placement, and no more."""


@dataclass(frozen=True, slots=True)
class _Known:
    digest: bytes
    at_ms: int
    ack: BatchAck


@dataclass(frozen=True, slots=True)
class Counted:
    """One event as it is kept: its verdict, its ticket unless that is no ticket, and what it is counted as."""

    verdict: Verdict
    ticket: Ticket | None
    name: str
    once: Once


class Signals:
    """Takes batches of interactions and feedback.

    Args:
        judge: redeems tickets.
        ledger: each batch has a record there.
        keys: those that sign tickets.
        creative: finds one by its sha-256.
        allowed: says which kinds of actions a ticket's slot allows; nothing for a slot that is gone.
        skew_ms: how far a world's clock may be off.
    """

    def __init__(
        self,
        judge: Judge,
        ledger: Ledger,
        keys: TicketKeys,
        creative: Callable[[str], Creative | None],
        allowed: Callable[[Ticket], Collection[str]],
        skew_ms: int,
    ) -> None:
        self._judge = judge
        self._ledger = ledger
        self._keys = keys
        self._creative = creative
        self._allowed = allowed
        self._skew_ms = skew_ms
        self._batches: dict[tuple[str, bytes], _Known] = {}
        """By world and id, in the order in which they came."""
        self._seen: dict[str, Counter[Once]] = {}
        """By placement."""

    def load(self, rows: Iterable[SignalRow]) -> None:
        """Take back what was taken, and the verdicts given."""
        for row in rows:
            self._batches[row.world, row.id] = _Known(row.digest, row.at_ms, _ack(row))
            for one in counted(row):
                if one.verdict is Verdict.VALID and one.ticket is not None:
                    self._seen.setdefault(one.ticket.placement.hex(), Counter())[one.once] += 1

    def forget(self, placements: Iterable[str], batches_before_ms: int) -> None:
        """Drop placements for which no event is taken any more, and old batches, whose events would be expired."""
        for placement in placements:
            self._seen.pop(placement, None)
        while self._batches and next(iter(self._batches.values())).at_ms <= batches_before_ms:
            del self._batches[next(iter(self._batches))]

    def put(
        self, message: InteractionsPut | FeedbackPut, seat: Seat, now_ms: int
    ) -> tuple[BatchAck | Error, list[Row]]:
        """Return the verdict on a batch and the rows to keep before it is sent; `BATCH_CONFLICT` is one.

        Raises:
            OpenSlotError: `BATCH_INVALID` for an event that names a ticket which is not there.
        """
        if any(event.ticket >= len(message.tickets) for event in message.events):
            raise OpenSlotError(Code.BATCH_INVALID, f"{len(message.tickets)} tickets are there", where="events")
        tickets = bytes(msgpack.packb(message.tickets))
        events = bytes(msgpack.packb([event.model_dump(exclude_none=True) for event in message.events]))
        digest = hashlib.sha256(message.TYPE.encode() + tickets + events).digest()
        known = self._batches.get((seat.world, message.batch))
        if known is not None and known.digest == digest:
            return known.ack.model_copy(update={"repeated": True}), []
        if known is not None:
            conflict = ConflictRow(message.batch, seat.world, now_ms, digest, tickets, events)
            return Error.of(Code.BATCH_CONFLICT, f"batch {message.batch.hex()}", "batch"), [conflict]
        verdicts, names = self._judge_all(message, seat, now_ms)
        packed = bytes(msgpack.packb(names))
        row = SignalRow(message.TYPE, message.batch, seat.world, now_ms, digest, tickets, events, verdicts, packed)
        ack = _ack(row)
        self._batches[seat.world, message.batch] = _Known(digest, now_ms, ack)
        entry = Entry(Kind.SIGNAL, now_ms, row.id.hex(), (), (), row_digest(row).hex())
        return ack, [row, *self._ledger.append(entry)]

    def _judge_all(self, message: InteractionsPut | FeedbackPut, seat: Seat, now_ms: int) -> tuple[bytes, list[str]]:
        tickets = self._judge.tickets(message.tickets, self._keys.usable(now_ms), seat, now_ms)
        verdicts, names = bytearray(), []
        for event in message.events:
            ticket = tickets[event.ticket]
            name = self._name(event, ticket) if isinstance(ticket, Ticket) else ""
            verdict = self._judge_one(event, ticket, name, now_ms) if isinstance(ticket, Ticket) else ticket
            verdicts.append(verdict)
            names.append(name)
        return bytes(verdicts), names

    def _judge_one(self, event: Interaction | Feedback, ticket: Ticket, name: str, now_ms: int) -> Verdict:
        if event.at_ms > ticket.expires_ms + self._skew_ms:
            return Verdict.TICKET_EXPIRED
        if not ticket.issued_ms - self._skew_ms <= event.at_ms <= now_ms + self._skew_ms:
            return Verdict.OUT_OF_RANGE
        if not name:
            return Verdict.ACTION_UNKNOWN
        seen, once = self._seen.setdefault(ticket.placement.hex(), Counter()), _once(event)
        if seen[once] >= (1 if isinstance(event, Interaction) else ticket.viewers):
            return Verdict.DUPLICATE if isinstance(event, Interaction) else Verdict.TOO_OFTEN
        seen[once] += 1
        return Verdict.VALID

    def _name(self, event: Interaction | Feedback, ticket: Ticket) -> str:
        """Return what an event is counted as; empty for an action that is not to be used there."""
        if isinstance(event, Feedback):
            return f"{event.kind}.{event.reason}" if event.reason else event.kind
        creative = self._creative(ticket.creative)
        actions = (creative.actions or ()) if creative else ()
        kind = next((action.kind for action in actions if action.id == event.action), "")
        return kind if kind in self._allowed(ticket) else ""


def counted(row: SignalRow) -> Iterator[Counted]:
    """Yield the events of a kept batch."""
    tokens: list[bytes] = msgpack.unpackb(row.tickets)
    kind = Interaction if row.kind == INTERACTIONS else Feedback
    for plain, number, name in zip(msgpack.unpackb(row.events), row.verdicts, msgpack.unpackb(row.names), strict=True):
        event, verdict = kind.read(plain), Verdict(number)
        ticket = None if verdict is Verdict.TICKET_INVALID else read(tokens[event.ticket])
        yield Counted(verdict, ticket, name, _once(event))


def _once(event: Interaction | Feedback) -> Once:
    return (str(event.viewer), event.action) if isinstance(event, Interaction) else (event.kind,)


def _ack(row: SignalRow) -> BatchAck:
    counts = {code: row.verdicts.count(verdict) for verdict, code in CODES.items()}
    refused = tuple(RefusedEvents(code=code, events=count) for code, count in counts.items() if count)
    accepted = len(row.verdicts) - sum(counts.values())
    return ACKS[row.kind](batch=row.id, accepted=accepted, refused=refused)
