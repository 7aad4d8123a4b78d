"""`openslot creative`: what the gate says of a creative."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from openslot_gltf.rules import NOT_READ
from openslot_server.cli import review
from openslot_server.cli.files import print_json, read, read_json
from openslot_server.cli.optimise import optimise
from openslot_server.cli.preview import preview
from openslot_server.creatives.khronos import second_opinion
from openslot_server.creatives.sandbox import Sandbox
from openslot_server.creatives.verdict import Finding, Tier, Verdict
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import Slot, SlotTerms

__all__ = ["app"]

app = typer.Typer(help="Check creatives before they are uploaded.", no_args_is_help=True)
COLOURS = {"error": "red", "warning": "yellow", "repaired": "cyan"}


app.command()(preview)
app.command()(optimise)
app.add_typer(review.app, name="review")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The creative.")],
    tier: Annotated[
        Literal["S", "M", "L"] | None, typer.Option(help="The budget it must keep; the slot's, else M.")
    ] = None,
    slot: Annotated[Path | None, typer.Option(help="A slot's record or terms in JSON: its own rules hold too.")] = None,
    *,
    khronos: Annotated[bool, typer.Option(help="Ask the Khronos validator too, where Node has it.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether a creative is accepted (exit 0), or what is wrong with it (exit 1; 2 if it cannot be read).

    It is examined in a process of its own, as a server does, and none of it is shown or kept.
    """
    data, terms = read(file), None if slot is None else _terms(read_json(slot))
    held: Tier = tier or (terms.accepts.tier if terms else "M")
    verdict = asyncio.run(_judged(data, held, terms))
    served = verdict.repaired or data
    opinion = second_opinion(served) if khronos and verdict.accepted and served.startswith(b"glTF") else None
    verdict = _heard(verdict, opinion or ())
    if as_json:
        print_json(_plain(file, held, verdict) | {"khronos": opinion is not None})
    else:
        _show(file, held, verdict)
    if not verdict.accepted:
        raise typer.Exit(2 if verdict.first_error().code in NOT_READ else 1)


async def _judged(data: bytes, tier: Tier, slot: SlotTerms | None) -> Verdict:
    sandbox = Sandbox()
    try:
        return await sandbox.check(data, tier, slot)
    finally:
        await sandbox.close()


def _terms(record: Any) -> SlotTerms:
    """Return a slot's terms, with or without its pose, or of the one slot in a list of them; raises FILE_INVALID."""
    if isinstance(record, dict) and isinstance(record.get("slots"), list):
        record = record["slots"]
    if isinstance(record, list):
        if len(record) != 1:
            raise OpenSlotError(Code.FILE_INVALID, f"{len(record)} slots; keep the one that the creative is for")
        record = record[0]
    kind = Slot if isinstance(record, dict) and "pose" in record else SlotTerms
    return kind.parse(record, Code.FILE_INVALID)


def _heard(verdict: Verdict, opinion: tuple[Finding, ...]) -> Verdict:
    """Return the verdict with the second opinion under it; an error there refuses the file, too."""
    wrong = any(finding.severity == "error" for finding in opinion)
    findings = (*verdict.findings, *opinion)
    return verdict.model_copy(update={"accepted": verdict.accepted and not wrong, "findings": findings})


def _plain(file: Path, tier: str, verdict: Verdict) -> dict[str, Any]:
    listed = [finding.plain() for finding in verdict.findings]
    said = {"file": str(file), "tier": tier, "accepted": verdict.accepted, "findings": listed}
    shown = verdict.model_dump(
        mode="json", include={"stats", "placed", "video"}, exclude={"stats": {"likeness"}}, exclude_none=True
    )
    return said | shown


def _shown(text: str) -> str:
    """Return text of a stranger's file as a terminal may have it: no control characters, no markup."""
    from rich.markup import escape

    return escape("".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text))


def _show(file: Path, tier: str, verdict: Verdict) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    said = "[green]accepted[/green]" if verdict.accepted else "[red]refused[/red]"
    console.print(f"{file.name}: {said} in tier {tier}")
    for finding in verdict.findings:
        colour = COLOURS[finding.severity]
        console.print(f"  [{colour}]{finding.severity}[/{colour}] {finding.code} at {_shown(finding.pointer) or '/'}")
        console.print(f"    {_shown(finding.message)}")
    if verdict.placed is not None:
        size = " × ".join(f"{side:.3g}" for side in verdict.placed.size)
        console.print(f"  it stands {size} m in the slot")
