"""The figures of reports, added up as far as the books were read: what a full recount finds, without the old rows.

A figure is counted where a row is read that stands under the ledger's chain, and nowhere else, so a report made from
rollups is the report that is recounted from the first row on. What is kept grows with viewers and placements.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from openslot_server.audit.cases import read_case
from openslot_server.demand.decide import read_outcomes
from openslot_server.impressions.batches import Judged, by_ticket, read_batch
from openslot_server.impressions.ledger import Posting
from openslot_server.impressions.signals import INTERACTIONS, counted
from openslot_server.impressions.traffic import traffic_rules
from openslot_server.impressions.verdicts import AUDITED, CODES, REASONS, Verdict, is_marked, is_refused
from openslot_server.impressions.verify import Books
from openslot_server.reports.unfinished import Unfinished
from openslot_server.storage.store import BatchRow, DecisionRow, Reader, SignalRow, VerdictRow
from openslot_spec.exposures import OWN, EventKind, ExposureColumns, WhyNot
from openslot_spec.profiles import profile_numbers
from openslot_spec.tickets import Ticket

__all__ = ["MEANS", "UNFINISHED", "Rollups", "Sums", "Where"]

MEANS = {
    "mean_exposure_ms": "cumulative_ms",
    "mean_longest_ms": "continuous_ms",
    "mean_half_ms": "half_cumulative_ms",
    "mean_full_ms": "full_cumulative_ms",
}
"""Figure to the column it is the mean of."""
MONEY = {"payable": "revenue_micros", "fee": "fee_micros"}
UNFINISHED = "unfinished"
Places = NDArray[np.intp]


class Where(NamedTuple):
    """What something is about; empty where that is not known."""

    world: str
    slot: str = ""
    line_item: str = ""
    profile: str = ""


@dataclass(slots=True)
class Sums:
    """Counts by name, and by reason."""

    figures: Counter[str] = field(default_factory=Counter)
    """Among them the times of counted views, as `MEANS` names them, and `counted_ends`; the means are quotients."""
    no_ad: Counter[str] = field(default_factory=Counter)
    funnel: Counter[str] = field(default_factory=Counter)
    video: Counter[str] = field(default_factory=Counter)
    interactions: Counter[str] = field(default_factory=Counter)
    feedback: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    invalid_why: Counter[str] = field(default_factory=Counter)

    def add(self, other: Sums) -> None:
        """Add what others counted."""
        for counts in fields(self):
            getattr(self, counts.name).update(getattr(other, counts.name))


@dataclass(slots=True)
class _Visit:
    """One viewer in one session.

    Their views are valid once enough of them were seen for the statistical rules to speak, and none did; until then,
    and where one did later, they are undetermined.
    """

    views: dict[tuple[Where, bool], int] = field(default_factory=dict)
    looks: int = 0
    """By the profiles of their tickets."""
    marked: bool = False

    def found(self, enough: int) -> str:
        return "undetermined" if self.marked or self.looks < enough else "valid"


class Rollups:
    """Sums of all that was read, by what it is about, and whether that is by the profile of its ticket."""

    def __init__(self) -> None:
        self.books = Books()
        self.sums: defaultdict[tuple[Where, bool], Sums] = defaultdict(Sums)
        self._visits: defaultdict[tuple[str, str, int], _Visit] = defaultdict(_Visit)
        """By world, session and viewer."""
        self._unfinished = Unfinished()
        self._enough = traffic_rules().decided.looks

    def read(self, reader: Reader) -> None:
        """Count what is new.

        Raises:
            OpenSlotError: `LEDGER_BROKEN` where the books do not hold; these rollups are of no use then.
        """
        for entry, row in self.books.read(reader):
            self._count_money(entry.postings)
            match row:
                case DecisionRow():
                    self._count_decision(row)
                case BatchRow():
                    self._count_batch(row)
                case VerdictRow():
                    self._count_verdict(row)
                case SignalRow():
                    self._count_signals(row)

    def _count_money(self, postings: Iterable[Posting]) -> None:
        for name, micros in postings:
            kind, *whose, _ = name.split(" ")
            if kind in MONEY:
                figures = self.sums[Where(*whose), True].figures
                figures[MONEY[kind]] += micros
                figures["spend_micros"] += micros

    def _count_decision(self, row: DecisionRow) -> None:
        for outcome in read_outcomes(row):
            sums = self.sums[Where(row.world, outcome.slot, outcome.line_item), True]
            sums.figures["requests"] += 1
            if outcome.reason:
                sums.no_ad[outcome.reason] += 1
            else:
                sums.figures["filled"] += 1

    def _count_batch(self, row: BatchRow) -> None:
        judged = read_batch(row)
        for index, events in by_ticket(judged, ~is_refused(judged.verdicts)):
            ticket = cast("Ticket", judged.tickets[index])  # one that is no ticket has no valid event
            for number, chosen in _by_profile(judged.columns, events):
                where = Where(ticket.world, ticket.slot, ticket.line_item, _name_of(number, ticket))
                _count_events(self.sums[where, number == OWN], judged, chosen)
                self._count_views(ticket.session, (where, number == OWN), judged, chosen)
                if number == OWN:
                    change = self._unfinished.take(ticket.placement, judged.columns, chosen)
                    self.sums[where, True].funnel[UNFINISHED] += change
        self._count_refused(row.world, judged)

    def _count_verdict(self, row: VerdictRow) -> None:
        """Count as invalid what was counted as a view; this says something of the world, not of who looked."""
        if row.state not in AUDITED:
            return
        case = read_case(row)
        at = Where(row.world, case.slot.id, case.line_item, case.profile), True
        figures = self.sums[at].figures
        figures.subtract(["viewable", "gross"] + ["free"] * case.free)
        visit = self._visits[row.world, case.session, case.viewer]
        self.sums[at].figures[visit.found(self._enough)] -= 1
        self._revise(visit, at, -1)
        _count_invalid(self.sums[at], AUDITED[row.state], 1)

    def _count_signals(self, row: SignalRow) -> None:
        for one in counted(row):
            where, ticket = Where(row.world), one.ticket
            if ticket is not None and ticket.world == row.world:
                where = Where(row.world, ticket.slot, ticket.line_item, ticket.profile)
            sums = self.sums[where, True]
            if one.verdict is Verdict.VALID:
                (sums.interactions if row.kind == INTERACTIONS else sums.feedback)[one.name] += 1
            else:
                sums.refused[CODES[one.verdict].value] += 1

    def _count_views(self, session: str, at: tuple[Where, bool], judged: Judged, events: Places) -> None:
        views = events[judged.columns.kind[events] == EventKind.VIEWABLE]
        for viewer, verdict in zip(judged.columns.viewer[views].tolist(), judged.verdicts[views].tolist(), strict=True):
            if verdict == Verdict.STACKED:  # that says something of a slot, not of who looks at it
                continue
            visit = self._visits[at[0].world, session, viewer]
            if verdict <= Verdict.FREE:
                self.sums[at].figures.update((visit.found(self._enough), "gross"))
                self._revise(visit, at, 1)
            else:
                self._revise(visit, at, 0, marked=True)

    def _revise(self, visit: _Visit, at: tuple[Where, bool], views: int, *, marked: bool = False) -> None:
        """Add so many views to a visit, and count all its views anew if that changes what they are."""
        before = visit.found(self._enough)
        visit.views[at] = visit.views.get(at, 0) + views
        visit.looks += views * at[1]
        visit.marked |= marked
        if (now := visit.found(self._enough)) != before:
            for seen, count in visit.views.items():
                self.sums[seen].figures.update({before: -count, now: count})

    def _count_refused(self, world: str, judged: Judged) -> None:
        refused = is_refused(judged.verdicts)
        columns = judged.columns
        arrays = (columns.ticket, judged.verdicts, columns.kind, columns.profile)
        found = zip(*(array[refused].tolist() for array in arrays), strict=True)
        for (index, verdict, kind, number), count in Counter(found).items():
            ticket = judged.tickets[index]
            where = Where(world, profile=_name_of(number, None))
            if isinstance(ticket, Ticket) and ticket.world == world:
                where = Where(world, ticket.slot, ticket.line_item, _name_of(number, ticket))
            self.sums[where, True].refused[CODES[Verdict(verdict)].value] += count
            if kind == EventKind.VIEWABLE:
                _count_invalid(self.sums[where, number == OWN], Verdict(verdict), count)


def _by_profile(columns: ExposureColumns, events: Places) -> Iterator[tuple[int, Places]]:
    numbers = columns.profile[events]
    for number in np.unique(numbers).tolist():
        yield number, events[numbers == number]


def _name_of(number: int, ticket: Ticket | None) -> str:
    """Return the name of the profile by which an event was judged, empty where that is not known."""
    if number == OWN:
        return ticket.profile if ticket else ""
    known = profile_numbers().get(number)
    return known.name if known else ""


def _count_events(sums: Sums, judged: Judged, events: Places) -> None:
    columns = judged.columns
    _count_marked(sums, judged, events)
    events = events[~is_marked(judged.verdicts[events])]
    kind, verdicts = columns.kind[events], judged.verdicts[events]
    sums.figures["rendered"] += int(np.count_nonzero(kind == EventKind.RENDERED))
    sums.figures["viewable"] += int(np.count_nonzero(kind == EventKind.VIEWABLE))
    sums.figures["free"] += int(np.count_nonzero(verdicts == Verdict.FREE))
    _count_ends(sums, columns, events[kind == EventKind.END])
    for number, count in Counter(kind[kind > EventKind.END].tolist()).items():
        sums.video[EventKind(number).name.lower()] += count


def _count_ends(sums: Sums, columns: ExposureColumns, ends: Places) -> None:
    why = columns.why[ends]
    counted = ends[why == WhyNot.COUNTED]
    sums.figures["counted_ends"] += len(counted)
    for column in MEANS.values():
        sums.figures[column] += int(getattr(columns, column)[counted].sum(dtype=np.int64))
    for reason, count in Counter(why[why != WhyNot.COUNTED].tolist()).items():
        sums.funnel[WhyNot(reason).name.lower()] += count


def _count_marked(sums: Sums, judged: Judged, events: Places) -> None:
    verdicts = judged.verdicts[events]
    for verdict, count in Counter(verdicts[is_marked(verdicts)].tolist()).items():
        _count_invalid(sums, Verdict(verdict), count)


def _count_invalid(sums: Sums, verdict: Verdict, count: int) -> None:
    sums.figures["gross"] += count
    sums.figures["invalid"] += count
    sums.invalid_why[REASONS[verdict]] += count
