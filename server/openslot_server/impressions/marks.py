"""What people hardly do: looks of one viewer, or of one session, held against each other.

A viewer's looks are judged together, a few at a time, once enough of them are there; from the batch on that completes
the evidence, this viewer's looks in this session are marked. Nothing before is changed. A session is judged as a whole
for even intervals only: who invents a viewer for each look is as regular as before.

Looks are the rows of an array (n, 9) of whole numbers; see `looks_of` for its columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from openslot_server.impressions.times import Counts
from openslot_server.impressions.traffic import Copied, Frozen, Perfect, Periodic, TrafficRules
from openslot_server.impressions.verdicts import Verdict, Verdicts
from openslot_spec.exposures import Event, ExposureColumns
from openslot_spec.tickets import Ticket

__all__ = ["Marks", "Still", "is_perfect", "is_periodic", "look_of", "looks_of", "traces"]

Looks = NDArray[np.int64]
Look = tuple[int, ...]
"""One row of them."""
SessionName = tuple[str, str]
"""World and session."""
Viewer = tuple[SessionName, int]
VIEWER, HEARD, AT, BEGAN, LIFE, SLOT, FRACTION, COVERAGE, ANGLE = range(9)
COLUMNS = 9
NO_LOOKS: Looks = np.zeros((0, COLUMNS), np.int64)
FINE = 1e6
"""Shares are in millionths, angles in ten-thousandths of a degree."""
FINE_DEG = 1e4
IDLE_MS = 3_600_000
"""A session of which nothing came for so long is forgotten, and its viewers with it."""
TRACES_MAX = 262_144
"""Traces that are remembered, of all worlds; the oldest are forgotten."""


def looks_of(
    columns: ExposureColumns, events: NDArray[np.intp], tickets: Sequence[Ticket | Verdict], now_ms: int
) -> Looks:
    """Return viewable events as looks (n, 9).

    Columns: the viewer, when it was heard of and when it was, how long after its placement was issued it began, the
    placement's life, a number that tells the slot from others, and the figures.
    """
    terms = np.array([_terms_of(ticket) if isinstance(ticket, Ticket) else (0, 0, 0) for ticket in tickets], np.int64)
    issued_ms, life_ms, slot = terms[0] if len(terms) == 1 else terms[columns.ticket[events]].T
    chosen = slice(None) if len(events) == len(columns) else events
    at_ms = columns.at_ms[chosen]
    looks = np.empty((COLUMNS, len(events)), np.int64).T  # column by column, as they are written and read
    looks[:, VIEWER] = columns.viewer[chosen]
    looks[:, HEARD] = now_ms
    looks[:, AT] = at_ms
    looks[:, BEGAN] = at_ms - columns.continuous_ms[chosen] - issued_ms
    looks[:, LIFE] = life_ms
    looks[:, SLOT] = slot
    looks[:, FRACTION] = np.rint(columns.visible_fraction[chosen].astype(np.float64) * FINE)
    looks[:, COVERAGE] = np.rint(columns.coverage[chosen].astype(np.float64) * FINE)
    looks[:, ANGLE] = np.rint(columns.angle_deg[chosen].astype(np.float64) * FINE_DEG)
    return looks


def look_of(event: Event, ticket: Ticket, now_ms: int) -> Look:
    """Return a viewable event as the row that `looks_of` makes of it."""
    issued_ms, life_ms, slot = _terms_of(ticket)
    figures = (round(event.visible_fraction * FINE), round(event.coverage * FINE), round(event.angle_deg * FINE_DEG))
    began_ms = event.at_ms - event.continuous_ms - issued_ms
    return event.viewer, now_ms, event.at_ms, began_ms, life_ms, slot, *figures


def _terms_of(ticket: Ticket) -> tuple[int, int, int]:
    return ticket.issued_ms, ticket.expires_ms - ticket.issued_ms, crc32(ticket.slot.encode())


@dataclass(slots=True)
class Still:
    """Since when a viewer's figures stay the same, slot by slot."""

    figures: dict[int, tuple[int, ...]] = field(default_factory=dict)
    since_ms: int = 0
    repeats: int = 0

    def is_frozen(self, looks: Looks, rule: Frozen) -> bool:
        """Take looks in the order of their times and return whether the camera has stood still for too long."""
        frozen = False
        for look in looks.tolist():
            frozen |= self._take(look, rule)
        return frozen

    def _take(self, look: list[int], rule: Frozen) -> bool:
        figures = tuple(look[FRACTION:])
        before = self.figures.get(look[SLOT])
        if before == figures:
            self.repeats += 1
        elif before is None and self.figures:
            self.figures[look[SLOT]] = figures
        else:
            self.figures, self.since_ms, self.repeats = {look[SLOT]: figures}, look[AT], 0
        return self.repeats >= rule.looks and look[AT] - self.since_ms >= rule.span_ms


@dataclass(slots=True)
class _Visit:
    """What is remembered of one viewer in one session after a judgement: the last looks, and the stillness."""

    looks: Looks
    still: Still = field(default_factory=Still)


class _Gathered:
    """Looks in the order in which they came, put together when somebody wants them."""

    __slots__ = ("_ones", "_parts", "count")

    def __init__(self) -> None:
        self._parts: list[Looks] = []
        self._ones: list[Look] = []
        """Those that came one by one after the parts."""
        self.count = 0

    def add(self, looks: Looks) -> None:
        """Take an array of looks."""
        self._parts.extend(self._array_of_ones())
        self._parts.append(looks)
        self.count += len(looks)

    def add_one(self, look: Look) -> None:
        """Take one look."""
        self._ones.append(look)
        self.count += 1

    def all(self) -> Looks:
        """Return all of them."""
        parts = [*self._parts, *self._array_of_ones()]
        if len(parts) != 1:
            parts = [np.concatenate([part.T for part in (NO_LOOKS, *parts)], axis=1).T]  # column by column
        self.keep(parts[0])
        return parts[0]

    def keep(self, looks: Looks) -> None:
        """Hold these alone from now on."""
        self._parts, self.count = [looks], len(looks)

    def _array_of_ones(self) -> list[Looks]:
        ones, self._ones = self._ones, []
        return [np.array(ones, np.int64)] if ones else []


@dataclass(slots=True)
class _Session:
    """The looks of one session, and who of it is marked."""

    heard_ms: int = 0
    fresh: _Gathered = field(default_factory=_Gathered)
    """Those that are not judged yet, of all viewers."""
    counts: Counts = field(default_factory=Counts)
    """Of them, by viewer."""
    visits: dict[int, _Visit] = field(default_factory=dict)
    marks: dict[int, Verdict] = field(default_factory=dict)
    together: _Gathered = field(default_factory=_Gathered)
    """The last looks of all viewers, judged or not."""
    even: bool = False

    def mark_of(self, viewer: int) -> Verdict:
        """Return a viewer's mark, `VALID` if there is none."""
        return Verdict.PERIODIC if self.even else self.marks.get(viewer, Verdict.VALID)

    def marks_of(self, viewers: NDArray[np.int64]) -> Verdicts:
        """Return each viewer's mark, `VALID` where there is none."""
        if self.even:
            return np.full(len(viewers), Verdict.PERIODIC, np.uint8)
        if not self.marks:
            return np.zeros(len(viewers), np.uint8)
        return np.array([self.marks.get(viewer, Verdict.VALID) for viewer in viewers.tolist()], np.uint8)

    def gather(self, viewers: list[int]) -> Iterator[tuple[int, Looks]]:
        """Take out the fresh looks of some viewers and yield them, by viewer; what grew too old goes too."""
        rows = self.fresh.all()
        wanted = np.isin(rows[:, VIEWER], viewers)
        left = rows[~wanted & (rows[:, HEARD] >= self.heard_ms - IDLE_MS)]
        self.fresh.keep(left)
        self.counts = Counts()
        self.counts.count_all(left[:, VIEWER])
        found = rows[wanted]
        found = found[np.argsort(found[:, VIEWER], kind="stable")]
        names, starts = np.unique(found[:, VIEWER], return_index=True)
        yield from zip(names.tolist(), np.split(found, starts)[1:], strict=True)


class Marks:
    """The sessions heard of lately, and who is marked for what."""

    def __init__(self, rules: TrafficRules) -> None:
        self._rules = rules
        self._keep = max(rules.periodic.looks, rules.perfect.looks, rules.copied.looks) - 1
        self._sessions: dict[SessionName, _Session] = {}
        """In the order in which they were last heard of."""
        self._traces: dict[int, tuple[Viewer, ...]] = {}
        """Who had a trace, in the order in which traces first came."""

    def look(self, session: SessionName, looks: Looks, now_ms: int) -> Verdicts:
        """Take one session's looks out of one batch and return a mark for each, `VALID` where there is none."""
        heard, viewers = self._hear(session, now_ms), looks[:, VIEWER]
        heard.fresh.add(looks)
        due = heard.counts.count_all(viewers) >= self._rules.decided.looks
        if due.any():
            self._judge_due(session, heard, viewers[due].tolist())
        if not heard.even:
            heard.together.add(looks)
            self._judge_together(heard)
        return heard.marks_of(viewers)

    def look_once(self, session: SessionName, look: Look, now_ms: int) -> Verdict:
        """Do as `look` does with a single one."""
        heard, viewer = self._hear(session, now_ms), look[VIEWER]
        heard.fresh.add_one(look)
        if heard.counts.count(viewer) >= self._rules.decided.looks:
            self._judge_due(session, heard, [viewer])
        if not heard.even:
            heard.together.add_one(look)
            self._judge_together(heard)
        return heard.mark_of(viewer)

    def of_one(self, session: SessionName, viewer: int, now_ms: int) -> Verdict:
        """Return a viewer's mark, as it stands."""
        return self._hear(session, now_ms).mark_of(viewer)

    def of(self, session: SessionName, looks: Looks, now_ms: int) -> Verdicts:
        """Return a mark for each look, as it stands; the looks are not taken."""
        return self._hear(session, now_ms).marks_of(looks[:, VIEWER])

    def _hear(self, session: SessionName, now_ms: int) -> _Session:
        while self._sessions and next(iter(self._sessions.values())).heard_ms < now_ms - IDLE_MS:
            del self._sessions[next(iter(self._sessions))]
        heard = self._sessions.pop(session, None) or _Session()
        heard.heard_ms = now_ms
        self._sessions[session] = heard
        return heard

    def _judge_due(self, session: SessionName, heard: _Session, viewers: list[int]) -> None:
        for viewer, fresh in heard.gather(viewers):
            self._judge(session, viewer, heard, _by_time(fresh))

    def _judge(self, session: SessionName, viewer: int, heard: _Session, fresh: Looks) -> None:
        rules = self._rules
        visit = heard.visits.setdefault(viewer, _Visit(fresh[:0]))
        looks = _by_time(np.concatenate([visit.looks, fresh]))
        visit.looks = looks[-self._keep :].copy()
        self._compare((session, viewer), looks[1 - rules.copied.looks - len(fresh) :])
        found = {
            Verdict.PERIODIC: is_periodic(looks, rules.periodic),
            Verdict.FROZEN: visit.still.is_frozen(fresh, rules.frozen),
            Verdict.PERFECT: is_perfect(looks, rules.perfect),
        }
        for mark, holds in found.items():
            if holds:
                heard.marks.setdefault(viewer, mark)

    def _judge_together(self, heard: _Session) -> None:
        """Mark the whole session if its looks come at even intervals; windows overlap by half."""
        rule = self._rules.periodic
        if heard.together.count >= rule.looks * 3 // 2:
            together = _by_time(heard.together.all())
            heard.even = is_periodic(together, rule, rule.looks // 2)
            heard.together.keep(together[1 - rule.looks :].copy())

    def _compare(self, who: Viewer, looks: Looks) -> None:
        """Mark all who had a trace that too many had, as far as they are still here."""
        for trace in traces(looks, self._rules.copied):
            owners = self._traces.get(trace, ())
            if who not in owners:
                owners = (*owners[1 - self._rules.copied.viewers :], who)
                self._traces[trace] = owners
            for session, viewer in owners if len(owners) >= self._rules.copied.viewers else ():
                if session in self._sessions:
                    self._sessions[session].marks.setdefault(viewer, Verdict.COPIED)
        while len(self._traces) > TRACES_MAX:
            del self._traces[next(iter(self._traces))]


def is_periodic(looks: Looks, rule: Periodic, step: int = 1) -> bool:
    """Return whether any `rule.looks` looks in a row, every `step`-th from the last backwards, come at even intervals.

    `looks` are in the order of their times.
    """
    at_ms, count = looks[:, AT], rule.looks
    first = np.arange(len(looks) - count, -1, -step)
    first = first[at_ms[first + count - 1] - at_ms[first] >= rule.gap_ms_min * (count - 1)]
    if not len(first):
        return False
    gaps_ms = np.diff(at_ms)[first[:, None] + np.arange(count - 1)]
    mean_ms = gaps_ms.mean(axis=1)
    even = gaps_ms.std(axis=1) < rule.gap_variation_max * mean_ms
    return any(_is_not_timed_by_renewals(looks[start : start + count], rule) for start in first[even].tolist())


def _is_not_timed_by_renewals(looks: Looks, rule: Periodic) -> bool:
    renewed = (looks[:, BEGAN] <= rule.renewal_ms).mean() >= rule.renewed_share
    gap_ms = (looks[-1, AT] - looks[0, AT]) / (len(looks) - 1)
    return not (renewed and gap_ms >= rule.life_share * looks[:, LIFE].mean())


def is_perfect(looks: Looks, rule: Perfect) -> bool:
    """Return whether the last looks are all whole and from straight ahead, though the viewer moves."""
    last = looks[-rule.looks :]
    whole = last[:, FRACTION] >= rule.visible_fraction_min * FINE
    ahead = last[:, ANGLE] <= rule.angle_max_deg * FINE_DEG
    moves = len(np.unique(last[:, COVERAGE])) >= rule.figures_min
    return len(last) == rule.looks and moves and bool((whole & ahead).all())


def traces(looks: Looks, rule: Copied) -> list[int]:
    """Return a number for each `rule.looks` looks in a row that move enough to be told from others."""
    steps = [1, rule.visible_fraction_step * FINE, rule.coverage_step * FINE, rule.angle_step_deg * FINE_DEG]
    figures = (looks[:, SLOT:] // np.array(steps, np.int64)).tolist()
    gaps = np.diff(looks[:, AT], prepend=looks[:1, AT]) // rule.time_step_ms
    found = []
    for end in range(rule.looks, len(looks) + 1):
        part = [tuple(row) for row in figures[end - rule.looks : end]]
        if len(set(part)) >= rule.figures_min:
            found.append(hash((*part, *gaps[end - rule.looks + 1 : end].tolist())))
    return found


def _by_time(looks: Looks) -> Looks:
    at_ms = looks[:, AT]
    if (at_ms[1:] >= at_ms[:-1]).all():
        return looks
    return looks[np.argsort(looks[:, AT], kind="stable")]
