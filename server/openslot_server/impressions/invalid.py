"""What cannot have happened: events that contradict one another.

They are held together per placement, in `Seen`, and per viewer and slot, in `Pace`. Whatever is found here is refused
and never billed. Batches come in any order, so nothing is made of the order in which events arrive. A few events are
taken one by one, more as arrays; both ways have the same end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from openslot_server.impressions.times import MISSING, Times
from openslot_server.impressions.traffic import TrafficRules
from openslot_server.impressions.verdicts import Verdict, Verdicts, refuse
from openslot_spec.exposures import FOLLOWS, OWN, Event, EventKind, ExposureColumns
from openslot_spec.profiles import profile
from openslot_spec.tickets import Ticket

__all__ = ["Pace", "Seen"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
VALID, RENDERED, VIEWABLE = (int(each) for each in (Verdict.VALID, EventKind.RENDERED, EventKind.VIEWABLE))
LOOK = OWN << 8 | VIEWABLE
"""What a look is, by its ticket's profile."""
EVERY = slice(None)
_FOLLOWS = np.zeros((len(EventKind) + 1,) * 2, np.bool_)
for _kind, _others in FOLLOWS.items():
    _FOLLOWS[_kind, [*_others]] = True


class Pace:
    """The times at which the viewers of one session and slot had their looks, over all its placements.

    Two looks lie at least the profile's duration apart, so a stretch of time that is shorter holds one at the most.
    Within one placement a viewer has one look at the most, so looks are held against those of other placements only.
    """

    __slots__ = ("__weakref__", "_last", "_loose", "_loose_last", "_loose_ones", "_placement", "_stretches")

    def __init__(self) -> None:
        self._placement = b""
        """That had the last looks; these are loose until another placement has some."""
        self._loose: list[Ints] = []
        self._loose_ones: list[int] = []
        self._loose_last = -1
        self._stretches: set[int] = set()
        self._last = -1
        """The last of the stretches."""

    def too_often(self, placement: bytes, viewer: Ints, at_ms: Ints, stretch_ms: int) -> list[int]:
        """Take looks and return the places of those that fall into a stretch in which their viewer had one."""
        if not len(viewer):
            return []
        if placement != self._placement:
            self._settle(placement)
        stretch = at_ms // stretch_ms
        keys = (stretch & 0x7FFFFFFF) << 32 | viewer  # low bits that differ: they hash well
        self._loose.append(keys)
        self._loose_last = max(self._loose_last, int(stretch.max()))
        if stretch.min() > self._last or self._stretches.isdisjoint(wanted := keys.tolist()):
            return []
        return [place for place, key in enumerate(wanted) if key in self._stretches]

    def is_too_often(self, placement: bytes, viewer: int, at_ms: int, stretch_ms: int) -> bool:
        """Take one look and return whether it falls into a stretch in which its viewer had one."""
        if placement != self._placement:
            self._settle(placement)
        stretch = at_ms // stretch_ms
        key = (stretch & 0x7FFFFFFF) << 32 | viewer
        self._loose_ones.append(key)
        self._loose_last = max(self._loose_last, stretch)
        return stretch <= self._last and key in self._stretches

    def _settle(self, placement: bytes) -> None:
        for keys in self._loose:
            self._stretches.update(keys.tolist())
        self._stretches.update(self._loose_ones)
        self._loose.clear()
        self._loose_ones.clear()
        self._last, self._placement = self._loose_last, placement


@dataclass(frozen=True, eq=False)
class _Claims:
    """Events of one ticket, arrays (n,)."""

    kind: Ints
    profile: Ints
    viewer: Ints
    at_ms: Ints
    cumulative_ms: Ints

    @classmethod
    def of(cls, columns: ExposureColumns, events: NDArray[np.intp]) -> _Claims:
        arrays = (columns.kind, columns.profile, columns.viewer, columns.at_ms, columns.cumulative_ms)
        chosen = slice(None) if len(events) == len(columns) else events
        return cls(*(array[chosen].astype(np.int64) for array in arrays))

    @cached_property
    def what(self) -> Ints:
        """What a view has at most one of: a kind, by a profile."""
        return self.profile << 8 | self.kind

    @property
    def keys(self) -> Ints:
        """Return profile, kind and viewer in one number."""
        return self.what << 32 | self.viewer

    def may_order(self, profile: int, kind: int) -> Bools:
        """Return whose order against that is known: one profile's events, and RENDERED before any."""
        first = (self.kind == RENDERED) | (kind == RENDERED)
        return np.asarray((self.profile == profile) | first)


class Seen:
    """What was taken of one placement: when each viewer's view was rendered, became viewable and ended."""

    __slots__ = ("_pace", "_times_ms", "_viewable", "_whats")

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._times_ms = Times()
        """By profile, kind and viewer in one number."""
        self._whats: set[int] = set()
        """Kinds and profiles that were taken at all: what is not there need not be looked for."""
        self._viewable = 0

    def take(self, columns: ExposureColumns, events: NDArray[np.intp], ticket: Ticket, rules: TrafficRules) -> Verdicts:
        """Take the events of `ticket` at these places and return a verdict for each; what is refused was not taken."""
        claims = _Claims.of(columns, events)
        verdicts, keys = np.zeros(len(events), np.uint8), claims.keys
        if ticket.viewer is not None:
            refuse(verdicts, claims.viewer != ticket.viewer, Verdict.TICKET_FOREIGN)
        mine: slice | NDArray[np.intp] = np.flatnonzero(verdicts == VALID) if verdicts.any() else EVERY
        repeats = self._times_ms.add_all(keys[mine], claims.at_ms[mine])
        if repeats:
            verdicts[np.arange(len(events))[mine][repeats]] = Verdict.DUPLICATE
        fresh = verdicts == VALID
        self._refuse_disorder(claims, verdicts, rules)
        self._refuse_excess(claims, verdicts, ticket, rules)
        if verdicts.any():
            for key in keys[fresh & (verdicts != VALID)].tolist():
                self._times_ms.remove(key)
        return verdicts

    def take_few(self, events: Sequence[Event], ticket: Ticket, rules: TrafficRules) -> list[Verdict]:
        """Do as `take` does, event by event."""
        mine = [place for place, event in enumerate(events) if ticket.viewer in (None, event.viewer)]
        verdicts = [Verdict.TICKET_FOREIGN] * len(events)
        keys = [_key(events[place]) for place in mine]
        added = [self._times_ms.add(key, events[place].at_ms) for key, place in zip(keys, mine, strict=True)]
        self._whats.update(_what(event) for event in events)
        for order, place in enumerate(mine):
            verdicts[place] = self._disorder(events[place], rules) if added[order] else Verdict.DUPLICATE
        for place in mine:
            if verdicts[place] is Verdict.VALID and _is_look(events[place]):
                verdicts[place] = self._excess(events[place], ticket, rules)
        for order, (key, place) in enumerate(zip(keys, mine, strict=True)):
            if verdicts[place] is not Verdict.VALID and added[order]:
                self._times_ms.remove(key)
        return verdicts

    def take_one(self, event: Event, ticket: Ticket, rules: TrafficRules) -> Verdict:
        """Do as `take` does with a single event."""
        if ticket.viewer not in (None, event.viewer):
            return Verdict.TICKET_FOREIGN
        what = _what(event)
        key = what << 32 | event.viewer
        if not self._times_ms.add(key, event.at_ms):
            return Verdict.DUPLICATE
        self._whats.add(what)
        verdict = self._disorder(event, rules)
        if verdict is Verdict.VALID and _is_look(event):
            verdict = self._excess(event, ticket, rules)
        if verdict is not Verdict.VALID:
            self._times_ms.remove(key)
        return verdict

    def _disorder(self, event: Event, rules: TrafficRules) -> Verdict:
        """Return whether an event is refused by the rules of `_refuse_disorder`."""
        if len(self._whats) == 1:
            return Verdict.VALID
        kind, at_ms = event.kind, event.at_ms
        for what in sorted(self._whats):
            other = what & 0xFF
            other_ms = self._times_ms.get(what << 32 | event.viewer)
            is_ordered = event.profile == what >> 8 or RENDERED in (kind, other)
            if other_ms == MISSING or not is_ordered or what == _what(event):
                continue
            before = _FOLLOWS[kind, other] and at_ms < other_ms - rules.order.slack_ms
            if before or (_FOLLOWS[other, kind] and at_ms > other_ms + rules.order.slack_ms):
                return Verdict.BACKWARDS
            if other == RENDERED and event.cumulative_ms > at_ms - other_ms + rules.length.slack_ms:
                return Verdict.TOO_LONG
        return Verdict.VALID

    def _excess(self, look: Event, ticket: Ticket, rules: TrafficRules) -> Verdict:
        """Return whether a look is refused by the rules of `_refuse_excess`."""
        if self._viewable >= _crowd(ticket, rules):
            return Verdict.CROWD
        if self._pace.is_too_often(ticket.placement, look.viewer, look.at_ms, _stretch_ms(ticket, rules)):
            return Verdict.TOO_OFTEN
        self._viewable += 1
        return Verdict.VALID

    def _refuse_disorder(self, claims: _Claims, verdicts: Verdicts, rules: TrafficRules) -> None:
        """Refuse what lies on the wrong side of another event of its view, and what lasted longer than since RENDERED.

        Holds the events of one batch against each other, too.
        """
        whats = claims.what
        self._whats.update((int(whats[0]),) if (whats == whats[0]).all() else whats.tolist())
        if len(self._whats) == 1:
            return
        for what in sorted(self._whats):
            profile, kind = divmod(what, 256)
            rest = np.flatnonzero((whats != what) & claims.may_order(profile, kind))
            other_ms = self._times_of(what, claims.viewer[rest])
            at_ms, known = claims.at_ms[rest], other_ms != MISSING
            before = _FOLLOWS[claims.kind[rest], kind] & (at_ms < other_ms - rules.order.slack_ms)
            after = _FOLLOWS[kind, claims.kind[rest]] & (at_ms > other_ms + rules.order.slack_ms)
            _refuse_at(verdicts, rest[known & (before | after)], Verdict.BACKWARDS)
            if kind == RENDERED:
                too_long = claims.cumulative_ms[rest] > at_ms - other_ms + rules.length.slack_ms
                _refuse_at(verdicts, rest[known & too_long], Verdict.TOO_LONG)

    def _refuse_excess(self, claims: _Claims, verdicts: Verdicts, ticket: Ticket, rules: TrafficRules) -> None:
        looks = np.flatnonzero((claims.what == LOOK) & (verdicts == VALID))
        room = _crowd(ticket, rules) - self._viewable
        if len(looks) > room:
            verdicts[looks[room:]] = Verdict.CROWD
            looks = looks[:room]
        stretch_ms = _stretch_ms(ticket, rules)
        too_often = self._pace.too_often(ticket.placement, claims.viewer[looks], claims.at_ms[looks], stretch_ms)
        verdicts[looks[too_often]] = Verdict.TOO_OFTEN
        self._viewable += len(looks) - len(too_often)

    def _times_of(self, what: int, viewer: Ints) -> Ints:
        """Return when the views of these viewers had this event, `MISSING` where it is not known."""
        return self._times_ms.get_all(what << 32 | viewer)


def _crowd(ticket: Ticket, rules: TrafficRules) -> int:
    return max(rules.crowd.times * ticket.viewers, rules.crowd.viewers_min)


def _stretch_ms(ticket: Ticket, rules: TrafficRules) -> int:
    return max(profile(ticket.profile).duration_ms - rules.rate.slack_ms, 1)


def _what(event: Event) -> int:
    return event.profile << 8 | event.kind


def _key(event: Event) -> int:
    return _what(event) << 32 | event.viewer


def _is_look(event: Event) -> bool:
    return event.kind == VIEWABLE and event.profile == OWN


def _refuse_at(verdicts: Verdicts, places: NDArray[np.intp], verdict: Verdict) -> None:
    verdicts[places[verdicts[places] == VALID]] = verdict
