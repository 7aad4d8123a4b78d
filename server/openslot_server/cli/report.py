"""`openslot report`: what happened, recounted from the ledger and the events under it."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Annotated

import httpx2
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from openslot_server.cli.files import print_json
from openslot_server.config import Settings
from openslot_server.reports.queries import Dimension, Report, recount
from openslot_server.reports.tables import amount, csv_rows, table_rows, why_rows
from openslot_server.storage.sqlite import reading
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["report"]

TIMEOUT_S = 60.0
PIPED_WIDTH = 160
"""Where no window breaks lines, a row is one of them."""


def report(
    database: Annotated[Path | None, typer.Option(help="The SQLite file; a server may be running on it.")] = None,
    server: Annotated[str | None, typer.Option(help="A server's address, instead of the file.")] = None,
    key: Annotated[str, typer.Option(envvar="OPENSLOT_KEY", help="The API key for --server.")] = "",
    by: Annotated[Dimension, typer.Option(help="What a row is about.")] = "slot",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Show requests, filled, rendered, viewable, exposure, money, and why the rest did not count."""
    if (database is None) == (server is None):
        raise typer.BadParameter("give either --database or --server")
    found = _fetch(server, key, by) if server is not None else _recount(database or Path(), by)
    if as_json:
        print_json(found.plain())
    elif as_csv:
        csv.writer(sys.stdout).writerows(csv_rows(found))
    else:
        _print_tables(found)


def _recount(database: Path, by: Dimension) -> Report:
    with reading(database) as reader:
        return recount(reader, Settings.read().currency, by)


def _fetch(server: str, key: str, by: Dimension) -> Report:
    url = f"{server.rstrip('/')}/v1/reports"
    try:
        answer = httpx2.get(url, params={"by": by}, headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT_S)
        body = answer.json()
    except (httpx2.HTTPError, ValueError) as error:
        raise OpenSlotError(Code.SERVER_AWAY, str(error), where=server) from None
    if answer.status_code != 200:
        raise OpenSlotError(Code(body["error"]["code"]), body["error"]["message"], where=server)
    return Report.parse(body)


def _print_tables(found: Report) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = PIPED_WIDTH
    head, *rows = table_rows(found)
    console.print(_table([*head[:-1], f"{head[-1]} {found.currency}"], rows))
    if why := list(why_rows(found)):
        console.print(_table(["why not", ""], why))
    revenue, fee = amount(found.totals.revenue_micros), amount(found.totals.fee_micros)
    console.print(
        f"{revenue} {found.currency} to worlds, {fee} fee; recounted from a ledger of {found.ledger_records} records"
    )


def _table(head: list[str], rows: list[list[str]]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False, collapse_padding=True)
    for index, name in enumerate(head):
        is_figure = index > 0 and bool(name)
        table.add_column(name, justify="right" if is_figure else "left", no_wrap=not index, overflow="fold")
    for index, row in enumerate(rows, start=1):
        table.add_row(*row, end_section=index == len(rows) - 1)
    return table
