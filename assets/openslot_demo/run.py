"""The demo from start to end: a server, demand, worlds full of walkers, a live page, and the ledger's report."""

from __future__ import annotations

import asyncio
import secrets
import signal
import tempfile
import time
import webbrowser
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from openslot_demo.live import Live, LiveWorld
from openslot_demo.market import Market
from openslot_demo.processes import ServerProcess, WorldProcess
from openslot_demo.show import Progress
from openslot_demo.web import PageServer, bound, page_app
from openslot_demo.worlds import NAMES, build_world, title
from openslot_gltf import read_document, scene_slots
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["Options", "demo"]

WATCH_S = 0.2
REPORT_S = 1.0
DRAIN_S = 60.0
CUSTOM = "scene"


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    seconds: float = 30.0
    scene: Path | None = None
    port: int = 0
    browser: bool = True
    walkers: int = 8
    """In each world."""
    outage_s: float = 0.0
    """Kill the server half-way and leave it dead this long; 0 leaves it alone."""
    seed: int = 1


@dataclass
class Demo:
    """The parts of one running demo."""

    options: Options
    folder: Path
    scenes: Mapping[str, bytes]
    live: Live
    server: ServerProcess
    market: Market
    progress: Progress
    worlds: list[WorldProcess] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to end the walk before its time."""
    _outage: tuple[float, float] = (0.0, 0.0)
    """From, to, in seconds of the demo."""

    def __post_init__(self) -> None:
        middle = self.options.seconds / 2
        self._outage = (middle, middle + self.options.outage_s)

    async def run(self) -> None:
        """Let the walkers walk, send them home, and fetch the last report."""
        readers = [asyncio.create_task(self._read(world)) for world in self.worlds]
        self.live.phase = "walking"
        await self._watch(readers)
        self.live.phase, self.live.message = "draining", "the walkers go home; the last events reach the ledger"
        for world in self.worlds:
            await world.leave()
        self._outage = (0.0, 0.0)
        try:
            await asyncio.wait_for(self._drain(readers), DRAIN_S)
        except TimeoutError:
            raise OpenSlotError(Code.SERVER_AWAY, f"the last events took more than {DRAIN_S:.0f} s") from None
        self.live.phase, self.live.message = "done", ""

    async def _drain(self, readers: list[asyncio.Task[None]]) -> None:
        while not all(reader.done() for reader in readers):
            await self._keep_server()
            await asyncio.sleep(WATCH_S)
        await asyncio.gather(*readers)
        await self._last_report()

    async def _last_report(self) -> None:
        """Fetch the report that the demo ends with, from a server that may just be coming back."""
        while True:
            await self._keep_server()
            try:
                self.live.report = await self.market.report()
            except OpenSlotError:
                await asyncio.sleep(WATCH_S)
            else:
                return

    def stop_walking(self) -> None:
        """End the walk now; asked a second time, end everything."""
        if self.enough.is_set():
            raise KeyboardInterrupt
        self.enough.set()

    async def _watch(self, readers: list[asyncio.Task[None]]) -> None:
        """Keep the server up (but for the outage) and the figures fresh until the time is over."""
        start = time.monotonic()
        fetched = start
        while (now := time.monotonic()) - start < self.options.seconds and not self.enough.is_set():
            self.live.elapsed_s = now - start
            await self._keep_server()
            if self.live.server_up and now - fetched >= REPORT_S:
                fetched = now
                await self._refresh()
                self.progress.update(self.live)
            if any(reader.done() for reader in readers):
                raise OpenSlotError(Code.INTERNAL, self._last_words())
            await asyncio.sleep(WATCH_S)

    async def _keep_server(self) -> None:
        begin, end = self._outage
        if begin <= self.live.elapsed_s < end:
            if self.live.server_up:
                await self.server.kill()
                self.progress.say(f"the server was killed; it comes back in {self.options.outage_s:.0f} s")
                self.live.server_up, self.live.message = False, "server away: events wait in the spools"
        elif not self.server.up:
            self.live.server_up = False
            self.progress.say("the server is gone; starting it again")
            await self.server.start()
        if self.server.up and not self.live.server_up:
            self.live.server_up, self.live.message = True, ""

    async def _refresh(self) -> None:
        try:
            self.live.report = await self.market.report()
        except OpenSlotError:
            self.live.server_up = self.server.up  # the next look decides; a missed refresh costs nothing

    async def _read(self, world: WorldProcess) -> None:
        async for told in world.lines():
            self.live.worlds[world.name].told = told

    def _last_words(self) -> str:
        words = [f"{path.name}: {path.read_text('utf-8', 'replace').strip()[-300:]}" for path in self._logs()]
        return "a world ended early; " + " ".join(words)

    def _logs(self) -> list[Path]:
        return [path for path in sorted(self.folder.glob("*.world.log")) if path.stat().st_size]


async def demo(options: Options, progress: Progress) -> Live:
    """Run the demo and return its end state; raises `OpenSlotError` for a bad scene or a port in use."""
    scenes = _scenes(options.scene)
    listener = bound(options.port)
    if (task := asyncio.current_task()) is not None:
        # whoever ends the demo ends its processes too
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="openslot-demo-")))
        server = ServerProcess(folder, f"ok_operator_{secrets.token_hex(16)}")
        progress.say("starting the placement server")
        stack.push_async_callback(server.stop)
        await server.start()
        market = Market(server.url, server.operator_key)
        progress.say("three advertisers upload their creatives and book")
        creatives = await market.open()
        live = _live(options, scenes)
        live.titles = {sha256: creative.title for sha256, creative in creatives.items()}
        page = PageServer(page_app(live, scenes, {sha256: each.data for sha256, each in creatives.items()}), listener)
        page.start()
        stack.push_async_callback(page.stop)
        running = Demo(options, folder, scenes, live, server, market, progress)
        await _start_worlds(running, stack)
        live.server_up = True
        progress.say(f"watch it at {page.url} (Ctrl-C ends the walk and prints the report)")
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, running.stop_walking)
        if options.browser:
            webbrowser.open(page.url)
        await running.run()
    return live


def _scenes(path: Path | None) -> dict[str, bytes]:
    if path is None:
        return {name: build_world(name) for name in NAMES}
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OpenSlotError(Code.FILE_NOT_FOUND, error.strerror or "unreadable", where=str(path)) from None
    scene_slots(read_document(data)).require()
    return {CUSTOM: data}


def _live(options: Options, scenes: Mapping[str, bytes]) -> Live:
    live = Live(options.seconds)
    for name, data in scenes.items():
        slots = [item.slot for item in scene_slots(read_document(data)).require()]
        shown = title(name) if name in NAMES else Path(options.scene or name).stem
        live.worlds[name] = LiveWorld(
            name,
            shown,
            [
                {
                    "id": slot.id,
                    "name": slot.name or slot.id,
                    "size": slot.size,
                    "position": slot.pose.position,
                    "rotation": slot.pose.rotation,
                }
                for slot in slots
            ],
        )
    return live


async def _start_worlds(running: Demo, stack: AsyncExitStack) -> None:
    for number, (name, data) in enumerate(running.scenes.items()):
        scene = running.folder / f"{name}.glb"
        scene.write_bytes(data)
        key = await running.market.world_key(name)
        world = WorldProcess(name)
        arguments = ["--name", name, "--scene", str(scene), "--server", running.server.url, "--key", key]
        arguments += ["--folder", str(running.folder), "--walkers", str(running.options.walkers)]
        arguments += ["--seed", str(running.options.seed + number)]
        stack.push_async_callback(world.stop)
        await world.start(arguments, running.folder / f"{name}.world.log")
        running.worlds.append(world)
