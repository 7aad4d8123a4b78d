"""`openslot demo`: hands over to the demo, which runs real servers and worlds as processes of their own."""

from __future__ import annotations

import os
import sys

import typer

__all__ = ["PASS_ON", "demo"]

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Server and SDK never meet in one program, so the demo is another one; its options are its own (`--help` too)."""


def demo(context: typer.Context) -> None:
    """Run three worlds, a server, advertisers and walkers, live, and print the ledger's report."""
    os.execv(sys.executable, [sys.executable, "-m", "openslot_demo", *context.args])  # noqa: S606  our own module
