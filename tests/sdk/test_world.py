from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import openslot_sdk as openslot
from openslot_gltf import read_document
from openslot_sdk.outside import Outside
from openslot_sdk.spool import Spool
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import EventKind
from tests.sdk.scenes import board_scene, empty_scene
from tests.sdk.scripted_disk import ScriptedDisk
from tests.sdk.scripted_server import CREATIVE, EPOCH_MS, KEY, ScriptedServer
from tests.sdk.simulated import at_once, outcome, simulate, until

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
            on_problem=self.said.append, backend=self.backend, cache=self.folder / "cache", outside=outside
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


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def look(world: openslot.World, seconds: float, camera: openslot.Camera = LOOKING, step_s: float = 0.05) -> None:
    for _ in range(round(seconds / step_s)):
        world.tick({"you": camera})
        await asyncio.sleep(step_s)


async def visit(stage: Stage, seconds: float = 3.0) -> openslot.World:
    async with stage.world() as world:
        await world.load(board_scene("east", "west"))
        await look(world, seconds)
    return world


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


def test_a_creative_that_is_not_what_was_announced_is_never_shown(stage: Stage) -> None:
    async def story() -> None:
        stage.server.content = CREATIVE[:-1] + b"!"
        async with stage.world() as world:
            await world.load(board_scene("east"))
            await look(world, 3)
            assert [error.code for error in stage.said] == [Code.CREATIVE_HASH_MISMATCH]
            assert stage.shown == []
            assert world.ads == ()
            assert world.stats.rendered == 0
            stage.server.content = CREATIVE
            await look(world, 40)
            assert world.stats.viewable == 1

    simulate(story())


def test_a_revoked_creative_leaves_every_slot_and_another_ad_is_asked_for(stage: Stage) -> None:
    async def story() -> openslot.World:
        async with stage.world() as world:
            await world.load(board_scene("east", "west"))
            await look(world, 2)
            stage.server.unwanted = {"west"}
            await stage.server.revoke(world.ads[0].sha256)
            await asyncio.sleep(0)
            await look(world, 2)
            assert stage.shown[2:4] == [("east", None), ("west", None)]
            assert stage.shown[4:] == [("east", "Ad by Acme")]
            assert world.ad("west") is None
        return world

    world = simulate(story())
    stage.check_books(world)
    assert world.stats.slots["west"].no_ad == {"no_demand": 1}


def test_a_request_whose_answer_was_lost_is_sent_again_as_the_same(tmp_path: Path) -> None:
    async def story(drop: int) -> Stage:
        stage = Stage(tmp_path / str(drop), ScriptedServer(drop_at=frozenset({drop})))
        async with stage.world() as world:
            await world.load(board_scene("east", "west"))
            await look(world, 40)
            assert len(world.ads) == 2
        return stage

    repeated = 0
    for drop in range(12):
        asked = simulate(story(drop)).server.asked
        assert len({get.request for get in asked}) == 1
        repeated += len(asked) - 1
    assert repeated


def test_an_answer_that_its_revocation_overtook_is_not_shown(stage: Stage) -> None:
    async def story() -> openslot.World:
        async with stage.world() as world:
            await stage.server.revoke(hashlib.sha256(CREATIVE).hexdigest())
            stage.server.offered = stage.server.content = CREATIVE  # an answer that was decided before
            await asyncio.sleep(0.1)
            await world.load(board_scene("east"))
            await look(world, 20, step_s=0.2)
            assert world.ads == ()
        return world

    slots = simulate(story()).stats.slots["east"]
    assert (slots.filled >= 1, slots.rendered) == (True, 0)


def test_a_creative_that_is_revoked_on_its_way_is_never_shown(stage: Stage) -> None:
    async def story() -> openslot.World:
        stage.server.fetch_s = 20.0
        async with stage.world() as world:
            await world.load(board_scene("east"))
            stage.server.unwanted = {"east"}
            await stage.server.revoke(next(iter(stage.server.placements.values())).creative.sha256)
            await look(world, 60, step_s=0.2)
        return world

    assert simulate(story()).stats.rendered == 0
    assert stage.shown == []


def test_a_creative_that_comes_slowly_is_waited_for(stage: Stage) -> None:
    async def story() -> openslot.World:
        stage.server.fetch_s, stage.server.fetch_fails = 20.0, 3
        async with stage.world() as world:
            await world.load(board_scene("east"))
            assert stage.shown == []
            await look(world, 40, step_s=0.2)
        return world

    world = simulate(story())
    assert (world.stats.requests, world.stats.viewable) == (1, 1)
    assert [error.code for error in stage.said] == [Code.SERVER_AWAY] * 3


def test_a_board_is_never_empty_while_there_is_demand(stage: Stage) -> None:
    async def story() -> openslot.World:
        stage.server.placement_ms = 60_000
        async with stage.world() as world:
            await world.load(board_scene("east"))
            await look(world, 300, step_s=0.2)
        return world

    world = simulate(story())
    stage.check_books(world)
    assert ("east", None) not in stage.shown
    assert 5 <= world.stats.requests <= 7
    assert world.stats.viewable >= world.stats.requests - 1


def test_an_ad_that_is_over_is_taken_down(stage: Stage) -> None:
    async def story() -> openslot.World:
        stage.server.placement_ms = 20_000
        async with stage.world() as world:
            await world.load(board_scene("east"))
            stage.server.unwanted = {"east"}
            await look(world, 30, step_s=0.2)
            assert stage.shown == [("east", "Ad by Acme"), ("east", None)]
        return world

    world = simulate(story())
    stage.check_books(world)
    ends = [at_ms for kind, _, _, at_ms, _ in stage.server.events if kind is EventKind.END]
    assert ends == [placement.expires_ms for placement in stage.server.placements.values()]


def test_an_ad_that_was_over_before_the_first_tick_is_not_counted(stage: Stage) -> None:
    async def story() -> openslot.World:
        stage.server.placement_ms = 20_000
        async with stage.world() as world:
            await world.load(board_scene("east"))
            stage.server.unwanted = {"east"}
            await asyncio.sleep(30)
            await look(world, 2)
            assert world.ads == ()
        return world

    assert simulate(story()).stats.rendered == 0


def test_a_slot_without_demand_is_asked_for_again_and_no_more_than_that(stage: Stage) -> None:
    async def story() -> openslot.World:
        stage.server.unwanted = {"east"}
        async with stage.world() as world:
            await world.load(board_scene("east"))
            await look(world, 295, step_s=1)
        return world

    stats = simulate(story()).stats
    assert stats.slots["east"].no_ad == {"no_demand": stats.requests}
    assert 9 <= stats.requests <= 11


def test_each_viewer_may_see_an_ad_of_their_own(stage: Stage) -> None:
    async def story() -> openslot.World:
        async with stage.world() as world:
            await world.load(board_scene("east", audience="per_viewer"))
            for second in range(12):
                names = ["b"] if 5 <= second < 8 else ["a", "b"]
                for _ in range(20):
                    world.tick(dict.fromkeys(names, LOOKING))
                    await asyncio.sleep(0.05)
            own = [world.ad("east", name) for name in ("a", "b")]
            assert [ad and ad.viewer for ad in own] == ["a", "b"]
            assert world.ad("east") is None
        return world

    world = simulate(story())
    stage.check_books(world)
    assert world.stats.viewable == 2
    assert sorted(get.viewer for get in stage.server.asked if get.viewer is not None) == [0, 1]


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


def test_an_ad_that_could_not_be_drawn_is_not_counted(stage: Stage) -> None:
    def broken(slot: str, ad: openslot.Ad | None) -> None:
        raise RuntimeError(f"cannot draw {ad and ad.label} in {slot}")

    async def story() -> openslot.World:
        async with stage.world() as world:
            world._show = broken
            await world.load(board_scene("east"))
            with pytest.raises(RuntimeError, match="cannot draw Ad by Acme in east"):
                world.tick({"you": LOOKING})
            await look(world, 2)
        return world

    assert simulate(story()).stats.rendered == 0


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
