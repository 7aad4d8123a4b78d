"""A world from its scene to the events that a server has, through outages, deaths and bad input."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import openslot_sdk as openslot
from openslot_gltf import read_document
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import EventKind
from tests.sdk.scenes import board_scene, empty_scene
from tests.sdk.scripted_disk import ScriptedDisk
from tests.sdk.scripted_server import KEY, ScriptedServer
from tests.sdk.simulated import outcome, simulate, until
from tests.sdk.world_stage import AWAY, BROKEN, LOOKING, Stage, look, visit


def test_a_scene_goes_in_and_counted_views_come_out(stage: Stage) -> None:
    world = simulate(visit(stage))
    stage.check_books(world)
    stats = world.stats
    assert (stats.requests, stats.filled, stats.rendered, stats.viewable) == (2, 2, 2, 1)
    assert stats.slots["east"].why_not == {}
    assert stats.slots["west"].why_not == {"clipped": 1}
    assert stage.shown == [("east", "Ad by Acme"), ("west", "Ad by Acme")]
    assert stage.said == []


def test_a_connection_that_drops_at_any_message_loses_and_doubles_nothing(tmp_path: Path) -> None:
    clean = Stage(tmp_path)
    simulate(visit(clean))
    for drop in range(clean.server.messages):
        stage = Stage(tmp_path, ScriptedServer(drop_at=frozenset({drop})))
        world = simulate(visit(stage, 5.0))
        stage.check_books(world)
        assert world.stats.viewable == 1
        assert stage.server.connections >= 2 or drop == clean.server.messages - 1


def test_a_wrong_key_says_what_to_do(stage: Stage) -> None:
    async def story() -> None:
        with pytest.raises(OpenSlotError, match="check the key and the server's address"):
            await stage.world(key="not-the-key").__aenter__()
        assert stage.server.connections == 1
        assert stage.disk.locked == ""

    simulate(story())


def test_a_key_that_is_refused_later_is_said_once(stage: Stage) -> None:
    async def story() -> None:
        stage.server.away = True
        async with stage.world(key="not-the-key") as world:
            await world.load(board_scene("east"))
            stage.server.away = False
            await until(lambda: stage.server.connections > 0)
            await asyncio.sleep(1)
            with pytest.raises(OpenSlotError) as refused:
                world.tick({"you": LOOKING})
            assert refused.value.code is Code.KEY_UNKNOWN
            assert world.tick({"you": LOOKING})["you"].keys() == {"east"}

    simulate(story())


def test_a_server_that_comes_late_finds_everything_waiting(stage: Stage) -> None:
    async def story() -> openslot.World:
        stage.server.away = True
        async with stage.world() as world:
            assert not world.online
            await world.load(board_scene("east"))
            await look(world, 2)
            assert world.ads == ()
            stage.server.away = False
            await until(lambda: world.online)
            await look(world, 3)
        return world

    world = simulate(story())
    stage.check_books(world)
    assert world.stats.viewable == 1


def test_events_of_an_outage_are_delivered_after_it(stage: Stage) -> None:
    async def story() -> openslot.World:
        async with stage.world() as world:
            await world.load(board_scene("east"))
            world.tick({"you": AWAY})
            stage.server.away = True
            await stage.server.drop_all()
            await look(world, 5)
            assert world.stats.viewable == 1
            assert world.stats.events.acknowledged == 0
            stage.server.away = False
            await until(lambda: world.online)
            await look(world, 2)
            assert stage.server.count(EventKind.VIEWABLE) == 1
        return world

    stage.check_books(simulate(story()))


def test_a_world_that_is_killed_sends_its_events_when_it_is_back(stage: Stage) -> None:
    async def story() -> None:
        world = await stage.world().__aenter__()
        await world.load(board_scene("east"))
        stage.server.away = True
        await stage.server.drop_all()
        await look(world, 4)
        for task in world._tasks:
            task.cancel()
        stage.disk = stage.disk.after_crash()
        stage.server.away = False
        async with stage.world() as again:
            await asyncio.sleep(1)
            assert again.stats.events.acknowledged == again.stats.events.spooled == 2
        assert stage.server.count(EventKind.RENDERED) == stage.server.count(EventKind.VIEWABLE) == 1

    simulate(story())


def test_a_bad_camera_is_said_once_and_others_go_on(stage: Stage) -> None:
    async def story() -> openslot.World:
        async with stage.world() as world:
            await world.load(board_scene("east"))
            for _ in range(60):
                seen = world.tick({"bad": BROKEN, "good": LOOKING})
                await asyncio.sleep(0.05)
            assert seen.refused.keys() == {"bad"}
            assert seen["good"]["east"].visible_fraction == 1.0
        return world

    assert simulate(story()).stats.viewable == 1
    assert [error.code for error in stage.said] == [Code.CAMERA_INVALID]


def test_slots_may_come_from_an_engine_with_what_hides_them(stage: Stage) -> None:
    async def story() -> openslot.World:
        wall = openslot.Triangles.of([(-9, 0, 1), (9, 0, 1), (9, 9, 1), (-9, 9, 1)], [(0, 1, 2), (0, 2, 3)])
        pose = openslot.Pose(position=(0, 1.6, 0), rotation=(0, 0, 0, 1))
        async with stage.world(show=False) as world:
            await world.add([openslot.Slot(id="east", size=(3, 2), pose=pose, profile="mrc-display")], wall)
            await look(world, 2)
        return world

    assert simulate(story()).stats.slots["east"].why_not == {"obstructed": 1}


def test_people_and_things_hide_ads_while_they_stand_there(stage: Stage) -> None:
    async def story() -> list[float]:
        door = openslot.Triangles.of([(-9, -9, 1), (9, -9, 1), (0, 99, 1)], [(0, 1, 2)])
        async with stage.world() as world:
            await world.load(board_scene("east"))

            def seen() -> float:
                return world.tick({"you": LOOKING})["you"]["east"].visible_fraction

            found = [seen()]
            changes: list[Callable[[], None]] = [
                lambda: world.put_person("ann", (0, 0.8, 1)),
                lambda: world.move("ann", (9, 0, 1)),
                lambda: world.put("door", door, np.eye(4)),
                lambda: world.remove("door"),
            ]
            for change in changes:
                change()
                await asyncio.sleep(0.1)
                found.append(seen())
        return found

    whole, behind_ann, beside_her, shut, open_again = simulate(story())
    assert whole == beside_her == open_again == 1.0
    assert 0.3 < behind_ann < 0.95
    assert shut < 0.05


def test_the_scene_comes_back_with_its_ads_in_it(stage: Stage) -> None:
    async def story() -> None:
        async with stage.world() as world:
            await world.load(board_scene("east", "west"))
            await look(world, 0.1)
            both, one = read_document(await world.embed()), read_document(await world.embed("east"))
            assert len(both.json["meshes"]) > len(one.json["meshes"]) == 1
            for slots, code in [(("nowhere",), Code.SLOT_UNKNOWN), (("east",), Code.CREATIVE_UNKNOWN)]:
                world._ads.clear()
                refused = await outcome(world.embed(*slots))
                assert isinstance(refused, OpenSlotError)
                assert refused.code is code

    simulate(story())


@pytest.mark.parametrize(
    ("scene", "code"),
    [
        ("no/such/scene.glb", Code.FILE_NOT_FOUND),
        (b"not a scene", Code.GLTF_NOT_READ),
        (empty_scene(), Code.SCENE_WITHOUT_SLOTS),
        (board_scene("east", size=[0.0, 2.0]), Code.SLOT_INVALID),
        (board_scene("new", profile="no-such-profile"), Code.PROFILE_UNKNOWN),
        (board_scene("first"), Code.SLOT_DUPLICATE),
    ],
)
def test_a_scene_that_cannot_be_taken_changes_nothing(stage: Stage, scene: str | bytes, code: Code) -> None:
    async def story() -> None:
        async with stage.world() as world:
            await world.load(board_scene("first"))
            refused = await outcome(world.load(scene))
            assert isinstance(refused, OpenSlotError)
            assert refused.code is code
            assert world.slots.keys() == stage.server.slots.keys() == {"first"}

    simulate(story())


def test_a_disk_that_fails_to_the_end_is_counted(stage: Stage) -> None:
    async def story() -> openslot.World:
        stage.disk = ScriptedDisk(fail_at=frozenset(range(5, 100_000)))
        async with stage.world() as world:
            await world.load(board_scene("east"))
            await look(world, 2)
        return world

    events = simulate(story()).stats.events
    assert events.spooled == 0
    assert events.dropped == {Code.STORAGE_FAILED: 3}


def test_a_backend_that_is_not_there_is_said_and_numpy_serves(stage: Stage) -> None:
    stage.backend = "abacus"
    assert simulate(visit(stage)).stats.viewable == 1
    assert ["abacus" in str(error) for error in stage.said] == [True]


@pytest.mark.parametrize("server", ["", "127.0.0.1:8700", "ftp://ads.test", "ws://"])
def test_an_address_that_is_none_is_refused_at_once(server: str) -> None:
    with pytest.raises(OpenSlotError) as refused:
        openslot.World(server, key=KEY, name="plaza", spool="plaza.spool")
    assert refused.value.code is Code.CONFIG_INVALID


def test_importing_is_light() -> None:
    heavy = ["trimesh", "PIL", "numba", "embreex", "websockets", "httpx2", "openslot_gltf", "pygltflib", "starlette"]
    code = f"import sys, openslot_sdk.blocking; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
