from __future__ import annotations

import asyncio
from concurrent.futures import Future

from openslot_server.http.outbound import Outbound
from openslot_server.storage.awaiting import Awaiting
from openslot_spec.errors import Code, OpenSlotError


class Reader:
    """The other side, which reads as the test says."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.reads = asyncio.Event()
        self.reads.set()

    async def send(self, data: bytes) -> None:
        await self.reads.wait()
        self.heard.append(data)


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_an_answer_leaves_only_once_it_is_durable_and_in_its_turn() -> None:
    reader, durable = Reader(), Future[None]()
    outbound = Outbound(reader.send, limit_bytes=100, undurable=2, awaiting=Awaiting())
    writer = asyncio.create_task(outbound.run())
    await outbound.put_after(b"answer", durable)
    outbound.put(b"push")
    await settled()
    assert reader.heard == []
    durable.set_result(None)
    outbound.close()
    assert await writer is None
    assert reader.heard == [b"answer", b"push"]


async def test_nothing_leaves_after_a_commit_that_failed() -> None:
    reader, durable = Reader(), Future[None]()
    outbound = Outbound(reader.send, limit_bytes=100, undurable=2, awaiting=Awaiting())
    durable.set_exception(OpenSlotError(Code.STORAGE_FAILED))
    await outbound.put_after(b"answer", durable)
    outbound.put(b"push")
    failure = await outbound.run()
    assert failure is not None
    assert (failure.code, reader.heard) == (Code.STORAGE_FAILED, [])


async def test_a_slow_disk_slows_the_world_down() -> None:
    reader = Reader()
    outbound = Outbound(reader.send, limit_bytes=100, undurable=2, awaiting=Awaiting())
    commits = [Future[None]() for _ in range(3)]
    await outbound.put_after(b"1", commits[0])
    await outbound.put_after(b"2", commits[1])
    third = asyncio.create_task(outbound.put_after(b"3", commits[2]))
    writer = asyncio.create_task(outbound.run())
    await settled()
    assert not third.done()
    for commit in commits:
        commit.set_result(None)
    await third
    outbound.close()
    await writer
    assert reader.heard == [b"1", b"2", b"3"]


async def test_more_bytes_than_the_limit_are_not_queued() -> None:
    reader = Reader()
    reader.reads.clear()
    outbound = Outbound(reader.send, limit_bytes=10, undurable=2, awaiting=Awaiting())
    outbound.put(b"x" * 10)
    assert not outbound.overflow.is_set()
    outbound.put(b"y")
    assert outbound.overflow.is_set()


async def test_what_was_read_makes_room() -> None:
    reader = Reader()
    outbound = Outbound(reader.send, limit_bytes=10, undurable=2, awaiting=Awaiting())
    writer = asyncio.create_task(outbound.run())
    for _ in range(5):
        outbound.put(b"x" * 10)
        await settled()
    outbound.close()
    await writer
    assert (len(reader.heard), outbound.overflow.is_set()) == (5, False)


class Door:
    """Where waiters come in and say when they are let go, and how."""

    def __init__(self, waiters: int, durable: Future[None]) -> None:
        awaiting = Awaiting()
        self.heard: list[BaseException | None] = []
        self.tasks = [asyncio.create_task(self._wait(awaiting, durable)) for _ in range(waiters)]

    async def _wait(self, awaiting: Awaiting, durable: Future[None]) -> None:
        try:
            await awaiting(durable)
        except (OpenSlotError, asyncio.CancelledError) as error:
            self.heard.append(error)
        else:
            self.heard.append(None)


async def test_all_who_wait_for_one_transaction_are_woken_by_its_end() -> None:
    durable = Future[None]()
    door = Door(3, durable)
    await settled()
    assert door.heard == []
    await asyncio.to_thread(durable.set_result, None)
    await asyncio.gather(*door.tasks)
    assert door.heard == [None] * 3


async def test_all_who_wait_for_one_transaction_hear_that_it_failed() -> None:
    durable = Future[None]()
    door = Door(3, durable)
    await settled()
    error = OpenSlotError(Code.STORAGE_FAILED)
    await asyncio.to_thread(durable.set_exception, error)
    await asyncio.gather(*door.tasks)
    assert door.heard == [error] * 3


async def test_who_stops_waiting_takes_nobody_along() -> None:
    durable = Future[None]()
    door = Door(2, durable)
    await settled()
    door.tasks[0].cancel()
    await settled()
    assert len(door.heard) == 1
    durable.set_result(None)
    await door.tasks[1]
    assert door.heard[1:] == [None]


async def test_waiting_for_one_transaction_does_not_wait_for_the_next() -> None:
    awaiting, first, second = Awaiting(), Future[None](), Future[None]()
    waits = [asyncio.create_task(awaiting(each)) for each in (first, second, first)]
    await settled()
    first.set_result(None)
    await asyncio.gather(waits[0], waits[2])
    assert not waits[1].done()
    second.set_result(None)
    await waits[1]
