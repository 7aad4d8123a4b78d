"""The `openslot` command.

Exit codes: 0 done · 1 the answer is no, or a check failed · 2 the input could not be read, or the words are wrong ·
3 the place it runs in (a port in use, a server away, a disk that fails).
"""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from typing import Annotated

import typer

from openslot_server.cli import bench, creative, demo, measure, plan, scene
from openslot_spec.errors import OpenSlotError, exit_code

__all__ = ["app", "main"]

app = typer.Typer(
    name="openslot",
    help="Open ad slots for 3D worlds: slots in glTF scenes, honest impressions, a placement server.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _say_version(asked: bool) -> None:  # noqa: FBT001  the command line calls it
    if asked:
        typer.echo(f"openslot {installed('openslot')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Say which version this is.")
    ] = False,
) -> None:
    """Take what may stand before a command."""


app.command("demo", context_settings=demo.PASS_ON, add_help_option=False)(demo.demo)
app.add_typer(scene.app, name="scene")
app.add_typer(creative.app, name="creative")
app.command("measure")(measure.measure)
app.command("exposure")(measure.exposure)
app.command("plan")(plan.plan)
app.command("bench")(bench.bench)

WITHOUT_SERVER = frozenset({"demo", "scene", "creative", "measure", "exposure", "plan", "bench"})
"""Commands that need neither the server's packages nor the half second that they take to load."""


def main() -> None:
    """Run the command line; a refusal becomes one line and an exit code."""
    if not WITHOUT_SERVER.intersection(sys.argv[1:2]):
        _add_server_commands()
    try:
        app(prog_name="openslot")
    except OpenSlotError as error:
        sys.stderr.write(f"openslot: {error}\n")
        sys.exit(exit_code(error.code))
    except SystemExit as end:
        # the reader of a pipe went away, as `head` does: typer calls that a failure
        sys.exit(0 if isinstance(end.__context__, BrokenPipeError) else end.code)


def _add_server_commands() -> None:
    try:
        from openslot_server.cli import audit, keys, ledger, peer, report, serve, simulate, why
    except ModuleNotFoundError as error:
        sys.stderr.write(f"openslot: the server's commands need {error.name}: pip install 'openslot[server]'\n")
        return
    app.command("serve")(serve.serve)
    app.command("report")(report.report)
    app.command("why")(why.why)
    app.command("simulate")(simulate.simulate)
    app.command("audit")(audit.audit)
    app.add_typer(ledger.app, name="ledger")
    app.add_typer(keys.app, name="keys")
    app.add_typer(peer.app, name="peer")
