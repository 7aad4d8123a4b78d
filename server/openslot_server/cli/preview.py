"""`openslot creative preview`: what a creative looks like in its slot."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from openslot_server.cli.files import print_json, read, write
from openslot_server.creatives.sandbox import Sandbox
from openslot_server.creatives.verdict import Tier, Verdict
from openslot_spec.errors import Code, OpenSlotError

if TYPE_CHECKING:
    from openslot_server.previews.preview import View
    from openslot_server.previews.renderer import Renderer

__all__ = ["accepted", "facts", "preview"]

FRAMES, FRAME_PX = 36, 420
Moving = Literal["GIF", "WEBP"]
MOVING: dict[str, Moving] = {".gif": "GIF", ".webp": "WEBP"}


def preview(
    file: Annotated[Path, typer.Argument(help="The creative.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="A .png sheet, or the turntable alone as .webp or .gif.")
    ],
    scene: Annotated[Path | None, typer.Option(help="A world's scene; without it, a plain room.")] = None,
    slot: Annotated[str | None, typer.Option(help="The id of the scene's slot.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Draw a creative in its slot as viewers 3, 6 and 12 m away would see it, and turned round.

    The share of the screen is the slot's, as impressions are measured by it.
    """
    from openslot_server.previews.preview import drawn
    from openslot_server.previews.renderer import Renderer
    from openslot_server.previews.sheet import caption, sheet
    from openslot_server.previews.stage import scene_stage

    if (scene is None) != (slot is None):
        raise OpenSlotError(Code.ARGUMENT_INVALID, "a scene and a slot in it belong together", where="--scene, --slot")
    if output.suffix.lower() not in {".png", *MOVING}:
        raise OpenSlotError(Code.ARGUMENT_INVALID, "it ends with .png, .webp or .gif", where="--output")
    data = read(file)
    stage = scene_stage(read(scene), slot) if scene and slot else None
    verdict = accepted(data, "L")
    served, shown = verdict.repaired or data, verdict.poster or verdict.repaired or data
    views: tuple[View, ...] = ()
    with Renderer() as renderer:
        if output.suffix.lower() == ".png":
            pictures = drawn(renderer, shown, verdict.media_type, stage)
            views = pictures.views
            write(output, sheet(pictures, file.name, facts(served, verdict)))
        else:
            write(output, _turning(renderer, shown, verdict, MOVING[output.suffix.lower()]))
    if as_json:
        print_json({"file": str(file), "output": str(output), "views": [_plain(view) for view in views]})
    else:
        typer.echo("\n".join([f"{output}: {file.name}, {facts(served, verdict)}", *map(caption, views)]))


def _turning(renderer: Renderer, shown: bytes, verdict: Verdict, kind: Moving) -> bytes:
    from openslot_server.previews.preview import as_document, turned
    from openslot_server.previews.sheet import moving

    return moving(turned(renderer, as_document(shown, verdict.media_type), FRAMES, FRAME_PX), kind)


def _plain(view: View) -> dict[str, float]:
    return {
        "distance_m": view.distance_m,
        "screen_share": view.screen_share,
        "visible_fraction": view.visible_fraction,
    }


def accepted(data: bytes, tier: Tier) -> Verdict:
    """Return the gate's verdict; raises CREATIVE_REFUSED with its first finding for what it does not accept."""
    verdict = asyncio.run(_judged(data, tier))
    if not verdict.accepted:
        first = verdict.first_error()
        raise OpenSlotError(Code.CREATIVE_REFUSED, f"{first.code}: {first.message}", where=first.pointer)
    return verdict


def facts(data: bytes, verdict: Verdict) -> str:
    """Return in one line what an accepted creative is and costs."""
    kind = {"model/gltf-binary": "GLB"}.get(verdict.media_type, verdict.media_type.partition("/")[2].upper())
    stats = verdict.stats
    assert stats is not None  # noqa: S101  it was accepted
    if verdict.video is not None:
        video = verdict.video
        size = f"{video.width_px} × {video.height_px} px"
        return f"{kind} · {len(data) / 1000:,.0f} KB · {size} · {video.duration_ms / 1000:.1f} s · tier {stats.tier}"
    counts = f" · {stats.triangles:,} triangles · {stats.draws} draws" if kind == "GLB" else ""
    return f"{kind} · {len(data) / 1000:,.0f} KB{counts} · tier {stats.tier}"


async def _judged(data: bytes, tier: Tier) -> Verdict:
    sandbox = Sandbox()
    try:
        return await sandbox.check(data, tier)
    finally:
        await sandbox.close()
