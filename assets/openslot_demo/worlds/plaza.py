"""The plaza: an open square of 60 × 60 m with a fountain, arcaded houses, trees and kiosks, on a bright afternoon."""

from __future__ import annotations

import math

import numpy as np

from openslot_demo.worlds import furniture
from openslot_demo.worlds.mesh import Mesh, join, linear
from openslot_demo.worlds.paths import graph
from openslot_demo.worlds.scenery import Board, Prop, World, board, paint, props
from openslot_demo.worlds.shapes import arch, ball, box, gable, lathe, prism, tiles
from openslot_spec.records import Money

__all__ = ["WALK", "build"]

CREAM, PLASTER, OCHRE, ROSE = "#f1e3c6", "#e9d2ab", "#e0b06c", "#d98f74"
STONE, PALE, TERRACOTTA, TEAL, NAVY = "#d8c7a4", "#f6edda", "#c4694a", "#2f8f8b", "#2f4858"

WALK = graph(
    {
        "s1": (-6, 24), "s2": (0, 26), "s3": (6, 24), "ss": (0, 16), "sse": (17.5, 18), "ssw": (-18, 18),
        "n": (0, -8), "ne": (6.5, -5.5), "e": (8.5, 1), "se": (6, 7), "s": (0, 9), "sw": (-6, 7), "w": (-8.5, 1),
        "nw": (-6.5, -5.5), "nn": (0, -16), "nne": (11, -16), "nnw": (-11, -16), "ee": (16.5, -9), "e2": (16.5, 6),
        "ww": (-17.5, -8), "w2": (-17.5, 6),
        "a1": (-12, -24), "a2": (0, -24), "a3": (12, -24), "g1": (-12, -20), "g2": (0, -20), "g3": (12, -20),
    },
    (
        "n ne e se s sw w nw n", "n nn", "nnw nn nne ee e2 sse ss ssw w2 ww nnw", "ne nne", "nw nnw", "e ee", "e e2",
        "w ww", "w w2", "s ss s2", "ss s1 s2 s3 ss", "s1 ssw", "s3 sse", "a1 a2 a3", "a2 g2 nn", "a1 g1 nnw",
        "a3 g3 nne", "g1 g2 g3",
    ),
)  # fmt: skip


def build() -> World:
    """Return the plaza."""
    scenery = (
        ("ground", _ground()),
        ("north house", _north()),
        ("west house", _house_row(36, 9, 3, blank=frozenset({3})).at(-22, 0, 0, turn=90)),
        ("east houses", _east()),
        ("south edge", _south()),
        ("fountain", _fountain()),
        ("trees", _trees()),
        ("street furniture", _furniture()),
    )
    mood = {
        "sky": ["#9fd0ea", "#f4ead6"],
        "ground": "#b7a483",
        "sun": "#fff0d2",
        "sun_from": [0.55, 0.8, 0.6],
        "sun_strength": 2.6,
        "fill": 2.3,
        "light": "#fff3df",
        "view": [6.5, 12, 33, -1.5, 4.3, -6],
    }
    return World("plaza", "Plaza", scenery, _boards(), WALK, mood)


def _ground() -> Prop:
    floor = tiles(64, 64, 32, 32)
    middle = floor.positions.reshape(-1, 4, 3).mean(axis=1)
    away = np.hypot(middle[:, 0], middle[:, 2])
    palette = np.array([linear(c) for c in ("#e2d6bd", "#d8c9ab", "#c9ad91", "#c4b296")])
    kind = np.where(away < 9, 0, np.where(away < 11.5, 2, 1))
    kind = np.where((away > 19) & (away < 21.5), 3, kind)
    checker = 1.0 + 0.035 * (-1.0) ** np.floor((middle[:, 0] + middle[:, 2]) / 2)
    grain = checker * np.random.default_rng(3).uniform(0.95, 1.04, len(middle))
    colors = palette[kind] * np.column_stack([grain, grain, grain, np.ones(len(grain))])
    paved = Mesh(
        floor.positions, floor.normals, np.repeat(np.clip(colors, 0, 1), 4, axis=0), floor.triangles, floor.uvs
    )
    ring = lathe([(6.9, 0.0), (6.1, 0.0)], 32).moved(y=0.012).painted("#a8734f")
    plinth = box(64, 1.2, 64).moved(y=-1.22).painted("#9c8a6c").shaded(0.5, 0.9)
    return paint(paved, ring, plinth)


def _house_row(length: float, bays: int, floors: int, *, blank: frozenset[int] = frozenset()) -> Prop:
    """Return an arcaded house along x, its arches on z = 0, 6 m deep; the `blank` bays have no windows."""
    step, deep, base = length / bays, 6.0, 4.6
    top = base + floors * 3.3
    bay = arch(step, base, 0.7, opening=step * 0.72, spring=2.4, steps=8).painted(PALE).shaded(0.72, 1.0)
    arches = join(bay.moved((k + 0.5) * step - length / 2, 0, -0.35) for k in range(bays))
    back = box(length, base, 0.4).moved(z=-4.2).painted(PLASTER).shaded(0.55, 0.8)
    vault = box(length, 0.1, 4.2, bottom=True).moved(0, base - 0.1, -2.1).painted(STONE).tinted(0.6)
    storeys = box(length, top - base, deep).moved(0, base, -deep / 2).painted(CREAM).shaded(0.86, 1.03)
    trims = [box(length + 0.3, 0.28, deep + 0.3, bottom=True).moved(0, y, -deep / 2) for y in (base - 0.05, top - 0.1)]
    roof = gable(length + 0.9, 1.9, deep + 1.2).moved(0, top + 0.16, -deep / 2).painted(TERRACOTTA).shaded(0.8, 1.05)
    doors = join(box(1.2, 2.6, 0.1).moved((k + 0.5) * step - length / 2, 0, -3.97) for k in range(0, bays, 3))
    stone = paint(arches, back, vault, storeys, join(trims).painted(PALE), roof, doors.painted("#6d4630"))
    shade = furniture.shade_box(length, 4.2, reach=1.6, alpha=0.42).at(0, 0, -2.1)
    return stone + shade + _windows(length, bays, floors, blank)


def _windows(length: float, bays: int, floors: int, blank: frozenset[int]) -> Prop:
    rng = np.random.default_rng(11)
    step, parts = length / bays, []
    for k, level in np.ndindex(bays, floors):
        x, y = (k + 0.5) * step - length / 2, 5.55 + level * 3.3
        if k in blank:
            continue
        shutter = None if rng.random() < 0.4 else TEAL if rng.random() < 0.8 else NAVY
        parts.append(furniture.window(1.15, 1.7, trim=PALE, shutter=shutter).at(x, y))
    return props(parts)


def _north() -> Prop:
    tower = box(7, 19, 7).moved(0, 0, -4.4).painted(OCHRE).shaded(0.8, 1.02)
    cap = lathe([(5.6, 19), (5.3, 19.4), (0, 24.5)], 4).moved(z=-4.4).painted(TERRACOTTA).shaded(0.8, 1.1)
    clock = prism(1.35, 0.12, 24).turned(90, "x").moved(0, 16.4, -0.9).painted(PALE)
    hands = [box(0.14, 1.0, 0.05).turned(angle, "z").moved(0, 16.4, -0.76) for angle in (-50, 65)]
    rim = paint(box(7.6, 0.4, 7.6, bottom=True).moved(0, 18.7, -4.4).painted(PALE))
    front = _house_row(52, 13, 2, blank=frozenset({5, 6, 7}))
    return (
        front + paint(tower.moved(18), cap.moved(18), clock.moved(18), join(hands).painted(NAVY).moved(18)) + rim.at(18)
    ).at(0, 0, -22)


def _east() -> Prop:
    plan = ((-13.5, 11.0, 9.5, ROSE), (-2.5, 11.0, 12.0, OCHRE), (9.0, 12.0, 8.6, CREAM))
    return props(_town_house(w, h, color, seed=k).at(22, 0, z, turn=-90) for k, (z, w, h, color) in enumerate(plan))


def _town_house(width: float, height: float, color: str, *, seed: int) -> Prop:
    """Return a shop with flats above it, facing +Z on z = 0."""
    deep = 8.0
    body = box(width, height, deep).moved(0, 0, -deep / 2).painted(color).shaded(0.78, 1.03)
    roof = gable(width + 0.5, 2.4, deep + 0.9).moved(0, height, -deep / 2).painted(TERRACOTTA).shaded(0.8, 1.08)
    base = box(width + 0.1, 0.5, 0.2).moved(z=0.05).painted(STONE).shaded(0.7, 1.0)
    shop = [furniture.window(2.2, 2.1, trim=NAVY, pane="#8fb3b3").at(x, 0.6) for x in (-width / 3, width / 3)]
    door = paint(box(1.3, 2.5, 0.12).moved(z=0.06).painted(NAVY).shaded(0.8, 1.0))
    cloth = furniture.awning(width * 0.9, color=(TEAL, TERRACOTTA, "#5f7f52")[seed % 3], bands=10).at(0, 3.4, 0.03)
    rows = int((height - 4.4) // 3)
    flats = [
        furniture.window(1.05, 1.55, trim=PALE).at(x, 4.6 + 3 * r)
        for r in range(rows)
        for x in (-width / 3, 0, width / 3)
    ]
    return (
        paint(body, roof, base)
        + props([*shop, door, cloth, *flats])
        + furniture.shade_box(width, deep, reach=1.4).at(0, 0, -deep / 2)
    )


def _south() -> Prop:
    post = prism(0.12, 0.7, 4)
    rails = []
    for start, end in ((-30.0, -5.0), (5.0, 30.0)):
        middle, length = (start + end) / 2, end - start
        posts = join(post.moved(x, 0.12, 29) for x in np.arange(start + 0.5, end, 1.5))
        rails += [
            posts,
            box(length, 0.16, 0.4, bottom=True).moved(middle, 0.8, 29),
            box(length, 0.14, 0.44).moved(middle, 0, 29),
        ]
    wall = paint(join(rails).painted(PALE).shaded(0.72, 1.0))
    hedges = [furniture.hedge(9, seed=k).at(x, 0, 27.4) for k, x in enumerate((-23.5, -12.0, 12.0, 23.5))]
    return wall + props(hedges)


def _fountain() -> Prop:
    basin = lathe([(4.3, 0), (4.4, 0.6), (4.5, 0.72), (3.95, 0.72), (3.95, 0.4)], 16).painted(PALE).shaded(0.7, 1.0)
    pool = lathe([(3.97, 0.5), (1.2, 0.5), (0, 0.5)], 16)
    away = np.hypot(pool.positions[:, 0], pool.positions[:, 2]) / 4.0
    pool = pool.painted("#5fb7c4").tinted(0.78 + 0.3 * away)
    stem = lathe(
        [(0.9, 0.4), (0.5, 0.9), (0.34, 1.7), (0.5, 2.0), (1.75, 2.35), (1.85, 2.5), (1.6, 2.5), (0, 2.38)], 14
    )
    upper = lathe([(0.3, 2.4), (0.2, 3.1), (0.3, 3.3), (0.85, 3.5), (0.9, 3.6), (0.75, 3.6), (0, 3.54)], 12)
    stone = join([stem, upper]).painted(PALE).shaded(0.75, 1.02)
    water = [
        lathe([(1.68, 2.46), (0, 2.46)], 14).painted("#7fcbd2"),
        lathe([(0.78, 3.57), (0, 3.57)], 12).painted("#8fd6da"),
    ]
    jets = [ball(0.16, detail=1).scaled(1, 2.6, 1).moved(0, 4.0, 0), *_spray()]
    return (
        paint(basin, stone)
        + paint(pool, *water, material="glass")
        + paint(join(jets).painted("#d5f1f2"))
        + furniture.shade_disc(6.2, alpha=0.6)
    )


def _spray() -> list[Mesh]:
    drops = []
    for k in range(8):
        turn = 2 * math.pi * k / 8
        for t in (0.3, 0.65, 1.0):
            r, y = 1.75 + 1.5 * t, 2.5 + 1.1 * t - 3.1 * t * t
            drops.append(
                ball(0.09 - 0.03 * t, detail=0).scaled(1, 1.5, 1).moved(math.sin(turn) * r, y, math.cos(turn) * r)
            )
    return drops


def _trees() -> Prop:
    tubs = [(-12, -12), (12, -12), (-12.5, 11.5), (12.5, 11.5)]
    planted = [
        furniture.planter(1.15).at(x, 0, z) + furniture.tree(5.6, seed=k, leaf="#6f9a4f").at(x, 0.4, z)
        for k, (x, z) in enumerate(tubs)
    ]
    street = [
        (-26, 22, 7.5),
        (-20, 23.5, 6.4),
        (26, 22, 7.2),
        (20.5, 24, 6.2),
        (19.3, -2.4, 5.8),
        (-24.5, 25.5, 5.6),
        (24, 26, 5.2),
    ]
    planted += [
        furniture.tree(h, seed=20 + k, leaf=("#5f8f4e", "#86a457", "#4f8457")[k % 3]).at(x, 0, z)
        for k, (x, z, h) in enumerate(street)
    ]
    return props(planted)


def _furniture() -> Prop:
    lamps = furniture.scattered(
        furniture.lamp(),
        [(x, z, 0) for x, z in ((-9.6, -9.6), (9.6, -9.6), (9.6, 9.6), (-9.6, 9.6), (-20, 16), (20, 17))],
    )
    seats = [
        (9.9, -3.5, -90),
        (9.9, 4.5, -90),
        (-9.9, -3.5, 90),
        (-9.9, 4.5, 90),
        (-3.5, 11.2, 180),
        (3.5, 11.2, 180),
        (-3.5, -10.4, 0),
        (3.5, -10.4, 0),
    ]
    tables = [
        furniture.parasol_table(color=c, seed=k).at(x, 0, z)
        for k, (x, z, c) in enumerate(
            ((19.6, 7.0, TEAL), (19.4, 11.5, TERRACOTTA), (19.8, -13.5, "#f0d9a0"), (19.3, -17.5, TEAL))
        )
    ]
    kiosks = _kiosk(TEAL).at(14, 0, 14) + _kiosk(TERRACOTTA).at(-15, 0, 13.0)
    return lamps + furniture.scattered(furniture.bench(), seats) + props(tables) + kiosks


def _kiosk(color: str) -> Prop:
    body = prism(1.5, 2.6, 6).painted(PALE).shaded(0.7, 1.0)
    counter = lathe([(1.62, 0.95), (1.72, 1.0), (1.72, 1.08), (1.5, 1.08)], 6).painted("#8a5a3c")
    roof = lathe([(2.15, 2.5), (2.1, 2.72), (0.7, 3.3), (0.5, 3.6), (0, 4.1)], 6).painted(color).shaded(0.82, 1.1)
    under = lathe([(1.4, 2.52), (2.15, 2.5)], 6).flipped().painted(color).tinted(0.5)
    return paint(body, counter, roof, under) + furniture.shade_disc(3.0)


# fmt: off
def _boards() -> tuple[Board, ...]:
    return (
        board("plaza-facade", "Plaza facade", (6.0, 3.0), (0, 7.9, -21.7), 0, back=_facade(), depth=1.0,
              floor_cpm=Money(micros=4_000_000), tags=("outdoor", "large")),
        board("plaza-banner", "West banner", (1.8, 4.5), (-21.8, 8.6, 4), 90, depth=1.0, tags=("outdoor", "portrait")),
        board("plaza-totem", "Square totem", (1.4, 2.1), (-4.8, 1.55, 13.4), 15,
              back=furniture.totem(1.4, 2.1, 1.55), tags=("outdoor", "eye-level")),
        board("plaza-billboard", "South billboard", (4.0, 2.0), (21.5, 3.4, 19), -125,
              back=furniture.billboard(4.0, 2.0, 3.4), tags=("outdoor",)),
        board("plaza-behind-tree", "Board behind the tree", (2.6, 1.6), (12, 4.0, -14.0), 0,
              back=furniture.billboard(2.6, 1.6, 4.0), tags=("outdoor", "occluded")),
        board("plaza-rooftop", "Rooftop sign", (5.0, 1.8), (-14, 15.2, -25), 0,
              back=furniture.billboard(5.0, 1.8, 2.1), tags=("outdoor", "high")),
        board("plaza-plate", "Bench plate", (0.5, 0.25), (1.4, 0.42, -9.7), 0,
              back=furniture.totem(0.5, 0.25, 0.42), tags=("outdoor", "tiny")),
        board("plaza-turned", "Board turned to the wall", (2.0, 1.4), (-10, 1.5, -25.4), 180,
              back=furniture.totem(2.0, 1.4, 1.5), tags=("outdoor", "misplaced")),
    )
# fmt: on


def _facade() -> Prop:
    ribs = [box(0.12, 0.12, 0.3, bottom=True).moved(x, y, -0.28) for x in (-2.4, 0, 2.4) for y in (-1.2, 1.1)]
    return furniture.frame(6.0, 3.0, rim=0.14, color=NAVY) + paint(join(ribs).painted(NAVY))
