"""A world on a scripted server, disk and clock, and short visits to it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import openslot_sdk as openslot
from openslot_sdk.outside import Outside
from openslot_sdk.settings import Confirm
from openslot_sdk.spool import Spool
from openslot_spec.errors import OpenSlotError
from openslot_spec.exposures import EventKind
from tests.sdk.scenes import board_scene
from tests.sdk.scripted_disk import ScriptedDisk
from tests.sdk.scripted_server import EPOCH_MS, KEY, ScriptedServer
from tests.sdk.simulated import at_once

SERVER = "ws://ads.test"
LOOKING = openslot.Camera.perspective((0.0, 1.6, 3.0), target=(0.0, 1.6, 0.0))
AWAY = openslot.Camera.perspective((0.0, 1.6, 3.0), target=(0.0, 1.6, 9.0))
BROKEN = openslot.Camera(np.full((4, 4), np.nan), np.eye(4), (100.0, 100.0))


@dataclass
class Stage:
    """A server, a disk and a folder, and what a world on it said and showed."""

    folder: Path
    server: ScriptedServer = field(default_factory=ScriptedServer)
    disk: ScriptedDisk = field(default_factory=ScriptedDisk)
    said: list[OpenSlotError] = field(default_factory=list)
    shown: list[tuple[str, str | None]] = field(default_factory=list)
    made: int = 0
    backend: str = "numpy"
    confirm: Confirm | None = None

    def world(self, key: str = KEY, show: bool = True) -> openslot.World:
        loop = asyncio.get_running_loop()
        self.server.now_ms = lambda: EPOCH_MS + round(loop.time() * 1000)
        outside = Outside(
            dial=self.server.dial,
            fetch=self.server.fetch,
            disk=lambda: self.disk,
            wall_ms=lambda: EPOCH_MS - 7_000_000,
            work_ms=lambda: 0.0,
            entropy=self._entropy,
            aside=at_once,
        )
        settings = openslot.Settings(
            on_problem=self.said.append,
            backend=self.backend,
            cache=self.folder / "cache",
            confirm=self.confirm,
            outside=outside,
        )
        drawing = self._draw if show else None
        return openslot.World(SERVER, key=key, name="plaza", spool="plaza.spool", show=drawing, settings=settings)

    def _draw(self, slot: str, ad: openslot.Ad | None) -> None:
        self.shown.append((slot, ad.label if ad else None))

    def _entropy(self, count: int) -> bytes:
        self.made += 1
        return self.made.to_bytes(count, "big")

    def check_books(self, world: openslot.World) -> None:
        """Nothing lost, nothing doubled: the server's count is the world's."""
        stats, server = world.stats, self.server
        assert server.count(EventKind.RENDERED) == stats.rendered
        assert server.count(EventKind.VIEWABLE) == stats.viewable
        assert stats.events.spooled == stats.events.acknowledged == stats.events.accepted == len(server.events)
        assert max(Counter(event[:3] for event in server.events).values(), default=1) == 1
        assert len(Spool(self.disk, "plaza.spool")) == 0


async def look(world: openslot.World, seconds: float, camera: openslot.Camera = LOOKING, step_s: float = 0.05) -> None:
    for _ in range(round(seconds / step_s)):
        world.tick({"you": camera})
        await asyncio.sleep(step_s)


async def visit(stage: Stage, seconds: float = 3.0) -> openslot.World:
    async with stage.world() as world:
        await world.load(board_scene("east", "west"))
        await look(world, seconds)
    return world
