"""Pictures of figures: a heat map in the colours of heat, in the shape of its board, with what its colours mean."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

__all__ = ["heat_picture"]

Floats = NDArray[np.float64]

SIDE_PX, LEGEND_PX, MARGIN_PX = 640, 28, 8
COLOURS = np.array([(8, 8, 32), (86, 20, 110), (187, 55, 84), (249, 142, 9), (252, 255, 200)], np.float64)
"""From nothing to the most, evenly."""


def heat_picture(seconds: Floats, size: tuple[float, float], title: str) -> bytes:
    """Return a PNG of `seconds` (rows, columns; row 0 at the bottom) on a board of `size` metres, and a legend."""
    most = float(seconds.max())
    width, height = (max(1, round(SIDE_PX * side / max(size))) for side in size)
    board = _coloured(seconds[::-1] / most if most > 0 else seconds).resize((width, height), Image.Resampling.NEAREST)
    whole = Image.new("RGB", (max(width, SIDE_PX) + 2 * MARGIN_PX, height + LEGEND_PX + 3 * MARGIN_PX), "white")
    whole.paste(board, (MARGIN_PX, MARGIN_PX))
    _legend(whole, height + 2 * MARGIN_PX, f"{title}: 0 to {most:.3g} s a visit")
    data = io.BytesIO()
    whole.save(data, "PNG")
    return data.getvalue()


def _coloured(shares: Floats) -> Image.Image:
    stops = np.linspace(0, 1, len(COLOURS))
    channels = [np.interp(shares, stops, COLOURS[:, channel]) for channel in range(3)]
    return Image.fromarray(np.stack(channels, axis=2).astype(np.uint8))


def _legend(picture: Image.Image, top: int, text: str) -> None:
    bar = _coloured(np.linspace(0, 1, 128)[None]).resize((128, LEGEND_PX - MARGIN_PX))
    picture.paste(bar, (MARGIN_PX, top))
    ImageDraw.Draw(picture).text((128 + 2 * MARGIN_PX, top), text, fill="black", font_size=16)
