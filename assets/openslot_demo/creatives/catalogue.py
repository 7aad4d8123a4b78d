"""The demo's advertisers and creatives: boards painted with Pillow, products that stand out of them.

All are made up. Every creative keeps tier M: 500 KB, 10,000 triangles, 1,024 px, 4 draw calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from openslot_demo.creatives import products
from openslot_demo.creatives.painting import Canvas, Lettering
from openslot_demo.worlds.glb import Material, Model, Node, Turning, to_glb
from openslot_demo.worlds.mesh import Mesh, join
from openslot_demo.worlds.shapes import panel

__all__ = ["ADVERTISERS", "CREATIVES", "Advertiser", "Creative", "build_creative"]

_SOLID = Material("product", roughness=0.55)
_SHEER = Material("steam", unlit=True, blend=True, double_sided=True)


@dataclass(frozen=True)
class Advertiser:
    """A fictitious advertiser."""

    name: str
    landing_url: str
    copyright: str


@dataclass(frozen=True)
class Creative:
    """A creative of the demo; size: width and height in metres."""

    name: str
    title: str
    advertiser: str
    size: tuple[float, float]
    landing_url: str


ADVERTISERS = {
    name: Advertiser(name, url, f"{name} is fictitious; the OpenSlot authors, Apache-2.0")
    for name, url in (
        ("Aurora Coffee", "https://aurora-coffee.example/"),
        ("Nimbus Shoes", "https://nimbus-shoes.example/"),
        ("Tern Airlines", "https://tern-airlines.example/"),
    )
}
CREATIVES = {
    name: Creative(name, title, advertiser, size, ADVERTISERS[advertiser].landing_url + path)
    for name, title, advertiser, size, path in (
        ("aurora-sunrise", "Roasted at first light", "Aurora Coffee", (2.0, 1.0), "sunrise"),
        ("aurora-togo", "Take the morning with you", "Aurora Coffee", (1.0, 1.5), "to-go"),
        ("nimbus-cloud", "Walk on weather", "Nimbus Shoes", (2.0, 1.0), "cloud"),
        ("nimbus-storm", "Storm season", "Nimbus Shoes", (1.0, 2.5), "storm"),
        ("tern-horizon", "Half the world by morning", "Tern Airlines", (2.4, 0.8), "horizon"),
        ("tern-globe", "Go round", "Tern Airlines", (1.2, 1.6), "globe"),
    )
}


def build_creative(name: str) -> bytes:
    """Return a creative as a GLB: centred on the origin, its board on z = 0, front toward +Z, in metres.

    The same name gives the same bytes. An unknown name is a `KeyError`.
    """
    creative = CREATIVES[name]
    image, nodes = _BUILDERS[name]()
    board = Node("board", ((Material("board", unlit=True, image=image), panel(*creative.size)),))
    owner = ADVERTISERS[creative.advertiser].copyright
    return to_glb(Model(creative.title, (Node(name, children=(board, *nodes)),), owner))


def _product(name: str, mesh: Mesh) -> Node:
    return Node(name, ((_SOLID, mesh),))


def _on_board(mesh: Mesh, x: float, y: float, *, size: float, depth: float) -> Mesh:
    """Return a product scaled evenly, flattened to `depth` and set with its back on the board."""
    scaled = mesh.scaled(size)
    low, high = scaled.positions[:, 2].min(), scaled.positions[:, 2].max()
    flat = scaled.scaled(1.0, 1.0, min(1.0, depth / float(high - low)))
    return flat.moved(x, y, 0.004 - float(flat.positions[:, 2].min()))


def _sunrise() -> tuple[bytes, tuple[Node, ...]]:
    canvas = Canvas(1024, 512, [(0.0, "#1b1f4b"), (0.42, "#5d3a7a"), (0.7, "#e2725b"), (1.0, "#ffc98a")], slant=-0.12)
    for k, (base, color) in enumerate(
        ((0.2, "#5ff2c055"), (0.27, "#7fd8ff44"), (0.15, "#b98bff44"), (0.33, "#ff9ad033"))
    ):
        canvas.ribbon(base, 0.07, 0.2, 0.9 + 1.7 * k, color)
    canvas.disc((0.735, 0.66), 0.4, "#ffdf9e66", blur=0.05)
    canvas.disc((0.735, 0.66), 0.3, "#ffe9b8")
    canvas.wave(0.82, 0.03, 0.7, 0.2, "#b9503f")
    canvas.wave(0.89, 0.025, 0.5, 0.6, "#7a2f3a")
    canvas.text((0.06, 0.4), "AURORA", Lettering(0.2, "#fff6e6", weight=0.014, spacing=0.1))
    canvas.text((0.063, 0.52), "COFFEE", Lettering(0.075, "#ffe1b0", spacing=0.62))
    canvas.text((0.063, 0.69), "Roasted at first light.", Lettering(0.072, "#ffffff"))
    canvas.pill((0.06, 0.85), "Find your corner", 0.115, "#fff1d6", "#7a2f3a")
    mug = _on_board(products.cup(band="#e4572e").turned(16, "x"), 0.47, -0.42, size=0.82, depth=0.22)
    haze = products.steam().scaled(0.76).moved(0.47, 0.08, 0.12)
    return canvas.jpeg(), (_product("cup", mug), Node("steam", ((_SHEER, haze),)))


def _togo() -> tuple[bytes, tuple[Node, ...]]:
    canvas = Canvas(680, 1020, [(0.0, "#f7e3c4"), (1.0, "#f2c48d")])
    canvas.disc((0.5, 0.57), 0.33, "#e4572e")
    canvas.disc((0.5, 0.57), 0.28, "#f08a5d")
    canvas.disc((0.5, 0.57), 0.22, "#f9b384")
    canvas.wave(0.86, 0.012, 0.6, 0.1, "#6b3a2a")
    canvas.text((0.5, 0.12), "AURORA", Lettering(0.082, "#5a2a20", weight=0.016, spacing=0.12, centred=True))
    canvas.text((0.5, 0.168), "COFFEE", Lettering(0.032, "#5a2a20", spacing=0.6, centred=True))
    canvas.text((0.5, 0.93), "Take the morning", Lettering(0.05, "#ffeeda", centred=True))
    canvas.text((0.5, 0.975), "with you.", Lettering(0.04, "#f9c9a0", centred=True))
    mug = _on_board(products.takeaway(paper="#fff7ea", sleeve="#8a4a34"), 0.0, -0.53, size=0.86, depth=0.18)
    places = ((-0.36, 0.28, 30), (0.37, 0.18, -40), (-0.37, -0.3, 70), (0.35, -0.36, 15), (0.3, 0.4, 100))
    beans = [_on_board(products.bean().turned(a, "z"), x, y, size=0.42, depth=0.07) for x, y, a in places]
    return canvas.jpeg(), (_product("cup and beans", join([mug, *beans])),)


def _cloud() -> tuple[bytes, tuple[Node, ...]]:
    canvas = Canvas(1024, 512, [(0.0, "#4aa8e0"), (0.6, "#9ed8f2"), (1.0, "#e8f7fb")])
    for x, y, size, color in (
        (0.15, 0.15, 0.11, "#d3edf8"),
        (0.86, 0.2, 0.15, "#e3f4fb"),
        (0.55, 0.1, 0.07, "#c9e8f6"),
    ):
        canvas.cloud((x, y), size, color)
    for x, y, size, color in ((0.72, 0.86, 0.3, "#ffffff"), (0.95, 0.92, 0.24, "#f4fbfe"), (0.5, 0.97, 0.2, "#f4fbfe")):
        canvas.cloud((x, y), size, color)
    canvas.text((0.055, 0.36), "nimbus", Lettering(0.25, "#0e3f66", weight=0.02, spacing=-0.01))
    canvas.text((0.06, 0.54), "Walk on weather.", Lettering(0.09, "#0e3f66", weight=0.006))
    canvas.text((0.06, 0.64), "The Cloud 4. Ninety grams less.", Lettering(0.05, "#21587f"))
    canvas.pill((0.058, 0.82), "Try a pair", 0.12, "#0e3f66", "#ffffff")
    pair = products.shoe(upper="#ff6b5e", accent="#ffd166").turned(14, "z")
    return canvas.jpeg(), (_product("shoe", _on_board(pair, 0.45, -0.32, size=0.98, depth=0.24)),)


def _storm() -> tuple[bytes, tuple[Node, ...]]:
    canvas = Canvas(408, 1020, [(0.0, "#141a33"), (0.55, "#31356b"), (1.0, "#7a4f9a")])
    for x, y, size, color in (
        (0.25, 0.1, 0.07, "#2a3060"),
        (0.75, 0.16, 0.09, "#353b73"),
        (0.4, 0.22, 0.08, "#232850"),
    ):
        canvas.cloud((x, y), size, color)
    bolt = [(0.56, 0.2), (0.3, 0.49), (0.49, 0.49), (0.36, 0.78), (0.76, 0.42), (0.55, 0.42), (0.74, 0.2)]
    canvas.polygon(bolt, "#ffe06677", blur=0.02)
    canvas.polygon(bolt, "#ffd93d")
    canvas.text((0.5, 0.115), "nimbus", Lettering(0.088, "#ffffff", weight=0.02, centred=True))
    canvas.text((0.5, 0.86), "STORM", Lettering(0.072, "#ffffff", weight=0.02, spacing=0.12, centred=True))
    canvas.text((0.5, 0.912), "SEASON", Lettering(0.055, "#ffd93d", weight=0.01, spacing=0.16, centred=True))
    canvas.text((0.5, 0.965), "Dry to the sock.", Lettering(0.03, "#d9d3f2", centred=True))
    pair = products.shoe(upper="#35d0ba", accent="#ffd93d").turned(24, "z")
    return canvas.jpeg(), (_product("shoe", _on_board(pair, 0.02, -0.2, size=0.84, depth=0.2)),)


def _horizon() -> tuple[bytes, tuple[Node, ...]]:
    canvas = Canvas(1023, 341, [(0.0, "#0b3954"), (0.5, "#3f7d93"), (0.78, "#f6b48f"), (1.0, "#f9d9b0")], slant=-0.1)
    canvas.disc((0.72, 0.82), 0.33, "#fff2cc88", blur=0.06)
    canvas.disc((0.72, 0.82), 0.24, "#fff4d6")
    canvas.wave(0.88, 0.025, 0.35, 0.3, "#d98f7a")
    canvas.wave(0.94, 0.02, 0.5, 0.8, "#8a5a6b")
    for x, y, size in ((0.57, 0.3, 0.05), (0.62, 0.22, 0.035), (0.535, 0.2, 0.03)):
        wing = size * 0.6
        canvas.polygon([(x - wing, y - size), (x, y), (x + wing, y - size * 1.1), (x, y + size * 0.45)], "#ffffffcc")
    canvas.text((0.045, 0.42), "TERN", Lettering(0.3, "#ffffff", weight=0.012, spacing=0.12))
    canvas.text((0.048, 0.56), "AIRLINES", Lettering(0.09, "#bfe3ea", spacing=0.56))
    canvas.text((0.048, 0.8), "Half the world by morning.", Lettering(0.115, "#ffffff"))
    plane = products.aircraft().turned(-38, "y").turned(24, "x").turned(16, "z")
    return canvas.jpeg(), (_product("aircraft", _on_board(plane, 0.58, 0.06, size=0.86, depth=0.26)),)


def _round_trip() -> tuple[bytes, tuple[Node, ...]]:
    canvas = Canvas(765, 1020, [(0.0, "#083d56"), (0.6, "#0f6e84"), (1.0, "#4fb0ae")])
    rng = np.random.default_rng(5)
    for x, y, r in zip(
        rng.uniform(0, 1, 60), rng.uniform(0.02, 0.78, 60), rng.uniform(0.0012, 0.0035, 60), strict=True
    ):
        canvas.disc((float(x), float(y)), float(r), "#e3f4fb")
    canvas.disc((0.5, 0.475), 0.26, "#8ff0e055", blur=0.05)
    canvas.ring((0.5, 0.475), 0.25, 0.003, "#ffffff55")
    canvas.text((0.5, 0.125), "TERN", Lettering(0.1, "#ffffff", weight=0.012, spacing=0.16, centred=True))
    canvas.text((0.5, 0.168), "AIRLINES", Lettering(0.03, "#bfe3ea", spacing=0.6, centred=True))
    canvas.text((0.5, 0.885), "Go round.", Lettering(0.085, "#ffffff", weight=0.006, centred=True))
    canvas.text((0.5, 0.945), "42 cities, one fare.", Lettering(0.036, "#d9f2ee", centred=True))
    turning = Turning(np.linspace(0.0, 16.0, 9), np.array([_about_y(math.radians(45 * k)) for k in range(9)]))
    world = products.globe().scaled(0.37)
    plane = products.aircraft().scaled(0.24).turned(64, "x").moved(0, 0.1, 0.205)
    ball = Node("globe", ((_SOLID, join([world, plane])),), translation=(0.0, 0.04, 0.29), turning=turning)
    return canvas.jpeg(), (ball,)


def _about_y(angle: float) -> tuple[float, float, float, float]:
    return 0.0, math.sin(angle / 2), 0.0, math.cos(angle / 2)


_BUILDERS: dict[str, Callable[[], tuple[bytes, tuple[Node, ...]]]] = {
    "aurora-sunrise": _sunrise,
    "aurora-togo": _togo,
    "nimbus-cloud": _cloud,
    "nimbus-storm": _storm,
    "tern-horizon": _horizon,
    "tern-globe": _round_trip,
}
