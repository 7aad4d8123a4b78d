"""Worlds and a server on real sockets: what consenting viewers saw is committed to, asked for, revealed and proven."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import openslot_sdk as openslot
from openslot_server.audit.trust import Standing, standings
from openslot_server.impressions.verify import verify
from openslot_server.storage.sqlite import reading
from openslot_server.storage.store import AuditRow, BatchRow
from openslot_spec.exposures import EVIDENCE
from openslot_view.triangles import TriangleSet, triangle_set
from tests.faults.programs import Town
from tests.sdk.scenes import board_scene

BOARDS = ("a", "b", "c", "d", "e")
CROWD = 50
PATIENCE_S = 30.0


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """A town whose server asks for as much as it may: one in twenty."""
    town = Town(tmp_path, tmp_path)
    town.server.environment |= {"OPENSLOT_AUDIT_PPM": "50000", "OPENSLOT_PLACEMENT_MS": "60000"}
    town.server.start()
    yield town
    town.close()


def world(town: Town) -> openslot.World:
    _, address, key, spool, cache = town.world.words
    settings = openslot.Settings(viewers=200, backend="numpy", cache=Path(cache))
    return openslot.World(address, key=key, name="plaza", spool=spool, settings=settings)


def crowd(consented: bool) -> dict[str, openslot.Look]:
    """Return people who stand before all the boards."""
    cameras = [openslot.Camera.perspective((8 + n / 40, 1.6, 14), target=(8, 1.6, 0)) for n in range(CROWD)]
    return {f"viewer-{n}": openslot.Look(camera, consented=consented) for n, camera in enumerate(cameras)}


async def visit(world: openslot.World, consented: bool) -> None:
    """Let the crowd look until all of them saw everything and the server knows."""
    await world.load(board_scene(*BOARDS))
    looks = crowd(consented)
    await ticking(world, looks, lambda: world.stats.viewable >= CROWD * len(BOARDS))
    await ticking(world, looks, lambda: world.stats.events.acknowledged >= 2 * CROWD * len(BOARDS))


async def ticking(world: openslot.World, looks: dict[str, openslot.Look], done: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end_s, world.stats
        world.tick(looks)
        await asyncio.sleep(0.05)


def evidence_file(town: Town) -> Path:
    return town.spool.with_name(town.spool.name + ".evidence")


def standing(town: Town) -> Standing:
    with reading(town.database) as reader:
        (found,) = standings(reader).worlds
    return found


async def decided(town: Town) -> Standing:
    end_s = time.monotonic() + PATIENCE_S
    while (found := standing(town)).waiting:
        assert time.monotonic() < end_s, found
        await asyncio.sleep(0.1)
    return found


async def test_what_a_consenting_crowd_saw_is_proven_and_its_evidence_leaves_the_device(town: Town) -> None:
    async with world(town) as plaza:
        await visit(plaza, consented=True)
        found = await decided(town)
        assert found.committed >= found.impressions * 0.9
        assert found.asked > 0
        assert found.proven == found.asked
        assert found.trust == 1
    async with world(town):
        pass
    assert len(evidence_file(town).read_bytes()) < 100, "only the file's head is left"
    with reading(town.database) as reader:
        verify(reader)
    shown = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "openslot_server", "audit", "--database", str(town.database), "--json"),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await shown.communicate()
    assert json.loads(said)["worlds"] == [found.plain()]


async def test_a_server_that_is_killed_between_ask_and_reveal_asks_again(town: Town) -> None:
    async with world(town) as plaza:
        link: Any = plaza._link
        honest = link.request

        async def silent(message: Any) -> Any:
            if message.TYPE == "audit.reveal":
                await asyncio.sleep(3600)
            return await honest(message)

        link.request = silent
        await visit(plaza, consented=True)
        waiting = standing(town).waiting
        assert waiting > 0
        link.request = honest
        town.server.end(signal.SIGKILL)
        town.server.start()
        found = await decided(town)
        assert (found.proven, found.asked) == (waiting, waiting)


async def test_a_crowd_that_did_not_consent_leaves_no_trace(town: Town) -> None:
    async with world(town) as plaza:
        await visit(plaza, consented=False)
    found = standing(town)
    assert found.impressions >= CROWD * len(BOARDS)
    assert (found.committed, found.asked) == (0, 0)
    assert not evidence_file(town).exists()
    with reading(town.database) as reader:
        assert all(EVIDENCE.encode() not in row.columns for row in reader.load(BatchRow))
        assert list(reader.load(AuditRow)) == []


async def test_a_world_that_registers_a_wall_between_cannot_prove_what_it_claims(town: Town) -> None:
    async with world(town) as plaza:
        witness: Any = plaza._witness
        witness.stand = lambda stands, owners: type(witness).stand(witness, lambda: with_wall(stands()), owners)
        witness.proven = lambda drafts: boast(drafts)
        await visit(plaza, consented=True)
        found = await decided(town)
    assert found.asked == found.inflated > 0
    assert found.trust == 0
    assert found.reversed_micros > 0


def with_wall(stands: TriangleSet) -> TriangleSet:
    corners = [[-50, -50, 5], [50, -50, 5], [50, 50, 5], [-50, 50, 5]]
    return TriangleSet.join([stands, triangle_set(corners, [[0, 1, 2], [0, 2, 3]])])


async def boast(drafts: Any) -> dict[int, bytes]:
    """Commit to everything, proven or not."""
    return {event: draft.evidence.pack() for event, draft in drafts.items()}
