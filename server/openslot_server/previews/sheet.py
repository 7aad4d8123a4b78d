"""One sheet with everything a preview shows, and the turntable as a moving picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

from openslot_server.previews.preview import Preview, View
from openslot_server.previews.renderer import Pixels

__all__ = ["Column", "caption", "moving", "sheet", "side_by_side"]

PAPER, INK, FAINT = (250, 250, 251), (22, 26, 34), (104, 112, 126)
MARGIN_PX, GAP_PX = 28, 16
TITLE_PX, TEXT_PX = 26, 18
LINE_PX = 30
SECONDS_PER_TURN = 6.0


def sheet(preview: Preview, title: str, facts: str) -> bytes:
    """Return a PNG: the title, what each viewer sees with the share of the screen below, and the turntable."""
    views, turns = ([Image.fromarray(pixels) for pixels in row] for row in _rows(preview))
    width = max(_across(row) for row in (views, turns)) + 2 * MARGIN_PX
    top = MARGIN_PX + TITLE_PX + LINE_PX + GAP_PX
    below = top + views[0].height + LINE_PX + GAP_PX
    paper = Image.new("RGB", (width, below + turns[0].height + MARGIN_PX), PAPER)
    draw = ImageDraw.Draw(paper)
    draw.text((MARGIN_PX, MARGIN_PX - 6), title, INK, _font(TITLE_PX))
    draw.text((MARGIN_PX, MARGIN_PX + TITLE_PX + 4), facts, FAINT, _font(TEXT_PX))
    _hang(paper, views, top)
    for index, view in enumerate(preview.views):
        left = MARGIN_PX + index * (views[0].width + GAP_PX)
        draw.text((left, top + views[0].height + 5), caption(view), INK, _font(TEXT_PX))
    _hang(paper, turns, below)
    return _png(paper)


def caption(view: View) -> str:
    """Return how far away, which share of the screen, and how much is hidden if anything is."""
    hidden = "" if view.visible_fraction > 0.999 else f", {view.visible_fraction:.0%} of it to be seen"
    return f"{view.distance_m:g} m away: {view.screen_share:.1%} of the screen{hidden}"


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One creative among others: its name, what it costs in a line each, and its pictures from top to bottom."""

    name: str
    lines: Sequence[str]
    pictures: Sequence[Pixels]


def side_by_side(columns: Sequence[Column], title: str) -> bytes:
    """Return a PNG with the columns beside each other, what each costs below it."""
    rows = [[Image.fromarray(pixels) for pixels in column.pictures] for column in columns]
    wide, high = rows[0][0].width + GAP_PX, sum(picture.height + GAP_PX for picture in rows[0])
    top = MARGIN_PX + TITLE_PX + GAP_PX
    lines = max(len(column.lines) for column in columns) + 1
    size = 2 * MARGIN_PX + wide * len(columns) - GAP_PX, top + high + lines * LINE_PX + MARGIN_PX
    paper = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(paper)
    draw.text((MARGIN_PX, MARGIN_PX - 6), title, INK, _font(TITLE_PX))
    for index, (column, pictures) in enumerate(zip(columns, rows, strict=True)):
        left, at = MARGIN_PX + index * wide, top
        for picture in pictures:
            paper.paste(picture, (left, at))
            at += picture.height + GAP_PX
        draw.text((left, at), column.name, INK, _font(TEXT_PX + 2))
        for nth, line in enumerate(column.lines, 1):
            draw.text((left, at + nth * LINE_PX), line, FAINT, _font(TEXT_PX))
    return _png(paper)


def moving(turntable: Sequence[Pixels], kind: Literal["GIF", "WEBP"]) -> bytes:
    """Return the turntable as a picture that moves, for ever."""
    frames = [Image.fromarray(pixels) for pixels in turntable]
    out = io.BytesIO()
    still_ms = round(1000 * SECONDS_PER_TURN / len(frames))
    options = {"quality": 85, "method": 2} if kind == "WEBP" else {}
    frames[0].save(out, kind, save_all=True, append_images=frames[1:], duration=still_ms, loop=0, **options)
    return out.getvalue()


def _rows(preview: Preview) -> tuple[list[Pixels], list[Pixels]]:
    return [view.pixels for view in preview.views], [*preview.turntable]


def _across(row: Sequence[Image.Image]) -> int:
    return sum(picture.width for picture in row) + GAP_PX * (len(row) - 1)


def _hang(paper: Image.Image, row: Sequence[Image.Image], top: int) -> None:
    left = MARGIN_PX
    for picture in row:
        paper.paste(picture, (left, top))
        left += picture.width + GAP_PX


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=3)
    return out.getvalue()
