"""`openslot creative review`: what waits to be looked at, and what somebody says of it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from openslot_server.cli.files import print_json
from openslot_server.cli.remote import ask, fetch
from openslot_server.creatives.review import SENTENCES, Decision, Policy, State, Why

__all__ = ["app"]

app = typer.Typer(help="Look at creatives before they are shown, on the platform or in a world.", no_args_is_help=True)
Server = Annotated[str, typer.Option(help="The server's address.")]
Key = Annotated[str, typer.Option(envvar="OPENSLOT_KEY", help="A reviewer's, a world's or the operator's API key.")]
World = Annotated[str | None, typer.Option(help="The world; left out: the key's own, else the platform.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Sha256 = Annotated[str, typer.Argument(help="The creative, as `list` shows it.")]


@app.command("list")
def show(
    server: Server,
    key: Key = "",
    world: World = None,
    state: Annotated[State, typer.Option(help="Which of them.")] = "pending",
    *,
    as_json: AsJson = False,
) -> None:
    """List the creatives that wait, and why."""
    items: list[Any] = []
    after: str | None = ""
    while after is not None:
        page = fetch(server, "/v1/reviews", key, state=state, after=after, **_place(world))
        items += page["items"]
        after = page.get("next")
    if as_json:
        print_json(items)
        return
    if not items:
        typer.echo(f"nothing is {state} there")
    for item in items:
        creative, review = item["creative"], item["review"]
        typer.echo(f"{creative['sha256']}  {creative['advertiser']}  {creative['label']}")
        for reason in review.get("reasons", ()):
            typer.echo(f"    {reason}: {SENTENCES[Why(reason)]}")


@app.command()
def approve(sha256: Sha256, server: Server, key: Key = "", world: World = None, *, as_json: AsJson = False) -> None:
    """Let a creative be shown."""
    _decide(sha256, server, key, world, Decision(state="approved"), as_json=as_json)


@app.command()
def refuse(
    sha256: Sha256,
    server: Server,
    reason: Annotated[list[Why], typer.Option(help="Why; may stand several times.")],
    note: Annotated[str, typer.Option(help="What the advertiser should know.")] = "",
    key: Key = "",
    world: World = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Refuse a creative: it leaves the screens there at once."""
    _decide(sha256, server, key, world, Decision(state="refused", reasons=tuple(reason), note=note), as_json=as_json)


@app.command()
def policy(
    server: Server,
    key: Key = "",
    world: World = None,
    reviews: Annotated[
        bool | None, typer.Option("--reviews/--no-reviews", help="Whether every creative waits for approval.")
    ] = None,
    block_word: Annotated[list[str] | None, typer.Option(help="Block a word too.")] = None,
    block_advertiser: Annotated[list[str] | None, typer.Option(help="Block an advertiser too.")] = None,
    block_category: Annotated[list[str] | None, typer.Option(help="Block an IAB category too.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what a place shows, after adding what is said here."""
    now: dict[str, Any] = Policy.parse(fetch(server, "/v1/policy", key, **_place(world))).plain()
    added = {"words": block_word, "advertisers": block_advertiser, "categories": block_category}
    for name, values in added.items():
        if values:
            now[f"{name}_blocked"] = [*dict.fromkeys((*now[f"{name}_blocked"], *values))]
    if reviews is not None:
        now["reviews"] = reviews
    if reviews is not None or any(added.values()):
        now = ask(server, "PUT", "/v1/policy", key, query=_place(world), body=now)
    if as_json:
        print_json(now)
        return
    for name, value in now.items():
        typer.echo(f"{name}: {', '.join(value) if isinstance(value, list) else value}")


def _decide(sha256: str, server: str, key: str, world: str | None, decision: Decision, *, as_json: bool) -> None:
    review = ask(server, "PUT", f"/v1/reviews/{sha256}", key, query=_place(world), body=decision.plain())
    if as_json:
        print_json(review)
    else:
        typer.echo(f"{review['state']} {'in ' + review['world'] if review['world'] else 'on the platform'}")


def _place(world: str | None) -> dict[str, str]:
    return {} if world is None else {"world": world}
