"""`openslot peer`: the servers that share slots with this one."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from openslot_server.cli.files import print_json
from openslot_server.cli.remote import ask, fetch

__all__ = ["app"]

app = typer.Typer(help="Servers that share slots with this one.", no_args_is_help=True)

At = Annotated[str, typer.Option("--server", help="This server's address.")]
Key = Annotated[str, typer.Option(envvar="OPENSLOT_KEY", help="The operator's API key.")]
Origin = Annotated[str, typer.Argument(help="The peer's origin, or its first digits.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("add")
def add(
    url: Annotated[str, typer.Argument(help="The other server's address.")],
    server: At,
    key: Key = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Fetch a server's description and put it on the list. Compare its origin with its operator, then approve it."""
    peer = ask(server, "POST", "/v1/peers", key, body={"url": url})
    _show(peer, as_json=as_json)
    if not as_json and peer["state"] == "waiting":
        sys.stdout.write(
            f"if its operator says so too: openslot peer approve {peer['origin'][:12]} --server {server}\n"
        )


@app.command("list")
def show_all(server: At, key: Key = "", *, as_json: AsJson = False) -> None:
    """List the servers that are known, those that wait for approval among them."""
    peers = _all(server, key)
    if as_json:
        print_json(peers)
        return
    table = Table("origin", "name", "state", "connected", "address", box=SIMPLE_HEAD, pad_edge=False)
    for peer in peers:
        table.add_row(peer["origin"], peer["name"], peer["state"], "yes" if peer["connected"] else "no", peer["url"])
    Console(highlight=False).print(table)


@app.command("show")
def show(origin: Origin, server: At, key: Key = "", *, as_json: AsJson = False) -> None:
    """Show one server: its state, and the keys that hold."""
    _show(_named(server, key, origin), as_json=as_json)


@app.command("approve")
def approve(origin: Origin, server: At, key: Key = "", *, as_json: AsJson = False) -> None:
    """Let a server speak here. It is connected within seconds."""
    _decide(server, key, origin, "approved", as_json=as_json)


@app.command("revoke")
def revoke(origin: Origin, server: At, key: Key = "", *, as_json: AsJson = False) -> None:
    """Let a server speak here no more. It is cut off at once, and its slots are not bought."""
    _decide(server, key, origin, "revoked", as_json=as_json)


@app.command("share")
def share(
    server: At,
    key: Key = "",
    to: Annotated[str, typer.Option(help="One peer's origin; left out: everybody.")] = "",
    world: Annotated[list[str] | None, typer.Option(help="Slots of this world alone; may be given again.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Slots with this tag alone; may be given again.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Say which slots an audience hears of."""
    said = {"audience": to, "worlds": world or [], "tags": tag or []}
    found = ask(server, "PUT", "/v1/shares", key, body=said)
    if as_json:
        print_json(found)
    else:
        which = ", ".join(found.get("worlds", ())) or "all worlds"
        sys.stdout.write(f"{'everybody' if not to else to[:12]} hears of the slots of {which}\n")


@app.command("slots")
def slots(server: At, key: Key = "", *, as_json: AsJson = False) -> None:
    """List the slots of other servers that may be bought here."""
    found = _pages(server, key, "/v1/peer-slots")
    if as_json:
        print_json(found)
        return
    table = Table("origin", "world", "slot", "metres", "floor", box=SIMPLE_HEAD, pad_edge=False)
    for each in found:
        slot = each["slot"]
        floor = slot.get("floor_cpm", {"micros": 0, "currency": "USD"})
        size = " × ".join(f"{side:g}" for side in slot["size"])
        table.add_row(
            each["origin"][:12], each["world"], slot["id"], size, f"{floor['micros'] / 1e6:.2f} {floor['currency']}"
        )
    Console(highlight=False).print(table)


@app.command("rotate-key")
def rotate_key(server: At, key: Key = "", *, as_json: AsJson = False) -> None:
    """Let a new key sign for this server; peers hear of it at once."""
    found = ask(server, "POST", "/v1/server-keys", key)
    print_json(found) if as_json else sys.stdout.write(f"{found['public']} signs from now on\n")


@app.command("revoke-key")
def revoke_key(
    public: Annotated[str, typer.Argument(help="The public key.")],
    server: At,
    key: Key = "",
    *,
    as_json: AsJson = False,
) -> None:
    """End one of this server's own keys at once; all that is shared is signed anew."""
    ask(server, "DELETE", f"/v1/server-keys/{public}", key)
    print_json({"revoked": public}) if as_json else sys.stdout.write(f"{public} is revoked\n")


def _all(server: str, key: str) -> list[dict[str, Any]]:
    return _pages(server, key, "/v1/peers")


def _pages(server: str, key: str, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = fetch(server, path, key, after=after, limit="1000")
        found += page["items"]
        if "next" not in page:
            return found
        after = page["next"]


def _named(server: str, key: str, origin: str) -> dict[str, Any]:
    found = [peer for peer in _all(server, key) if peer["origin"].startswith(origin)]
    if len(found) != 1:
        raise typer.BadParameter(f"{len(found)} known servers begin with {origin!r}")
    return found[0]


def _decide(server: str, key: str, origin: str, state: str, *, as_json: bool) -> None:
    peer = _named(server, key, origin)
    _show(ask(server, "PATCH", f"/v1/peers/{peer['origin']}", key, body={"state": state}), as_json=as_json)


def _show(peer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(peer)
        return
    where = peer["url"] or "it dials us"
    sys.stdout.write(f"{peer['name']} ({where}): {peer['state']}\n  origin {peer['origin']}\n")
    for public in peer["keys"]:
        sys.stdout.write(f"  key    {public}\n")
