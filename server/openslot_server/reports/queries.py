"""The report: every figure recounted from rows that stand under the ledger's chain, money from its accounts.

| figure | recounted from |
|---|---|
| requests, filled, no_ad | decisions, one per slot asked for |
| rendered, viewable, free | events that were taken, once each, unmarked; free ones are viewable too, and cost nothing |
| gross | viewable events of every kept batch: valid + invalid + undetermined |
| invalid, invalid_why | those that were refused or marked, by reason |
| valid, undetermined | the rest, which is `viewable`: by whether enough of their viewer is known |
| decision_rate | (valid + invalid) ÷ gross |
| mean_… | `cumulative_ms`, `continuous_ms` (longest), `half_…` and `full_cumulative_ms` of ENDs that counted |
| funnel | `why` of the END events whose view did not count; `unfinished` are rendered, not viewable, and have no END |
| video | events of videos, by kind |
| interactions, feedback | what viewers did with ads and said of them, by kind, once each |
| ctr | interactions ÷ viewable |
| refused | refused events by code; those without a ticket of this world stand under no slot and no line item |
| spend, revenue, fee | the accounts `payable` (revenue) and `fee`; spend is both |

Views are counted by the profile of their ticket. By profile, the views by other profiles are there too, each under its
own; requests and money know no profile and stand in the totals only.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from openslot_server.impressions.traffic import traffic_rules
from openslot_server.reports.rollups import MEANS, Rollups, Sums, Where
from openslot_server.storage.store import Reader
from openslot_spec.records import Record

__all__ = ["Dimension", "Report", "ReportRow", "recount", "report_of"]

REASON_COUNTS = ("no_ad", "funnel", "video", "interactions", "feedback", "refused", "invalid_why")
Counts = dict[str, int]
Dimension = Literal["slot", "world", "line_item", "advertiser", "profile"]


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
    ctr: float = 0.0
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
    interactions: Counts = Field(default_factory=dict)
    feedback: Counts = Field(default_factory=dict)
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


class _Key(NamedTuple):
    world: str = ""
    slot: str = ""
    line_item: str = ""
    advertiser: str = ""
    profile: str = ""


def recount(reader: Reader, currency: str, by: Dimension = "slot", only: str | None = None) -> Report:
    """Return the report from all rows that there are.

    Raises:
        OpenSlotError: `LEDGER_BROKEN`; a report is not made on books that do not hold.
    """
    rollups = Rollups()
    rollups.read(reader)
    return report_of(rollups, currency, by, only)


def report_of(rollups: Rollups, currency: str, by: Dimension = "slot", only: str | None = None) -> Report:
    """Return the report; `only` names the one world (by slot, world) or advertiser whose figures are wanted."""
    rows: defaultdict[_Key, Sums] = defaultdict(Sums)
    advertisers = rollups.books.advertisers
    for (where, own), sums in rollups.sums.items():
        whose = where.world if by in ("slot", "world") else advertisers.get(where.line_item, "")
        if (own or by == "profile") and only in (None, whose):
            rows[_key(by, where, advertisers)].add(sums)
    wanted = dict(sorted(rows.items()))
    totals = Sums()
    for sums in wanted.values():
        totals.add(sums)
    return Report(
        by=by,
        currency=currency,
        rows=tuple(_row(key, sums) for key, sums in wanted.items() if any(key)),
        totals=_row(_Key(), totals),
        traffic_rules=f"{traffic_rules().name} {traffic_rules().version}",
        ledger_records=rollups.books.ledger.seq,
        ledger_sha256=rollups.books.ledger.sha256,
    )


def _key(by: Dimension, where: Where, advertisers: dict[str, str]) -> _Key:
    advertiser = advertisers.get(where.line_item, "")
    match by:
        case "slot":
            return _Key(where.world, where.slot)
        case "world":
            return _Key(where.world)
        case "line_item":
            return _Key("", "", where.line_item, advertiser)
        case "advertiser":
            return _Key("", "", "", advertiser)
        case "profile":
            return _Key(profile=where.profile)


def _row(key: _Key, sums: Sums) -> ReportRow:
    figures = {name: count for name, count in sums.figures.items() if name in ReportRow.model_fields}
    ends = max(sums.figures["counted_ends"], 1)
    means = {name: round(sums.figures[column] / ends) for name, column in MEANS.items()}
    decided = (sums.figures["valid"] + sums.figures["invalid"]) / max(sums.figures["gross"], 1)
    reasons = {name: dict(sorted((+getattr(sums, name)).items())) for name in REASON_COUNTS}
    clicked = sums.interactions.total() / max(sums.figures["viewable"], 1)
    made = {**means, "decision_rate": round(decided, 6), "ctr": round(clicked, 6)}
    return ReportRow.model_validate({**key._asdict(), **figures, **reasons, **made})
