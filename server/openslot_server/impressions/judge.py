"""The judge: a verdict for each event of a batch, from its ticket, its figures and all that was taken before it.

    ticket ─▶ figures ─▶ what cannot be with what was taken (invalid) ─▶ marks, stacks

The first rule that is broken names the verdict. What was taken is remembered for as long as its placement is open.
Few events go this way one by one, more as arrays: an array costs as much as some ten events do.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from openslot_server.catalogue import Catalogue
from openslot_server.demand.budgets import Budgets
from openslot_server.impressions.batches import Judged, JudgedFew, by_ticket, redeemed
from openslot_server.impressions.figures import NEVER, Now, judge, judge_one
from openslot_server.impressions.invalid import Pace, Seen
from openslot_server.impressions.marks import Marks, look_of, looks_of
from openslot_server.impressions.traffic import TrafficRules
from openslot_server.impressions.verdicts import Verdict, Verdicts, is_refused
from openslot_server.sessions import Seat
from openslot_spec.errors import OpenSlotError
from openslot_spec.exposures import OWN, Event, EventKind, ExposureColumns
from openslot_spec.tickets import KEY_ID_BYTES, Ticket, redeem

__all__ = ["Judge"]

Places = NDArray[np.intp]
Tickets = tuple[Ticket | Verdict, ...]
REDEEMED_MAX = 16_384
"""Tickets that need not be redeemed again; the oldest are forgotten."""
VALID, VIEWABLE = int(Verdict.VALID), int(EventKind.VIEWABLE)


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
        self._redeemed: dict[bytes, Ticket] = {}
        """In the order in which they first came."""
        self._placements: dict[str, Seen] = {}
        self._paces: WeakValueDictionary[tuple[str, str, str], Pace] = WeakValueDictionary()
        """By world, session and slot, for as long as a placement there is remembered."""
        self._marks = Marks(rules)

    def tickets(self, tokens: Sequence[bytes], secrets: Mapping[bytes, bytes], seat: Seat, now_ms: int) -> Tickets:
        """Return each ticket, or why it is refused."""
        return tuple(self._admit(token, secrets, seat, now_ms) for token in tokens)

    def judge(self, columns: ExposureColumns, tickets: Tickets, now_ms: int) -> Judged:
        """Return the batch with a verdict for each event, free delivery apart; what is not refused is taken."""
        ended_ms = [self._slot_ended_ms(ticket) for ticket in tickets]
        judged = Judged(columns, tickets, judge(columns, tickets, ended_ms, Now(now_ms, self._skew_ms)))
        for index, events in by_ticket(judged, judged.verdicts == VALID):
            judged.verdicts[events] = self._take(judged, index, events)
        stacked = [self._is_stacked(ticket) for ticket in tickets]
        for places, again in zip(_looks(judged, judged.verdicts == VALID), (False, True), strict=True):
            if len(places):
                judged.verdicts[places] = self._look(judged, places, now_ms, again=again)
        if any(stacked):
            valid = np.flatnonzero((judged.verdicts == VALID) & (columns.kind == VIEWABLE))
            judged.verdicts[valid[np.array(stacked)[columns.ticket[valid]]]] = Verdict.STACKED
        return judged

    def judge_few(self, events: list[Event], tickets: Tickets, now_ms: int) -> JudgedFew:
        """Return what `judge` does, event by event: sooner for a few."""
        if len(events) == 1:
            return JudgedFew(events, tickets, [self._judge_single(events[0], tickets[events[0].ticket], now_ms)])
        now, asked = Now(now_ms, self._skew_ms), [tickets[event.ticket] for event in events]
        verdicts = [
            judge_one(event, ticket, self._slot_ended_ms(ticket), now)
            for event, ticket in zip(events, asked, strict=True)
        ]
        for places in _in_groups(events, _valid(verdicts), lambda event: event.ticket):
            ticket = redeemed(asked[places[0]])
            taken = self._seen(ticket).take_few([events[place] for place in places], ticket, self._rules)
            _give(verdicts, places, taken)
        for again in (False, True):
            looks = [place for place in _valid(verdicts) if _is_look(events[place], again=again)]
            for places in _in_groups(events, looks, lambda event: _session(tickets[event.ticket])):
                _give(verdicts, places, self._look_few([events[place] for place in places], tickets, now, again=again))
        return JudgedFew(events, tickets, verdicts)

    def _judge_single(self, event: Event, asked: Ticket | Verdict, now_ms: int) -> Verdict:
        """Return the verdict on an event that comes alone."""
        verdict = judge_one(event, asked, self._slot_ended_ms(asked), Now(now_ms, self._skew_ms))
        if verdict is not Verdict.VALID:
            return verdict
        ticket = redeemed(asked)
        verdict = self._seen(ticket).take_one(event, ticket, self._rules)
        if verdict is not Verdict.VALID or event.kind != VIEWABLE:
            return verdict
        session = ticket.world, ticket.session
        if event.profile == OWN:
            mark = self._marks.look_once(session, look_of(event, ticket, now_ms), now_ms)
        else:
            mark = self._marks.of_one(session, event.viewer, now_ms)
        return Verdict.STACKED if mark is Verdict.VALID and self._is_stacked(ticket) else mark

    def recall(self, judged: Judged, at_ms: int) -> None:
        """Take back a batch that was judged at `at_ms`, as far as its placements are still open."""
        taken = ~is_refused(judged.verdicts)
        is_open = np.array([self._is_open(ticket) for ticket in judged.tickets])
        for index, events in by_ticket(judged, taken & is_open[judged.columns.ticket]):
            self._take(judged, index, events)
        looks, _ = _looks(judged, taken)
        if len(looks):
            self._look(judged, looks, at_ms, again=False)

    def forget(self, placements: Iterable[str]) -> None:
        """Drop placements for which no event is taken any more."""
        for placement in placements:
            self._placements.pop(placement, None)

    def _admit(self, token: bytes, secrets: Mapping[bytes, bytes], seat: Seat, now_ms: int) -> Ticket | Verdict:
        try:
            ticket = self._redeem(token, secrets)
        except OpenSlotError:
            return Verdict.TICKET_INVALID
        if ticket.world != seat.world:
            return Verdict.TICKET_FOREIGN
        if now_ms > ticket.expires_ms + self._late_ms or not self._is_open(ticket):
            return Verdict.TICKET_EXPIRED
        return ticket

    def _redeem(self, token: bytes, secrets: Mapping[bytes, bytes]) -> Ticket:
        known = self._redeemed.get(token)
        if known is not None and token[:KEY_ID_BYTES] in secrets:
            return known
        ticket = redeem(token, secrets)
        if len(self._redeemed) >= REDEEMED_MAX:
            del self._redeemed[next(iter(self._redeemed))]
        self._redeemed[token] = ticket
        return ticket

    def _is_open(self, ticket: Ticket | Verdict) -> bool:
        return isinstance(ticket, Ticket) and ticket.placement.hex() in self._budgets.placements

    def _slot_ended_ms(self, ticket: Ticket | Verdict) -> int:
        if not isinstance(ticket, Ticket):
            return NEVER
        at_ms = self._catalogue.ended_ms(ticket.world, ticket.slot, ticket.slot_revision)
        return NEVER if at_ms is None else at_ms

    def _is_stacked(self, ticket: Ticket | Verdict) -> bool:
        """Return whether its slot hangs behind another."""
        return isinstance(ticket, Ticket) and self._catalogue.boards(ticket.world).is_stacked(ticket.slot)

    def _seen(self, ticket: Ticket) -> Seen:
        placement = ticket.placement.hex()
        seen = self._placements.get(placement)
        if seen is None:
            pace = self._paces.setdefault((ticket.world, ticket.session, ticket.slot), Pace())
            seen = self._placements[placement] = Seen(pace)
        return seen

    def _take(self, judged: Judged, index: int, events: Places) -> Verdicts:
        ticket = redeemed(judged.tickets[index])
        return self._seen(ticket).take(judged.columns, events, ticket, self._rules)

    def _look(self, judged: Judged, places: Places, now_ms: int, *, again: bool) -> Verdicts:
        """Return the marks of viewable events, session by session; `again` if the same looks were taken already."""
        looks = looks_of(judged.columns, places, judged.tickets, now_ms)
        take = self._marks.of if again else self._marks.look
        if len(judged.tickets) == 1:
            return take(_session(judged.tickets[0]), looks, now_ms)
        tickets = judged.columns.ticket[places]
        sessions = {index: _session(judged.tickets[index]) for index in np.unique(tickets).tolist()}
        if len(set(sessions.values())) == 1:
            return take(next(iter(sessions.values())), looks, now_ms)
        marks = np.zeros(len(places), np.uint8)
        for session in dict.fromkeys(sessions.values()):
            own = np.isin(tickets, [index for index, name in sessions.items() if name == session])
            marks[own] = take(session, looks[own], now_ms)
        return marks

    def _look_few(self, events: list[Event], tickets: Tickets, now: Now, *, again: bool) -> list[Verdict]:
        """Return the verdicts on viewable events of one session."""
        asked = [redeemed(tickets[event.ticket]) for event in events]
        looks = [look_of(event, ticket, now.at_ms) for event, ticket in zip(events, asked, strict=True)]
        take = self._marks.of if again else self._marks.look
        marks = take(_session(asked[0]), np.array(looks, np.int64), now.at_ms).tolist()
        return [
            Verdict.STACKED if mark == VALID and self._is_stacked(ticket) else Verdict(mark)
            for mark, ticket in zip(marks, asked, strict=True)
        ]


def _session(ticket: Ticket | Verdict) -> tuple[str, str]:
    return redeemed(ticket).world, redeemed(ticket).session


def _looks(judged: Judged, chosen: NDArray[np.bool_]) -> tuple[Places, Places]:
    """Return the places of the looks among the chosen events, by their tickets' profiles and by other ones."""
    viewable = chosen & (judged.columns.kind == VIEWABLE)
    own = judged.columns.profile == OWN
    return np.flatnonzero(viewable & own), np.flatnonzero(viewable & ~own)


def _is_look(event: Event, *, again: bool) -> bool:
    return event.kind == VIEWABLE and (event.profile != OWN) is again


def _valid(verdicts: list[Verdict]) -> list[int]:
    return [place for place, verdict in enumerate(verdicts) if verdict is Verdict.VALID]


def _in_groups(events: list[Event], places: list[int], key: Callable[[Event], Hashable]) -> list[list[int]]:
    """Return the places by key, in the order of the first ticket of each."""
    if len(places) < 2:
        return [places] * len(places)
    groups: dict[Hashable, list[int]] = {}
    for place in sorted(places, key=lambda place: events[place].ticket):
        groups.setdefault(key(events[place]), []).append(place)
    return [sorted(group) for group in groups.values()]


def _give(verdicts: list[Verdict], places: list[int], given: list[Verdict]) -> None:
    for place, verdict in zip(places, given, strict=True):
        verdicts[place] = verdict
