"""One world of the demo, as a process: a scene, its walkers, and the SDK between them and the server.

It says its state in JSON lines on stdout, five a second, until its stdin closes; then the walkers go home, the events
drain, and the last line has the final figures.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

import openslot_sdk as openslot
from openslot_demo.worlds import NAMES, waypoints
from openslot_gltf import read_document, scene_geometry
from openslot_sdk.stats import EventStats
from openslot_spec.errors import exit_code
from openslot_spec.exposures import WhyNot
from openslot_view.surfaces import Surfaces
from openslot_view.walkers import Sight, Walker, crowd
from openslot_view.walkways import WalkGraph, free_paths

TICK_S = 0.1
TELL_S = 0.2
DRAIN_S = 45.0
VIEWPORT_PX = (1280.0, 720.0)
FOV_Y_DEG = 62.0


class Town:
    """A world with walkers in it."""

    def __init__(self, world: openslot.World, walkers: list[Walker]) -> None:
        self.world = world
        self.walkers = {f"walker-{number}": walker for number, walker in enumerate(walkers)}
        self.seen = openslot.Seen()

    def step(self, dt_s: float) -> None:
        """Let everybody walk, and measure what they see; every second walker consented to be audited."""
        for walker in self.walkers.values():
            walker.step(dt_s)
        walkers = enumerate(self.walkers.items())
        self.seen = self.world.tick(
            {name: openslot.Look(_camera(walker), consented=number % 2 == 0) for number, (name, walker) in walkers}
        )

    def plain(self) -> dict[str, Any]:
        """Return the state that the live page shows."""
        on_screen, counted = self._watchers()
        return {
            "walkers": [_walker(name, walker) for name, walker in self.walkers.items()],
            "slots": {slot: self._slot(slot, on_screen[slot], counted[slot]) for slot in self.world.slots},
            "stats": _stats(self.world.stats, self.world.stats.events),
        }

    def _watchers(self) -> tuple[Counter[str], Counter[str]]:
        """Return, by slot, on how many screens it is now, and for how many viewers its gate holds."""
        on_screen: Counter[str] = Counter()
        counted: Counter[str] = Counter()
        for name in self.walkers:
            for slot, sight in self.seen[name].items():
                on_screen[slot] += sight.why is not WhyNot.BACK_FACING
                counted[slot] += sight.why is WhyNot.COUNTED
        return on_screen, counted

    def _slot(self, slot: str, on_screen: int, counted: int) -> dict[str, Any]:
        ad = self.world.ad(slot)
        if ad is None:
            return {"state": "empty", "seen_now": 0}
        return {
            "state": "viewable" if counted else "rendered" if on_screen else "filled",
            "seen_now": counted,
            "advertiser": ad.label.removeprefix("Ad · "),
            "creative": ad.sha256,
            "creative_url": f"creatives/{ad.sha256}.glb",
        }


def _camera(walker: Walker) -> openslot.Camera:
    return openslot.Camera.perspective(
        walker.eye, target=walker.eye + walker.gaze, fov_y_deg=FOV_Y_DEG, viewport_px=VIEWPORT_PX
    )


def _walker(name: str, walker: Walker) -> dict[str, Any]:
    x, y, z = (round(float(part), 3) for part in walker.position)
    yaw = math.degrees(math.atan2(-walker.gaze[0], -walker.gaze[2]))
    return {"id": name, "x": x, "y": y, "z": z, "yaw_deg": round(yaw, 1)}


def _stats(stats: openslot.Stats, events: EventStats) -> dict[str, Any]:
    return {
        "requests": stats.requests,
        "filled": stats.filled,
        "rendered": stats.rendered,
        "viewable": stats.viewable,
        "spooled": events.spooled,
        "acknowledged": events.acknowledged,
        "dropped": sum(events.dropped.values()),
        "refused": dict(events.refused),
    }


def _sum(first: EventStats, later: EventStats) -> EventStats:
    """Return what became of the events of `first`, some of which were delivered later."""
    return replace(
        first,
        acknowledged=first.acknowledged + later.acknowledged,
        accepted=first.accepted + later.accepted,
        refused=Counter(first.refused) + Counter(later.refused),
    )


async def live(world: openslot.World, scene: Path, walkers: int, seed: int) -> None:
    """Load the scene and walk until stdin closes."""
    slots = await world.load(scene)
    surfaces = Surfaces.from_slots(slots)
    sights = [Sight(np.array(slot.pose.position), normal) for slot, normal in zip(slots, surfaces.normal, strict=True)]
    town = Town(world, crowd(_graph(scene), sights, walkers, seed))
    leave = asyncio.create_task(_stdin_closed())
    told = 0.0
    loop = asyncio.get_running_loop()
    next_tick = loop.time()
    while not leave.done():
        town.step(TICK_S)
        if loop.time() - told >= TELL_S:
            told = loop.time()
            _tell(town.plain())
        next_tick = max(next_tick + TICK_S, loop.time())
        await asyncio.sleep(next_tick - loop.time())
    town.walkers.clear()


def _graph(scene: Path) -> WalkGraph:
    if scene.stem in NAMES:
        return waypoints(scene.stem)
    geometry = scene_geometry(read_document(scene.read_bytes()))
    return free_paths(geometry.vertices, geometry.triangles)


async def _stdin_closed() -> None:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    await reader.read()


def _tell(state: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(state) + "\n")
    sys.stdout.flush()


async def run(world: openslot.World, again: openslot.World, scene: Path, walkers: int, seed: int) -> None:
    """Live in `world`; if the server was away at the end, `again` (the same spool) delivers what is left."""
    async with world:
        await live(world, scene, walkers, seed)
    events = world.stats.events
    if events.acknowledged < events.spooled:
        async with again:
            await _delivered(again)
        events = _sum(events, again.stats.events)
    _tell({"walkers": [], "slots": {}, "stats": _stats(world.stats, events)})


async def _delivered(world: openslot.World) -> None:
    deadline = asyncio.get_running_loop().time() + DRAIN_S
    while asyncio.get_running_loop().time() < deadline:
        events = world.stats.events
        if events.acknowledged >= events.spooled:
            return
        await asyncio.sleep(TELL_S)


def main(
    name: Annotated[str, typer.Option()],
    scene: Annotated[Path, typer.Option()],
    server: Annotated[str, typer.Option()],
    key: Annotated[str, typer.Option(envvar="OPENSLOT_KEY")],
    folder: Annotated[Path, typer.Option(help="For the spool and the creatives.")],
    walkers: Annotated[int, typer.Option()] = 8,
    seed: Annotated[int, typer.Option()] = 1,
) -> None:
    """Run one world of the demo until stdin closes."""

    def world() -> openslot.World:
        settings = openslot.Settings(viewers=walkers, cache=folder / "creatives", backend="numpy")
        return openslot.World(server, key=key, name=name, spool=folder / f"{name}.spool", settings=settings)

    asyncio.run(run(world(), world(), scene, walkers, seed))


if __name__ == "__main__":
    try:
        typer.run(main)
    except openslot.OpenSlotError as error:
        sys.stderr.write(f"openslot: {error}\n")
        sys.exit(exit_code(error.code))
