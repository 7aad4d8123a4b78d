"""`openslot keys`: who may talk to a server, and with what it signs tickets."""

from __future__ import annotations

import secrets
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from openslot_server.cli.files import print_json
from openslot_server.keys import TOKEN_ENTROPY_BYTES, Keyring, Role, make_token, named, new_key
from openslot_server.run import now_ms
from openslot_server.storage.sqlite import SqliteStore, reading
from openslot_server.storage.store import KeyEndRow, KeyRow
from openslot_server.ticket_keys import new_ticket_key
from openslot_spec.records import Id, Record

__all__ = ["app"]

app = typer.Typer(
    help="API keys, of which a server keeps only the sha-256; and the secrets that sign tickets.", no_args_is_help=True
)


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
    rows = sorted(_holding(database), key=lambda row: (row.role, row.account, row.created_ms))
    if as_json:
        print_json([{"role": row.role, "account": row.account, "sha256": row.sha256} for row in rows])
        return
    for row in rows:
        sys.stdout.write(f"{row.role:<10} {row.account:<40} {row.sha256[:12]}\n")


@app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(help="The digits that `openslot keys list` shows.")],
    database: Database,
    *,
    as_json: AsJson = False,
) -> None:
    """End a key for good. A running server closes its connections within a second or two."""
    row = named(_holding(database), name.lower())
    with closing(SqliteStore(database)) as store:
        store.commit([KeyEndRow(row.sha256, now_ms())]).result()
    if as_json:
        print_json({"role": row.role, "account": row.account, "sha256": row.sha256})
    else:
        sys.stdout.write(f"revoked: {row.role} {row.account}\n")


@app.command("rotate-tickets")
def rotate_tickets(database: Database, *, as_json: AsJson = False) -> None:
    """Sign tickets with a new secret, a running server too; those signed before stay good until they are over."""
    _holding(database)  # a database that is not there is not made
    row = new_ticket_key(secrets.token_bytes, now_ms())
    with closing(SqliteStore(database)) as store:
        store.commit([row]).result()
    if as_json:
        print_json({"key_id": row.key_id.hex()})
    else:
        sys.stdout.write(f"tickets are signed with key {row.key_id.hex()} from now on\n")


def _holding(database: Path) -> list[KeyRow]:
    with reading(database) as reader:
        return Keyring(reader.load(KeyRow), reader.load(KeyEndRow)).rows
