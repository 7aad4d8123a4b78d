"""Street furniture and building parts that the demo worlds share; each stands on y = 0 and casts a soft shade."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from openslot_demo.worlds.mesh import join, quads
from openslot_demo.worlds.scenery import Prop, frame, paint, props
from openslot_demo.worlds.shapes import ball, box, extrude, fade_disc, fade_rect, lathe, panel, prism, relief, tube

__all__ = [
    "awning",
    "bench",
    "billboard",
    "column",
    "frame",
    "hanging_sign",
    "hedge",
    "lamp",
    "parasol_table",
    "planter",
    "ribbon",
    "scattered",
    "shade_box",
    "shade_disc",
    "string_lights",
    "totem",
    "tree",
    "window",
]

_SHADE = "#1a1c2a"
_LIFT = 0.012  # shade and inlays lie this far above the floor


def shade_disc(radius: float, *, alpha: float = 0.5) -> Prop:
    """Return the soft shade under something round."""
    return paint(fade_disc(radius, _SHADE, alpha).moved(y=_LIFT), material="shade")


def shade_box(width: float, depth: float, *, reach: float = 0.6, alpha: float = 0.34) -> Prop:
    """Return the soft shade round the foot of something rectangular."""
    return paint(fade_rect(width, depth, reach, _SHADE, alpha).moved(y=_LIFT), material="shade")


def tree(height: float, *, seed: int, leaf: str = "#5f8f4e", bark: str = "#6b4d38", spread: float = 1.0) -> Prop:
    """Return a tree with a crown of a few faceted balls, darker below."""
    rng = np.random.default_rng(seed)
    size = height * 0.24 * spread
    trunk = prism(height * 0.035, height * 0.62, 6, top=height * 0.02).painted(bark).shaded(0.6, 1.0)
    crown = [ball(size * 1.25, detail=1, lumps=0.09, seed=seed).scaled(1.0, 0.86, 1.0).moved(y=height * 0.68)]
    for k in range(3):
        angle = 2 * math.pi * (k / 3 + rng.uniform(-0.06, 0.06))
        lump = ball(size * rng.uniform(0.62, 0.85), detail=1, lumps=0.1, seed=seed + k + 1)
        rise = height * rng.uniform(0.56, 0.84)
        crown.append(lump.moved(math.sin(angle) * size * 0.85, rise, math.cos(angle) * size * 0.85))
    leaves = join(crown).painted(leaf).shaded(0.5, 1.22)
    leaves = leaves.tinted(np.repeat(rng.uniform(0.9, 1.08, len(leaves.positions) // 3), 3))
    return paint(trunk, leaves) + shade_disc(size * 2.3, alpha=0.55)


def planter(radius: float, height: float = 0.55, *, color: str = "#cbb896", soil: str = "#4d3b2f") -> Prop:
    """Return a round stone tub."""
    wall = lathe([(radius * 0.92, 0), (radius, height), (radius * 0.86, height), (radius * 0.84, height - 0.08)], 10)
    earth = lathe([(radius * 0.85, height - 0.07), (0, height - 0.04)], 10)
    return paint(wall.painted(color).shaded(0.72, 1.0), earth.painted(soil)) + shade_disc(radius * 1.7)


def hedge(length: float, *, height: float = 0.9, depth: float = 0.7, seed: int = 0, leaf: str = "#4f7f47") -> Prop:
    """Return a clipped hedge along x."""
    count = max(2, round(length / 0.8))
    rng = np.random.default_rng(seed)
    parts = [
        box(length / count, height * rng.uniform(0.94, 1.06), depth).moved((k + 0.5) * length / count - length / 2)
        for k in range(count)
    ]
    return paint(join(parts).painted(leaf).shaded(0.55, 1.15)) + shade_box(length, depth)


def bench(*, wood: str = "#a9764a", iron: str = "#343a46") -> Prop:
    """Return a 1.8 m park bench that faces +Z."""
    seat = [box(1.8, 0.05, 0.12, bottom=True).moved(0, 0.43, z) for z in (-0.16, 0.0, 0.16)]
    back = [box(1.8, 0.11, 0.04, bottom=True).moved(0, y, -0.27) for y in (0.58, 0.74)]
    legs = [box(0.07, 0.43, 0.44).moved(x, 0, -0.03) for x in (-0.75, 0.75)]
    arms = [box(0.07, 0.5, 0.05).moved(x, 0.4, -0.27) for x in (-0.75, 0.75)]
    return paint(join(seat + back).painted(wood).shaded(0.8, 1.05), join(legs + arms).painted(iron)) + shade_box(
        1.7, 0.45, reach=0.35
    )


def lamp(height: float = 4.2, *, iron: str = "#2f3642", light: str = "#fff1c9") -> Prop:
    """Return a street lamp with a glowing lantern."""
    post = lathe(
        [(0.17, 0), (0.15, 0.35), (0.06, 0.5), (0.045, height - 0.55), (0.16, height - 0.5)], 6, shading="around"
    )
    cap = lathe([(0.27, height), (0.05, height + 0.22), (0, height + 0.34)], 6)
    lantern = lathe([(0.13, height - 0.5), (0.22, height), (0, height)], 6)
    return (
        paint(post.painted(iron).shaded(0.75, 1.1), cap.painted(iron))
        + paint(lantern.painted(light), material="glow")
        + shade_disc(0.55)
    )


def column(height: float, radius: float, *, color: str, sides: int = 12) -> Prop:
    """Return a column with base and capital."""
    shaft = lathe(
        [(radius, 0.24), (radius * 0.94, height * 0.5), (radius * 0.84, height - 0.28)], sides, shading="around"
    )
    foot = prism(radius * 1.3, 0.24, sides, top=radius * 1.12)
    head = lathe([(radius * 0.84, height - 0.28), (radius * 1.22, height - 0.1), (radius * 1.22, height)], sides)
    return paint(join([shaft, foot, head]).painted(color).shaded(0.74, 1.0, top=height * 0.7)) + shade_disc(
        radius * 2.6
    )


def window(width: float, height: float, *, trim: str, pane: str = "#54707f", shutter: str | None = None) -> Prop:
    """Return a window on a wall that faces +Z; the wall's face is z = 0, the sill stands on y = 0."""
    glass = panel(width, height).painted(pane).shaded(0.75, 1.35).moved(0, height / 2, 0.06)
    bar = panel(0.05, height).moved(0, height / 2, 0.07)
    bars = [relief(width + 0.18, height + 0.09, 0.05), bar, relief(width + 0.36, 0.1, 0.2).moved(y=-0.1)]
    leaves = []
    if shutter is not None:
        leaf = relief(width * 0.44, height + 0.04, 0.07).painted(shutter).shaded(0.85, 1.05)
        leaves = [leaf.moved(side * width * 0.81) for side in (-1, 1)]
    return paint(glass, material="glass") + paint(join(bars).painted(trim).shaded(0.85, 1.02), *leaves)


def awning(
    width: float, *, reach: float = 1.3, drop: float = 0.55, color: str, stripe: str = "#f3ede0", bands: int = 8
) -> Prop:
    """Return a striped awning whose upper edge lies on the wall z = 0 at y = 0; both its sides can be seen."""
    step = width / bands
    cloth = []
    for k in range(bands):
        x0, x1 = -width / 2 + k * step, -width / 2 + (k + 1) * step
        slope = [(x0, -drop, reach), (x1, -drop, reach), (x1, 0, 0), (x0, 0, 0)]
        valance = [(x0, -drop - 0.22, reach), (x1, -drop - 0.22, reach), (x1, -drop, reach), (x0, -drop, reach)]
        cloth.append(quads([slope, valance]).painted(stripe if k % 2 else color).shaded(0.86, 1.0))
    return paint(join(cloth), material="sheer")


def parasol_table(*, color: str, seed: int = 0) -> Prop:
    """Return a café table with a parasol and three stools."""
    table = [prism(0.28, 0.04, 8), prism(0.04, 0.72, 6), prism(0.45, 0.04, 10).moved(y=0.72)]
    pole = prism(0.03, 2.35, 6)
    cloth = lathe([(1.35, 2.05), (0.7, 2.4), (0, 2.6)], 8).painted(color).shaded(0.82, 1.05)
    stools = []
    for k in range(3):
        angle = math.radians(120 * k + 37 * seed)
        stools.append(prism(0.17, 0.45, 6, top=0.2).moved(math.sin(angle) * 0.85, 0, math.cos(angle) * 0.85))
    wood = join([*table, *stools]).painted("#c9a57c").shaded(0.75, 1.0)
    return paint(wood, pole.painted("#4a4a4f")) + paint(cloth, material="sheer") + shade_disc(1.6, alpha=0.45)


def string_lights(
    start: tuple[float, float, float], end: tuple[float, float, float], *, count: int, colors: tuple[str, ...]
) -> Prop:
    """Return a sagging wire with glowing bulbs between two points in the world."""
    t = np.linspace(0.0, 1.0, count + 2)
    line = np.outer(1 - t, start) + np.outer(t, end)
    line[:, 1] -= 0.5 * 4 * t * (1 - t)
    wire = [tube(line[k], line[k + 1], 0.012, 3).painted("#20242e") for k in range(count + 1)]
    bulbs = [ball(0.075, detail=0).painted(colors[k % len(colors)]).moved(*line[k + 1]) for k in range(count)]
    return paint(join(wire)) + paint(join(bulbs), material="glow")


def billboard(width: float, height: float, foot: float, *, color: str = "#343b48") -> Prop:
    """Return a board on two posts, in a slot's frame; `foot` is the slot's centre above the ground."""
    posts = [box(0.16, foot + height / 2, 0.16).moved(x * width * 0.36, -foot, -0.22) for x in (-1, 1)]
    arms = [
        tube((x * width * 0.3, height / 2 + 0.1, -0.1), (x * width * 0.3, height / 2 + 0.3, 0.6), 0.025)
        for x in (-1, 0, 1)
    ]
    heads = [box(0.3, 0.08, 0.16, bottom=True).moved(x * width * 0.3, height / 2 + 0.24, 0.62) for x in (-1, 0, 1)]
    steel = join([*posts, *arms, *heads]).painted(color).shaded(0.75, 1.0)
    return frame(width, height, color=color) + paint(steel)


def totem(width: float, height: float, foot: float, *, color: str = "#2c3240", both: bool = False) -> Prop:
    """Return a free-standing slab in a slot's frame; with `both` it carries a pale face behind as well."""
    slab = box(width + 0.2, foot + height / 2 + 0.16, 0.16).moved(0, -foot, -0.105)
    base = box(width + 0.5, 0.12, 0.6).moved(0, -foot, -0.105)
    face = panel(width, height).painted("#d9dce3").shaded(0.86, 1.0).moved(z=-0.02)
    faces = [face, face.turned(180).moved(z=-0.21)] if both else [face]
    return paint(join([slab, base]).painted(color).shaded(0.8, 1.0), *faces)


def hanging_sign(width: float, height: float, *, color: str = "#2c3240", drop: float = 0.5) -> Prop:
    """Return a sign on two rods, in a slot's frame."""
    rods = [
        tube((x * width * 0.38, height / 2, -0.075), (x * width * 0.38, height / 2 + drop, -0.075), 0.02)
        for x in (-1, 1)
    ]
    behind = panel(width, height).painted("#d9dce3").turned(180).moved(z=-0.13)
    return frame(width, height, rim=0.06, color=color) + paint(join(rods).painted("#20242e"), behind)


def ribbon(points: list[tuple[float, float]], thickness: float, depth: float, color: str) -> Prop:
    """Return straight bars along a line of (x, y) points, as neon lettering or ribs are made of."""
    bars = []
    for (ax, ay), (bx, by) in itertools.pairwise(points):
        length, angle = math.hypot(bx - ax, by - ay), math.degrees(math.atan2(by - ay, bx - ax))
        half = thickness / 2
        outline = [(-half, -half), (length + half, -half), (length + half, half), (-half, half)]
        bars.append(extrude(outline, depth).turned(angle, "z").moved(ax, ay))
    return paint(join(bars).painted(color), material="glow")


def scattered(prop: Prop, places: Sequence[tuple[float, float, float]]) -> Prop:
    """Return copies of a prop at (x, z, turn in degrees)."""
    return props(prop.at(x, 0.0, z, turn=turn) for x, z, turn in places)
