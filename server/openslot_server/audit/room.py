"""The audit room: asks for evidence, takes what is revealed, and acts on what is found.

A draw is made when its batch is judged, from randomness that comes into being then; it is durable with the batch. A
verdict against an impression that was paid moves the money back in the same commit.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from openslot_server.audit.cases import AGAINST, DECIDED, Case, Revealed, State, read_case
from openslot_server.audit.draw import Drawer
from openslot_server.audit.examine import evidence_of
from openslot_server.audit.geometries import Geometries
from openslot_server.audit.replays import Replays
from openslot_server.demand.budgets import Budgets
from openslot_server.impressions.ledger import Entry, Kind, Ledger, Lot, Posting, Reversed
from openslot_server.impressions.postings import merge, returned
from openslot_server.sessions import Seat
from openslot_server.storage.store import AuditRow, BatchRow, Row, VerdictRow, row_digest
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.evidence import KEPT_MS, REVEAL_MS, SALT_BYTES
from openslot_spec.messages import AuditAck, AuditReveal, Error, ExposuresAck

__all__ = ["MAX_WAITING", "Audits"]

Key = tuple[str, bytes, int]
"""World, batch, event."""

MAX_OPEN = 10_000
"""Cases of one world that wait for evidence; beyond it nothing is asked."""
MAX_WAITING = 256
"""Cases that wait to be examined; beyond it worlds come back later."""
RETRY_AFTER_MS = 1_000


@dataclass(slots=True)
class _Open:
    row: AuditRow
    case: Case


@dataclass(slots=True)
class Audits:
    """The cases whose evidence may still be somewhere, in memory as they are on disk."""

    drawer: Drawer
    geometries: Geometries
    budgets: Budgets
    ledger: Ledger
    skew_ms: int
    """How far a world's clock may be off."""
    _cases: dict[Key, _Open] = field(default_factory=dict)
    _asked: defaultdict[str, dict[Key, None]] = field(default_factory=lambda: defaultdict(dict))
    """By world: the keys whose evidence is not here, in the order in which they were asked."""
    _waiting: deque[Key] = field(default_factory=deque)
    """The keys whose evidence is to be examined."""
    _kept: list[tuple[int, Key]] = field(default_factory=list)
    """A heap of all cases by the time until which raw evidence may be kept."""
    _replays: Replays = field(default_factory=Replays)

    def load(self, rows: Iterable[AuditRow], now_ms: int) -> None:
        """Take back what was asked, what is to be examined, and which ways of looking are known."""
        for row in rows:
            case = read_case(row)
            if row.evidence or State(row.state) not in DECIDED or case.at_ms + KEPT_MS > now_ms:
                self._recall(row, case)

    def ask(
        self, reply: ExposuresAck | Error, rows: Sequence[Row], seat: Seat, now_ms: int
    ) -> tuple[ExposuresAck | Error, Sequence[Row]]:
        """Return the answer to a batch with what is to be revealed of it, and the rows that must be durable before."""
        if not isinstance(reply, ExposuresAck):
            return reply, rows
        if reply.repeated:
            return _asking(reply, [key for key in self._asked[seat.world] if key[1] == reply.batch]), rows
        batch = next(row for row in rows if isinstance(row, BatchRow))
        drawn = self.drawer.draw(batch, now_ms)
        if not drawn:
            return reply, rows
        drawn = drawn[: MAX_OPEN - len(self._asked[seat.world])]
        for row in drawn:
            self._recall(row, read_case(row))
        return _asking(reply, [_key(row) for row in drawn]), [*rows, *drawn]

    def reveal(self, reveal: AuditReveal, seat: Seat, now_ms: int) -> tuple[AuditAck, list[Row]]:
        """Take evidence; what is here already is acknowledged again.

        Raises:
            OpenSlotError: `AUDIT_NOT_ASKED`, or `RATE_LIMITED` while too much waits to be examined.
        """
        key = seat.world, reveal.batch, reveal.event
        if key not in self._cases:
            raise OpenSlotError(Code.AUDIT_NOT_ASKED, f"event {reveal.event} of batch {reveal.batch.hex()}")
        ack = AuditAck(batch=reveal.batch, event=reveal.event)
        if key not in self._asked[seat.world]:
            return ack, []
        if not reveal.evidence:
            return ack, self._decide(key, State.UNREVEALED, "gone", now_ms)
        found = self._cases[key]
        revealed = replace(found.row, state=State.REVEALED.value, evidence=reveal.salt + reveal.evidence)
        if len(reveal.salt) != SALT_BYTES or evidence_of(Revealed.of(revealed)) is None:
            return ack, self._decide(key, State.MISMATCH, "", now_ms)
        if len(self._waiting) >= MAX_WAITING:
            raise OpenSlotError(Code.RATE_LIMITED, f"{MAX_WAITING} cases wait", retry_after_ms=RETRY_AFTER_MS)
        found.row = revealed
        del self._asked[seat.world][key]
        self._waiting.append(key)
        return ack, [revealed]

    def next(self) -> Revealed | None:
        """Return the case that is to be examined now; it stays until it is decided."""
        return Revealed.of(self._cases[self._waiting[0]].row) if self._waiting else None

    def decide(self, revealed: Revealed, state: State, why: str, now_ms: int) -> list[Row]:
        """Return the rows of an examined case: its verdict, and the money that goes back."""
        key = _key(revealed.row)
        if key not in self._waiting:
            return []  # its time was over meanwhile
        evidence = evidence_of(revealed)
        if evidence is not None:
            registered_ms = self.geometries.registered_ms(revealed.row.world, evidence.geometry)
            if registered_ms is None or registered_ms > revealed.case.at_ms + self.skew_ms:
                state, why = State.UNREVEALED, "geometry"
            if self._replays.see(revealed, evidence) and state is State.PROVEN:
                state = State.REPLAYED
        return self._decide(key, state, why, now_ms)

    def sweep(self, now_ms: int) -> list[Row]:
        """Decide what was asked in vain, and delete the raw evidence whose time is over."""
        rows: list[Row] = []
        for keys in self._asked.values():
            for key in [*takewhile(lambda key: self._is_late(key, now_ms), keys)]:
                rows += self._decide(key, State.UNREVEALED, "late", now_ms)
        while self._kept and self._kept[0][0] <= now_ms:
            _, key = heapq.heappop(self._kept)
            if State(self._cases[key].row.state) not in DECIDED:
                rows += self._decide(key, State.UNREVEALED, "late", now_ms)
            rows += self._clear(self._cases.pop(key))
        return rows

    def _recall(self, row: AuditRow, case: Case) -> None:
        key = _key(row)
        self._cases[key] = _Open(row, case)
        heapq.heappush(self._kept, (case.at_ms + KEPT_MS, key))
        match State(row.state):
            case State.ASKED:
                self._asked[row.world][key] = None
            case State.REVEALED:
                self._waiting.append(key)
            case _ if row.evidence:
                revealed = Revealed.of(row)
                evidence = evidence_of(revealed)
                if evidence is not None:
                    self._replays.see(revealed, evidence)

    def _decide(self, key: Key, state: State, why: str, now_ms: int) -> list[Row]:
        found = self._cases[key]
        self._asked[key[0]].pop(key, None)
        if key in self._waiting:
            self._waiting.remove(key)
        found.row = replace(found.row, state=state.value)
        row, case = found.row, found.case
        verdict = VerdictRow(row.world, row.batch, row.event, now_ms, state.value, why, row.record)
        lots, postings = self._reverse(row, case) if state in AGAINST and not case.free else ((), ())
        entry = Entry(Kind.AUDIT, now_ms, row.batch.hex(), postings, lots, row_digest(verdict).hex())
        return [row, verdict, *self.ledger.append(entry)]

    def _reverse(self, row: AuditRow, case: Case) -> tuple[tuple[Lot, ...], tuple[Posting, ...]]:
        """Move what was paid back to where it came from; return what the record says of it."""
        lot = Reversed(row.batch.hex(), row.event, case.line_item, case.price_micros)
        self.budgets.apply(lot)
        where = row.world, case.slot.id, case.line_item
        return (lot,), merge(returned(where, case.currency, case.price_micros, case.fee_micros))

    def _clear(self, found: _Open) -> list[Row]:
        if not found.row.evidence:
            return []
        revealed = Revealed.of(found.row)
        evidence = evidence_of(revealed)
        if evidence is not None:
            self._replays.forget(revealed, evidence)
        return [replace(found.row, evidence=b"")]

    def _is_late(self, key: Key, now_ms: int) -> bool:
        return self._cases[key].case.asked_ms + REVEAL_MS <= now_ms


def _key(row: AuditRow) -> Key:
    return row.world, row.batch, row.event


def _asking(reply: ExposuresAck, keys: Sequence[Key]) -> ExposuresAck:
    return reply.model_copy(update={"reveal": tuple(event for _, _, event in keys)}) if keys else reply
