"""The products that stand out of the boards: a cup, a shoe, an aircraft, a globe. About a metre, front toward +Z."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import ArrayLike

from openslot_demo.worlds.mesh import Floats, Mesh, join, linear, quads
from openslot_demo.worlds.shapes import ball, box, extrude, lathe, tube

__all__ = ["aircraft", "bean", "cup", "globe", "loft", "shoe", "steam", "takeaway"]


def loft(sections: ArrayLike) -> Mesh:
    """Return the skin over cross-sections (n, k, 3), each counter-clockwise seen from the first section's outside."""
    rings = np.asarray(sections, dtype=np.float64)
    rows = np.concatenate([rings, rings[:, :1]], axis=1)
    cells = np.stack([rows[:-1, :-1], rows[:-1, 1:], rows[1:, 1:], rows[1:, :-1]], axis=2)
    return quads(cells.reshape(-1, 4, 3)[:, ::-1])


def cup(*, glaze: str = "#fff7ea", band: str = "#e4572e") -> Mesh:
    """Return a cup on a saucer, 0.9 m wide with its handle on the right."""
    wall = [
        (0.2, 0.06),
        (0.24, 0.1),
        (0.31, 0.22),
        (0.355, 0.4),
        (0.37, 0.56),
        (0.385, 0.575),
        (0.365, 0.58),
        (0.34, 0.54),
    ]
    body = lathe(wall, 28, shading="full").painted(glaze).shaded(0.72, 1.0)
    stripe = lathe([(0.3575, 0.4), (0.3685, 0.5)], 28, shading="around").painted(band).scaled(1.012, 1.0, 1.012)
    coffee = lathe([(0.352, 0.545), (0.2, 0.547), (0.0, 0.547)], 28).painted("#4a2617")
    crema = lathe([(0.16, 0.549), (0.1, 0.55), (0.0, 0.55)], 20).painted("#c98d55")
    saucer = lathe(
        [(0.2, 0.02), (0.46, 0.06), (0.5, 0.085), (0.49, 0.1), (0.25, 0.055), (0.0, 0.05)], 28, shading="full"
    )
    angles = np.linspace(-1.25, 1.25, 9)
    curve = [(0.35 + 0.17 * math.cos(a), 0.36 + 0.17 * math.sin(a), 0.0) for a in angles]
    handle = join(tube(a, b, 0.035, 10) for a, b in itertools.pairwise(curve)).painted(glaze).shaded(0.75, 1.0)
    return join([body, stripe, coffee, crema, saucer.painted(glaze).shaded(0.8, 1.0), handle])


def takeaway(*, paper: str, sleeve: str, lid: str = "#2d2320") -> Mesh:
    """Return a paper cup with a sleeve and a lid, 1 m high."""
    body = lathe([(0.2, 0.0), (0.29, 0.86)], 28, shading="around").painted(paper).shaded(0.85, 1.0)
    wrap = lathe([(0.236, 0.26), (0.281, 0.66)], 28, shading="around").painted(sleeve).shaded(0.85, 1.05)
    top = lathe(
        [(0.31, 0.84), (0.31, 0.88), (0.28, 0.9), (0.265, 0.97), (0.25, 0.985), (0.0, 0.975)], 28, shading="around"
    )
    return join([body, wrap, top.painted(lid).shaded(0.9, 1.3)])


def bean(*, color: str = "#5a3220") -> Mesh:
    """Return a coffee bean, 0.3 m long, its crease toward +Z."""
    halves = [ball(0.15, detail=1).scaled(0.46, 1.0, 0.55).moved(x) for x in (-0.052, 0.052)]
    return join(halves).painted(color).shaded(0.75, 1.25)


def steam(*, color: str = "#ffffff", alpha: float = 0.55) -> Mesh:
    """Return three winding ribbons of steam, 0.5 m high, fading upward."""
    t = np.linspace(0.0, 1.0, 14)
    ribbons = []
    for k, x0 in enumerate((-0.14, 0.0, 0.14)):
        x = x0 + 0.05 * np.sin(6.5 * t + 1.3 * k)
        half = 0.022 * np.sin(math.pi * np.clip(t * 0.9 + 0.1, 0, 1))
        left, right = (np.column_stack([x + s * half, 0.5 * t + 0.04 * (k == 1), np.zeros_like(t)]) for s in (-1, 1))
        ribbons.append(quads(np.stack([left[:-1], right[:-1], right[1:], left[1:]], axis=1)))
    mesh = join(ribbons).painted(color)
    mesh.colors[:, 3] = alpha * (1.0 - mesh.positions[:, 1] / 0.56)
    return mesh


def shoe(*, upper: str, sole: str = "#ffffff", accent: str = "#ffd166") -> Mesh:
    """Return a running shoe, 1 m long, its toe toward +X and its outer side toward +Z."""
    x = np.array([-0.5, -0.47, -0.4, -0.3, -0.18, -0.05, 0.08, 0.2, 0.32, 0.42, 0.48, 0.5])
    top = np.array([0.3, 0.37, 0.4, 0.385, 0.375, 0.37, 0.33, 0.265, 0.225, 0.2, 0.16, 0.1])
    wide = np.array([0.05, 0.1, 0.135, 0.145, 0.14, 0.14, 0.15, 0.165, 0.17, 0.15, 0.1, 0.04])
    lift = 0.075 + 0.06 * np.clip((x - 0.25) / 0.25, 0, 1) ** 2
    body = loft(_sections(x, lift, top, wide)).painted(upper).shaded(0.8, 1.12)
    low = lift - 0.075 + 0.03 * np.clip((-0.35 - x) / 0.15, 0, 1) ** 2
    middle = loft(_sections(x * 1.03, low, lift + 0.035, wide * 1.14, square=True)).painted(sole).shaded(0.78, 1.0)
    tread = loft(_sections(x * 1.0, low - 0.02, low + 0.012, wide * 1.05, square=True)).painted(accent)
    collar = lathe([(0.1, 0.0), (0.125, 0.02), (0.1, 0.035), (0.06, 0.0)], 14, shading="around").scaled(1.25, 1, 0.95)
    throat = collar.painted("#2b2b33").turned(-6, "z").moved(-0.315, 0.375)
    return join([body, middle, tread, throat, *_laces(sole), *_swoosh(accent)])


def _sections(x: Floats, low: Floats, top: Floats, wide: Floats, *, square: bool = False) -> Floats:
    angles = np.linspace(0.0, 2 * math.pi, 16, endpoint=False)
    power = 0.35 if square else 0.72
    z, y = (np.sign(f(angles)) * np.abs(f(angles)) ** power for f in (np.sin, np.cos))
    middle, half = (low + top) / 2, (top - low) / 2
    return np.stack(
        [
            np.column_stack([np.full(16, px), m + h * y, w * z])
            for px, m, h, w in zip(x, middle, half, wide, strict=True)
        ]
    )


def _laces(color: str) -> list[Mesh]:
    bars = []
    for k in range(5):
        x, y = -0.1 + 0.075 * k, 0.392 - 0.033 * k
        bars.append(tube((x - 0.03, y - 0.035, 0.115), (x + 0.02, y - 0.005, -0.05), 0.014, 6).painted(color))
    return bars


def _swoosh(color: str) -> list[Mesh]:
    """Return three slanting bars on the outer side."""
    return [
        extrude([(-0.02, 0), (0.025, 0), (0.075, 0.13), (0.03, 0.13)], 0.012)
        .moved(-0.16 + 0.085 * k, 0.145, 0.137 + 0.004 * k)
        .painted(color)
        for k in range(3)
    ]


def aircraft(*, hull: str = "#ffffff", accent: str = "#0f6e84") -> Mesh:
    """Return an airliner, 1 m long, its nose toward +X."""
    profile = [
        (0.0, -0.5),
        (0.028, -0.46),
        (0.05, -0.34),
        (0.066, -0.2),
        (0.07, 0.0),
        (0.07, 0.3),
        (0.062, 0.4),
        (0.04, 0.47),
        (0.0, 0.5),
    ]
    body = lathe(profile, 14, shading="full").turned(-90, "z").painted(hull)
    body = body.shaded(0.72, 1.0)
    wing = [(0.1, 0.0), (0.14, 0.0), (-0.12, 0.5), (-0.18, 0.5), (-0.06, 0.0)]
    parts = [
        body,
        *_wings(wing, 0.016, -0.02, hull),
        *_wings([(x * 0.42 - 0.42, z * 0.36) for x, z in wing], 0.012, 0.03, accent),
    ]
    fin = extrude([(-0.48, 0.05), (-0.34, 0.05), (-0.45, 0.21), (-0.51, 0.21)], 0.014).moved(z=-0.007)
    jets = [
        lathe([(0.028, -0.07), (0.034, 0.05), (0.024, 0.06)], 10).turned(-90, "z").moved(0.03, -0.055, s * 0.17)
        for s in (-1, 1)
    ]
    pane = box(0.56, 0.014, 0.144, bottom=True).moved(0.06, 0.012, 0)
    return join([*parts, fin.painted(accent), join(jets).painted(accent), pane.painted("#1d3b4a")])


def _wings(outline: list[tuple[float, float]], thick: float, y: float, color: str) -> list[Mesh]:
    """Return both wings of an outline in (x, z >= 0)."""
    right = (
        extrude([(x, -z) for x, z in reversed(outline)], thick)
        if _clockwise(outline)
        else extrude([(x, -z) for x, z in outline], thick)
    )
    left = extrude(outline, thick) if _clockwise(outline) else extrude(outline[::-1], thick)
    return [half.turned(-90, "x").moved(y=y).painted(color).shaded(0.85, 1.0) for half in (right, left)]


def _clockwise(outline: list[tuple[float, float]]) -> bool:
    points = np.array(outline)
    ahead = np.roll(points, -1, axis=0)
    return bool((points[:, 0] * ahead[:, 1] - points[:, 1] * ahead[:, 0]).sum() > 0)


def globe(*, sea: str = "#2a86b5", land: str = "#8cc084") -> Mesh:
    """Return a globe of radius 0.5 about the origin, with made-up continents in its facets."""
    sphere = ball(0.5, detail=3)
    middle = sphere.positions.reshape(-1, 3, 3).mean(axis=1) / 0.5
    rng = np.random.default_rng(12)
    waves = rng.normal(size=(9, 3)) * 2.1
    height = np.sin(middle @ waves.T + rng.uniform(0, 6, 9)).sum(axis=1)
    dry = np.repeat(height > 1.1, 3)
    ice = np.repeat(np.abs(middle[:, 1]) > 0.9, 3)
    sphere = sphere.painted(sea)
    sphere.colors[dry] = linear(land)
    sphere.colors[ice] = linear("#f4fbfb")
    return sphere.tinted(np.repeat(rng.uniform(0.92, 1.08, len(middle)), 3))
