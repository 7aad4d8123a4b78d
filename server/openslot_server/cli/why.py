"""`openslot why`: what stands between a line item and the requests of the last day."""

from __future__ import annotations

from typing import Annotated

import httpx2
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from openslot_server.cli.files import print_json
from openslot_server.demand.delivery import Delivery
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["why"]

TIMEOUT_S = 60.0


def why(
    line_item: Annotated[str, typer.Argument(help="The line item's id.")],
    server: Annotated[str, typer.Option(help="The server's address.")],
    key: Annotated[str, typer.Option(envvar="OPENSLOT_KEY", help="The advertiser's API key.")] = "",
    world: Annotated[str | None, typer.Option(help="Requests of this world alone.")] = None,
    slot: Annotated[str | None, typer.Option(help="Requests for this slot alone.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what took how many of the last day's requests from a line item."""
    query = {name: value for name, value in (("world", world), ("slot", slot)) if value is not None}
    found = _fetch(f"{server.rstrip('/')}/v1/line-items/{line_item}/delivery", key, query)
    if as_json:
        print_json(found.plain())
        return
    table = Table("what", "requests", box=SIMPLE_HEAD, pad_edge=False)
    for name, requests in (("won", found.won), *((stop.by, stop.requests) for stop in found.stops)):
        table.add_row(name, str(requests))
    Console(highlight=False).print(table)


def _fetch(url: str, key: str, query: dict[str, str]) -> Delivery:
    try:
        answer = httpx2.get(url, params=query, headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT_S)
        body = answer.json()
    except (httpx2.HTTPError, ValueError) as error:
        raise OpenSlotError(Code.SERVER_AWAY, str(error), where=url) from None
    if answer.status_code != 200:
        raise OpenSlotError(Code(body["error"]["code"]), body["error"]["message"], where=url)
    return Delivery.parse(body)
