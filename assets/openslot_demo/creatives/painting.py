"""Pillow brushes for the creatives' boards: gradients, ribbons, clouds, lettering."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

__all__ = ["Canvas", "Lettering"]

_FINE = 2  # painted at twice the size, then reduced: smooth edges
Point = tuple[float, float]


@dataclass(frozen=True)
class Lettering:
    """How a line is lettered: the font's height as a share of the board's; weight and spacing as shares of that."""

    height: float
    color: str
    weight: float = 0.0
    spacing: float = 0.0
    centred: bool = False


class Canvas:
    """A picture being painted; x and y run over 0..1 from the upper left, lengths are shares of its height."""

    def __init__(self, width: int, height: int, stops: Sequence[tuple[float, str]], *, slant: float = 0.0) -> None:
        self.size = (width * _FINE, height * _FINE)
        self.image = Image.fromarray(_gradient(self.size, stops, slant))

    def layer(self, paint: Callable[[ImageDraw.ImageDraw], None], *, blur: float = 0.0) -> None:
        """Paint over the picture, what is painted softened by `blur`."""
        if not blur:
            paint(ImageDraw.Draw(self.image, "RGBA"))
            return
        clear = Image.new("RGBA", self.size, (0, 0, 0, 0))
        paint(ImageDraw.Draw(clear))
        clear = clear.filter(ImageFilter.GaussianBlur(blur * self.size[1]))
        self.image = Image.alpha_composite(self.image.convert("RGBA"), clear).convert("RGB")

    def disc(self, center: Point, radius: float, color: str, *, blur: float = 0.0) -> None:
        """Paint a disc."""
        (x, y), r = self._at(center), radius * self.size[1]
        self.layer(lambda draw: draw.ellipse((x - r, y - r, x + r, y + r), fill=color), blur=blur)

    def ring(self, center: Point, radius: float, width: float, color: str) -> None:
        """Paint a circle line."""
        (x, y), r, w = self._at(center), radius * self.size[1], max(1, round(width * self.size[1]))
        self.layer(lambda draw: draw.ellipse((x - r, y - r, x + r, y + r), outline=color, width=w))

    def polygon(self, points: Sequence[Point], color: str, *, blur: float = 0.0) -> None:
        """Paint a filled polygon."""
        self.layer(lambda draw: draw.polygon([self._at(p) for p in points], fill=color), blur=blur)

    def wave(self, base: float, swing: float, period: float, phase: float, color: str, *, blur: float = 0.0) -> None:
        """Paint all below a wave about y = `base`."""
        xs = np.linspace(0.0, 1.0, 120)
        crest = [
            (
                float(x),
                base + swing * math.sin(2 * math.pi * (x / period + phase)) + swing * 0.4 * math.sin(5.3 * x + phase),
            )
            for x in xs
        ]
        self.polygon([*crest, (1.0, 1.1), (0.0, 1.1)], color, blur=blur)

    def ribbon(self, base: float, swing: float, width: float, phase: float, color: str) -> None:
        """Paint a soft band of light that winds from left to right."""
        xs = np.linspace(-0.05, 1.05, 120)
        middle = [
            base + swing * math.sin(2 * math.pi * x * 0.8 + phase) + swing * 0.35 * math.sin(11 * x + phase) for x in xs
        ]
        upper = [(float(x), y - width * (0.6 + 0.4 * math.sin(7 * x + phase))) for x, y in zip(xs, middle, strict=True)]
        lower = [(float(x), y) for x, y in zip(xs, middle, strict=True)]
        self.polygon([*upper, *reversed(lower)], color, blur=0.02)

    def cloud(self, center: Point, size: float, color: str) -> None:
        """Paint a flat cloud of overlapping discs on a straight base."""
        cx, cy = center
        share = self.size[1] / self.size[0]
        for dx, dy, r in ((-0.9, 0.0, 0.42), (-0.35, -0.28, 0.55), (0.3, -0.18, 0.48), (0.85, 0.04, 0.38)):
            self.disc((cx + dx * size * share, cy + dy * size), r * size, color)
        x0, y0 = self._at((cx - 1.3 * size * share, cy - 0.02 * size))
        x1, y1 = self._at((cx + 1.22 * size * share, cy + 0.42 * size))
        self.layer(lambda draw: draw.rounded_rectangle((x0, y0, x1, y1), radius=(y1 - y0) / 2, fill=color))

    def text(self, at: Point, words: str, style: Lettering) -> None:
        """Letter a line whose left or, centred, middle baseline point is given."""
        size = style.height * self.size[1]
        font = ImageFont.load_default(size=size)
        stroke, gap = style.weight * size, style.spacing * size
        x, y = self._at(at)
        if style.centred:
            x -= (font.getlength(words) + gap * (len(words) - 1)) / 2
        starts = itertools.accumulate((font.getlength(mark) + gap for mark in words), initial=x)

        def letter(draw: ImageDraw.ImageDraw) -> None:
            for mark, pen in zip(words, starts, strict=False):
                draw.text((pen, y), mark, style.color, font, "ls", stroke_width=stroke, stroke_fill=style.color)

        self.layer(letter)

    def pill(self, at: Point, words: str, height: float, fill: str, color: str) -> None:
        """Letter a line on a rounded button whose left middle lies at a point."""
        font = ImageFont.load_default(size=height * self.size[1] * 0.5)
        x, y = self._at(at)
        tall, wide = height * self.size[1], font.getlength(words) + height * self.size[1] * 1.1

        def button(draw: ImageDraw.ImageDraw) -> None:
            draw.rounded_rectangle((x, y - tall / 2, x + wide, y + tall / 2), radius=tall / 2, fill=fill)
            draw.text(
                (x + wide / 2, y),
                words,
                font=font,
                fill=color,
                stroke_width=tall * 0.012,
                stroke_fill=color,
                anchor="mm",
            )

        self.layer(button)

    def jpeg(self) -> bytes:
        """Return the picture, reduced to its real size."""
        small = self.image.resize((self.size[0] // _FINE, self.size[1] // _FINE), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        small.save(out, "JPEG", quality=88, subsampling=0, optimize=True)
        return out.getvalue()

    def _at(self, point: Point) -> Point:
        return point[0] * self.size[0], point[1] * self.size[1]


def _gradient(size: tuple[int, int], stops: Sequence[tuple[float, str]], slant: float) -> NDArray[np.uint8]:
    """Return a gradient down the picture, tilted by `slant` (share of the height from the left side to the right)."""
    across, down = np.linspace(-0.5, 0.5, size[0]), np.linspace(0.0, 1.0, size[1])
    along = np.clip(down[:, None] + slant * across, 0.0, 1.0)
    marks = [mark for mark, _ in stops]
    colors = np.array([[int(color[k : k + 2], 16) for k in (1, 3, 5)] for _, color in stops], dtype=np.float64)
    steps = np.linspace(0.0, 1.0, 1024)
    ramp = np.column_stack([np.interp(steps, marks, colors[:, channel]) for channel in range(3)])
    picture: NDArray[np.uint8] = np.rint(ramp).astype(np.uint8)[(along * 1023).astype(np.int32)]
    return picture
