"""`openslot serve`: the placement server, until it is told to stop."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from openslot_server import logs
from openslot_server.cli.files import print_json
from openslot_server.config import Settings
from openslot_server.run import serve as run

__all__ = ["serve"]


def serve(
    config: Annotated[Path | None, typer.Option(help="Settings in TOML; OPENSLOT_* variables go before them.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen at.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes any free one.")] = None,
    database: Annotated[Path | None, typer.Option(help="The SQLite file; made if it is not there.")] = None,
    operator_key: Annotated[
        str | None, typer.Option(help="The operator's API key; made and shown if left out.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Say `ready` as one JSON line.")] = False,
) -> None:
    """Serve worlds over WebSocket and advertisers over REST, on one port.

    Ends with 0 after SIGINT or SIGTERM, 2 for settings that are not valid, 3 for a port in use or a store that fails,
    also later: let whatever supervises it start it again. Worlds keep what was not acknowledged.
    """
    given = {"host": host, "port": port, "database": database, "operator_key": operator_key}
    settings = Settings.read(config, **given)
    logs.configure(settings.log_level)
    run(settings, _say_json if as_json else _say)


def _say(address: str, operator_key: str | None) -> None:
    if operator_key is not None:
        sys.stdout.write(f"openslot serve: the operator's key, shown this once: {operator_key}\n")
    sys.stdout.write(f"openslot serve: ready at {address}\n")
    sys.stdout.flush()


def _say_json(address: str, operator_key: str | None) -> None:
    print_json({"ready": address} | ({"operator_key": operator_key} if operator_key else {}))
    sys.stdout.flush()
