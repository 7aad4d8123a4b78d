"""The gallery: four rooms of 32 × 24 m with doorways, pillars, benches, paintings and sculptures.

The outer walls and the ceiling are one-sided: walkers inside see them and are shut in, a camera outside looks through.
"""

from __future__ import annotations

import itertools

import numpy as np

from openslot_demo.worlds import furniture
from openslot_demo.worlds.mesh import Mesh, join, linear, quads
from openslot_demo.worlds.paths import graph
from openslot_demo.worlds.scenery import Board, Prop, World, board, paint, props
from openslot_demo.worlds.shapes import ball, box, fade_rect, lathe, panel, prism, slab, tiles
from openslot_spec.records import Money

__all__ = ["WALK", "build"]

HEIGHT, HALF_X, HALF_Z, THICK = 4.8, 16.0, 12.0, 0.3
IVORY, BLUE, PLUM, SAGE, WHITE, DARK = "#efe9dd", "#31566b", "#8f4a52", "#9db09a", "#faf7f0", "#3a3f4a"

WALK = graph(
    {
        "h1": (-12, -8.5), "h2": (-6, -8.5), "h3": (0, -8.5), "h4": (1.8, -5), "h5": (0.6, -0.6), "h6": (-6, -0.6),
        "h7": (-9, -0.4), "h8": (-13.6, -0.6), "h9": (-13.6, -5), "h10": (-6, -4.9),
        "b1": (6.4, -5), "b2": (10, -8.6), "b3": (13.2, -5), "b4": (10, -1.2), "b5": (7, -9.5),
        "c1": (-9, 4.6), "c2": (-12.6, 7), "c3": (-9, 9.8), "c4": (-4.6, 7),
        "f1": (0.6, 4.6), "f2": (0.4, 7), "f3": (6, 9.8), "f4": (10, 4.6), "f5": (13, 9.6), "f6": (6, 4.6),
        "f7": (9.5, 10.6), "f8": (12, 4.8),
    },
    (
        "h1 h2 h3 h4 h5 h6 h7 h8 h9 h1", "h10 h2", "h10 h6", "h10 h9", "h10 h4", "h4 b1 b4 b3 b2 b1", "b5 b1", "b5 b2",
        "h7 c1", "c1 c2 c3 c4 c1", "c4 f2", "h5 f1 f2 f3 f7 f5 f8 f4 f6 f1", "b4 f4", "f6 f2", "f4 f3",
    ),
)  # fmt: skip


def build() -> World:
    """Return the gallery."""
    scenery = (
        ("floor", _floors()),
        ("walls", _walls()),
        ("ceiling", _ceiling()),
        ("pillars", props(_pillar().at(x, 0, z) for x, z in _PILLARS)),
        ("paintings", _paintings()),
        ("sculptures", _sculptures()),
        ("furniture", _furniture()),
    )
    mood = {
        "sky": ["#e9e6df", "#f6f3ec"],
        "ground": "#b59a78",
        "sun": "#fff6e6",
        "sun_from": [0.35, 1.0, 0.45],
        "sun_strength": 1.5,
        "fill": 2.7,
        "view": [5.4, 25, 25.5, -0.2, 0, 1.5],
    }
    return World("gallery", "Gallery", scenery, _boards(), WALK, mood)


def _floors() -> Prop:
    rooms = (
        ((-16, 4, -12, 2), (5, 28), ("#b88a5a", "#a97b4e", "#c0946a", "#b18254")),
        ((4, 16, -12, 2), (8, 9), ("#4a5561", "#566270")),
        ((-16, -2, 2, 12), (9, 7), ("#c9b8a4", "#bfae9b")),
        ((-2, 16, 2, 12), (12, 7), ("#d9d3c6", "#cfc7b7", "#d4cdbf")),
    )
    return paint(*(_floor(*room) for room in rooms), _sill().painted("#8d8171")) + _skirts()


def _sill() -> Mesh:
    """Return the strip of ground under the outer walls."""
    return join(
        [
            slab(33.2, 0.6).moved(z=12.3),
            slab(33.2, 0.6).moved(z=-12.3),
            slab(0.6, 24).moved(16.3),
            slab(0.6, 24).moved(-16.3),
        ]
    )


def _floor(extent: tuple[float, float, float, float], cells: tuple[int, int], palette: tuple[str, ...]) -> Mesh:
    x0, x1, z0, z1 = extent
    floor = tiles(x1 - x0, z1 - z0, *cells)
    rng = np.random.default_rng(round(abs(x0 * 7 + z0)))
    count = len(floor.positions) // 4
    tint = np.array([linear(c) for c in palette])[rng.integers(len(palette), size=count)]
    tint[:, :3] *= rng.uniform(0.95, 1.04, (count, 1))
    colors = np.repeat(np.clip(tint, 0, 1), 4, axis=0)
    return Mesh(floor.positions, floor.normals, colors, floor.triangles, floor.uvs).moved(
        (x0 + x1) / 2, 0, (z0 + z1) / 2
    )


def _skirts() -> Prop:
    """Return the shade along the foot of the walls."""
    walls = [
        (32, 0, 0, -12),
        (32, 0, 0, 12),
        (0, 24, -16, 0),
        (0, 24, 16, 0),
        (7.8, 0, -12.1, 2),
        (7.6, 0, -4, 2),
        (0, 5.8, 4, -9.1),
        (0, 5.8, 4, -0.9),
        (6.6, 0, 5.5, 2),
        (4.8, 0, 13.6, 2),
        (0, 3.8, -2, 3.9),
        (0, 3.8, -2, 10.1),
    ]
    return paint(
        *(fade_rect(w + THICK, d + THICK, 0.9, "#2a2018", 0.34).moved(x, 0.012, z) for w, d, x, z in walls),
        material="shade",
    )


def _wall(length: float, gaps: tuple[tuple[float, float], ...], front: str, back: str | None = None) -> Prop:
    """Return a wall along x, its front on +Z; gaps: (middle, width) of doorways 3 m high.

    Without `back` it is one-sided.
    """
    edges = sorted([-length / 2, length / 2, *(m + s * w / 2 for m, w in gaps for s in (-1, 1))])
    full = list(zip(edges[::2], edges[1::2], strict=True))
    face = join(
        [panel(b - a, HEIGHT).moved((a + b) / 2, HEIGHT / 2) for a, b in full]
        + [panel(w, HEIGHT - 3.0).moved(m, (HEIGHT + 3.0) / 2) for m, w in gaps]
    )
    skirting = join(panel(b - a, 0.16).moved((a + b) / 2, 0.08, THICK / 2 + 0.008) for a, b in full)
    parts = [_plaster(face, front), skirting.painted(WHITE), slab(length, THICK).painted(DARK).moved(y=HEIGHT)]
    if back is not None:
        parts.append(_plaster(face, back).flipped().moved(z=-THICK))
    return paint(*parts, material="shell" if back is None else "paint") + props(_jamb(w).at(m) for m, w in gaps)


def _plaster(face: Mesh, color: str) -> Mesh:
    return face.painted(color).shaded(0.8, 1.0, bottom=0, top=2.6).moved(z=THICK / 2)


def _jamb(width: float) -> Prop:
    x, z = width / 2, THICK / 2 + 0.05
    sides = [box(0.12, 3.0, 2 * z).moved(s * (x - 0.05)) for s in (-1, 1)]
    return paint(join([*sides, box(width, 0.12, 2 * z, bottom=True).moved(y=2.94)]).painted(WHITE).shaded(0.8, 1.0))


def _walls() -> Prop:
    outer = [
        _wall(20, (), IVORY).at(-6, 0, -12.15), _wall(12, (), BLUE).at(10, 0, -12.15),
        _wall(14, (), IVORY).at(-16.15, 0, -5, turn=90), _wall(10, (), PLUM).at(-16.15, 0, 7, turn=90),
        _wall(14, (), BLUE).at(16.15, 0, -5, turn=-90), _wall(10, (), SAGE).at(16.15, 0, 7, turn=-90),
        _wall(14, (), PLUM).at(-9, 0, 12.15, turn=180), _wall(18, ((-1.0, 3.2),), SAGE).at(7, 0, 12.15, turn=180),
    ]  # fmt: skip
    inner = [
        _wall(14, ((0.0, 2.4),), PLUM, IVORY).at(-9, 0, 2),
        _wall(6.04, ((0.0, 2.4),), SAGE, IVORY).at(1, 0, 2),
        _wall(12, ((0.0, 2.4),), SAGE, BLUE).at(10, 0, 2),
        _wall(14, ((0.0, 2.4),), BLUE, IVORY).at(4, 0, -5, turn=90),
        _wall(10, ((0.0, 2.4),), SAGE, PLUM).at(-2, 0, 7, turn=90),
    ]
    return props([*outer, *inner])


def _ceiling() -> Prop:
    lid = slab(32, 24).turned(180, "x").moved(y=HEIGHT).painted("#efece6")
    spots = [
        (-11, -9.6),
        (-6, -9.6),
        (-1, -9.6),
        (-11, 0),
        (-1, 0),
        (8, -9),
        (12, -9),
        (8, -1),
        (12, -1),
        (-12, 5),
        (-6, 5),
        (-12, 10),
        (-6, 10),
        (2, 6),
        (7, 6),
        (12, 6),
    ]
    lights = join(slab(1.6, 0.3).turned(180, "x").moved(x, HEIGHT - 0.02, z) for x, z in spots)
    return paint(lid, material="shell") + paint(lights.painted("#fff3d6"), material="glow")


_PILLARS = ((-11.0, -7.0), (-11.0, -2.2), (-1.0, -7.0), (-1.0, -2.2), (-14.9, -4.6))
"""The last stands before a board."""


def _pillar() -> Prop:
    return furniture.column(HEIGHT, 0.42, color="#e6dccb", sides=16)


def _paintings() -> Prop:
    places = [
        (-13.2, -11.99, 0), (0.9, -11.99, 0), (-15.99, -9.4, 90), (-13.5, 1.84, 180), (-4.2, 1.84, 180),
        (3.84, -9.4, -90), (3.84, -1.4, -90),
        (6.4, -11.99, 0), (13.6, -11.99, 0), (4.16, -9.2, 90), (13.6, 1.84, 180),
        (-13.6, 2.16, 0), (-4.4, 2.16, 0), (-12.6, 11.99, 180),
        (-6, 11.99, 180), (13.6, 2.16, 0), (15.99, 4.6, -90), (12.2, 11.99, 180),
    ]  # fmt: skip
    rng = np.random.default_rng(41)
    return props(
        _painting(rng.choice([1.3, 1.7, 2.1]), rng.choice([1.3, 1.6]), seed=k).at(x, 1.75, z, turn=turn)
        for k, (x, z, turn) in enumerate(places)
    )


def _painting(width: float, height: float, *, seed: int) -> Prop:
    """Return a framed abstract: bands, a sun and hills, in a palette of its own."""
    rng = np.random.default_rng(seed + 100)
    palettes = (
        ("#f2c14e", "#f78154", "#4d9078", "#5b3758"),
        ("#ffe8d6", "#cb997e", "#6b705c", "#3f4238"),
        ("#bde0fe", "#3a86a8", "#f4978e", "#22333b"),
        ("#f1faee", "#e63946", "#457b9d", "#1d3557"),
    )
    colors = palettes[seed % 4]
    x, y = width / 2, height / 2
    parts = [panel(width, height).painted(colors[0]).shaded(0.9, 1.05)]
    sun = prism(height * rng.uniform(0.12, 0.22), 0.004, 18).turned(90, "x")
    parts.append(sun.painted(colors[1]).moved(rng.uniform(-x, x) * 0.5, height * 0.14, 0.002))
    for layer, share in enumerate((0.62, 0.34)):
        xs = np.linspace(-x, x, 6)
        tops = -y + height * share * rng.uniform(0.5, 1.0, 6)
        strip = [
            [(a, -y, 0), (b, -y, 0), (b, tb, 0), (a, ta, 0)]
            for (a, ta), (b, tb) in itertools.pairwise(zip(xs, tops, strict=True))
        ]
        parts.append(quads(strip).painted(colors[2 + layer]).moved(z=0.008 + 0.004 * layer))
    rim = [box(width + 0.16, 0.08, 0.07, bottom=True).moved(0, s * (y + 0.04) - 0.04, 0) for s in (-1, 1)]
    rim += [box(0.08, height, 0.07, bottom=True).moved(s * (x + 0.04), -y, 0) for s in (-1, 1)]
    wood = join(rim).painted(("#c8a45c", "#2f2a28", "#8a5d3b")[seed % 3])
    return paint(*(part.moved(z=0.03) for part in parts), wood.moved(z=0.035))


def _sculptures() -> Prop:
    plinth = paint(box(0.8, 1.0, 0.8).painted(WHITE).shaded(0.78, 1.0)) + furniture.shade_box(0.8, 0.8)
    vase = lathe([(0.16, 0), (0.3, 0.3), (0.28, 0.5), (0.12, 0.75), (0.11, 0.85), (0.18, 0.95)], 16, shading="full")
    stack = join(
        [
            ball(0.3, detail=1, lumps=0.06, seed=2).moved(y=0.24),
            ball(0.22, detail=1, lumps=0.06, seed=3).moved(0.05, 0.66, 0),
            ball(0.15, detail=1, lumps=0.06, seed=4).moved(-0.02, 0.96, 0.02),
        ]
    )
    spire = join(
        box(0.4 - 0.04 * k, 0.14, 0.4 - 0.04 * k, bottom=True).turned(17 * k).moved(y=0.15 * k) for k in range(9)
    )
    torch = lathe([(0.28, 0), (0.05, 0.45), (0.3, 0.9), (0.05, 1.3), (0, 1.35)], 6)
    pieces = [
        paint(vase.painted("#2f6f73").shaded(0.7, 1.15), material="metal"),
        paint(stack.painted("#d6cfc4").shaded(0.7, 1.0)),
        paint(spire.painted("#c8553d").shaded(0.75, 1.1)),
        paint(torch.painted("#d9a441").shaded(0.7, 1.1), material="metal"),
    ]  # fmt: skip
    places = [(-3.4, -2.6), (10, -5), (-9, 7), (13.2, 4.4)]
    return props((plinth + piece.at(0, 1.0)).at(x, 0, z) for piece, (x, z) in zip(pieces, places, strict=True))


def _furniture() -> Prop:
    seat = paint(
        box(2.2, 0.1, 0.7, bottom=True).moved(y=0.36).painted("#35302d"),
        join(box(0.1, 0.36, 0.6).moved(x) for x in (-0.9, 0.9)).painted("#b98b5a").shaded(0.7, 1.0),
    ) + furniture.shade_box(2.0, 0.6, reach=0.4)
    seats = furniture.scattered(
        seat, [(-8.4, -6.6, 0), (-3.6, -6.6, 0), (-9.2, -2.8, 0), (11.6, -3.0, 90), (-6.4, 7.8, 90)]
    )
    desk = paint(
        box(3.4, 1.05, 0.9).painted("#6f7f6c").shaded(0.75, 1.0),
        box(3.6, 0.07, 1.1, bottom=True).moved(y=1.05).painted("#c9a57c"),
    ) + furniture.shade_box(3.4, 0.9)
    pots = [
        furniture.planter(0.45, 0.6, color="#e8e2d6").at(x, 0, z) + _palm(k).at(x, 0.5, z)
        for k, (x, z) in enumerate(((-1.0, 11.0), (15.0, 11.0), (-15.0, 3.0), (15.0, -11.0), (-15.0, -11.0)))
    ]
    return seats + desk.at(10.6, 0, 7.4, turn=-90) + props(pots)


def _palm(seed: int) -> Prop:
    rng = np.random.default_rng(seed)
    leaves = []
    for k in range(9):
        reach, rise = rng.uniform(0.5, 0.8), rng.uniform(0.7, 1.3)
        leaf = quads(
            [
                [(-0.03, 0, 0), (0.03, 0, 0), (0.13, rise * 0.7, reach * 0.5), (-0.13, rise * 0.7, reach * 0.5)],
                [
                    (-0.13, rise * 0.7, reach * 0.5),
                    (0.13, rise * 0.7, reach * 0.5),
                    (0, rise * 0.75, reach),
                    (0, rise * 0.75, reach),
                ],
            ]
        )
        leaves.append(leaf.turned(360 * k / 9 + rng.uniform(-15, 15)))
    return paint(join(leaves).painted("#4f8457").shaded(0.6, 1.2), material="sheer")


# fmt: off
def _boards() -> tuple[Board, ...]:
    return (
        board("gallery-hall", "Great hall wall", (4.8, 2.4), (-6, 2.35, -11.85), 0, back=_gilt(4.8, 2.4), depth=1.0,
              floor_cpm=Money(micros=5_000_000), tags=("indoor", "large")),
        board("gallery-blue", "Blue room portrait", (2.0, 3.0), (15.85, 2.1, -5), -90, back=_gilt(2.0, 3.0), depth=1.0,
              tags=("indoor", "portrait")),
        board("gallery-plum", "Plum room wall", (3.2, 2.0), (-15.85, 2.0, 7), 90, back=_gilt(3.2, 2.0),
              tags=("indoor",)),
        board("gallery-foyer", "Foyer screen", (2.4, 1.35), (6, 1.9, 2.3), 0, tags=("indoor", "eye-level")),
        board("gallery-pillar", "Behind the pillar", (1.2, 1.5), (-15.85, 1.9, -4.6), 90, tags=("indoor", "occluded")),
        board("gallery-lintel", "Over the door", (1.6, 0.5), (1, 4.1, 2.3), 0, tags=("indoor", "high")),
        board("gallery-label", "Wall label", (0.4, 0.3), (-2.6, 1.5, -11.9), 0,
              back=furniture.frame(0.4, 0.3, rim=0.03, deep=0.04), tags=("indoor", "tiny")),
        board("gallery-stored", "Stored, face to the wall", (2.0, 1.4), (-4.5, 1.0, 11.5), 0,
              back=furniture.totem(2.0, 1.4, 1.0), tags=("indoor", "misplaced")),
    )
# fmt: on


def _gilt(width: float, height: float) -> Prop:
    return furniture.frame(width, height, rim=0.13, color="#b08d4a")
