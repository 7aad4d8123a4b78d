"""Intake: a batch of events is judged once and settled in the ledger; if it comes again, so does its first verdict.

What is counted once is (placement, viewer, kind of event): a placement belongs to one session, and viewers are numbered
within it. A batch is known by its id; what makes it the same batch is the digest of its content.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from openslot_server.demand.budgets import Budgets
from openslot_server.impressions.batches import Judged, JudgedFew, pack_batch, read_batch
from openslot_server.impressions.judge import Judge
from openslot_server.impressions.ledger import Entry, Kind, Ledger, Settled
from openslot_server.impressions.postings import merge, settled
from openslot_server.impressions.verdicts import CODES, Verdict
from openslot_server.sessions import Seat
from openslot_server.storage.store import BatchRow, ConflictRow, Row, batch_evidence
from openslot_server.ticket_keys import TicketKeys
from openslot_spec.errors import Code
from openslot_spec.exposures import Event, ExposureColumns, batch_digest, read_events
from openslot_spec.messages import Error, ExposuresAck, ExposuresPut, RefusedEvents
from openslot_spec.tickets import Ticket

__all__ = ["Intake"]

FEW = 8
"""Events of one batch that are judged one by one."""


ACCEPTED = bytes(set(range(256)) - set(CODES))
"""The verdicts that are no refusals."""


class _Known(NamedTuple):
    digest: bytes
    at_ms: int
    accepted: int
    refused: tuple[tuple[Code, int], ...]
    disputed: bool = False
    """Whether other content came under this id; the first of it is kept."""

    def ack(self, batch: bytes, *, repeated: bool) -> ExposuresAck:
        refused = tuple([RefusedEvents(code=code, events=count) for code, count in self.refused])
        return ExposuresAck(batch=batch, accepted=self.accepted, refused=refused, repeated=repeated)


class Intake:
    """Takes batches and turns viewable events into money once; the fee is of one price, in parts per million."""

    def __init__(self, budgets: Budgets, ledger: Ledger, judge: Judge, keys: TicketKeys, fee_ppm: int) -> None:
        self._budgets = budgets
        self._ledger = ledger
        self._judge = judge
        self._keys = keys
        self._fee_ppm = fee_ppm
        self._batches: dict[tuple[str, bytes], _Known] = {}
        """By world and id, in the order in which they came."""
        self._contents: dict[tuple[str, bytes], bytes] = {}
        """By world and digest: the id under which this content came first."""

    def load(self, rows: Iterable[BatchRow]) -> None:
        """Take back what was taken of placements that are still open, and the verdicts given."""
        for row in rows:
            judged = read_batch(row)
            self._judge.recall(judged, row.at_ms)
            self._know(row)

    def forget(self, placements: Iterable[str], batches_before_ms: int) -> None:
        """Drop placements for which no event is taken any more, and old batches, whose events would be expired."""
        self._judge.forget(placements)
        while self._batches and next(iter(self._batches.values())).at_ms <= batches_before_ms:
            world, batch = next(iter(self._batches))
            digest = self._batches.pop((world, batch)).digest
            if self._contents.get((world, digest)) == batch:
                del self._contents[world, digest]

    def put(self, message: ExposuresPut, seat: Seat, now_ms: int) -> tuple[ExposuresAck | Error, list[Row]]:
        """Return the verdict on a batch and the rows to keep before it is sent; `BATCH_CONFLICT` is one.

        Raises:
            OpenSlotError: `BATCH_INVALID` or `EVENT_OUT_OF_RANGE` for columns that are wrong as a whole.
        """
        batch = self._read(message)
        digest = batch_digest(message.tickets, message.columns)
        known = self._batches.get((seat.world, message.batch))
        if known is None:
            judged = self._judge_first(batch, message.tickets, digest, seat, now_ms)
            return self._settle_first(message, digest, judged, seat.world, now_ms)
        if known.digest == digest:
            return known.ack(message.batch, repeated=True), []
        self._batches[seat.world, message.batch] = known._replace(disputed=True)
        packed = pack_batch(message.tickets, message.columns)
        rows: list[Row] = [ConflictRow(message.batch, seat.world, now_ms, digest, *packed)]
        return Error.of(Code.BATCH_CONFLICT, f"batch {message.batch.hex()}", "batch"), rows * (not known.disputed)

    def _read(self, message: ExposuresPut) -> ExposureColumns | list[Event]:
        read = read_events if len(message.columns.get("kind", b"")) <= FEW else ExposureColumns.unpack
        return read(message.columns, tickets=len(message.tickets))

    def _judge_first(
        self,
        batch: ExposureColumns | list[Event],
        tokens: tuple[bytes, ...],
        digest: bytes,
        seat: Seat,
        now_ms: int,
    ) -> Judged | JudgedFew:
        tickets = self._judge.tickets(tokens, self._keys.usable(now_ms), seat, now_ms)
        is_replayed = (seat.world, digest) in self._contents
        given = [Verdict.REPLAYED if isinstance(ticket, Ticket) else ticket for ticket in tickets]
        if isinstance(batch, ExposureColumns):
            if is_replayed:
                return Judged(batch, tickets, np.array(given, np.uint8)[batch.ticket])
            return self._judge.judge(batch, tickets, now_ms)
        if is_replayed:
            return JudgedFew(batch, tickets, [given[event.ticket] for event in batch])
        return self._judge.judge_few(batch, tickets, now_ms)

    def _settle_first(
        self, message: ExposuresPut, digest: bytes, judged: Judged | JudgedFew, world: str, now_ms: int
    ) -> tuple[ExposuresAck, list[Row]]:
        paid, packed = self._settle(judged), pack_batch(message.tickets, message.columns)
        row = BatchRow(message.batch, world, now_ms, digest, *packed, bytes(judged.verdicts))
        return self._know(row).ack(row.id, repeated=False), [row, *self._record(row, paid)]

    def _know(self, row: BatchRow) -> _Known:
        """Remember a batch; marked events are accepted, for a mark is nobody's business but the report's."""
        refused = _refused(row.verdicts)
        accepted = len(row.verdicts) - sum([count for _, count in refused])
        known = self._batches[row.world, row.id] = _Known(row.digest, row.at_ms, accepted, refused)
        self._contents.setdefault((row.world, row.digest), row.id)
        return known

    def _settle(self, judged: Judged | JudgedFew) -> list[tuple[Ticket, Settled]]:
        """Mark free deliveries, and move the money of the rest."""
        paid: list[tuple[Ticket, Settled]] = []
        for ticket, places in judged.billable():
            lot = self._budgets.settle(ticket.placement.hex(), len(places))
            if lot.free:
                judged.give(places[len(places) - lot.free :], Verdict.FREE)  # type: ignore[arg-type]  # of its own kind
            paid.append((ticket, lot))
        return paid

    def _record(self, row: BatchRow, paid: list[tuple[Ticket, Settled]]) -> tuple[Row, Row]:
        postings = merge([posting for ticket, lot in paid for posting in settled(ticket, lot, self._fee_ppm)])
        lots = tuple([lot for _, lot in paid])
        evidence = batch_evidence(row).hex()
        return self._ledger.append(Entry(Kind.SETTLE, row.at_ms, row.id.hex(), postings, lots, evidence))


def _refused(verdicts: bytes) -> tuple[tuple[Code, int], ...]:
    """Return how many events were refused, by code."""
    refusals = verdicts.translate(None, ACCEPTED)
    if not refusals:
        return ()
    counts = ((code, refusals.count(verdict)) for verdict, code in CODES.items())
    return tuple([found for found in counts if found[1]])
