"""`openslot audit`: how far the worlds' claims held when their evidence was examined."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from openslot_server.audit.trust import Standing, Standings, standings
from openslot_server.cli.files import print_json
from openslot_server.cli.remote import fetch
from openslot_server.reports.tables import amount
from openslot_server.storage.sqlite import reading

__all__ = ["audit"]

COUNTS = ("impressions", "asked", "waiting", "proven", "inflated", "mismatch", "replayed", "unrevealed")


def audit(
    database: Annotated[Path | None, typer.Option(help="The SQLite file; a server may be running on it.")] = None,
    server: Annotated[str | None, typer.Option(help="A server's address, instead of the file.")] = None,
    key: Annotated[str, typer.Option(envvar="OPENSLOT_KEY", help="The operator's API key for --server.")] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show by world what was asked for, what it proved, and the trust that follows."""
    if (database is None) == (server is None):
        raise typer.BadParameter("give either --database or --server")
    found = _read(database) if database is not None else Standings.parse(fetch(server or "", "/v1/audits", key))
    if as_json:
        print_json(found.plain())
    else:
        Console().print(_table(found))


def _read(database: Path) -> Standings:
    with reading(database) as reader:
        return standings(reader)


def _table(found: Standings) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, collapse_padding=True)
    table.add_column("world", no_wrap=True)
    for name in ("committed", *COUNTS[1:], "trust", "95 %", "reversed"):
        table.add_column(name, justify="right")
    for each in found.worlds:
        table.add_row(each.world, *_figures(each))
    return table


def _figures(each: Standing) -> list[str]:
    decided = each.asked - each.waiting
    committed = f"{each.committed / each.impressions:.0%}" if each.impressions else "–"
    trust = f"{each.trust:.1%}" if decided else "–"
    span = f"{each.trust_low:.0%}–{each.trust_high:.0%}"
    return [committed, *(str(getattr(each, name)) for name in COUNTS[1:]), trust, span, amount(each.reversed_micros)]
