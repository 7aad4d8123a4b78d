"""The judge: a verdict for each event of a batch, from its ticket, its figures and all that was taken before it.

    ticket ─▶ figures (verdicts) ─▶ what cannot be: by itself, then with what was taken (invalid) ─▶ marks, stacks

The first rule that is broken names the verdict. What was taken is remembered for as long as its placement is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from weakref import WeakValueDictionary
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from openslot_server.catalogue import Catalogue
from openslot_server.demand.budgets import Budgets
from openslot_server.impressions.batches import Judged, by_ticket
from openslot_server.impressions.invalid import NEVER, Pace, Seen, refuse_impossible
from openslot_server.impressions.marks import Marks, looks_of
from openslot_server.impressions.traffic import TrafficRules
from openslot_server.impressions.verdicts import Terms, Verdict, Verdicts, is_refused, judge, terms_of
from openslot_server.sessions import Seat
from openslot_spec.errors import OpenSlotError
from openslot_spec.exposures import OWN, EventKind, ExposureColumns
from openslot_spec.tickets import Ticket, redeem

__all__ = ["Judge"]

Places = NDArray[np.intp]
Tickets = tuple[Ticket | Verdict, ...]


class Judge:
    """Judges events.

    Args:
        skew_ms: how far clocks may be off.
        late_ms: how long after a placement's end its events are taken.
    """

    def __init__(self, catalogue: Catalogue, budgets: Budgets, rules: TrafficRules, skew_ms: int, late_ms: int) -> None:
        self._catalogue = catalogue
        self._budgets = budgets
        self._rules = rules
        self._skew_ms = skew_ms
        self._late_ms = late_ms
        self._placements: dict[str, Seen] = {}
        self._paces: WeakValueDictionary[tuple[str, str, str], Pace] = WeakValueDictionary()
        """By world, session and slot, for as long as a placement there is remembered."""
        self._marks = Marks(rules)

    def tickets(self, tokens: Sequence[bytes], secrets: Mapping[bytes, bytes], seat: Seat, now_ms: int) -> Tickets:
        """Return each ticket, or why it is refused."""
        return tuple(self._redeem(token, secrets, seat, now_ms) for token in tokens)

    def judge(self, columns: ExposureColumns, tickets: Tickets, now_ms: int) -> Judged:
        """Return the batch with a verdict for each event, free delivery apart; what is not refused is taken."""
        terms = terms_of(tickets)
        judged = Judged(columns, tickets, judge(columns, terms, now_ms, self._skew_ms))
        refuse_impossible(judged.verdicts, columns, terms, self._slots_ended_ms(tickets), self._skew_ms)
        for index, events in by_ticket(judged, judged.verdicts == Verdict.VALID):
            judged.verdicts[events] = self._take(judged, index, events)
        looks, beside = _looks(judged, judged.verdicts == Verdict.VALID)
        stacked = self._stacked(tickets)[columns.ticket]
        marks = self._look(judged, terms, looks, now_ms)
        judged.verdicts[looks] = np.where((marks == Verdict.VALID) & stacked[looks], Verdict.STACKED, marks)
        marks = self._look(judged, terms, beside, now_ms, again=True)
        judged.verdicts[beside] = np.where((marks == Verdict.VALID) & stacked[beside], Verdict.STACKED, marks)
        return judged

    def recall(self, judged: Judged, at_ms: int) -> None:
        """Take back a batch that was judged at `at_ms`, as far as its placements are still open."""
        taken = ~is_refused(judged.verdicts)
        is_open = np.array([self._is_open(ticket) for ticket in judged.tickets])
        for index, events in by_ticket(judged, taken & is_open[judged.columns.ticket]):
            self._take(judged, index, events)
        looks, _ = _looks(judged, taken)
        self._look(judged, terms_of(judged.tickets), looks, at_ms)

    def forget(self, placements: Iterable[str]) -> None:
        """Drop placements for which no event is taken any more."""
        for placement in placements:
            self._placements.pop(placement, None)

    def _redeem(self, token: bytes, secrets: Mapping[bytes, bytes], seat: Seat, now_ms: int) -> Ticket | Verdict:
        try:
            ticket = redeem(token, secrets)
        except OpenSlotError:
            return Verdict.TICKET_INVALID
        if ticket.world != seat.world:
            return Verdict.TICKET_FOREIGN
        if now_ms > ticket.expires_ms + self._late_ms or not self._is_open(ticket):
            return Verdict.TICKET_EXPIRED
        return ticket

    def _is_open(self, ticket: Ticket | Verdict) -> bool:
        return isinstance(ticket, Ticket) and ticket.placement.hex() in self._budgets.placements

    def _slots_ended_ms(self, tickets: Tickets) -> NDArray[np.int64]:
        ended = [NEVER] * len(tickets)
        for index, ticket in enumerate(tickets):
            if isinstance(ticket, Ticket):
                at_ms = self._catalogue.ended_ms(ticket.world, ticket.slot, ticket.slot_revision)
                ended[index] = NEVER if at_ms is None else at_ms
        return np.array(ended, np.int64)

    def _take(self, judged: Judged, index: int, events: Places) -> Verdicts:
        ticket = judged.tickets[index]
        assert isinstance(ticket, Ticket)  # noqa: S101  a refused ticket has no valid event
        seen = self._placements.get(ticket.placement.hex())
        if seen is None:
            pace = self._paces.setdefault((ticket.world, ticket.session, ticket.slot), Pace())
            seen = self._placements[ticket.placement.hex()] = Seen(pace)
        return seen.take(judged.columns, events, ticket, self._rules)

    def _look(self, judged: Judged, terms: Terms, places: Places, now_ms: int, *, again: bool = False) -> Verdicts:
        """Return the marks of viewable events, session by session; `again` if the same looks were taken already."""
        marks = np.zeros(len(places), np.uint8)
        if not len(places):
            return marks
        sessions = [
            (ticket.world, ticket.session) if isinstance(ticket, Ticket) else ("", "") for ticket in judged.tickets
        ]
        slots = [crc32(ticket.slot.encode()) if isinstance(ticket, Ticket) else 0 for ticket in judged.tickets]
        looks = looks_of(judged.columns, places, terms, np.array(slots, np.int64), now_ms)
        tickets = judged.columns.ticket[places]
        for session in dict.fromkeys(sessions):
            own = np.flatnonzero(np.array([each == session for each in sessions])[tickets])
            if len(own):
                take = self._marks.of if again else self._marks.look
                marks[own] = take(session, looks[own], now_ms)
        return marks

    def _stacked(self, tickets: Tickets) -> NDArray[np.bool_]:
        """Return whose slot hangs behind another."""
        return np.array(
            [
                isinstance(ticket, Ticket) and self._catalogue.boards(ticket.world).is_stacked(ticket.slot)
                for ticket in tickets
            ]
        )


def _looks(judged: Judged, chosen: NDArray[np.bool_]) -> tuple[Places, Places]:
    """Return the places of the looks among the chosen events, by their tickets' profiles and by other ones."""
    viewable = chosen & (judged.columns.kind == EventKind.VIEWABLE)
    own = judged.columns.profile == OWN
    return np.flatnonzero(viewable & own), np.flatnonzero(viewable & ~own)
