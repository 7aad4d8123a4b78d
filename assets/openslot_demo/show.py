"""What the demo prints: one line a second while it runs, the ledger's report at its end."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.live import Live as LiveLine
from rich.table import Column, Table
from rich.text import Text

from openslot_demo.live import Live

__all__ = ["Progress", "print_report"]

REASONS = {
    "viewport": "off screen",
    "back_facing": "back face",
    "clipped": "clipped",
    "too_oblique": "too oblique",
    "too_small": "too small",
    "obstructed": "occluded",
    "too_short": "too short",
    "no_window_focus": "no focus",
    "idle": "idle",
    "unmeasurable": "unmeasurable",
}
"""Why a view did not count, in the funnel's order."""
BAR = 40


class Progress:
    """A status line on a terminal, plain lines elsewhere; nothing when `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self.console = Console(file=sys.stderr, quiet=quiet, highlight=False)
        self._line = LiveLine(console=self.console, transient=True) if self.console.is_terminal and not quiet else None

    def __enter__(self) -> Progress:
        """Begin to show."""
        if self._line is not None:
            self._line.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the status line away."""
        if self._line is not None:
            self._line.stop()

    def say(self, text: str) -> None:
        """Print one line that stays."""
        self.console.print(text)

    def update(self, live: Live) -> None:
        """Show where the demo stands."""
        totals = live.report.get("totals", {})
        figures = " · ".join(
            f"{totals.get(name, 0):,} {name}" for name in ("requests", "filled", "rendered", "viewable")
        )
        server = "" if live.server_up else "  server away: events wait in the spools"
        text = (
            f"{live.elapsed_s:4.0f} of {live.seconds:.0f} s  {figures} · {money(totals.get('spend_micros', 0))}{server}"
        )
        if self._line is not None:
            self._line.update(Text(text))
        elif int(live.elapsed_s) % 5 == 0:
            self.console.print(text)


def print_report(live: Live) -> None:
    """Print the report by slot, the funnel, and whether both sides counted the same."""
    console = Console(highlight=False)
    totals = live.report.get("totals", {})
    console.print(_slots(live.report.get("rows", []), totals))
    console.print(_funnel(totals.get("funnel", {}), totals.get("viewable", 0)))
    (sdk, ledger), verdict = live.counted("viewable"), "agree" if live.agrees else "do not agree"
    colour = "green" if live.agrees else "red"
    console.print(
        f"\n[{colour}]The SDKs counted {sdk} viewable impressions, the ledger {ledger}: they {verdict}.[/{colour}]"
    )


def money(micros: int, currency: str = "USD") -> str:
    """Return micros as people read them: four decimals, since one impression costs less than a cent."""
    sign = {"USD": "$", "EUR": "€", "GBP": "£"}.get(currency, f"{currency} ")
    return f"{sign}{micros / 1_000_000:,.4f}"


def _slots(rows: list[dict[str, Any]], totals: dict[str, Any]) -> Table:
    names = ("slot", "requests", "filled", "rendered", "viewable", "exposure", "spend")
    columns = [Column(name, justify="left" if name == "slot" else "right", no_wrap=True) for name in names]
    table = Table(*columns, title="The ledger's report", title_justify="left", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*_cells(row))
    table.add_row()
    table.add_row(*_cells({**totals, "slot": "all"}))
    return table


def _cells(row: dict[str, Any]) -> list[str]:
    counts = [f"{row[name]:,}" for name in ("requests", "filled", "rendered", "viewable")]
    return [row["slot"], *counts, f"{row['mean_exposure_ms'] / 1000:.1f} s", money(row["spend_micros"])]


def _funnel(reasons: dict[str, int], counted: int) -> Table:
    """Return why views did not count, widest gate first, and those that did."""
    table = Table(
        title="\nWhat became of every view", title_justify="left", box=None, pad_edge=False, show_header=False
    )
    shown = {label: reasons.get(name, 0) for name, label in REASONS.items() if name in reasons}
    most = max([*shown.values(), counted, 1])
    for label, count in (*shown.items(), ("viewable", counted)):
        colour = "green" if label == "viewable" else "yellow"
        table.add_row(label, f"{count:,}", f"[{colour}]{'█' * round(BAR * count / most)}[/{colour}]")
    return table
