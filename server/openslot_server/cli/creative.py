"""`openslot creative`: what the gate says of a creative."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from openslot_gltf import Verdict
from openslot_gltf import check as gate
from openslot_server.cli.files import print_json, read
from openslot_spec.errors import Code

__all__ = ["app"]

app = typer.Typer(help="Check creatives before they are uploaded.", no_args_is_help=True)
COLOURS = {"error": "red", "warning": "yellow", "repaired": "cyan"}


@app.callback()
def creative() -> None:
    """Keep `check` a command of its own."""


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The creative: .glb or self-contained .gltf.")],
    tier: Annotated[Literal["S", "M", "L"], typer.Option(help="The budget it must keep.")] = "M",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether the gate accepts a creative (exit 0) or what is wrong with it (exit 1; 2 if it is no glTF)."""
    verdict = gate(read(file), tier)
    if as_json:
        findings = [{**asdict(finding), "code": finding.code.value} for finding in verdict.findings]
        print_json({"file": str(file), "tier": tier, "accepted": verdict.accepted, "findings": findings})
    else:
        _show(file, tier, verdict)
    refusal = verdict.refusal()
    if refusal is not None:
        raise typer.Exit(2 if refusal.error().code is Code.GLTF_NOT_READ else 1)


def _show(file: Path, tier: str, verdict: Verdict) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    said = "[green]accepted[/green]" if verdict.accepted else "[red]refused[/red]"
    console.print(f"{file.name}: {said} in tier {tier}")
    for finding in verdict.findings:
        colour = COLOURS[finding.severity]
        console.print(f"  [{colour}]{finding.severity}[/{colour}] {finding.code} at {finding.pointer or '/'}")
        console.print(f"    {finding.message}")
