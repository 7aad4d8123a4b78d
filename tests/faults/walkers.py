"""Worlds in the simulation: the SDK's `World`, a few viewers who look here and there, and a disk that may fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import msgpack

from openslot_sdk import Camera, Settings, Stats, World
from openslot_sdk.outside import Outside
from openslot_spec.errors import OpenSlotError
from tests.faults import spool_file
from tests.faults.devices import RiskyDisk
from tests.faults.network import Connection, Network
from tests.faults.process import Process
from tests.faults.stage import CAMERAS, CREATIVE, KEYS, SLOTS
from tests.sdk.scripted_disk import Crash

TICK_S = 0.24
"""Within the profile's longest gap."""
VIEWERS = ("ada", "bob", "cyd")


class Walker:
    """A world's machine: its disk stays, its program comes and goes."""

    def __init__(self, name: str, network: Network, chance: Random, folder: Path) -> None:
        self.name = name
        self.spool = f"{name}.spool"
        self.disk = RiskyDisk(chance)
        self.kept: dict[bytes, dict[str, Any]] = {}
        """What the SDK made durable, by batch: tickets and columns."""
        self.stats: list[Stats] = []
        """Of each life that ended well."""
        self.said: list[OpenSlotError] = []
        self.kills = 0
        self.is_down = True
        self.is_walking = True
        self._network = network
        self._chance = chance
        self._folder = folder
        self._process = Process()
        self._looks: dict[str, Camera] = {}

    @property
    def is_done(self) -> bool:
        """Whether it ended well and the server has all it kept."""
        if not self.is_down or self.is_walking or not self.stats:
            return False
        return self.stats[-1].events.acknowledged == self.stats[-1].events.spooled

    def start(self) -> None:
        self.is_down = False
        self._process = Process()
        self._process.spawn(self._live())

    def kill(self) -> None:
        """End the program; what was not durable may be gone."""
        self.kills += 1
        self.is_down = True
        self.disk = self.disk.next_start()
        for connection in tuple(self._network.open):
            if connection.sender == self.name:
                connection.cut()
        self._process.kill()

    def is_durable(self, batch: bytes) -> bool:
        """Whether a power cut now would leave the batch on the disk; it is kept from then on."""
        payload = spool_file.kept(self.disk.files[self.spool].durable).get(batch)
        if payload is not None:
            self.kept[batch] = msgpack.unpackb(payload)
        return payload is not None

    async def _live(self) -> None:
        try:
            world = await self._world().__aenter__()
            if self.is_walking:
                await world.add(SLOTS)
            while self.is_walking:
                world.tick(self._views())
                await asyncio.sleep(TICK_S)
            await world.close()
            self.stats.append(world.stats)
        except OpenSlotError as error:
            self.said.append(error)
        self.is_down = True

    def _world(self) -> World:
        outside = Outside(
            dial=self._dial,
            fetch=_fetch,
            disk=lambda: self.disk,
            wall_ms=lambda: 0,
            work_ms=lambda: 0.0,
            entropy=self._chance.randbytes,
            aside=self._aside,
        )
        settings = Settings(
            viewers=2, on_problem=self.said.append, backend="numpy", cache=self._folder / self.name, outside=outside
        )
        return World(
            "ws://ads.test", key=KEYS[self.name], name=self.name, spool=self.spool, settings=settings, show=_draw
        )

    def _views(self) -> dict[str, Camera]:
        """Return where the viewers look; one of them turns, comes or goes now and then."""
        if not self._looks:
            self._looks = {name: self._chance.choice(CAMERAS) for name in VIEWERS}
        if self._chance.random() < 0.15:
            self._looks[self._chance.choice(VIEWERS)] = self._chance.choice(CAMERAS)
            if len(self._looks) > 1 and self._chance.random() < 0.2:
                del self._looks[self._chance.choice(list(self._looks))]
        return self._looks

    async def _dial(self, address: str) -> Connection:
        connection = await self._network.dial(address)
        connection.sender = self.name
        return connection

    async def _aside(self, work: Callable[[], Any]) -> Any:
        await asyncio.sleep(self._chance.random() * 0.01)
        try:
            result = work()
        except Crash:
            self.kill()
            raise asyncio.CancelledError from None
        if isinstance(work, partial) and work.func.__name__ == "append":
            batch, payload = work.args
            self.kept[batch] = msgpack.unpackb(payload)
        return result


async def _fetch(_: str) -> AsyncGenerator[bytes, None]:
    yield CREATIVE


def _draw(slot: str, ad: object) -> None:
    pass
