from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future

import pytest

from openslot_server.storage.store import BatchRow, Row, SessionRow
from openslot_server.storage.turns import MUCH_BYTES, Turns
from openslot_spec.errors import Code, OpenSlotError
from tests.server.market import MemoryStore

A, B, C = (SessionRow(name, "plaza", 1) for name in "abc")


class SlowStore(MemoryStore):
    """A store whose commits are done when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[tuple[list[Row], Future[None]]] = []

    def commit(self, rows: Sequence[Row]) -> Future[None]:
        self.commits.append((list(rows), Future()))
        return self.commits[-1][1]


async def test_what_is_committed_in_one_turn_goes_to_the_store_together() -> None:
    store = SlowStore()
    turns = Turns(store)
    first, second = turns.commit([A]), turns.commit([B, C])
    assert first is second
    assert not store.commits
    await asyncio.sleep(0)
    third = turns.commit([])
    await asyncio.sleep(0)
    (rows, written), (none, _) = store.commits
    assert (rows, none) == ([A, B, C], [])
    assert not first.done()
    written.set_result(None)
    assert (first.done(), third.done()) == (True, False)


async def test_where_there_is_much_to_write_the_disk_begins_at_once() -> None:
    store = SlowStore()
    turns = Turns(store)
    large = BatchRow(b"id", "plaza", 1, b"", b"", bytes(MUCH_BYTES // 2), b"")
    first, second, third = (turns.commit([row]) for row in (large, large, A))
    assert [rows for rows, _ in store.commits] == [[large, large]]
    assert first is second is not third
    await asyncio.sleep(0)
    assert [rows for rows, _ in store.commits[1:]] == [[A]]
    await asyncio.sleep(0)
    assert len(store.commits) == 2


async def test_all_of_a_turn_hear_that_it_failed() -> None:
    store = SlowStore()
    done = Turns(store).commit([A])
    await asyncio.sleep(0)
    store.commits[0][1].set_exception(OpenSlotError(Code.STORAGE_FAILED))
    with pytest.raises(OpenSlotError, match=Code.STORAGE_FAILED.value):
        done.result()


def test_without_a_loop_each_commit_goes_by_itself() -> None:
    store = SlowStore()
    turns = Turns(store)
    assert turns.commit([A]) is not turns.commit([B])
    assert [rows for rows, _ in store.commits] == [[A], [B]]
