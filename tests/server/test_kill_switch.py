"""The kill switch: how long a revoked creative is still on the screens of a thousand worlds."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

from openslot_spec.codec import JSON, MSGPACK
from openslot_spec.messages import PlacementsRevoked
from openslot_spec.session import Broadcast, Session, State
from tests.server.live import CREATIVE, OPERATOR, World, live

WORLDS = 1_000
AT_ONCE = 50
WITHIN_S = 1.0


async def enter(world: World, stack: AsyncExitStack, gate: asyncio.Semaphore) -> None:
    async with gate:
        await stack.enter_async_context(world)
        await world.ready()


async def taken_off_s(world: World) -> float:
    """Return when this world is told to take the creative down."""
    message = await world.hear()
    assert message == PlacementsRevoked(creative=CREATIVE, reason="harmful")
    return time.monotonic()


async def test_a_revoked_creative_is_off_a_thousand_worlds_screens_within_a_second(tmp_path: Path) -> None:
    async with live(tmp_path, requests_per_second_of_address=1_000_000) as served, AsyncExitStack() as stack:
        await served.line_item()
        worlds = [served.world(JSON if number % 4 == 0 else MSGPACK) for number in range(WORLDS)]
        gate = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(enter(world, stack, gate) for world in worlds))
        assert len(served.server.listeners) == WORLDS
        waiting = asyncio.gather(*(taken_off_s(world) for world in worlds))
        await asyncio.sleep(0)
        asked_s = time.monotonic()
        await served.server.creatives.revoke(OPERATOR, CREATIVE, "harmful")
        last_s = max(await waiting) - asked_s
        assert last_s <= WITHIN_S, f"the last of {WORLDS} worlds heard of it after {last_s:.2f} s"


def test_what_many_hear_is_written_once_for_each_codec_and_read_as_if_it_were_theirs_alone() -> None:
    message = PlacementsRevoked(creative=CREATIVE, reason="“harmful”")
    broadcast = Broadcast(message)
    for codec in (MSGPACK, JSON):
        one, other, reader = Session("server", codec), Session("server", codec), Session("world", codec)
        for session in (one, other, reader):
            session.state = State.READY
        _, alone = other.send(message)
        assert one.pass_on(broadcast) == alone
        assert broadcast.body(codec) is broadcast.body(codec)
        assert reader.receive(alone).body == message
