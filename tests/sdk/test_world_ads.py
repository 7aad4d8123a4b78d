"""Which ad hangs in a world, and until when: creatives that come, are late, wrong, revoked or over."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

import openslot_sdk as openslot
from openslot_spec.errors import Code
from openslot_spec.exposures import EventKind
from tests.sdk.scenes import board_scene
from tests.sdk.scripted_server import CREATIVE, ScriptedServer
from tests.sdk.simulated import simulate
from tests.sdk.world_stage import LOOKING, Stage, look


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


def test_what_a_slot_does_not_take_is_never_fetched(stage: Stage) -> None:
    async def story() -> None:
        stage.server.media_type = "video/mp4"
        async with stage.world() as world:
            await world.load(board_scene("east", accepts={"media": ["model/gltf-binary", "image/png"]}))
            await look(world, 3)
            assert (stage.server.fetched, stage.shown, world.ads) == ([], [], ())
            assert {error.code for error in stage.said} == {Code.UNEXPECTED}

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


def test_a_creative_that_is_taken_down_for_now_may_come_again(stage: Stage) -> None:
    async def story() -> None:
        async with stage.world() as world:
            await world.load(board_scene("east"))
            await look(world, 2)
            await stage.server.revoke(world.ads[0].sha256, final=False)
            await asyncio.sleep(0)
            await look(world, 3)
            assert stage.shown == [("east", "Ad by Acme"), ("east", None), ("east", "Ad by Acme")]

    simulate(story())


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
