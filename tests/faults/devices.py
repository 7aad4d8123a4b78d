"""The disks of the simulation: a world's, which may fail, fill up or lose power, and a server's durable store."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from random import Random

from openslot_server.storage.store import Reader, Row
from openslot_spec.errors import Code, OpenSlotError
from tests.sdk.scripted_disk import Crash, ScriptedDisk
from tests.server.market import MemoryStore

COMMIT_S = 0.005


class RiskyDisk(ScriptedDisk):
    """A disk with a page cache that fails when it is told to, and may lose power in the middle of an operation."""

    def __init__(self, chance: Random) -> None:
        super().__init__(kept=chance.random())
        self._chance = chance
        self.failing = 0.0
        """The share of operations that fail now."""
        self.power_cut_in = self.fails_in = -1
        """Operations until the power goes, or until one fails; −1: never."""

    def next_start(self) -> RiskyDisk:
        """Return the disk as it is found after a power cut."""
        fresh = RiskyDisk(self._chance)
        fresh.files = self.after_crash().files
        return fresh

    def _step(self) -> None:
        self.operations += 1
        if self.power_cut_in >= 0:
            self.power_cut_in -= 1
            if self.power_cut_in < 0:
                raise Crash
        if self.fails_in >= 0:
            self.fails_in -= 1
            if self.fails_in < 0:
                raise OSError(errno.EIO, "simulated failure")
        if self._chance.random() < self.failing:
            raise OSError(errno.ENOSPC, "simulated failure")


class VirtualStore:
    """A `Store` whose commits take time, in groups, and of which a crash leaves the durable part: `platter`.

    One object is one process' store; the platter outlives it.
    """

    def __init__(self, platter: MemoryStore, chance: Random) -> None:
        self.platter = platter
        self.failed = False
        self.commit_s = 0.0
        """How long a group takes; 0 makes it durable at once."""
        self.fails_at = 0
        """Which commit from now on fails, 1 the next; 0: none."""
        self._chance = chance
        self._waiting: list[tuple[Sequence[Row], Future[None]]] = []
        self._is_dead = False

    def read(self) -> AbstractContextManager[Reader]:
        return self.platter.read()

    def commit(self, rows: Sequence[Row]) -> Future[None]:
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()
        self._waiting.append((rows, done))
        if not self.commit_s:
            self._write()
        elif len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(self.commit_s, self._write)
        return done

    def close(self) -> None:
        self._write()

    def crash(self) -> None:
        """Lose what waits, or find later that it was just written."""
        group, self._waiting, self._is_dead = self._waiting, [], True
        if self._chance.random() < 0.5 and not self.failed:
            self._keep(group)

    def _write(self) -> None:
        if self._is_dead:
            return
        group, self._waiting = self._waiting, []
        fails_now = self.fails_at == 1
        self.fails_at = max(self.fails_at - 1, 0)
        if not self.failed and (not fails_now or self._chance.random() < 0.5):
            self._keep(group)  # an fsync that failed says nothing about what is on the platter
        self.failed |= fails_now
        for _, done in group:
            if self.failed:
                done.set_exception(OpenSlotError(Code.STORAGE_FAILED, "simulated"))
            else:
                done.set_result(None)

    def _keep(self, group: Sequence[tuple[Sequence[Row], Future[None]]]) -> None:
        for rows, _ in group:
            self.platter.commit(rows)
