"""`openslot creative optimise`: a creative made small enough for a tier."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import typer

from openslot_server.cli.files import print_json, read, write
from openslot_server.creatives.khronos import second_opinion
from openslot_server.creatives.kinds import is_video
from openslot_server.creatives.sandbox import Sandbox, SandboxLimits
from openslot_server.creatives.verdict import Tier, Verdict
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import MediaType

if TYPE_CHECKING:
    from openslot_server.optimise.search import Cost
    from openslot_server.previews.renderer import Pixels, Renderer

__all__ = ["optimise"]

LIMITS = SandboxLimits(wall_s=20.0, memory_bytes=3 << 30, result_bytes=200_000_000)
MODEL: MediaType = "model/gltf-binary"
KINDS: dict[str, MediaType] = {
    ".glb": MODEL,
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
}
PICTURE_PX, SIDES_DEG = 400, ((0.0, 0.0), (35.0, 12.0))


@dataclass(slots=True)
class _Made:
    """The files of one run: by what they are, with what each costs."""

    media_type: MediaType
    """Of what fits; the file as it came may be another kind of image."""
    files: dict[str, bytes] = field(default_factory=dict)
    costs: dict[str, Cost] = field(default_factory=dict)
    change: float | None = None
    """Of the picture, mean difference of a value of 255."""

    def add(self, name: str, data: bytes) -> None:
        from openslot_server.optimise.search import cost_of

        self.files[name], self.costs[name] = data, cost_of(data, self.media_type)


def optimise(
    file: Annotated[Path, typer.Argument(help="The creative.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the smaller one goes.")],
    tier: Annotated[Literal["S", "M", "L"], typer.Option(help="The budget it is to keep.")] = "M",
    *,
    lods: Annotated[bool, typer.Option("--lods", help="Also write NAME.half.glb and NAME.card.glb.")] = False,
    picture: Annotated[bool, typer.Option(help="Also draw NAME.compared.png, where a renderer is.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a creative smaller until it fits its tier, changing its look as little as that takes (exit 1: it cannot).

    What is written has passed the gate and, where Node has it, the Khronos validator; it is never larger than FILE.
    """
    data = read(file)
    if is_video(data):
        raise OpenSlotError(Code.CREATIVE_REFUSED, "videos are not coded anew here; export it smaller", where=str(file))
    plain = _plain(data)
    wanted = KINDS.get(output.suffix.lower(), plain.media_type)
    if (wanted == MODEL) != (plain.media_type == MODEL):
        raise OpenSlotError(Code.ARGUMENT_INVALID, f"{file.name} is {plain.media_type}", where="--output")
    made = _made(data, plain, wanted, tier)
    _draw_and_reduce(made, file.name, output, lods=lods, picture=picture)
    for name, content in made.files.items():
        if name != "before":
            write(_beside(output, name), content)
    if as_json:
        print_json(_said(made, output, tier))
        return
    for name, cost in made.costs.items():
        typer.echo(f"{_beside(output, name) if name != 'before' else file}: {name}, {_line(cost)}")
    if made.change is not None:
        typer.echo(f"the picture changes by {made.change:.2f} of 255")


def _plain(data: bytes) -> Verdict:
    """Return the file read in a sandbox, as plain bytes; raises CREATIVE_REFUSED for what is not sound at any size."""
    from openslot_server.optimise.opening import SANDBOX

    async def opened() -> Verdict:
        sandbox = Sandbox(LIMITS, SANDBOX)
        try:
            return await sandbox.check(data, "L")
        finally:
            await sandbox.close()

    verdict = asyncio.run(opened())
    if not verdict.accepted:
        first = verdict.first_error()
        raise OpenSlotError(Code.CREATIVE_REFUSED, f"{first.code}: {first.message}", where=first.pointer)
    return verdict


def _made(data: bytes, plain: Verdict, wanted: MediaType, tier: Tier) -> _Made:
    """Return the file as it came and as it fits; what came is kept where nothing that was made is smaller."""
    from openslot_server.optimise.search import smaller_image, smaller_model

    if plain.media_type == MODEL:
        smaller = smaller_model(plain.repaired, tier, _is_sound)
    else:
        smaller = smaller_image(plain.repaired, plain.media_type, wanted, tier)
    if len(smaller) > len(data) and wanted == plain.media_type:
        raise OpenSlotError(Code.CREATIVE_REFUSED, "nothing smaller than the file is plain; upload it as it is")
    made = _Made(wanted)
    made.add("before", plain.repaired)
    made.costs["before"] = replace(made.costs["before"], bytes=len(data))
    made.add("full", smaller)
    return made


def _draw_and_reduce(made: _Made, title: str, output: Path, *, lods: bool, picture: bool) -> None:
    from openslot_gltf import read_document
    from openslot_server.optimise.lods import card, half
    from openslot_server.previews.renderer import Renderer

    if not lods and not picture:
        return
    with Renderer() as renderer:
        try:
            if lods and made.media_type == MODEL:
                document = read_document(made.files["full"])
                made.add("half", half(document))
                made.add("card", card(renderer, document))
            if picture:
                _compare(made, renderer, title, output.with_suffix(".compared.png"))
        except OpenSlotError as error:
            if lods or error.code is not Code.PREVIEW_UNAVAILABLE:
                raise
            typer.echo(f"openslot: no picture: {error}", err=True)


def _compare(made: _Made, renderer: Renderer, title: str, place: Path) -> None:
    from openslot_server.previews.sheet import Column, side_by_side

    pictures = {name: _pictures(renderer, data, made.media_type) for name, data in made.files.items()}
    names = made.files if len(made.files) > 2 else ("before", "after")
    columns = [
        Column(name, _line(made.costs[file]).split(" · "), pictures[file])
        for name, file in zip(names, made.files, strict=True)
    ]
    write(place, side_by_side(columns, title))
    pairs = zip(pictures["before"], pictures["full"], strict=True)
    made.change = float(np.mean([np.abs(one.astype(int) - other).mean() for one, other in pairs]))


def _pictures(renderer: Renderer, data: bytes, media_type: MediaType) -> list[Pixels]:
    from openslot_server.previews.preview import as_document, looked_at

    return looked_at(renderer, as_document(data, media_type), SIDES_DEG, PICTURE_PX)


def _is_sound(data: bytes) -> bool:
    return not any(finding.severity == "error" for finding in second_opinion(data) or ())


def _beside(output: Path, name: str) -> Path:
    return output if name == "full" else output.with_suffix(f".{name}.glb")


def _line(cost: Cost) -> str:
    calls = f"{cost.draws} draw call{'s' if cost.draws != 1 else ''}"
    textures = f"{cost.texture_bytes / 2**20:.1f} MiB of textures"
    return f"{cost.bytes / 1000:,.0f} KB · {cost.triangles:,} triangles · {calls} · {textures}"


def _said(made: _Made, output: Path, tier: str) -> dict[str, Any]:
    files = {name: str(_beside(output, name)) for name in made.files if name != "before"}
    costs = {name: asdict(cost) for name, cost in made.costs.items()}
    changed = {} if made.change is None else {"image_change": made.change}
    return {"tier": tier, "media_type": made.media_type, "files": files, "costs": costs, **changed}
