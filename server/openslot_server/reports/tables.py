"""The report as rows of text: for a terminal's table and for CSV."""

from __future__ import annotations

from collections.abc import Iterator

from openslot_server.impressions.verdicts import CODES
from openslot_server.reports.queries import Dimension, Report, ReportRow
from openslot_spec.exposures import WhyNot
from openslot_spec.messages import NoAd

__all__ = ["csv_rows", "money", "table_rows"]

NAMES: dict[Dimension, tuple[str, ...]] = {
    "slot": ("world", "slot"),
    "world": ("world",),
    "line_item": ("advertiser", "line_item"),
    "advertiser": ("advertiser",),
}
COUNTS = ("requests", "filled", "rendered", "viewable", "free", "mean_exposure_ms")
MONEY = ("spend_micros", "revenue_micros", "fee_micros")
REASONS = {
    "no_ad": [reason.value for reason in NoAd],
    "funnel": [why.name.lower() for why in WhyNot if why is not WhyNot.COUNTED],
    "refused": [code.value for code in CODES.values()],
}


def csv_rows(report: Report) -> Iterator[list[str | int]]:
    """Yield a header and one row per row of the report: the same columns whatever happened."""
    names = NAMES[report.by]
    reasons = [(kind, reason) for kind, known in REASONS.items() for reason in known]
    yield [*names, *COUNTS, *MONEY, "currency", *(f"{kind}.{reason}" for kind, reason in reasons)]
    for row in report.rows:
        counts = [getattr(row, kind).get(reason, 0) for kind, reason in reasons]
        yield [*(getattr(row, name) for name in (*names, *COUNTS, *MONEY)), report.currency, *counts]


def table_rows(report: Report) -> Iterator[list[str]]:
    """Yield a header, the rows and the totals, for people."""
    names = NAMES[report.by]
    heads = ("requests", "filled", "rendered", "viewable", "free", "mean s", "spend", "revenue", "fee")
    yield [*(name.replace("_", " ") for name in names), *heads, "why not"]
    for row in report.rows:
        yield [*(getattr(row, name) for name in names), *_figures(row, report.currency)]
    yield ["total", *("" for _ in names[1:]), *_figures(report.totals, report.currency)]


def money(micros: int, currency: str) -> str:
    """Return an amount as people write it, exactly."""
    whole, rest = divmod(micros, 1_000_000)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".") + f" {currency}"


def _figures(row: ReportRow, currency: str) -> list[str]:
    counts = [str(getattr(row, name)) for name in COUNTS[:-1]]
    why = {**row.funnel, **row.no_ad, **row.refused}
    return [
        *counts,
        f"{row.mean_exposure_ms / 1000:.1f}",
        *(money(getattr(row, name), currency) for name in MONEY),
        " ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in why.items()),
    ]
