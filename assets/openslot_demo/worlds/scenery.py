"""What a demo world is: props of several materials, boards that carry slots, and where walkers may go."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from openslot_demo.worlds.glb import Material, Model, Node, to_glb
from openslot_demo.worlds.mesh import Mesh, join
from openslot_demo.worlds.shapes import box, panel
from openslot_spec.slots import EXTENSION, SlotTerms
from openslot_view.walkways import WalkGraph

__all__ = ["MATERIALS", "Board", "Prop", "World", "board", "frame", "paint", "props", "world_glb"]

MATERIALS = {
    "paint": Material("paint"),
    "sheer": Material("sheer", double_sided=True),
    "metal": Material("metal", roughness=0.45, metallic=0.4),
    "glass": Material("glass", roughness=0.15, metallic=0.1),
    "shell": Material("shell"),
    "glow": Material("glow", unlit=True),
    "shade": Material("shade", unlit=True, blend=True),
}
"""`shell` is what stands round the whole world and is seen from inside only; `shade` lies on the floor."""

_OWNER = "The OpenSlot authors, Apache-2.0"


@dataclass(frozen=True)
class Prop:
    """A thing of one or more materials: material name to mesh."""

    parts: tuple[tuple[str, Mesh], ...]

    def __add__(self, other: Prop) -> Prop:
        return Prop(self.parts + other.parts)

    def at(self, x: float = 0.0, y: float = 0.0, z: float = 0.0, *, turn: float = 0.0) -> Prop:
        """Return the prop turned about +Y by degrees, then shifted."""
        return Prop(tuple((name, mesh.turned(turn).moved(x, y, z)) for name, mesh in self.parts))

    def merged(self) -> tuple[tuple[Material, Mesh], ...]:
        """Return one mesh per material, in the order of `MATERIALS`."""
        names = {name for name, _ in self.parts}
        return tuple(
            (material, join(mesh for part, mesh in self.parts if part == name))
            for name, material in MATERIALS.items()
            if name in names
        )


def paint(*meshes: Mesh, material: str = "paint") -> Prop:
    """Return a prop of one material."""
    return Prop(tuple((material, mesh) for mesh in meshes))


def props(parts: Iterable[Prop]) -> Prop:
    """Return one prop of many."""
    return functools.reduce(Prop.__add__, parts, Prop(()))


@dataclass(frozen=True)
class Board:
    """An ad slot in its place. `back` is what carries it, in the slot's own frame, behind the slot's plane."""

    terms: SlotTerms
    position: tuple[float, float, float]
    yaw_deg: float
    back: Prop

    def node(self) -> Node:
        """Return the slot's node, with the board as its child."""
        half = math.radians(self.yaw_deg) / 2
        body = self.terms.plain()
        return Node(
            self.terms.name,
            translation=self.position,
            rotation=(0.0, math.sin(half), 0.0, math.cos(half)),
            children=(Node(f"{self.terms.name} board", self.back.merged()),),
            extensions={EXTENSION: body},
            extras={"openslot": body},
        )


@dataclass(frozen=True)
class World:
    """A demo world; `mood` tells the live page how to light it."""

    name: str
    title: str
    scenery: tuple[tuple[str, Prop], ...]
    boards: tuple[Board, ...]
    walk: WalkGraph
    mood: Mapping[str, Any]


def board(
    slot_id: str,
    name: str,
    size: tuple[float, float],
    position: tuple[float, float, float],
    yaw_deg: float,
    *,
    back: Prop | None = None,
    **terms: Any,
) -> Board:
    """Return a slot with its board; without `back` it gets a plain dark frame on a wall."""
    carrier = frame(*size) if back is None else back
    return Board(SlotTerms(id=slot_id, name=name, size=size, **terms), position, yaw_deg, carrier)


def frame(width: float, height: float, *, rim: float = 0.09, color: str = "#2b2f3a", deep: float = 0.1) -> Prop:
    """Return a dark frame with a pale empty face, its front 2 cm behind the slot's plane."""
    outer = box(width + 2 * rim, height + 2 * rim, deep, bottom=True).moved(0, -height / 2 - rim, -deep / 2 - 0.025)
    return paint(outer.painted(color), panel(width, height).painted("#d9dce3").shaded(0.86, 1.0).moved(z=-0.02))


def world_glb(world: World) -> bytes:
    """Return the world as a GLB."""
    nodes = tuple(Node(name, prop.merged()) for name, prop in world.scenery)
    extras = {"openslot_demo": dict(world.mood)}
    return to_glb(Model(world.title, nodes + tuple(b.node() for b in world.boards), _OWNER, extras))
