"""The report as rows of text: for a terminal's table and for CSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import get_args

from openslot_server.impressions.verdicts import CODES
from openslot_server.impressions.verdicts import REASONS as INVALID
from openslot_server.reports.queries import Dimension, Report, ReportRow
from openslot_server.reports.rollups import UNFINISHED
from openslot_spec.actions import ActionKind
from openslot_spec.exposures import EventKind, WhyNot
from openslot_spec.messages import REPORT_REASONS, NoAd

__all__ = ["amount", "csv_rows", "table_rows", "why_rows"]

NAMES: dict[Dimension, tuple[str, ...]] = {
    "slot": ("world", "slot"),
    "world": ("world",),
    "line_item": ("advertiser", "line_item"),
    "advertiser": ("advertiser",),
    "profile": ("profile",),
}
COUNTS = ("requests", "filled", "rendered", "viewable", "free", "mean_exposure_ms")
TIMES = ("mean_longest_ms", "mean_half_ms", "mean_full_ms")
TRAFFIC = ("gross", "valid", "invalid", "undetermined", "decision_rate", "ctr")
MONEY = ("spend_micros", "revenue_micros", "fee_micros")
REASONS = {
    "no_ad": [reason.value for reason in NoAd],
    "funnel": [*(why.name.lower() for why in WhyNot if why is not WhyNot.COUNTED), UNFINISHED],
    "video": [kind.name.lower() for kind in EventKind if kind > EventKind.END],
    "interactions": [*get_args(ActionKind)],
    "feedback": ["like", "not_for_me", "report", *(f"report.{reason}" for reason in REPORT_REASONS)],
    "refused": [code.value for code in CODES.values()],
    "invalid_why": [*INVALID.values()],
}


def csv_rows(report: Report) -> Iterator[list[str | int | float]]:
    """Yield a header and one row per row of the report: the same columns whatever happened."""
    names = NAMES[report.by]
    reasons = [(kind, reason) for kind, known in REASONS.items() for reason in known]
    yield [*names, *COUNTS, *TIMES, *TRAFFIC, *MONEY, "currency", *(f"{kind}.{reason}" for kind, reason in reasons)]
    for row in report.rows:
        counts = [getattr(row, kind).get(reason, 0) for kind, reason in reasons]
        yield [*(getattr(row, name) for name in (*names, *COUNTS, *TIMES, *TRAFFIC, *MONEY)), report.currency, *counts]


def table_rows(report: Report) -> Iterator[list[str]]:
    """Yield a header, the rows and the totals, for people."""
    yield [_name_of(report.by), *COUNTS[:-1], "invalid", "decided", "mean s", "spend"]
    for row in (*report.rows, report.totals):
        figures = [str(getattr(row, name)) for name in (*COUNTS[:-1], "invalid")]
        decided = f"{row.decision_rate:.0%}" if row.gross else "–"
        yield [_label(report, row), *figures, decided, f"{row.mean_exposure_ms / 1000:.1f}", amount(row.spend_micros)]


def why_rows(report: Report) -> Iterator[list[str]]:
    """Yield who has something and what: slots without an ad, views that did not count, events refused or marked."""
    for row in (*report.rows, report.totals):
        marked = {reason: count for reason, count in row.invalid_why.items() if reason not in row.refused}
        counts = Counter(row.no_ad) + Counter(row.funnel) + Counter(row.refused) + Counter(marked)
        if counts:
            said = (f"{count} {reason.replace('_', ' ')}" for reason, count in counts.most_common())
            yield [_label(report, row), ", ".join(said)]


def amount(micros: int) -> str:
    """Return micros as people write money, exactly."""
    whole, rest = divmod(micros, 1_000_000)
    digits = f"{rest:06d}".rstrip("0")
    return f"{whole}.{digits:0<2}"


def _name_of(by: Dimension) -> str:
    return " / ".join(NAMES[by]).replace("_", " ")


def _label(report: Report, row: ReportRow) -> str:
    return "total" if row is report.totals else " / ".join(getattr(row, name) or "–" for name in NAMES[report.by])
