"""What the demo prints: one line a second while it runs, the ledger's report at its end."""

from __future__ import annotations

import sys
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live as LiveLine
from rich.table import Table
from rich.text import Text

from openslot_demo.live import Live

__all__ = ["Progress", "print_report"]

REASONS = {
    "VIEWPORT": "off screen",
    "BACK_FACING": "back face",
    "CLIPPED": "clipped",
    "TOO_OBLIQUE": "too oblique",
    "TOO_SMALL": "too small",
    "OBSTRUCTED": "occluded",
    "TOO_SHORT": "too short",
    "NO_WINDOW_FOCUS": "no focus",
    "IDLE": "idle",
    "UNMEASURABLE": "unmeasurable",
}


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
    columns = ("world", "slot", "requests", "filled", "rendered", "viewable", "mean exposure", "spend", "why not")
    table = Table(*columns, title="The ledger's report", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for row in live.report.get("rows", []):
        table.add_row(*_cells(row))
    totals = live.report.get("totals", {})
    table.add_section()
    table.add_row(*_cells({**totals, "world": "all", "slot": ""}))
    console.print(table)
    sdk, ledger = live.sdk_viewable, totals.get("viewable", 0)
    if sdk == ledger:
        console.print(f"[green]The SDK counted {sdk} viewable impressions, the ledger {ledger}: they agree.[/green]")
    else:
        console.print(f"[red]The SDK counted {sdk} viewable impressions, the ledger {ledger}: they do not agree.[/red]")


def money(micros: int, currency: str = "USD") -> str:
    """Return micros as people read them: four decimals, since one impression costs less than a cent."""
    sign = {"USD": "$", "EUR": "€", "GBP": "£"}.get(currency, f"{currency} ")
    return f"{sign}{micros / 1_000_000:,.4f}"


def _cells(row: dict[str, Any]) -> list[str]:
    funnel = sorted(row["funnel"].items(), key=lambda item: -item[1])
    why = ", ".join(f"{count} {REASONS.get(name, name)}" for name, count in funnel)
    counts = [f"{row[name]:,}" for name in ("requests", "filled", "rendered", "viewable")]
    return [
        row["world"],
        row["slot"],
        *counts,
        f"{row['mean_exposure_ms'] / 1000:.1f} s",
        money(row["spend_micros"]),
        why,
    ]
