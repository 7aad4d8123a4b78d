"""The arcade: a narrow street of shops at dusk that opens into a hall of game cabinets; neon and hanging signs."""

from __future__ import annotations

import itertools
import math

import numpy as np

from openslot_demo.worlds import furniture
from openslot_demo.worlds.mesh import Mesh, join, linear, quads
from openslot_demo.worlds.paths import graph
from openslot_demo.worlds.scenery import Board, Prop, World, board, paint, props
from openslot_demo.worlds.shapes import box, extrude, fade_disc, panel, prism, slab, tiles, tube
from openslot_spec.records import Money

__all__ = ["WALK", "build"]

INK, SLATE, PLUM, BRICK, SAND = "#474d74", "#7484ad", "#9a74a8", "#c9807a", "#e3c9ac"
PINK, CYAN, AMBER, MINT, VIOLET = "#ff5fa2", "#4fe3f0", "#ffbf5e", "#7cf2b0", "#a98bff"

WALK = graph(
    {
        "s1": (-2, 25), "s2": (2, 25), "s3": (-3, 18), "s4": (3, 18), "s5": (-3, 11), "s6": (3, 11), "s7": (-3, 4),
        "s8": (3, 4), "s9": (-3, -3), "s10": (3, -3), "m1": (0, 21), "m2": (0, 14), "m3": (0, 7), "m4": (0, 0),
        "m5": (0, -7), "y1": (-8.6, 0.5), "y2": (-11.5, 0.5),
        "h1": (0, -12), "h2": (-8, -12), "h3": (8, -12), "h4": (-8, -17.4), "h5": (-2.7, -17.4), "h6": (2.7, -17.4),
        "h7": (8, -17.4), "h8": (-8, -23.2), "h9": (0, -23.2), "h10": (8, -23.2), "h11": (-2.7, -12), "h12": (2.7, -12),
        "h13": (-2.7, -23.2), "h14": (2.7, -23.2),
    },
    (
        "s1 s2 s4 s6 s8 s10", "s1 s3 s5 s7 s9", "s1 m1 m2 m3 m4 m5 h1", "s3 m1 s4", "s3 m2 s6", "s5 m2", "s5 m3 s8",
        "s7 m3", "s7 m4 s10", "s9 m4", "s9 m5 s10", "s7 y1 y2", "m4 y1", "h2 h11 h1 h12 h3", "h2 h4 h8", "h11 h5 h13",
        "h12 h6 h14", "h3 h7 h10", "h8 h13 h9 h14 h10",
    ),
)  # fmt: skip


def build() -> World:
    """Return the arcade."""
    scenery = (
        ("street", _street()),
        ("west shops", _shops(-1)),
        ("east shops", _shops(1)),
        ("vault", _vault()),
        ("game hall", _hall()),
        ("cabinets", _cabinets()),
        ("street furniture", _furniture()),
    )
    mood = {
        "light": "#efe4ff",
        "sky": ["#2a2f5a", "#e0909a"],
        "ground": "#8a7088",
        "sun": "#ffc9a3",
        "sun_from": [0.5, 0.75, 0.65],
        "sun_strength": 2.4,
        "fill": 3.4,
        "view": [0.9, 7.2, 31.5, -0.2, 3.2, 0],
    }
    return World("arcade", "Arcade", scenery, _boards(), WALK, mood)


def _street() -> Prop:
    floor = tiles(34, 58, 17, 29)
    middle = floor.positions.reshape(-1, 4, 3).mean(axis=1)
    rng = np.random.default_rng(8)
    palette = np.array([linear(c) for c in ("#6f6a82", "#7a7390", "#655f78")])
    tint = palette[rng.integers(3, size=len(middle))] * np.append(np.ones(3), 1.0)
    path = np.abs(middle[:, 0]) < 2.1
    tint[path, :3] = np.array(linear("#a08d8f")[:3]) * rng.uniform(0.92, 1.06, (int(path.sum()), 1))
    hall = middle[:, 2] < -10
    checker = (np.floor(middle[:, 0] / 2) + np.floor(middle[:, 2] / 2)) % 2
    tint[hall] = np.where(checker[hall, None] > 0, linear("#6f62a8"), linear("#454a86"))
    colors = np.repeat(np.clip(tint, 0, 1), 4, axis=0)
    plinth = box(34, 1.0, 58).moved(y=-1.02).painted("#2a2740").shaded(0.5, 0.9)
    pools = [
        (-3, 18, PINK),
        (3, 11, AMBER),
        (-3, 4, CYAN),
        (3, -3, MINT),
        (3.6, 20, AMBER),
        (-3.4, -6, VIOLET),
        (0, -17, VIOLET),
        (-6, -20, CYAN),
        (6, -20, PINK),
    ]
    glows = [fade_disc(3.4, color, 0.3, sides=16).moved(x, 0.014, z) for x, z, color in pools]
    return paint(Mesh(floor.positions, floor.normals, colors, floor.triangles, floor.uvs), plinth) + paint(
        *glows, material="shade"
    )


_PLAN = (
    (-1, 23.0, 8.0, BRICK, PINK), (-1, 15.0, 8.0, SLATE, CYAN), (-1, 7.0, 8.0, SAND, AMBER),
    (-1, -4.6, 9.2, PLUM, MINT),
    (1, 23.0, 8.0, SAND, CYAN), (1, 14.5, 9.0, PLUM, AMBER), (1, 5.5, 9.0, BRICK, MINT), (1, -4.1, 10.2, SLATE, PINK),
)  # fmt: skip
"""The shops: side of the street, z of the middle, width, wall, neon. An alley opens in the west at z = 0 to 3."""


def _shops(side: int) -> Prop:
    rows = [(k, shop) for k, shop in enumerate(_PLAN) if shop[0] == side]
    return props(
        _shop(width, wall, neon, seed=k).at(6.0 * side, 0, z, turn=-90 * side) for k, (_, z, width, wall, neon) in rows
    )


def _shop(width: float, wall: str, neon: str, *, seed: int) -> Prop:
    """Return a shop facing +Z on z = 0: window, door, awning, neon, a storey above."""
    height, deep = (7.6, 8.4, 7.0)[seed % 3], 6.0
    body = box(width - 0.04, height, deep).moved(0, 0, -deep / 2).painted(wall).shaded(0.72, 1.05)
    cornice = box(width + 0.1, 0.3, deep + 0.4, bottom=True).moved(0, height, -deep / 2).painted(INK)
    base = box(width, 0.45, 0.16).moved(z=0.03).painted(INK)
    glass = panel(width * 0.5, 2.1).painted("#ffd9a0").shaded(0.55, 1.0).moved(-width * 0.16, 1.6, 0.03)
    bars = [box(0.07, 2.1, 0.08).moved(-width * 0.16 + s * width * 0.25, 0.55, 0.05) for s in (-1, 0, 1)]
    bars += [box(width * 0.5, 0.08, 0.09, bottom=True).moved(-width * 0.16, y, 0.05) for y in (0.52, 2.62)]
    goods = [
        prism(0.16 + 0.03 * (k % 3), 0.35 + 0.12 * ((k * 7 + seed) % 4), 6).moved(
            -width * 0.34 + k * width * 0.07, 0.6, 0.16
        )
        for k in range(6)
    ]
    door = box(1.15, 2.4, 0.12).moved(width * 0.27, 0, 0.03).painted("#2f2a3f")
    pane = panel(0.7, 1.3).painted("#ffcf8f").moved(width * 0.27, 1.5, 0.1)
    cloth = furniture.awning(width * 0.82, reach=1.15, color=neon, stripe="#f2e6dc", bands=8).at(0, 3.35, 0.02)
    upper = props(
        furniture.window(0.95, 1.5, trim=INK, pane="#f6c27a" if (k + seed) % 3 else "#4a5878").at(x, 4.6)
        for k, x in enumerate(np.linspace(-width * 0.33, width * 0.33, 3))
    )
    tube_line = [(-width * 0.36, 3.75), (width * 0.36, 3.75)]
    sign = furniture.ribbon(tube_line, 0.07, 0.07, neon).at(0, 0, 0.05)
    stuff = join(goods).painted(neon).shaded(0.6, 0.95)
    return (
        paint(body, cornice, base, join(bars).painted(INK), stuff, door)
        + paint(glass, pane, material="glow")
        + cloth
        + upper
        + sign
        + furniture.shade_box(width, deep, reach=0.9).at(0, 0, -deep / 2)
    )


def _vault() -> Prop:
    """Return the iron ribs over the street."""
    ribs = []
    for z in (26.0, 19.0, 11.0, 3.0, -5.0):
        points = [(6.0 * math.cos(a), 7.2 + 2.6 * math.sin(a), z) for a in np.linspace(0, math.pi, 9)]
        ribs += [tube(a, b, 0.09, 5) for a, b in itertools.pairwise(points)]
    for x, y in ((0.0, 9.8), (4.24, 9.04), (-4.24, 9.04)):
        ribs.append(tube((x, y, 26), (x, y, -5), 0.05, 4))
    return paint(join(ribs).painted("#4a5270").shaded(0.8, 1.1))


def _hall() -> Prop:
    """Return the open-fronted game hall: back and side walls, its roof one-sided from below."""
    wall = [
        panel(26, 6.2).moved(0, 3.1, -27), panel(17, 6.2).turned(90).moved(-13, 3.1, -18.5),
        panel(17, 6.2).turned(-90).moved(13, 3.1, -18.5),
        panel(7, 6.2).turned(180).moved(-9.5, 3.1, -10), panel(7, 6.2).turned(180).moved(9.5, 3.1, -10),
    ]  # fmt: skip
    inside = join(wall).painted("#5d5696").shaded(0.7, 1.15)
    lid = slab(26, 17).turned(180, "x").moved(0, 6.2, -18.5).painted("#3c3968")
    coping = join(
        [
            box(26.4, 0.25, 0.4, bottom=True).moved(0, 6.2, -27.2),
            box(0.4, 0.25, 17).moved(-13.2, 6.2, -18.5),
            box(0.4, 0.25, 17).moved(13.2, 6.2, -18.5),
        ]
    )
    portal = [box(0.6, 6.2, 0.6).moved(x, 0, -9.9) for x in (-6.2, 6.2)] + [
        box(13, 0.9, 0.6, bottom=True).moved(0, 5.3, -9.9)
    ]
    neon = furniture.ribbon([(-5.8, 0.2), (-5.8, 5.1), (5.8, 5.1), (5.8, 0.2)], 0.09, 0.08, PINK).at(0, 0, -9.6)
    crown = furniture.ribbon([(-4.6, 6.5), (-3.0, 7.6), (3.0, 7.6), (4.6, 6.5), (-4.6, 6.5)], 0.09, 0.08, CYAN).at(
        0, 0, -9.7
    )
    strips = [slab(20, 0.14).turned(180, "x").moved(0, 6.17, z) for z in (-13.0, -17.5, -22.0)]
    lines = join(panel(26, 0.12).moved(0, y, -26.98) for y in (1.1, 5.6))
    glow = paint(*(s.painted("#cdb9ff") for s in strips), lines.painted(VIOLET), material="glow")
    return (
        paint(inside, lid, material="shell")
        + paint(coping.painted(INK), join(portal).painted(INK).shaded(0.8, 1.3))
        + glow
        + neon
        + crown
    )


def _cabinet(color: str, screen: str, marquee: str) -> Prop:
    """Return an upright game cabinet that faces +Z."""
    side = [(-0.42, 0.0), (0.42, 0.0), (0.42, 0.85), (0.2, 1.0), (0.02, 1.5), (0.3, 1.72), (0.3, 1.95), (-0.42, 1.95)]
    lower, upper = [side[k] for k in (0, 1, 2, 3)] + [(-0.42, 1.0)], [(-0.42, 1.0), side[3], side[4], (-0.42, 1.5)]
    head = [(-0.42, 1.5), side[4], side[5], side[6], side[7]]
    parts = join(extrude(outline, 0.78) for outline in (lower, upper, head)).moved(z=-0.39).turned(-90)
    tilt = quads([[(-0.3, 1.06, 0.2), (0.3, 1.06, 0.2), (0.3, 1.44, 0.06), (-0.3, 1.44, 0.06)]])
    top = panel(0.66, 0.17).moved(0, 1.835, 0.31)
    deck = [
        prism(0.02, 0.09, 5).moved(-0.18, 0.93, 0.3),
        *(prism(0.03, 0.03, 6).moved(x, 0.91, 0.32) for x in (0.02, 0.12, 0.22)),
    ]
    stripe = panel(0.6, 0.1).moved(0, 0.45, 0.425)
    lit = [tilt.painted(screen).shaded(0.6, 1.0), top.painted(marquee)]
    return paint(parts.painted(color).shaded(0.6, 1.1), join(deck).painted("#f2e6dc"), stripe.painted(marquee)) + paint(
        *lit, material="glow"
    )


def _cabinets() -> Prop:
    colors, lights = (SLATE, PLUM, "#2d5563", "#6b4a3f"), (PINK, CYAN, AMBER, MINT, VIOLET)
    rows = []
    for block, x in enumerate((-5.3, 0.0, 5.3)):
        for k, side in np.ndindex(4, 2):
            kind = block * 8 + k * 2 + side
            body = _cabinet(colors[kind % 4], lights[kind % 5], lights[(kind * 3 + 1) % 5])
            rows.append(body.at(x + (0.46 if side else -0.46), 0, -14.2 - 0.95 * k - 1.4, turn=90 if side else -90))
        rows.append(furniture.shade_box(1.9, 3.8).at(x, 0, -17.0))
    wall = [_cabinet(colors[k % 4], lights[k % 5], lights[(k + 2) % 5]).at(-9.6 + 1.1 * k, 0, -26.4) for k in range(5)]
    return props([*rows, *wall])


def _furniture() -> Prop:
    spans = [((-6.0, 5.6, z), (6.0, 5.6, z - 2.0)) for z in (22.0, 14.5, 7.0, -0.5)]
    bulbs = props(furniture.string_lights(a, b, count=9, colors=(AMBER, "#fff1c9", PINK, CYAN)) for a, b in spans)
    lamps = furniture.scattered(
        furniture.lamp(3.6, iron="#1f2336", light=AMBER), [(-4.7, 21, 0), (4.7, 9.8, 0), (-4.7, 3.6, 0), (4.7, -8.6, 0)]
    )
    pots = props(
        furniture.planter(0.42, 0.6, color="#6b6480").at(x, 0, z)
        + furniture.tree(2.1, seed=k, leaf="#5d8f6b").at(x, 0.45, z)
        for k, (x, z) in enumerate(((-5.0, 26.5), (5.0, 26.5), (5.1, 18.9), (-5.1, 19.1), (5.1, 1.2), (-5.1, -9.0)))
    )
    seats = furniture.scattered(furniture.bench(wood="#8a6a5a"), [(-4.9, 14.6, 90), (4.9, 5.8, -90), (-4.9, -3.0, 90)])
    return bulbs + lamps + pots + seats


# fmt: off
def _boards() -> tuple[Board, ...]:
    return (
        board("arcade-screen", "Game hall screen", (6.0, 3.0), (2.6, 3.5, -26.85), 0,
              back=furniture.frame(6.0, 3.0, rim=0.12, color="#171a2e"), depth=1.0, floor_cpm=Money(micros=6_000_000),
              tags=("indoor", "large")),
        board("arcade-sign", "Hanging sign", (1.9, 1.3), (0, 4.0, 9.0), 0,
              back=furniture.hanging_sign(1.9, 1.3, drop=1.0), two_sided=True, tags=("street", "hanging")),
        board("arcade-poster", "Shop poster", (1.1, 1.65), (-5.85, 1.6, 11.65), 90,
              tags=("street", "eye-level", "portrait")),
        board("arcade-wall", "Wall over the shops", (4.0, 1.6), (5.85, 5.4, 14.5), -90, tags=("street", "large")),
        board("arcade-banner", "Hall banner", (1.2, 3.0), (-2.4, 3.2, -26.85), 0, depth=1.0,
              tags=("indoor", "portrait")),
        board("arcade-behind-cabinets", "Behind the cabinets", (2.6, 0.9), (-7.4, 0.9, -26.88), 0,
              tags=("indoor", "occluded")),
        board("arcade-marquee", "Cabinet marquee", (0.6, 0.2), (-5.9, 2.1, -16.0), -90,
              back=furniture.frame(0.6, 0.2, rim=0.03, deep=0.05), tags=("indoor", "tiny")),
        board("arcade-alley", "Turned to the alley wall", (1.8, 1.2), (-10.5, 1.5, 2.5), 0,
              back=furniture.totem(1.8, 1.2, 1.5), tags=("street", "misplaced")),
    )
# fmt: on
