"""The report as rows of text: for a terminal's table and for CSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from openslot_server.impressions.verdicts import CODES
from openslot_server.reports.queries import Dimension, Report, ReportRow
from openslot_spec.exposures import WhyNot
from openslot_spec.messages import NoAd

__all__ = ["amount", "csv_rows", "table_rows", "why_rows"]

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
    counts = (name.removesuffix("_micros").replace("_exposure_ms", " s") for name in (*COUNTS, "spend_micros"))
    yield [_name_of(report.by), *counts]
    for row in (*report.rows, report.totals):
        figures = [str(getattr(row, name)) for name in COUNTS[:-1]]
        yield [_label(report, row), *figures, f"{row.mean_exposure_ms / 1000:.1f}", amount(row.spend_micros)]


def why_rows(report: Report) -> Iterator[list[str]]:
    """Yield who has something and what: slots without an ad, views that did not count, events that were refused."""
    for row in (*report.rows, report.totals):
        counts = Counter(row.no_ad) + Counter(row.funnel) + Counter(row.refused)
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
