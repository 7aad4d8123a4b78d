"""The command line of the demo; `openslot demo` is the same."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from openslot_demo.run import Options, demo
from openslot_demo.show import Progress, print_report
from openslot_spec.errors import OpenSlotError, exit_code

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    seconds: Annotated[float, typer.Option(min=1, max=86_400, help="How long the walkers walk.")] = 30.0,
    scene: Annotated[Path | None, typer.Option(help="A .glb scene with slots, in place of the three worlds.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Of the live page; 0 takes any that is free.")] = 0,
    walkers: Annotated[int, typer.Option(min=1, max=64, help="In each world.")] = 8,
    outage: Annotated[float, typer.Option(min=0, help="Kill the server half-way, for this many seconds.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the walkers.")] = 1,
    *,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the live page.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Run three worlds, a server, advertisers and walkers, live, and print the ledger's report.

    Exit code 1 if the SDK's count and the ledger's do not agree.
    """
    browser = not no_browser and not as_json and sys.stdout.isatty()
    options = Options(seconds, scene, port, browser, walkers, outage, seed)
    with Progress(quiet=as_json) as progress:
        live = asyncio.run(demo(options, progress))
    if as_json:
        sys.stdout.write(json.dumps({**live.plain(), "report": live.report}) + "\n")
    else:
        print_report(live)
    sys.exit(not live.agrees)


if __name__ == "__main__":
    try:
        app(prog_name="openslot demo")
    except OpenSlotError as error:
        sys.stderr.write(f"openslot: {error}\n")
        sys.exit(exit_code(error.code))
    except KeyboardInterrupt:
        sys.exit(130)
    except asyncio.CancelledError:
        sys.exit(143)
