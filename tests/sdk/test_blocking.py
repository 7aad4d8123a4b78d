"""Over real sockets and a real disk, with plain calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import openslot_sdk as openslot
from openslot_sdk import blocking
from openslot_sdk.disk import FileDisk
from openslot_sdk.spool import Spool
from openslot_spec.codec import JSON
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import EventKind
from tests.sdk.real_server import running
from tests.sdk.scenes import board_scene
from tests.sdk.scripted_server import CREATIVE, KEY, ScriptedServer

LOOKING = openslot.Camera.perspective((0.0, 1.6, 3.0), target=(0.0, 1.6, 0.0))


def script() -> ScriptedServer:
    return ScriptedServer(now_ms=lambda: time.time_ns() // 1_000_000)


def settings(folder: Path, said: list[OpenSlotError] | None = None) -> openslot.Settings:
    hear = said.append if said is not None else print
    return openslot.Settings(cache=folder / "cache", backend="numpy", on_problem=hear)


def world_at(address: str, folder: Path, key: str = KEY) -> blocking.World:
    spool = folder / "plaza.spool"
    return blocking.World(address, key=key, name="plaza", spool=spool, settings=settings(folder))


def look_until(world: blocking.World, done: Callable[[], bool], limit_s: float = 30.0) -> None:
    end = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < end, "it never came"
        world.tick({"you": LOOKING})
        time.sleep(0.03)


def spooled(folder: Path) -> int:
    disk = FileDisk()
    try:
        return len(Spool(disk, str(folder / "plaza.spool")))
    finally:
        disk.close()


def test_plain_calls_do_all_that_a_world_needs(tmp_path: Path) -> None:
    shown: list[tuple[str, bytes, int]] = []

    def draw(slot: str, ad: openslot.Ad | None) -> None:
        assert ad is not None
        shown.append((slot, ad.path.read_bytes(), threading.get_ident()))

    scene = tmp_path / "plaza.glb"
    scene.write_bytes(board_scene("east"))
    with running(script()) as server:
        spool = tmp_path / "plaza.spool"
        with blocking.World(
            server.address, key=KEY, name="plaza", spool=spool, show=draw, settings=settings(tmp_path)
        ) as world:
            assert [slot.id for slot in world.load(scene)] == ["east"]
            look_until(world, lambda: world.stats.viewable == 1)
            assert world.online
            assert world.slots.keys() == {"east"}
            assert len(world.embed("east")) > len(CREATIVE)
            assert world.ad("east") == world.ads[0]
        assert server.script.count(EventKind.VIEWABLE) == world.stats.viewable == 1
        assert server.script.count(EventKind.END) == 1
    assert shown == [("east", CREATIVE, threading.get_ident())]
    assert spooled(tmp_path) == 0


def test_a_server_that_is_killed_and_comes_back_misses_nothing(tmp_path: Path) -> None:
    with running(script()) as server, world_at(server.address, tmp_path) as world:
        world.load(board_scene("east"))
        look_until(world, lambda: world.stats.rendered == 1)
        server.stop()
        look_until(world, lambda: world.stats.viewable == 1 and not world.online)
        server.start()
        look_until(world, lambda: server.script.count(EventKind.VIEWABLE) == 1)
        world.close()
        assert server.script.count(EventKind.RENDERED) == server.script.count(EventKind.END) == 1
        assert world.stats.events.accepted == 3


def test_without_any_server_events_stay_on_disk(tmp_path: Path) -> None:
    with running(script()) as server:
        with world_at(server.address, tmp_path) as world:
            world.load(board_scene("east"))
            look_until(world, lambda: world.stats.rendered == 1)
            server.stop()
            look_until(world, lambda: world.stats.viewable == 1)
        assert spooled(tmp_path) > 0
        server.start()
        with world_at(server.address, tmp_path) as world:
            look_until(world, lambda: world.stats.events.acknowledged == 3)
    assert spooled(tmp_path) == 0


def test_a_wrong_key_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with running(script()) as server:
        with pytest.raises(OpenSlotError, match="check the key"), world_at(server.address, tmp_path, "not-the-key"):
            pass
        assert server.script.connections == 1


@pytest.mark.parametrize("path", ["", "/another/path"])
def test_something_else_at_the_address_is_named(tmp_path: Path, path: str) -> None:
    with running(script(), JSON.name) as server:
        with pytest.raises(OpenSlotError) as refused, world_at(server.address + path, tmp_path):
            pass
        assert refused.value.code is Code.UNSUPPORTED_VERSION


def test_two_worlds_on_one_spool_are_told_apart(tmp_path: Path) -> None:
    with running(script()) as server, world_at(server.address, tmp_path):
        second = world_at(server.address, tmp_path)
        with pytest.raises(OpenSlotError, match="give each world its own"):
            second.__enter__()


def test_a_world_that_is_not_entered_says_so(tmp_path: Path) -> None:
    world = world_at("ws://127.0.0.1:1", tmp_path)
    with pytest.raises(RuntimeError, match="not entered"):
        world.load(board_scene("east"))
    world.close()
