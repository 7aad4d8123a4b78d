"""What viewers do with ads, from the hook that asks them to the server's count."""

from __future__ import annotations

from pathlib import Path

import pytest

import openslot_sdk as openslot
from openslot_sdk.outbox import _pack, _unpack
from openslot_sdk.spool import Spool
from openslot_spec.actions import Action, Product
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.messages import Feedback, FeedbackPut, Interaction, InteractionsPut
from tests.sdk.scenes import board_scene
from tests.sdk.scripted_server import ScriptedServer
from tests.sdk.simulated import simulate
from tests.sdk.world_stage import Stage, look

SHOP = Action(id="shop", kind="open_url", title="To the shop", url="https://acme.example/")
MUG = Action(id="mug", kind="wish", title="I wish for it", product=Product(name="Mug"))


def shoppable(folder: Path, **server: object) -> Stage:
    stage = Stage(folder, ScriptedServer(actions=(SHOP, MUG), **server))  # type: ignore[arg-type]
    asked: list[tuple[str, str, str]] = []

    async def confirm(viewer: str, ad: openslot.Ad, action: Action) -> bool:
        asked.append((viewer, ad.label, action.id))
        return action.id != "mug"

    stage.confirm = confirm
    stage.asked = asked  # type: ignore[attr-defined]
    return stage


def test_a_viewer_who_agrees_is_counted_and_one_who_does_not_is_not(tmp_path: Path) -> None:
    stage = shoppable(tmp_path)

    async def story() -> openslot.World:
        async with stage.world() as world:
            await world.load(board_scene("east"))
            await look(world, 2)
            assert [action.id for action in world.ads[0].actions] == ["shop", "mug"]
            assert await world.act("east", "you", "shop") == SHOP
            assert await world.act("east", "you", "mug") is None
            world.say("east", "you", "report", "misleading")
        return world

    world = simulate(story())
    assert stage.asked == [("you", "Ad by Acme", "shop"), ("you", "Ad by Acme", "mug")]  # type: ignore[attr-defined]
    used, said = stage.server.signals
    assert isinstance(used, Interaction)
    assert (used.viewer, used.action) == (0, "shop")
    assert isinstance(said, Feedback)
    assert (said.kind, said.reason) == ("report", "misleading")
    events = world.stats.events
    assert events.spooled == events.acknowledged == events.accepted == len(stage.server.events) + 2
    assert len(Spool(stage.disk, "plaza.spool")) == 0


@pytest.mark.parametrize("drop", range(6, 14))
def test_what_was_done_survives_any_lost_connection_and_counts_once(tmp_path: Path, drop: int) -> None:
    stage = shoppable(tmp_path, drop_at=frozenset({drop, drop + 3}))

    async def story() -> None:
        async with stage.world() as world:
            await world.load(board_scene("east"))
            await look(world, 4)
            await world.act("east", "you", "shop")
            world.say("east", "you", "like")
            await look(world, 40, step_s=0.2)

    simulate(story())
    assert [type(one) for one in stage.server.signals].count(Interaction) == 1
    assert [type(one) for one in stage.server.signals].count(Feedback) == 1


def test_what_was_done_while_the_server_is_away_waits_in_the_spool(tmp_path: Path) -> None:
    stage = shoppable(tmp_path)

    async def away() -> None:
        async with stage.world() as world:
            await world.load(board_scene("east"))
            await look(world, 2)
            stage.server.away = True
            await stage.server.drop_all()
            await world.act("east", "you", "shop")
            await look(world, 1)

    async def back() -> None:
        stage.server.away = False
        async with stage.world():
            pass

    simulate(away())
    assert stage.server.signals == []
    simulate(back())
    assert [one.action for one in stage.server.signals if isinstance(one, Interaction)] == ["shop"]


def test_what_cannot_be_done_says_why(tmp_path: Path) -> None:
    stage = shoppable(tmp_path)

    async def story() -> None:
        async with stage.world() as world:
            await world.load(board_scene("east"))
            await look(world, 2)
            for slot, viewer, action, code in (
                ("west", "you", "shop", Code.CREATIVE_UNKNOWN),
                ("east", "nobody", "shop", Code.CREATIVE_UNKNOWN),
                ("east", "you", "rocket", Code.ACTION_UNKNOWN),
            ):
                with pytest.raises(OpenSlotError) as refused:
                    await world.act(slot, viewer, action)
                assert refused.value.code is code
        stage.confirm = None
        async with stage.world() as world:
            await world.load(board_scene("east"))
            await look(world, 2)
            with pytest.raises(OpenSlotError) as refused:
                await world.act("east", "you", "shop")
            assert (refused.value.code, refused.value.where) == (Code.CONFIG_INVALID, "confirm")

    simulate(story())
    assert stage.server.signals == []


def test_an_ad_that_is_revoked_while_the_viewer_thinks_leads_nowhere(tmp_path: Path) -> None:
    stage = shoppable(tmp_path)

    async def story() -> None:
        async with stage.world() as world:
            await world.load(board_scene("east"))
            await look(world, 2)

            async def confirm(_: str, ad: openslot.Ad, __: Action) -> bool:
                await stage.server.revoke(ad.sha256)
                await look(world, 1)
                return True

            object.__setattr__(world._settings, "confirm", confirm)
            assert await world.act("east", "you", "shop") is None

    simulate(story())
    assert stage.server.signals == []


def test_a_spooled_batch_is_read_as_it_was_written() -> None:
    used = Interaction(ticket=0, viewer=7, at_ms=5, action="shop")
    said = Feedback(ticket=0, at_ms=5, kind="like")
    for batch in (
        InteractionsPut(batch=bytes(16), tickets=(b"t",), events=(used,)),
        FeedbackPut(batch=bytes(16), tickets=(b"t",), events=(said,)),
    ):
        assert _unpack(batch.batch, _pack(batch)) == batch
