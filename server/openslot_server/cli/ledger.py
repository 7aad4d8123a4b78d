"""`openslot ledger`: whether the books hold."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from openslot_server.cli.files import print_json
from openslot_server.impressions.verify import verify, verify_evidence
from openslot_server.storage.sqlite import reading
from openslot_server.storage.store import BatchRow, HeadRow, LedgerRow

__all__ = ["app"]

app = typer.Typer(help="The ledger: double entry, append-only, hash-chained.", no_args_is_help=True)


@app.callback()
def ledger() -> None:
    """The ledger: double entry, append-only, hash-chained."""


@app.command("verify")
def verify_ledger(
    database: Annotated[Path, typer.Option(help="The SQLite file; a server may be running on it.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Recount the whole ledger and the events under it; ends with 1 and the first bad record if it does not hold."""
    with reading(database) as reader:
        books = verify(reader.load(LedgerRow), next(reader.load(HeadRow), None))
        batches = verify_evidence(books, reader.load(BatchRow))
    head = {"records": books.ledger.seq, "batches": batches, "sha256": books.ledger.sha256}
    if as_json:
        print_json({"holds": True, **head, "balances": dict(sorted(books.ledger.balances.items()))})
    else:
        sys.stdout.write("the ledger holds: {records} records, {batches} batches, ends at {sha256}\n".format(**head))
