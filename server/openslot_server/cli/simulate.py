"""`openslot simulate`: traffic from a seed through the real engine, budgets and ledger."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import Annotated, Any

import typer

from openslot_server.cli.files import print_json
from openslot_server.simulate.run import Simulation
from openslot_server.simulate.run import simulate as run
from openslot_server.simulate.scenario import Scenario
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["simulate"]

PACINGS = ("even", "front_loaded", "as_fast_as_possible")


def simulate(
    seed: Annotated[int, typer.Option(min=0, help="All else follows from it.")] = 0,
    days: Annotated[int, typer.Option(min=1, max=60, help="Of the flights; a day to learn from comes before.")] = 1,
    worlds: Annotated[int, typer.Option(min=1, max=200, help="Worlds, each with its own busiest hour.")] = 4,
    line_items: Annotated[int, typer.Option(min=1, max=2000, help="Line items that compete.")] = 20,
    requests: Annotated[int, typer.Option(min=1, max=2_000_000, help="Requests a day, of three slots each.")] = 10_000,
    load: Annotated[float, typer.Option(min=0.01, max=3, help="What budgets buy of what is viewed.")] = 0.8,
    pacing: Annotated[str, typer.Option(help=f"One of: {', '.join(PACINGS)}.")] = "even",
    *,
    second_price: Annotated[bool, typer.Option(help="Let the next advertiser's bid set the price.")] = False,
    shocks: Annotated[
        bool, typer.Option(help="Noise, half an hour of five times the traffic, an hour of none.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a market would deliver; the same words give the same ledger, to its last hash."""
    if pacing not in PACINGS:
        raise OpenSlotError(Code.ARGUMENT_INVALID, f"{pacing!r} is none of {', '.join(PACINGS)}", where="--pacing")
    scenario = replace(
        Scenario(seed, days, 1, worlds, 8, line_items, requests, load),
        pacing=pacing,  # type: ignore[arg-type]  # one of them, as was just seen
        auction="second_price" if second_price else "first_price",
        has_shocks=shocks,
    )
    found = run(scenario, partial(typer.echo, err=True))
    if as_json:
        print_json(_plain(found))
    else:
        _show(found)


def _plain(found: Simulation) -> dict[str, Any]:
    rows = [
        {**asdict(one), "pacing_error": round(one.pacing_error, 6), "win_rate": round(one.win_rate, 6)}
        for one in found.delivered()
    ]
    return {
        "scenario": asdict(found.scenario),
        "requests": found.requests,
        "sha256": found.sha256,
        "overspent": found.overspent(),
        "free": found.free,
        "line_items": rows,
    }


def _show(found: Simulation) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table("line item", "budget", "spent", "pacing error", "won", "win rate", box=SIMPLE_HEAD, pad_edge=False)
    for one in found.delivered():
        money = (f"{micros / 1e6:.2f}" for micros in (one.budget_micros, one.spent_micros))
        table.add_row(one.line_item, *money, f"{one.pacing_error:+.2%}", f"{one.won:,}", f"{one.win_rate:.1%}")
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{found.requests:,} requests · {found.overspent()} overspent · ledger {found.sha256}")
