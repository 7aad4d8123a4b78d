"""The report: every figure recounted from stored rows, money from the ledger's accounts, never from counters.

| figure | recounted from |
|---|---|
| requests, filled, no_ad | decisions, one per slot asked for |
| rendered, viewable, free | events with a valid ticket, once each; free ones are viewable too, and cost nothing |
| mean_exposure_ms | `cumulative_ms` of the END events whose view counted |
| funnel | `why` of the END events whose view did not count |
| refused | refused events by code; those without a ticket of this world stand under no slot and no line item |
| spend, revenue, fee | the accounts `payable` (revenue) and `fee`; spend is both |
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from openslot_server.demand.decide import read_outcomes
from openslot_server.impressions.batches import Judged, by_ticket, read_batch
from openslot_server.impressions.verdicts import CODES, Verdict
from openslot_server.impressions.verify import verify
from openslot_server.rooms import ticket_secrets
from openslot_server.storage.store import BatchRow, DecisionRow, HeadRow, LedgerRow, LineItemRow, Reader
from openslot_spec.exposures import EventKind, WhyNot
from openslot_spec.records import Record
from openslot_spec.tickets import Ticket

__all__ = ["Dimension", "Report", "ReportRow", "recount"]

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
    mean_exposure_ms: int = 0
    spend_micros: int = 0
    revenue_micros: int = 0
    fee_micros: int = 0
    no_ad: Counts = Field(default_factory=dict)
    funnel: Counts = Field(default_factory=dict)
    refused: Counts = Field(default_factory=dict)


class Report(Record):
    """A recount, the sum of its rows, and the end of the ledger that it stands on."""

    by: Dimension
    currency: str
    rows: Annotated[tuple[ReportRow, ...], Field(strict=False)]
    totals: ReportRow
    ledger_records: int
    ledger_sha256: str


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

    def add(self, other: _Sums) -> None:
        for mine, theirs in (
            (self.figures, other.figures),
            (self.no_ad, other.no_ad),
            (self.funnel, other.funnel),
            (self.refused, other.refused),
        ):
            mine.update(theirs)


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
    for row in rows:
        judged = read_batch(row, secrets)
        for index, events in by_ticket(judged):
            ticket = cast("Ticket", judged.tickets[index])  # one that is no ticket has no valid event
            _count_events(tally.at(ticket.world, ticket.slot, ticket.line_item), judged, events)
        _count_refused(tally, row.world, judged)


def _count_events(sums: _Sums, judged: Judged, events: NDArray[np.intp]) -> None:
    columns = judged.columns
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


def _count_refused(tally: _Tally, world: str, judged: Judged) -> None:
    refused = judged.verdicts > Verdict.FREE
    pairs = zip(judged.columns.ticket[refused].tolist(), judged.verdicts[refused].tolist(), strict=True)
    for (index, verdict), count in Counter(pairs).items():
        ticket = judged.tickets[index]
        own = isinstance(ticket, Ticket) and ticket.world == world
        sums = tally.at(world, ticket.slot, ticket.line_item) if own else tally.at(world, "", "")
        sums.refused[CODES[Verdict(verdict)].value] += count


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
    reasons = {name: dict(sorted(getattr(sums, name).items())) for name in ("no_ad", "funnel", "refused")}
    return ReportRow.model_validate({**key._asdict(), **figures, **reasons, "mean_exposure_ms": mean_ms})
