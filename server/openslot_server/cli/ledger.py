"""`openslot ledger`: whether the books hold."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from openslot_server.cli.files import print_json
from openslot_server.impressions.ledger import GENESIS
from openslot_server.impressions.verify import check_end, verify
from openslot_server.storage.sqlite import reading
from openslot_server.storage.store import BatchRow, DecisionRow, HeadRow, VerdictRow

__all__ = ["app"]

app = typer.Typer(help="The ledger: double entry, append-only, hash-chained.", no_args_is_help=True)


Database = Annotated[Path, typer.Option(help="The SQLite file; a server may be running on it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.callback()
def ledger() -> None:
    """The ledger: double entry, append-only, hash-chained."""


@app.command("head")
def head_of_ledger(database: Database, *, as_json: AsJson = False) -> None:
    """Say where the ledger ends, NUMBER:SHA256. Keep it elsewhere: `ledger verify --head` tells if anything is gone."""
    with reading(database) as reader:
        head = next(iter(reader.load(HeadRow)), HeadRow(1, 0, GENESIS))
    if as_json:
        print_json({"seq": head.seq, "sha256": head.sha256})
    else:
        sys.stdout.write(f"{head.seq}:{head.sha256}\n")


@app.command("verify")
def verify_ledger(
    database: Database,
    head: Annotated[
        list[str] | None,
        typer.Option(help="An earlier end, NUMBER:SHA256, as `ledger head` said it; may be given again."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Recount the whole ledger and all that stands under it; ends with 1 and the first bad record if it does not hold.

    With ends that were kept elsewhere, a ledger that was cut, or exchanged for an older copy, does not hold either.
    Ends with 3 if the file cannot be read or is damaged elsewhere.
    """
    ends = [_end(each) for each in head or ()]
    with reading(database) as reader:
        books = verify(reader)
        for seq, sha256 in ends:
            check_end(reader, seq, sha256)
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


def _end(said: str) -> tuple[int, str]:
    found = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", said)
    if found is None:
        raise typer.BadParameter(f"{said!r} is not NUMBER:SHA256", param_hint="--head")
    return int(found[1]), found[2]
