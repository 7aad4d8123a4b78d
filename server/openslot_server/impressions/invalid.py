"""What cannot have happened: events that contradict themselves, their ticket, their slot or one another.

An event by itself is judged from its columns and its ticket's terms; events together per placement, in `Seen`, and per
viewer and slot, in `Pace`. Whatever is found here is refused and never billed. Batches come in any order, so nothing
is made of the order in which events arrive.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from openslot_server.impressions.traffic import TrafficRules
from openslot_server.impressions.verdicts import Terms, Verdict, Verdicts, bounds, passes, refuse
from openslot_spec.exposures import FOLLOWS, HALF, OWN, EventKind, ExposureColumns, WhyNot
from openslot_spec.profiles import profile
from openslot_spec.tickets import Ticket

__all__ = ["NEVER", "Pace", "Seen", "refuse_impossible"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
NEVER = 2**62
"""When a slot ends that stands as it was."""
MISSING = -1
_FOLLOWS = np.zeros((len(EventKind) + 1,) * 2, np.bool_)
for _kind, _others in FOLLOWS.items():
    _FOLLOWS[_kind, [*_others]] = True


def refuse_impossible(
    verdicts: Verdicts, columns: ExposureColumns, terms: Terms, slot_ended_ms: Ints, skew_ms: int
) -> None:
    """Refuse events that cannot be by themselves; `slot_ended_ms` (tickets,) is when each ticket's slot was changed."""
    ticket = columns.ticket
    refuse(verdicts, columns.at_ms > slot_ended_ms[ticket] + skew_ms, Verdict.SLOT_STALE)
    refuse(verdicts, _contradicts_itself(columns, terms), Verdict.ABSURD)
    ends_ms = np.minimum(columns.at_ms, terms.expires_ms[ticket])
    longest_ms = ends_ms - terms.issued_ms[ticket] + skew_ms
    refuse(verdicts, columns.cumulative_ms > longest_ms, Verdict.TOO_LONG)


def _contradicts_itself(columns: ExposureColumns, terms: Terms) -> Bools:
    """Return which events cannot be what they say, each by itself.

    Only an END and a PAUSE have a reason; a view that has time passed its gate, and so do its means; what is reported
    of a view by another profile than its ticket's is when it became viewable and how it ended.
    """
    kind, by, asked = columns.kind, terms.judged_by(columns), bounds()
    is_end, counted = kind == EventKind.END, columns.why == WhyNot.COUNTED
    time_ms = np.where(asked.cumulative[by], columns.cumulative_ms, columns.continuous_ms)
    too_short = is_end & counted & (time_ms < asked.duration_ms[by])
    reasonless = ~is_end & (kind != EventKind.PAUSE) & ~counted
    unseen = (columns.cumulative_ms > 0) & ~passes(columns, by)
    beside = columns.profile != OWN
    named_twice = beside & (columns.profile == terms.profile[columns.ticket])
    misplaced = beside & (kind != EventKind.VIEWABLE) & ~is_end
    return np.asarray(too_short | reasonless | unseen | named_twice | misplaced | _disagrees_on_shares(columns, by))


def _disagrees_on_shares(columns: ExposureColumns, by: NDArray[np.uint8]) -> Bools:
    """Return whose times at half and at all of the surface do not fit those at the profile's own share of it."""
    share = bounds().visible_fraction_min[by]
    odd = np.zeros(len(columns), np.bool_)
    for own, half, full in (
        (columns.continuous_ms, columns.half_continuous_ms, columns.full_continuous_ms),
        (columns.cumulative_ms, columns.half_cumulative_ms, columns.full_cumulative_ms),
    ):
        odd |= (full > own) | (share <= HALF) & (half > own) | (share >= HALF) & (own > half)
    return odd


class Pace:
    """The times at which the viewers of one session and slot had their looks, over all its placements.

    Two looks lie at least the profile's duration apart, so a stretch of time that is shorter holds one at the most.
    Within one placement a viewer has one look at the most, so looks are held against those of other placements only.
    """

    __slots__ = ("__weakref__", "_last", "_loose", "_loose_last", "_placement", "_stretches")

    def __init__(self) -> None:
        self._placement = b""
        """That had the last looks; these are loose until another placement has some."""
        self._loose: list[Ints] = []
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

    def _settle(self, placement: bytes) -> None:
        for keys in self._loose:
            self._stretches.update(keys.tolist())
        self._loose.clear()
        self._last, self._placement = self._loose_last, placement


@dataclass(frozen=True, slots=True, eq=False)
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
        return cls(*(array[events].astype(np.int64) for array in arrays))

    @property
    def what(self) -> Ints:
        """What a view has at most one of: a kind, by a profile."""
        return self.profile << 8 | self.kind

    def may_order(self, profile: int, kind: int) -> Bools:
        """Return whose order against that is known: one profile's events, and RENDERED before any."""
        first = (self.kind == EventKind.RENDERED) | (kind == EventKind.RENDERED)
        return np.asarray((self.profile == profile) | first)


class Seen:
    """What was taken of one placement: when each viewer's view was rendered, became viewable and ended."""

    __slots__ = ("_pace", "_times_ms", "_viewable", "_viewer", "_whats")

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._times_ms: dict[int, int] = {}
        """By profile, kind and viewer in one number."""
        self._whats: set[int] = set()
        """Kinds and profiles that were taken at all: what is not there need not be looked for."""
        self._viewable = 0
        self._viewer: int | None = None

    def take(self, columns: ExposureColumns, events: NDArray[np.intp], ticket: Ticket, rules: TrafficRules) -> Verdicts:
        """Take the events of `ticket` at these places and return a verdict for each; what is refused was not taken."""
        claims = _Claims.of(columns, events)
        verdicts = np.zeros(len(events), np.uint8)
        if ticket.audience == "per_viewer":
            self._viewer = int(claims.viewer[0]) if self._viewer is None else self._viewer
            refuse(verdicts, claims.viewer != self._viewer, Verdict.TICKET_FOREIGN)
        mine = np.flatnonzero(verdicts == Verdict.VALID)
        keys = claims.what << 32 | claims.viewer
        verdicts[mine[_insert(self._times_ms, keys[mine], claims.at_ms[mine])]] = Verdict.DUPLICATE
        fresh = verdicts == Verdict.VALID
        self._refuse_disorder(claims, verdicts, rules)
        self._refuse_excess(claims, verdicts, ticket, rules)
        for key in keys[fresh & (verdicts != Verdict.VALID)].tolist():
            del self._times_ms[key]
        return verdicts

    def _refuse_disorder(self, claims: _Claims, verdicts: Verdicts, rules: TrafficRules) -> None:
        """Refuse what lies on the wrong side of another event of its view, and what lasted longer than since RENDERED.

        Holds the events of one batch against each other, too.
        """
        whats = claims.what
        self._whats.update(np.unique(whats).tolist())
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
            if kind == EventKind.RENDERED:
                too_long = claims.cumulative_ms[rest] > at_ms - other_ms + rules.length.slack_ms
                _refuse_at(verdicts, rest[known & too_long], Verdict.TOO_LONG)

    def _refuse_excess(self, claims: _Claims, verdicts: Verdicts, ticket: Ticket, rules: TrafficRules) -> None:
        looks = (claims.kind == EventKind.VIEWABLE) & (claims.profile == OWN)
        looks = np.flatnonzero((verdicts == Verdict.VALID) & looks)
        crowd = max(rules.crowd.times * ticket.viewers, rules.crowd.viewers_min)
        room = crowd - self._viewable
        verdicts[looks[room:]] = Verdict.CROWD
        looks = looks[:room]
        stretch_ms = max(profile(ticket.profile).duration_ms - rules.rate.slack_ms, 1)
        too_often = looks[self._pace.too_often(ticket.placement, claims.viewer[looks], claims.at_ms[looks], stretch_ms)]
        verdicts[too_often] = Verdict.TOO_OFTEN
        self._viewable += len(looks) - len(too_often)

    def _times_of(self, what: int, viewer: Ints) -> Ints:
        """Return when the views of these viewers had this event, `MISSING` where it is not known."""
        keys = (what << 32 | viewer).tolist()
        return np.fromiter(map(self._times_ms.get, keys, repeat(MISSING)), np.int64, len(keys))


def _refuse_at(verdicts: Verdicts, places: NDArray[np.intp], verdict: Verdict) -> None:
    verdicts[places[verdicts[places] == Verdict.VALID]] = verdict


def _insert(known: dict[int, int], keys: Ints, values: Ints) -> list[int]:
    """Add keys that are not known, and return the places of those that were."""
    wanted, before = keys.tolist(), len(known)
    if known.keys().isdisjoint(wanted):
        known.update(zip(wanted, values.tolist(), strict=True))
        if len(known) == before + len(wanted):
            return []
        for key in set(wanted):  # some stand twice: the first is the one that counts
            del known[key]
    repeats = []
    for place, key in enumerate(wanted):
        if key in known:
            repeats.append(place)
        else:
            known[key] = int(values[place])
    return repeats
