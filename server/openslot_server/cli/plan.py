"""`openslot plan`: what slots would earn before anything hangs, and where a board would earn most."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from openslot_server.cli.files import numbers, print_json, read, read_json
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.paths import Paths

if TYPE_CHECKING:  # the command line starts without numpy
    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

    from openslot_gltf import Mode
    from openslot_view.spots import Size, Spots

__all__ = ["plan"]

VISITORS = 100
DEFAULT_PROFILE = "iig-2.0-display"
SIDES_M = (0.1, 100.0)

Row = dict[str, Any]


def plan(
    scene: Annotated[Path, typer.Argument(help="The scene: .glb or self-contained .gltf.")],
    paths: Annotated[Path | None, typer.Option(help="Where visitors walk and look: JSON as schema/paths.json.")] = None,
    walkers: Annotated[
        int | None, typer.Option(min=1, max=10_000, help=f"Invent so many visitors; {VISITORS} unless --paths.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long an invented visit lasts.")] = 120.0,
    profile_name: Annotated[str | None, typer.Option("--profile", help="Instead of each slot's own.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed invents other visitors.")] = 0,
    suggest: Annotated[int, typer.Option(min=0, max=20, help="Suggest so many places for a board.")] = 0,
    size: Annotated[str, typer.Option(help="w,h of that board in metres.")] = "2,1",
    hides: Annotated[
        list[str] | None,
        typer.Option("--hides", metavar="NODE=MODE", help="How a node hides: opaque, ignore, cutout."),
    ] = None,
    heat: Annotated[
        Path | None, typer.Option(help="Folder for pictures of which part of each slot is seen, and how long.")
    ] = None,
    backend: Annotated[str, typer.Option(help="auto, numpy or numba.")] = "auto",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what each slot would earn before anything hangs, why visits would not count, and what is in the way."""
    if paths is not None and walkers is not None:
        raise OpenSlotError(Code.ARGUMENT_INVALID, "there are walkers, or paths of real ones", where="--walkers")
    board = _size(size)
    written = Paths.parse(read_json(paths), Code.PATHS_INVALID) if paths is not None else None
    from openslot_gltf import read_document
    from openslot_server.cli.forecast import Crowd, Scene, forecasts, heats, suggested

    stage = Scene.of(read_document(read(scene)), _modes(hides or []))
    if not (stage.slots or suggest):
        raise OpenSlotError(Code.SCENE_WITHOUT_SLOTS, "or let --suggest say where one would earn most")
    people, used = Crowd(written, walkers or VISITORS, seconds, seed), _ready(backend)
    answer: dict[str, Any] = {"visits": people.visits}
    whole = stage
    if suggest:
        rules = profile_name or DEFAULT_PROFILE
        spots = suggested(stage, people, rules, (suggest, board), used, _say)
        whole = stage.with_boards(spots, rules)
    rows = forecasts(whole, people, profile_name, used, _say)
    if suggest:
        answer["suggestions"] = _places(spots, rows[len(stage.slots) :], stage.occluders.names, scene)
    answer["slots"] = rows[: len(stage.slots)]
    if heat is not None:
        sizes = {item.slot.id: item.slot.size for item in whole.slots}
        answer["heat"] = _pictures(heats(whole, people, profile_name, used, _say), sizes, heat)
    if as_json:
        print_json(answer)
    else:
        _show(answer)


def _modes(words: list[str]) -> dict[str, Mode]:
    """Return the modes by node; what they are is checked where the scene is read."""
    pairs = [word.rpartition("=") for word in words]
    for word, (name, _, _) in zip(words, pairs, strict=True):
        if not name:
            raise OpenSlotError(Code.ARGUMENT_INVALID, f"{word!r:.80} is not NODE=MODE", where="--hides")
    return {name: cast("Mode", mode) for name, _, mode in pairs}


def _size(text: str) -> Size:
    width, height = numbers(text, 2, "--size")
    if not all(SIDES_M[0] <= side <= SIDES_M[1] for side in (width, height)):
        raise OpenSlotError(Code.ARGUMENT_INVALID, f"{text}: sides are {SIDES_M[0]} to {SIDES_M[1]} m", where="--size")
    return width, height


def _ready(backend: str) -> str:
    """Return the backend's name; `auto` is the fastest one, made ready."""
    from openslot_view import backends, warm_up

    if backend != "auto":
        return backends.choose(backend).name
    _say("making ready what measures (the first time on a machine, half a minute)")
    return warm_up().name


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _places(spots: Spots, rows: list[Row], names: Mapping[int, str], scene: Path) -> list[Row]:
    """Return the rows of suggested boards with their places, and the command that hangs each."""
    places = zip(spots.position.tolist(), spots.facing.tolist(), spots.owner.tolist(), rows, strict=True)
    found = []
    for position, facing, owner, row in places:
        words = {"id": row["slot"], "at": _vector(position), "size": _vector(spots.size), "facing": _vector(facing)}
        options = " ".join(f"--{name}={word}" for name, word in words.items())
        command = f"openslot scene add-slot {shlex.quote(str(scene))} {options} -o {row['slot']}.glb"
        place = {
            "position": [float(part) for part in words["at"].split(",")],
            "facing": [float(part) for part in words["facing"].split(",")],
            "size": list(spots.size),
            "wall": names.get(owner, ""),
        }
        found.append({**place, "command": command, **row})
    return found


def _pictures(maps: Mapping[str, NDArray[np.float64]], sizes: Mapping[str, Size], folder: Path) -> Row:
    """Write one picture a slot; return the files by slot."""
    from openslot_server.cli.pictures import heat_picture

    files = {name: folder / f"{name}.png" for name in maps}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in files.items():
            file.write_bytes(heat_picture(maps[name], sizes[name], name))
    except OSError as error:
        raise OpenSlotError(Code.STORAGE_FAILED, error.strerror or str(error), where=str(folder)) from None
    return {name: str(file) for name, file in files.items()}


def _vector(parts: Iterable[float]) -> str:
    return ",".join(f"{round(part, 3) + 0.0:.12g}" for part in parts)


def _show(answer: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console()
    for title, rows in (("slot", answer["slots"]), ("suggested", answer.get("suggestions", []))):
        if rows:
            console.print(_table(title, rows, answer["visits"]))
    for row in answer.get("suggestions", []):
        place = f"on {row['wall']}" if row["wall"] else "standing free, out of the visitors' way"
        console.print(f"# {row['slot']}, {place}\n{row['command']}", highlight=False, markup=False, soft_wrap=True)
    for file in answer.get("heat", {}).values():
        console.print(f"heat: {file}", highlight=False, markup=False, soft_wrap=True)
    if answer.get("suggestions") == []:
        console.print("no place was found where a board of this size would bring an impression")


def _table(title: str, rows: list[Row], visits: int) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table

    heads = ("of 1,000", "95 %", "an hour", "s a visit")
    figures = (Column(name, justify="right", no_wrap=True) for name in heads)
    table = Table(
        Column(title, no_wrap=True),
        *figures,
        "why not",
        "costs most",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        caption=f"impressions of 1,000 visits, and an hour with {visits} visitors always there; s while the gate holds",
        caption_justify="left",
    )
    for row in sorted(rows, key=lambda row: -float(row["counted_share"])):
        share, seconds = row["impressions_per_1000_visits"], row["exposure_s_per_visit"]
        table.add_row(
            row["slot"],
            f"{share['mean']:,.0f}",
            f"{share['low']:,.0f}–{share['high']:,.0f}",
            f"{row['impressions_per_hour']['mean']:,.0f}",
            f"{seconds['mean']:.1f}",
            "".join(f"{name.replace('_', ' ')} {part:.0%}" for name, part in [*row["why_not"].items()][:1]),
            _worst(row["occluders"]),
        )
    return table


def _worst(occluders: list[Row]) -> str:
    for cost in occluders:
        impressions, seconds = cost["impressions_per_1000_visits"], cost["exposure_s_per_visit"]
        if impressions >= 0.5 or seconds >= 0.05:
            return f"{cost['name']} −{impressions:,.0f}" if impressions >= 0.5 else f"{cost['name']} −{seconds:.1f} s"
    return ""
