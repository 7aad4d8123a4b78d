"""`openslot ledger`: whether the books hold."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from openslot_server.cli.files import print_json
from openslot_server.impressions.verify import verify
from openslot_server.storage.sqlite import reading
from openslot_server.storage.store import BatchRow, DecisionRow, VerdictRow

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
    """Recount the whole ledger and all that stands under it; ends with 1 and the first bad record if it does not hold.

    Ends with 3 if the file cannot be read or is damaged elsewhere.
    """
    with reading(database) as reader:
        books = verify(reader)
    said = {
        "records": books.ledger.seq,
        "decisions": books.counts[DecisionRow],
        "batches": books.counts[BatchRow],
        "audits": books.counts[VerdictRow],
        "sha256": books.ledger.sha256,
    }
    if as_json:
        print_json({"holds": True, **said, "balances": dict(sorted(books.ledger.balances.items()))})
    else:
        counts = "{records} records, {decisions} decisions, {batches} batches, {audits} audits".format(**said)
        sys.stdout.write(f"the ledger holds: {counts}, ends at {said['sha256']}\n")
