"""`openslot keys`: who may talk to a server."""

from __future__ import annotations

import secrets
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from openslot_server.cli.files import print_json
from openslot_server.keys import TOKEN_ENTROPY_BYTES, Role, make_token, new_key
from openslot_server.run import now_ms
from openslot_server.storage.sqlite import SqliteStore, reading
from openslot_server.storage.store import KeyRow
from openslot_spec.records import Id, Record

__all__ = ["app"]

app = typer.Typer(help="API keys; a server keeps only their sha-256.", no_args_is_help=True)


class _Account(Record):
    account: Id


Database = Annotated[Path, typer.Option(help="The SQLite file; a server may be running on it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("add")
def add(
    role: Annotated[Role, typer.Argument(help="What the key may do.")],
    account: Annotated[str, typer.Argument(help="The world's name, the advertiser's id, or `operator`.")],
    database: Database,
    *,
    as_json: AsJson = False,
) -> None:
    """Make a key and show it, this once. A running server knows it within a second."""
    _Account.parse({"account": account})
    token = make_token(role, secrets.token_bytes(TOKEN_ENTROPY_BYTES))
    with closing(SqliteStore(database)) as store:
        store.commit([new_key(token, role, account, now_ms())]).result()
    if as_json:
        print_json({"key": token, "role": role, "account": account})
    else:
        sys.stdout.write(f"{token}\n")


@app.command("list")
def show(database: Database, *, as_json: AsJson = False) -> None:
    """List accounts and the first digits of their keys' sha-256."""
    with reading(database) as reader:
        rows = sorted(reader.load(KeyRow), key=lambda row: (row.role, row.account, row.created_ms))
    if as_json:
        print_json([{"role": row.role, "account": row.account, "sha256": row.sha256} for row in rows])
        return
    for row in rows:
        sys.stdout.write(f"{row.role:<10} {row.account:<40} {row.sha256[:12]}\n")
