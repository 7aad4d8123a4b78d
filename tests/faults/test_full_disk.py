"""Disks that are full: nothing is promised that is not kept, and it goes on by itself once there is room."""

from __future__ import annotations

import asyncio
import errno

import pytest

from openslot_sdk.spool import Spool
from openslot_spec.errors import Code, OpenSlotError
from tests.sdk.scripted_disk import ScriptedDisk
from tests.sdk.scripted_server import ScriptedServer
from tests.sdk.simulated import simulate, until
from tests.sdk.test_link import Sender, batch

SPOOL = "spool"


class SmallDisk(ScriptedDisk):
    """A disk of so many bytes; a write that does not fit is written as far as it does."""

    def __init__(self, capacity_bytes: int) -> None:
        super().__init__()
        self.capacity_bytes = capacity_bytes

    def append(self, name: str, data: bytes) -> None:
        room = self.capacity_bytes - sum(len(file.cached) for file in self.files.values())
        super().append(name, data[:room])
        if len(data) > room:
            raise OSError(errno.ENOSPC, "no space left")


def fill(spool: Spool) -> dict[bytes, bytes]:
    """Append until the disk is full, and return what was kept."""
    kept: dict[bytes, bytes] = {}
    for number in range(1_000):
        name, payload = number.to_bytes(16, "big"), bytes([number]) * 100
        try:
            spool.append(name, payload)
        except OpenSlotError as error:
            assert error.code is Code.STORAGE_FAILED
            break
        kept[name] = payload
    return kept


def test_a_spool_on_a_full_disk_keeps_what_it_said_it_kept() -> None:
    disk = SmallDisk(2_000)
    kept = fill(Spool(disk, SPOOL))
    assert dict(Spool(disk.after_crash(), SPOOL).waiting()) == kept


def test_a_spool_on_a_full_disk_can_be_opened_again() -> None:
    disk = SmallDisk(2_000)
    kept = fill(Spool(disk, SPOOL))
    again = Spool(disk, SPOOL)
    assert dict(again.waiting()) == kept
    with pytest.raises(OpenSlotError, match="no space left"):
        again.append(b"x" * 16, b"more")
    assert dict(Spool(disk.after_crash(), SPOOL).waiting()) == kept


def test_a_spool_that_filled_its_disk_is_empty_once_all_is_acknowledged() -> None:
    disk = SmallDisk(2_000)
    spool = Spool(disk, SPOOL)
    for name in fill(spool):
        spool.acknowledge(name)
    assert len(fill(spool)) > 10


def test_a_world_whose_spool_filled_the_disk_goes_on_once_the_server_is_back() -> None:
    async def story() -> None:
        server = ScriptedServer(away=True)
        async with Sender(server, SmallDisk(1_000)) as sender:
            for number in range(10):
                sender.outbox.put(batch(number))
            await until(lambda: any(error.code is Code.STORAGE_FAILED for error in sender.said))
            assert 0 < sender.outbox.counts.spooled < 30
            server.away = False
            await asyncio.sleep(120)
            assert sender.outbox.counts.spooled == sender.outbox.counts.acknowledged == len(server.events) == 30
            assert not sender.outbox.counts.dropped

    simulate(story())
