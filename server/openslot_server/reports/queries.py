"""The report: every figure recounted from stored rows, money from the ledger's accounts, never from counters.

| figure | recounted from |
|---|---|
| requests, filled, no_ad | decisions, one per slot asked for |
| rendered, viewable, free | events that were taken, once each, unmarked; free ones are viewable too, and cost nothing |
| gross | viewable events of every kept batch: valid + invalid + undetermined |
| invalid, invalid_why | those that were refused or marked, by reason |
| valid, undetermined | the rest, which is `viewable`: by whether enough of their viewer is known (see `_Visit`) |
| decision_rate | (valid + invalid) ÷ gross |
| mean_… | `cumulative_ms`, `continuous_ms` (longest), `half_…` and `full_cumulative_ms` of ENDs that counted |
| funnel | `why` of the END events whose view did not count; `unfinished` are rendered, not viewable, and have no END |
| video | events of videos, by kind |
| refused | refused events by code; those without a ticket of this world stand under no slot and no line item |
| spend, revenue, fee | the accounts `payable` (revenue) and `fee`; spend is both |

Views are counted by the profile of their ticket. By profile, the views by other profiles are there too, each under its
own; requests and money know no profile and stand in the totals only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from openslot_server.demand.decide import read_outcomes
from openslot_server.impressions.batches import Judged, by_ticket, read_batch
from openslot_server.impressions.traffic import traffic_rules
from openslot_server.impressions.verdicts import CODES, REASONS, Verdict, is_marked, is_refused
from openslot_server.impressions.verify import verify
from openslot_server.reports.unfinished import Unfinished
from openslot_server.rooms import ticket_secrets
from openslot_server.storage.store import BatchRow, DecisionRow, HeadRow, LedgerRow, LineItemRow, Reader
from openslot_spec.exposures import OWN, EventKind, WhyNot
from openslot_spec.profiles import profile_numbers
from openslot_spec.records import Record
from openslot_spec.tickets import Ticket

__all__ = ["Dimension", "Report", "ReportRow", "recount"]

REASON_COUNTS = ("no_ad", "funnel", "video", "refused", "invalid_why")
Counts = dict[str, int]
Dimension = Literal["slot", "world", "line_item", "advertiser", "profile"]
MEANS = {
    "mean_exposure_ms": "cumulative_ms",
    "mean_longest_ms": "continuous_ms",
    "mean_half_ms": "half_cumulative_ms",
    "mean_full_ms": "full_cumulative_ms",
}
"""Figure to the column it is the mean of."""
UNFINISHED = "unfinished"


class ReportRow(Record):
    """The figures of one slot, world, line item, advertiser or profile; names that do not apply are empty."""

    world: str = ""
    slot: str = ""
    line_item: str = ""
    advertiser: str = ""
    profile: str = ""
    requests: int = 0
    filled: int = 0
    rendered: int = 0
    viewable: int = 0
    free: int = 0
    gross: int = 0
    valid: int = 0
    invalid: int = 0
    undetermined: int = 0
    decision_rate: float = 0.0
    mean_exposure_ms: int = 0
    mean_longest_ms: int = 0
    mean_half_ms: int = 0
    mean_full_ms: int = 0
    spend_micros: int = 0
    revenue_micros: int = 0
    fee_micros: int = 0
    no_ad: Counts = Field(default_factory=dict)
    funnel: Counts = Field(default_factory=dict)
    video: Counts = Field(default_factory=dict)
    refused: Counts = Field(default_factory=dict)
    invalid_why: Counts = Field(default_factory=dict)


class Report(Record):
    """A recount, the sum of its rows, and the end of the ledger that it stands on."""

    by: Dimension
    currency: str
    rows: Annotated[tuple[ReportRow, ...], Field(strict=False)]
    totals: ReportRow
    traffic_rules: str
    """Name and version of the rules that are in force; events were judged by those of their time."""
    ledger_records: int
    ledger_sha256: str


_Where = tuple[str, str, str, str]
"""World, slot, line item, profile."""
_Viewer = tuple[str, str, int]
"""World, session, number."""


class _Key(NamedTuple):
    world: str = ""
    slot: str = ""
    line_item: str = ""
    advertiser: str = ""
    profile: str = ""


@dataclass(slots=True)
class _Sums:
    figures: Counter[str] = field(default_factory=Counter)
    """Among them the times of counted views, as `MEANS` names them, and `counted_ends`; the means are quotients."""
    no_ad: Counter[str] = field(default_factory=Counter)
    funnel: Counter[str] = field(default_factory=Counter)
    video: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    invalid_why: Counter[str] = field(default_factory=Counter)

    def add(self, other: _Sums) -> None:
        for counts in fields(self):
            getattr(self, counts.name).update(getattr(other, counts.name))


@dataclass(slots=True)
class _Visit:
    """One viewer in one session.

    Their views are valid once enough of them were seen for the statistical rules to speak, and none did; until then,
    and where one did later, they are undetermined.
    """

    views: Counter[_Where] = field(default_factory=Counter)
    looks: int = 0
    """By the profiles of their tickets."""
    marked: bool = False


class _Tally:
    """Sums by the key that the dimension makes of a world, slot and line item."""

    def __init__(self, by: Dimension, advertisers: Mapping[str, str]) -> None:
        self.by = by
        self._advertisers = advertisers
        self.sums: defaultdict[_Key, _Sums] = defaultdict(_Sums)

    def at(self, world: str, slot: str, line_item: str, profile: str = "") -> _Sums:
        """Return the sums to which something of this world, slot, line item and profile belongs."""
        advertiser = self._advertisers.get(line_item, "")
        match self.by:
            case "slot":
                key = _Key(world, slot)
            case "world":
                key = _Key(world)
            case "line_item":
                key = _Key("", "", line_item, advertiser)
            case "advertiser":
                key = _Key("", "", "", advertiser)
            case "profile":
                key = _Key(profile=profile)
        return self.sums[key]


def recount(reader: Reader, currency: str, by: Dimension = "slot", only: str | None = None) -> Report:
    """Return the report; `only` names the one world (by slot, world) or advertiser whose rows are wanted.

    Raises:
        OpenSlotError: `LEDGER_BROKEN`; a report is not made on books that do not hold.
    """
    books = verify(reader.load(LedgerRow), next(reader.load(HeadRow), None))
    tally = _Tally(by, {row.id: row.advertiser for row in reader.load(LineItemRow)})
    _count_decisions(tally, reader.load(DecisionRow))
    _count_batches(tally, reader.load(BatchRow), ticket_secrets(reader))
    _count_money(tally, books.ledger.balances)
    wanted = {key: sums for key, sums in sorted(tally.sums.items()) if only in (None, key.world or key.advertiser)}
    totals = _Sums()
    for sums in wanted.values():
        totals.add(sums)
    return Report(
        by=by,
        currency=currency,
        rows=tuple(_row(key, sums) for key, sums in wanted.items() if any(key)),
        totals=_row(_Key(), totals),
        traffic_rules=f"{traffic_rules().name} {traffic_rules().version}",
        ledger_records=books.ledger.seq,
        ledger_sha256=books.ledger.sha256,
    )


def _count_decisions(tally: _Tally, rows: Iterable[DecisionRow]) -> None:
    for row in rows:
        for outcome in read_outcomes(row):
            sums = tally.at(row.world, outcome.slot, outcome.line_item)
            sums.figures["requests"] += 1
            if outcome.reason:
                sums.no_ad[outcome.reason] += 1
            else:
                sums.figures["filled"] += 1


def _count_batches(tally: _Tally, rows: Iterable[BatchRow], secrets: Mapping[bytes, bytes]) -> None:
    visits: defaultdict[_Viewer, _Visit] = defaultdict(_Visit)
    unfinished = Unfinished()
    for row in rows:
        judged = read_batch(row, secrets)
        for index, events in by_ticket(judged, ~is_refused(judged.verdicts)):
            ticket = cast("Ticket", judged.tickets[index])  # one that is no ticket has no valid event
            for where, chosen in _by_profile(tally.by, ticket, judged, events):
                _count_events(tally.at(*where), judged, chosen)
                _count_views(visits, where, ticket, judged, chosen)
            unfinished.take((ticket.world, ticket.slot, ticket.line_item, ticket.profile), ticket, judged, events)
        _count_refused(tally, row.world, judged)
    _count_visits(tally, visits.values())
    for where, count in unfinished.counts():
        tally.at(*where).funnel[UNFINISHED] += count


def _by_profile(
    by: Dimension, ticket: Ticket, judged: Judged, events: NDArray[np.intp]
) -> Iterator[tuple[_Where, NDArray[np.intp]]]:
    """Yield the events by the ticket's own profile, and where that is the dimension those by each other one."""
    numbers = judged.columns.profile[events]
    for number in np.unique(numbers).tolist():
        if number == OWN or by == "profile":
            name = _name_of(number, ticket)
            yield (ticket.world, ticket.slot, ticket.line_item, name), events[numbers == number]


def _count_events(sums: _Sums, judged: Judged, events: NDArray[np.intp]) -> None:
    columns = judged.columns
    _count_marked(sums, judged, events)
    events = events[~is_marked(judged.verdicts[events])]
    kind, verdicts, why = columns.kind[events], judged.verdicts[events], columns.why[events]
    ends = kind == EventKind.END
    counted = ends & (why == WhyNot.COUNTED)
    sums.figures["rendered"] += int(np.count_nonzero(kind == EventKind.RENDERED))
    sums.figures["viewable"] += int(np.count_nonzero(kind == EventKind.VIEWABLE))
    sums.figures["free"] += int(np.count_nonzero(verdicts == Verdict.FREE))
    sums.figures["counted_ends"] += int(np.count_nonzero(counted))
    for column in MEANS.values():
        sums.figures[column] += int(getattr(columns, column)[events][counted].sum(dtype=np.int64))
    for reason, count in Counter(why[ends & ~counted].tolist()).items():
        sums.funnel[WhyNot(reason).name.lower()] += count
    for number, count in Counter(kind[kind > EventKind.END].tolist()).items():
        sums.video[EventKind(number).name.lower()] += count


def _name_of(number: int, ticket: Ticket | None) -> str:
    """Return the name of the profile by which an event was judged, empty where that is not known."""
    if number == OWN:
        return ticket.profile if ticket else ""
    known = profile_numbers().get(number)
    return known.name if known else ""


def _count_marked(sums: _Sums, judged: Judged, events: NDArray[np.intp]) -> None:
    verdicts = judged.verdicts[events]
    for verdict, count in Counter(verdicts[is_marked(verdicts)].tolist()).items():
        _count_invalid(sums, Verdict(verdict), count)


def _count_invalid(sums: _Sums, verdict: Verdict, count: int) -> None:
    sums.figures["gross"] += count
    sums.figures["invalid"] += count
    sums.invalid_why[REASONS[verdict]] += count


def _count_refused(tally: _Tally, world: str, judged: Judged) -> None:
    refused = is_refused(judged.verdicts)
    columns = judged.columns
    arrays = (columns.ticket, judged.verdicts, columns.kind, columns.profile)
    found = zip(*(array[refused].tolist() for array in arrays), strict=True)
    for (index, verdict, kind, number), count in Counter(found).items():
        ticket = judged.tickets[index]
        if isinstance(ticket, Ticket) and ticket.world == world:
            sums = tally.at(world, ticket.slot, ticket.line_item, _name_of(number, ticket))
        else:
            sums = tally.at(world, "", "", _name_of(number, None))
        sums.refused[CODES[Verdict(verdict)].value] += count
        if kind == EventKind.VIEWABLE and (number == OWN or tally.by == "profile"):
            _count_invalid(sums, Verdict(verdict), count)


def _count_views(
    visits: defaultdict[_Viewer, _Visit], where: _Where, ticket: Ticket, judged: Judged, events: NDArray[np.intp]
) -> None:
    columns = judged.columns
    views = events[columns.kind[events] == EventKind.VIEWABLE]
    arrays = (columns.viewer, columns.profile, judged.verdicts)
    for viewer, number, verdict in zip(*(array[views].tolist() for array in arrays), strict=True):
        visit = visits[ticket.world, ticket.session, viewer]
        if verdict <= Verdict.FREE:
            visit.views[where] += 1
            visit.looks += number == OWN
        elif verdict != Verdict.STACKED:  # that says something of a slot, not of who looks at it
            visit.marked = True


def _count_visits(tally: _Tally, visits: Iterable[_Visit]) -> None:
    enough = traffic_rules().decided.looks
    for visit in visits:
        found = "undetermined" if visit.marked or visit.looks < enough else "valid"
        for where, count in visit.views.items():
            figures = tally.at(*where).figures
            figures[found] += count
            figures["gross"] += count


def _count_money(tally: _Tally, balances: Mapping[str, int]) -> None:
    figures = {"payable": "revenue_micros", "fee": "fee_micros"}
    for name, micros in balances.items():
        kind, *whose, _ = name.split(" ")
        if kind in figures:
            sums = tally.at(*whose)
            sums.figures[figures[kind]] += micros
            sums.figures["spend_micros"] += micros


def _row(key: _Key, sums: _Sums) -> ReportRow:
    figures = {name: count for name, count in sums.figures.items() if name in ReportRow.model_fields}
    ends = max(sums.figures["counted_ends"], 1)
    means = {name: round(sums.figures[column] / ends) for name, column in MEANS.items()}
    decided = (sums.figures["valid"] + sums.figures["invalid"]) / max(sums.figures["gross"], 1)
    reasons = {name: dict(sorted(getattr(sums, name).items())) for name in REASON_COUNTS}
    made = {**means, "decision_rate": round(decided, 6)}
    return ReportRow.model_validate({**key._asdict(), **figures, **reasons, **made})
