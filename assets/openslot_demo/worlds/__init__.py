"""Three worlds made by code: a plaza, a gallery, an arcade; and where walkers may go in them."""

from __future__ import annotations

from collections.abc import Callable

from openslot_demo.worlds import arcade, gallery, plaza
from openslot_demo.worlds.scenery import Board, World, world_glb
from openslot_view.walkways import WalkGraph

__all__ = ["NAMES", "Board", "boards", "build_world", "title", "waypoints"]

_WORLDS: dict[str, tuple[str, Callable[[], World], WalkGraph]] = {
    "plaza": ("Plaza", plaza.build, plaza.WALK),
    "gallery": ("Gallery", gallery.build, gallery.WALK),
    "arcade": ("Arcade", arcade.build, arcade.WALK),
}
NAMES = tuple(_WORLDS)
"""The worlds' names, in the order the demo shows them."""


def build_world(name: str) -> bytes:
    """Return a demo world as a GLB; the same name gives the same bytes. An unknown name is a `KeyError`."""
    return world_glb(_WORLDS[name][1]())


def boards(name: str) -> tuple[Board, ...]:
    """Return a demo world's slots with their places, as the world was made with."""
    return _WORLDS[name][1]().boards


def title(name: str) -> str:
    """Return a world's name as people read it."""
    return _WORLDS[name][0]


def waypoints(name: str) -> WalkGraph:
    """Return where walkers may go in a demo world."""
    return _WORLDS[name][2]
