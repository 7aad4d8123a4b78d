"""`openslot scene`: the ad slots of a glTF scene."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

import typer

from openslot_gltf import SceneSlot, embed, read_document, scene_geometry, scene_slots, triangles_around, write_glb
from openslot_gltf import slots as slot_nodes
from openslot_server.cli.files import numbers, print_json, read, write
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import SlotTerms

__all__ = ["app"]

app = typer.Typer(help="List, add and fill the ad slots of a glTF scene.", no_args_is_help=True)

RADIUS_SIZES = 10.0
"""Occluders are counted within this many times the slot's longer side."""

Scene = Annotated[Path, typer.Argument(help="The scene: .glb or self-contained .gltf.")]
Output = Annotated[Path, typer.Option("-o", "--output", help="Where the new .glb goes.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def slots(scene: Scene, *, as_json: JsonFlag = False) -> None:
    """List the slots: where they stand, how large they are, how much stands around them."""
    document = read_document(read(scene))
    found = scene_slots(document)
    geometry = scene_geometry(document)
    rows = [
        {**_plain(item), "occluder_triangles": triangles_around(geometry, item.slot, _radius(item))}
        for item in found.slots
    ]
    problems = [{"code": error.code.value, "where": error.where, "message": str(error)} for error in found.problems]
    if as_json:
        print_json({"slots": rows, "problems": problems})
    elif rows or problems:
        _table(rows, problems)
    found.require()


@app.command("add-slot")
def add_slot(
    scene: Scene,
    slot_id: Annotated[str, typer.Option("--id", help="The slot's id, unique in the scene.")],
    at: Annotated[str, typer.Option(help="x,y,z of the slot's centre, in metres.")],
    size: Annotated[str, typer.Option(help="w,h in metres.")],
    output: Output,
    facing: Annotated[str, typer.Option(help="x,y,z: which way it looks.")] = "0,0,1",
    *,
    as_json: JsonFlag = False,
) -> None:
    """Write the scene with one more slot."""
    terms = SlotTerms.parse({"id": slot_id, "size": numbers(size, 2, "--size")}, Code.SLOT_INVALID)
    x, y, z = numbers(at, 3, "--at")
    to_x, to_y, to_z = numbers(facing, 3, "--facing")
    document = slot_nodes.add_slot(read_document(read(scene)), terms, (x, y, z), (to_x, to_y, to_z))
    data = write_glb(document)
    write(output, data)
    added = _plain(scene_slots(document).find(slot_id))
    if as_json:
        print_json({"slot": added, "output": str(output), "bytes": len(data)})
    else:
        typer.echo(f"{output}: slot {slot_id} added, {size.replace(',', ' × ')} m at {at}, facing {facing}")


@app.command("embed")
def embed_creative(
    scene: Scene,
    slot: Annotated[str, typer.Option(help="The id of the slot to fill.")],
    creative: Annotated[Path, typer.Option(help="The creative: .glb or self-contained .gltf.")],
    output: Output,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Write the scene with a creative fitted into one slot."""
    content = read(creative)
    document = read_document(read(scene))
    data = write_glb(embed(document, slot, _creative(content, creative), hashlib.sha256(content).hexdigest()))
    write(output, data)
    if as_json:
        print_json({"slot": slot, "creative": str(creative), "output": str(output), "bytes": len(data)})
    else:
        typer.echo(f"{output}: {creative.name} stands in slot {slot}")


def _creative(content: bytes, path: Path) -> Any:
    try:
        return read_document(content)
    except OpenSlotError as error:
        code = Code.CREATIVE_REFUSED if error.code is Code.GLTF_REFUSED else error.code
        raise OpenSlotError(code, error.detail, where=f"{path}{error.where}") from None


def _plain(item: SceneSlot) -> dict[str, Any]:
    return {**item.slot.plain(), "node": item.node, "source": item.source}


def _radius(item: SceneSlot) -> float:
    return RADIUS_SIZES * max(item.slot.size)


def _table(rows: list[dict[str, Any]], problems: list[dict[str, str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Column, Table

    names = ("slot", "size m", "position", "faces", "read from", "triangles around")
    table = Table(*(Column(name, no_wrap=name == "slot") for name in names), box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(
            row["id"],
            " × ".join(f"{side:.3g}" for side in row["size"]),
            _vector(row["pose"]["position"]),
            _vector(_forward(row["pose"]["rotation"])),
            row["source"],
            str(row["occluder_triangles"]),
        )
    console = Console()
    console.print(table)
    for problem in problems:
        console.print(f"[red]not a slot[/red] {problem['message']}", highlight=False)


def _forward(rotation: list[float]) -> list[float]:
    """Return where +Z goes under a unit quaternion x, y, z, w."""
    x, y, z, w = rotation
    return [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)]


def _vector(parts: list[float]) -> str:
    return " ".join(f"{part:.1f}" for part in parts)
