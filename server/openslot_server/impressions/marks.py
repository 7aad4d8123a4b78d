"""What people hardly do: looks of one viewer, or of one session, held against each other.

A viewer's looks are judged together, a few at a time, once enough of them are there; from the batch on that completes
the evidence, this viewer's looks in this session are marked. Nothing before is changed. A session is judged as a whole
for even intervals only: who invents a viewer for each look is as regular as before.

Looks are the rows of an array (n, 7) of whole numbers; see `looks_of` for its columns.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from openslot_server.impressions.traffic import Copied, Frozen, Perfect, Periodic, TrafficRules
from openslot_server.impressions.verdicts import Terms, Verdict, Verdicts
from openslot_spec.exposures import ExposureColumns

__all__ = ["Marks", "Still", "is_perfect", "is_periodic", "looks_of", "traces"]

Looks = NDArray[np.int64]
SessionName = tuple[str, str]
"""World and session."""
Viewer = tuple[SessionName, int]
AT, BEGAN, LIFE, SLOT, FRACTION, COVERAGE, ANGLE = range(7)
FINE = 1e6
"""Shares are in millionths, angles in ten-thousandths of a degree."""
FINE_DEG = 1e4
IDLE_MS = 3_600_000
"""A session of which nothing came for so long is forgotten, and its viewers with it."""
TRACES_MAX = 262_144
"""Traces that are remembered, of all worlds; the oldest are forgotten."""


def looks_of(columns: ExposureColumns, events: NDArray[np.intp], terms: Terms, slots: Looks) -> Looks:
    """Return viewable events as looks (n, 7); `slots` (tickets,) are numbers that tell slots apart.

    Columns: when, how long after its placement was issued it began, the placement's life, the slot, and the figures.
    """
    ticket = columns.ticket[events]
    at_ms, issued_ms = columns.at_ms[events], terms.issued_ms[ticket]
    parts = (
        at_ms,
        at_ms - columns.continuous_ms[events] - issued_ms,
        terms.expires_ms[ticket] - issued_ms,
        slots[ticket],
        np.rint(columns.visible_fraction[events] * FINE),
        np.rint(columns.coverage[events] * FINE),
        np.rint(columns.angle_deg[events] * FINE_DEG),
    )
    return np.stack([part.astype(np.int64) for part in parts], axis=1)


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
    """One viewer in one session: the last looks, each as an array and its row there."""

    looks: list[tuple[Looks, int]] = field(default_factory=list)
    fresh: int = 0
    still: Still = field(default_factory=Still)
    mark: Verdict = Verdict.VALID

    def gather(self, keep: int) -> tuple[Looks, Looks]:
        """Return the looks by time, all and the fresh ones; only the last `keep` stay."""
        rows = _by_time(np.array([looks[row] for looks, row in self.looks]))
        fresh, self.fresh = rows[len(rows) - self.fresh :], 0
        kept = rows[-keep:].copy()
        self.looks = [(kept, row) for row in range(len(kept))]
        return rows, fresh


@dataclass(slots=True)
class _Session:
    """The visits of one session, and the last looks of all of them together."""

    heard_ms: int = 0
    visits: defaultdict[int, _Visit] = field(default_factory=lambda: defaultdict(_Visit))
    looks: list[Looks] = field(default_factory=list)
    fresh: int = 0
    mark: Verdict = Verdict.VALID

    def take(self, looks: Looks, rule: Periodic, together: int) -> None:
        """Add looks and mark the session if they come at even intervals."""
        self.looks.append(looks)
        self.fresh += len(looks)
        if self.fresh >= together:
            rows = _by_time(np.concatenate(self.looks))
            if self.mark is Verdict.VALID and is_periodic(rows, rule, together):
                self.mark = Verdict.PERIODIC
            self.looks, self.fresh = [rows[1 - rule.looks :].copy()], 0


class Marks:
    """The sessions heard of lately, and who is marked for what."""

    def __init__(self, rules: TrafficRules) -> None:
        self._rules = rules
        self._keep = max(rules.periodic.looks, rules.perfect.looks, rules.copied.looks) - 1
        self._sessions: dict[SessionName, _Session] = {}
        """In the order in which they were last heard of."""
        self._traces: dict[int, tuple[Viewer, ...]] = {}
        """Who had a trace, in the order in which traces first came."""

    def look(self, session: SessionName, viewers: list[int], looks: Looks, now_ms: int) -> Verdicts:
        """Take one session's looks out of one batch and return a mark for each, `VALID` where there is none."""
        heard, together = self._hear(session, now_ms), self._rules.decided.looks
        for row, viewer in enumerate(viewers):
            visit = heard.visits[viewer]
            visit.looks.append((looks, row))
            visit.fresh += 1
        for viewer in dict.fromkeys(viewers):
            visit = heard.visits[viewer]
            if visit.fresh >= together:
                self._judge((session, viewer), visit)
        heard.take(looks, self._rules.periodic, together)
        return np.array([heard.mark or heard.visits[viewer].mark for viewer in viewers], np.uint8)

    def _hear(self, session: SessionName, now_ms: int) -> _Session:
        while self._sessions and next(iter(self._sessions.values())).heard_ms < now_ms - IDLE_MS:
            del self._sessions[next(iter(self._sessions))]
        heard = self._sessions.pop(session, None) or _Session()
        heard.heard_ms = now_ms
        self._sessions[session] = heard
        return heard

    def _judge(self, who: Viewer, visit: _Visit) -> None:
        rules = self._rules
        rows, fresh = visit.gather(self._keep)
        found = {
            Verdict.PERIODIC: is_periodic(rows, rules.periodic),
            Verdict.COPIED: self._is_copied(who, rows[1 - rules.copied.looks - len(fresh) :]),
            Verdict.FROZEN: visit.still.is_frozen(fresh, rules.frozen),
            Verdict.PERFECT: is_perfect(rows, rules.perfect),
        }
        visit.mark = visit.mark or next((mark for mark, holds in found.items() if holds), Verdict.VALID)

    def _is_copied(self, who: Viewer, looks: Looks) -> bool:
        copied = False
        for trace in traces(looks, self._rules.copied):
            owners = self._traces.get(trace, ())
            if who not in owners and len(owners) < self._rules.copied.viewers:
                owners = self._traces[trace] = (*owners, who)
            copied |= len(owners) >= self._rules.copied.viewers
        while len(self._traces) > TRACES_MAX:
            del self._traces[next(iter(self._traces))]
        return copied


def is_periodic(looks: Looks, rule: Periodic, step: int = 1) -> bool:
    """Return whether any `rule.looks` looks in a row, every `step`-th from the last backwards, come at even intervals.

    `looks` are in the order of their times.
    """
    if len(looks) < rule.looks:
        return False
    at_ms, began_ms, life_ms = (
        sliding_window_view(looks[:, column], rule.looks)[::-step] for column in (AT, BEGAN, LIFE)
    )
    gaps_ms = np.diff(at_ms, axis=1)
    mean_ms = gaps_ms.mean(axis=1)
    even = (mean_ms >= rule.gap_ms_min) & (gaps_ms.std(axis=1) < rule.gap_variation_max * mean_ms)
    renewed = (began_ms <= rule.renewal_ms).mean(axis=1) >= rule.renewed_share
    timed_by_renewals = renewed & (mean_ms >= rule.life_share * life_ms.mean(axis=1))
    return bool((even & ~timed_by_renewals).any())


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
    return looks[np.argsort(looks[:, AT], kind="stable")]
