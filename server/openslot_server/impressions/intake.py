"""Intake: a batch of events is judged once and settled in the ledger; if it comes again, so does its first verdict.

What is counted once is (placement, viewer, kind of event): a placement belongs to one session, and viewers are numbered
within it. A batch is known by its id; what makes it the same batch is the digest of its content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import msgpack
import numpy as np
from numpy.typing import NDArray

from openslot_server.demand.budgets import Budgets
from openslot_server.impressions.batches import Judged, by_ticket, evidence, read_batch
from openslot_server.impressions.ledger import Entry, Kind, Ledger, Settled
from openslot_server.impressions.postings import merge, settled
from openslot_server.impressions.verdicts import CODES, Verdict, Verdicts, judge, terms_of
from openslot_server.sessions import Seat
from openslot_server.storage.store import BatchRow, ConflictRow, Row
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import EventKind, ExposureColumns, batch_digest
from openslot_spec.messages import Error, ExposuresAck, ExposuresPut, RefusedEvents
from openslot_spec.tickets import Ticket, redeem

__all__ = ["Intake", "Policy"]


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that judge and split."""

    skew_ms: int
    late_ms: int
    platform_fee_ppm: int
    """Of the price of one impression, rounded down for each."""


@dataclass(frozen=True, slots=True)
class _Known:
    digest: bytes
    at_ms: int
    ack: ExposuresAck
    disputed: bool = False
    """Whether other content came under this id; the first of it is kept."""


@dataclass(slots=True)
class _Seen:
    """What was counted of a placement: kind and viewer in one number."""

    keys: set[int] = field(default_factory=set)
    viewer: int | None = None


class Intake:
    """Judges batches and turns viewable events into money once."""

    def __init__(self, budgets: Budgets, ledger: Ledger, secrets: Mapping[bytes, bytes], policy: Policy) -> None:
        self._budgets = budgets
        self._ledger = ledger
        self._secrets = secrets
        self._policy = policy
        self._batches: dict[tuple[str, bytes], _Known] = {}
        """By world and id, in the order in which they came."""
        self._placements: dict[str, _Seen] = {}

    def load(self, rows: Iterable[BatchRow]) -> None:
        """Take back what was counted of placements that are still open, and the verdicts given."""
        for row in rows:
            judged = read_batch(row, self._secrets)
            for index, events in by_ticket(judged):
                if self._is_open(judged.tickets[index]):
                    self._count(judged, index, events)
            self._batches[row.world, row.id] = _Known(row.digest, row.at_ms, _ack(row.id, judged.verdicts))

    def forget(self, placements: Iterable[str], batches_before_ms: int) -> None:
        """Drop placements for which no event is taken any more, and old batches, whose events would be expired."""
        for placement in placements:
            self._placements.pop(placement, None)
        while self._batches and next(iter(self._batches.values())).at_ms <= batches_before_ms:
            del self._batches[next(iter(self._batches))]

    def put(self, message: ExposuresPut, seat: Seat, now_ms: int) -> tuple[ExposuresAck | Error, list[Row]]:
        """Return the verdict on a batch and the rows to keep before it is sent; `BATCH_CONFLICT` is one.

        Raises:
            OpenSlotError: `BATCH_INVALID` or `EVENT_OUT_OF_RANGE` for columns that are wrong as a whole.
        """
        columns = ExposureColumns.unpack(message.columns, tickets=len(message.tickets))
        digest = batch_digest(message.tickets, message.columns)
        known = self._batches.get((seat.world, message.batch))
        if known is None:
            judged = self._judge(columns, message.tickets, seat, now_ms)
            row = BatchRow(*_key(message, seat, now_ms), digest, *_content(message), b"")
            return self._first(row, judged)
        if known.digest == digest:
            return known.ack.model_copy(update={"repeated": True}), []
        self._batches[seat.world, message.batch] = replace(known, disputed=True)
        rows: list[Row] = [ConflictRow(*_key(message, seat, now_ms), digest, *_content(message))]
        return Error.of(Code.BATCH_CONFLICT, f"batch {message.batch.hex()}", "batch"), rows * (not known.disputed)

    def _first(self, unjudged: BatchRow, judged: Judged) -> tuple[ExposuresAck, list[Row]]:
        paid = self._settle(judged)
        row = replace(unjudged, verdicts=judged.verdicts.tobytes())
        ack = _ack(row.id, judged.verdicts)
        self._batches[row.world, row.id] = _Known(row.digest, row.at_ms, ack)
        return ack, [row, *self._record(row, paid)]

    def _judge(self, columns: ExposureColumns, tokens: tuple[bytes, ...], seat: Seat, now_ms: int) -> Judged:
        tickets = tuple(self._redeem(token, seat, now_ms) for token in tokens)
        return Judged(columns, tickets, judge(columns, terms_of(tickets), now_ms, self._policy.skew_ms))

    def _redeem(self, token: bytes, seat: Seat, now_ms: int) -> Ticket | Verdict:
        try:
            ticket = redeem(token, self._secrets)
        except OpenSlotError:
            return Verdict.TICKET_INVALID
        if ticket.world != seat.world:
            return Verdict.TICKET_FOREIGN
        if now_ms > ticket.expires_ms + self._policy.late_ms or not self._is_open(ticket):
            return Verdict.TICKET_EXPIRED
        return ticket

    def _is_open(self, ticket: Ticket | Verdict) -> bool:
        return isinstance(ticket, Ticket) and ticket.placement.hex() in self._budgets.placements

    def _settle(self, judged: Judged) -> list[tuple[Ticket, Settled]]:
        """Mark duplicates and free deliveries, and move the money of the rest."""
        paid: list[tuple[Ticket, Settled]] = []
        for index, events in by_ticket(judged):
            ticket = self._count(judged, index, events)
            viewable = events[(judged.verdicts[events] == Verdict.VALID) & _is_viewable(judged.columns, events)]
            if len(viewable):
                lot = self._budgets.settle(ticket.placement.hex(), len(viewable))
                judged.verdicts[viewable[len(viewable) - lot.free :]] = Verdict.FREE
                paid.append((ticket, lot))
        return paid

    def _count(self, judged: Judged, index: int, events: NDArray[np.intp]) -> Ticket:
        """Count a ticket's events, refusing those that were counted before; return the ticket."""
        ticket = judged.tickets[index]
        assert isinstance(ticket, Ticket)  # noqa: S101  a refused ticket has no valid event
        seen = self._placements.setdefault(ticket.placement.hex(), _Seen())
        viewers = judged.columns.viewer[events]
        if ticket.audience == "per_viewer":
            seen.viewer = int(viewers[0]) if seen.viewer is None else seen.viewer
            judged.verdicts[events[viewers != seen.viewer]] = Verdict.TICKET_FOREIGN
            events = events[viewers == seen.viewer]
        keys = (judged.columns.kind[events].astype(np.int64) << 32) | judged.columns.viewer[events]
        repeats = _repeats(seen.keys, keys.tolist())
        judged.verdicts[events[repeats]] = Verdict.DUPLICATE
        return ticket

    def _record(self, row: BatchRow, paid: list[tuple[Ticket, Settled]]) -> tuple[Row, Row]:
        fee_ppm = self._policy.platform_fee_ppm
        postings = merge(posting for ticket, lot in paid for posting in settled(ticket, lot, fee_ppm))
        lots = tuple(lot for _, lot in paid)
        return self._ledger.append(Entry(Kind.SETTLE, row.at_ms, row.id.hex(), postings, lots, evidence(row)))


def _key(message: ExposuresPut, seat: Seat, now_ms: int) -> tuple[bytes, str, int]:
    return message.batch, seat.world, now_ms


def _content(message: ExposuresPut) -> tuple[bytes, bytes]:
    return bytes(msgpack.packb(message.tickets)), bytes(msgpack.packb(message.columns))


def _is_viewable(columns: ExposureColumns, events: NDArray[np.intp]) -> NDArray[np.bool_]:
    return np.asarray(columns.kind[events] == EventKind.VIEWABLE)


def _repeats(seen: set[int], keys: list[int]) -> list[int]:
    """Add `keys` to `seen` and return the places of those that were there."""
    fresh = set(keys)
    if len(fresh) == len(keys) and fresh.isdisjoint(seen):
        seen |= fresh
        return []
    repeats = []
    for place, key in enumerate(keys):
        if key in seen:
            repeats.append(place)
        seen.add(key)
    return repeats


def _ack(batch: bytes, verdicts: Verdicts) -> ExposuresAck:
    counts = Counter(verdicts.tolist())
    accepted = counts[Verdict.VALID] + counts[Verdict.FREE]
    refused = tuple(
        RefusedEvents(code=code, events=counts[verdict]) for verdict, code in CODES.items() if counts[verdict]
    )
    return ExposuresAck(batch=batch, accepted=accepted, refused=refused)
