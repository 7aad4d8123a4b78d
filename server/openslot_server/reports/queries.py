"""The report: every figure recounted from stored rows, money from the ledger's accounts, never from counters.

| figure | recounted from |
|---|---|
| requests, filled, no_ad | decisions, one per slot asked for |
| rendered, viewable, free | events that were taken, once each, unmarked; free ones are viewable too, and cost nothing |
| gross | viewable events of every kept batch: valid + invalid + undetermined |
| invalid, invalid_why | those that were refused or marked, by reason |
| valid, undetermined | the rest, which is `viewable`: by whether enough of their viewer is known (see `_Visit`) |
| decision_rate | (valid + invalid) ÷ gross |
| mean_exposure_ms | `cumulative_ms` of the END events whose view counted |
| funnel | `why` of the END events whose view did not count |
| refused | refused events by code; those without a ticket of this world stand under no slot and no line item |
| spend, revenue, fee | the accounts `payable` (revenue) and `fee`; spend is both |
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
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
from openslot_server.rooms import ticket_secrets
from openslot_server.storage.store import BatchRow, DecisionRow, HeadRow, LedgerRow, LineItemRow, Reader
from openslot_spec.exposures import EventKind, WhyNot
from openslot_spec.records import Record
from openslot_spec.tickets import Ticket

__all__ = ["Dimension", "Report", "ReportRow", "recount"]

REASON_COUNTS = ("no_ad", "funnel", "refused", "invalid_why")
Counts = dict[str, int]
Dimension = Literal["slot", "world", "line_item", "advertiser"]


class ReportRow(Record):
    """The figures of one slot, world, line item or advertiser; names that do not apply are empty."""

    world: str = ""
    slot: str = ""
    line_item: str = ""
    advertiser: str = ""
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
    spend_micros: int = 0
    revenue_micros: int = 0
    fee_micros: int = 0
    no_ad: Counts = Field(default_factory=dict)
    funnel: Counts = Field(default_factory=dict)
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


_Where = tuple[str, str, str]
"""World, slot, line item."""
_Viewer = tuple[str, str, int]
"""World, session, number."""


class _Key(NamedTuple):
    world: str = ""
    slot: str = ""
    line_item: str = ""
    advertiser: str = ""


@dataclass(slots=True)
class _Sums:
    figures: Counter[str] = field(default_factory=Counter)
    """Among them `exposure_ms` and `counted_ends`, whose quotient is the mean."""
    no_ad: Counter[str] = field(default_factory=Counter)
    funnel: Counter[str] = field(default_factory=Counter)
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
    marked: bool = False


class _Tally:
    """Sums by the key that the dimension makes of a world, slot and line item."""

    def __init__(self, by: Dimension, advertisers: Mapping[str, str]) -> None:
        self._by = by
        self._advertisers = advertisers
        self.sums: defaultdict[_Key, _Sums] = defaultdict(_Sums)

    def at(self, world: str, slot: str, line_item: str) -> _Sums:
        """Return the sums to which something of this world, slot and line item belongs."""
        match self._by:
            case "slot":
                key = _Key(world, slot)
            case "world":
                key = _Key(world)
            case "line_item":
                key = _Key("", "", line_item, self._advertisers.get(line_item, ""))
            case "advertiser":
                key = _Key("", "", "", self._advertisers.get(line_item, ""))
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
    for row in rows:
        judged = read_batch(row, secrets)
        for index, events in by_ticket(judged, ~is_refused(judged.verdicts)):
            ticket = cast("Ticket", judged.tickets[index])  # one that is no ticket has no valid event
            _count_events(tally.at(ticket.world, ticket.slot, ticket.line_item), judged, events)
            _count_views(visits, ticket, judged, events)
        _count_refused(tally, row.world, judged)
    _count_visits(tally, visits.values())


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
    sums.figures["exposure_ms"] += int(columns.cumulative_ms[events][counted].sum(dtype=np.int64))
    for reason, count in Counter(why[ends & ~counted].tolist()).items():
        sums.funnel[WhyNot(reason).name.lower()] += count


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
    triples = zip(*(array[refused].tolist() for array in (columns.ticket, judged.verdicts, columns.kind)), strict=True)
    for (index, verdict, kind), count in Counter(triples).items():
        ticket = judged.tickets[index]
        own = isinstance(ticket, Ticket) and ticket.world == world
        sums = tally.at(world, ticket.slot, ticket.line_item) if own else tally.at(world, "", "")
        sums.refused[CODES[Verdict(verdict)].value] += count
        if kind == EventKind.VIEWABLE:
            _count_invalid(sums, Verdict(verdict), count)


def _count_views(
    visits: defaultdict[_Viewer, _Visit], ticket: Ticket, judged: Judged, events: NDArray[np.intp]
) -> None:
    views = events[judged.columns.kind[events] == EventKind.VIEWABLE]
    where = ticket.world, ticket.slot, ticket.line_item
    for viewer, verdict in zip(judged.columns.viewer[views].tolist(), judged.verdicts[views].tolist(), strict=True):
        visit = visits[ticket.world, ticket.session, viewer]
        if verdict <= Verdict.FREE:
            visit.views[where] += 1
        elif verdict != Verdict.STACKED:  # that says something of a slot, not of who looks at it
            visit.marked = True


def _count_visits(tally: _Tally, visits: Iterable[_Visit]) -> None:
    enough = traffic_rules().decided.looks
    for visit in visits:
        found = "undetermined" if visit.marked or visit.views.total() < enough else "valid"
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
    mean_ms = round(sums.figures["exposure_ms"] / max(sums.figures["counted_ends"], 1))
    decided = (sums.figures["valid"] + sums.figures["invalid"]) / max(sums.figures["gross"], 1)
    reasons = {name: dict(sorted(getattr(sums, name).items())) for name in REASON_COUNTS}
    made = {"mean_exposure_ms": mean_ms, "decision_rate": round(decided, 6)}
    return ReportRow.model_validate({**key._asdict(), **figures, **reasons, **made})
