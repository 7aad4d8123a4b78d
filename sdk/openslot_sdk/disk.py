"""The disk under the spool: six operations, and the lock that keeps a second world out."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from typing import Protocol

from openslot_spec.errors import Code, OpenSlotError

__all__ = ["Disk", "FileDisk"]


class Disk(Protocol):
    """Files by name. Content is durable once `sync` returned, a name once `replace` did; any may raise `OSError`."""

    def lock(self, name: str) -> None:
        """Hold the file against every other `Disk`; raises `CONFIG_INVALID` if one holds it."""

    def read(self, name: str) -> bytes:
        """Return the whole file; empty if there is none."""

    def create(self, name: str, data: bytes) -> None:
        """Write a file that holds `data` and nothing else."""

    def append(self, name: str, data: bytes) -> None:
        """Add `data` at the file's end."""

    def overwrite(self, name: str, data: bytes) -> None:
        """Write again what the file holds, so that the next `sync` makes all of it durable; takes no more room."""

    def sync(self, name: str) -> None:
        """Make what was written to the file durable."""

    def replace(self, source: str, target: str) -> None:
        """Give `source` the name `target`, at once and durably; the file that had it is gone."""

    def close(self) -> None:
        """Let go of every file and lock."""


class FileDisk:
    """The real disk. One open handle a file, so that `sync` hears of every failed write before it."""

    def __init__(self) -> None:
        self._handles: dict[str, FileIO] = {}
        self._locks: dict[str, FileIO] = {}

    def lock(self, name: str) -> None:
        """Hold the file against other disks and processes; the lock is a file beside it, which stays."""
        if name in self._locks:
            return
        handle = FileIO(name + ".lock", "ab")
        try:
            _lock(handle)
        except OSError:
            handle.close()
            detail = "another world holds this spool; give each world its own"
            raise OpenSlotError(Code.CONFIG_INVALID, detail, where=name) from None
        self._locks[name] = handle

    def read(self, name: str) -> bytes:
        """Return the whole file; empty if there is none."""
        try:
            return Path(name).read_bytes()
        except FileNotFoundError:
            return b""

    def create(self, name: str, data: bytes) -> None:
        """Write a file that holds `data` and nothing else."""
        self._close(name)
        self._handles[name] = FileIO(name, "wb")
        _write(self._handles[name], data)

    def append(self, name: str, data: bytes) -> None:
        """Add `data` at the file's end."""
        _write(self._handle(name), data)

    def overwrite(self, name: str, data: bytes) -> None:
        """Write again what the file holds."""
        self._close(name)
        self._handles[name] = FileIO(name, "r+b")
        _write(self._handles[name], data)

    def sync(self, name: str) -> None:
        """Make what was written to the file durable."""
        os.fsync(self._handle(name).fileno())

    def replace(self, source: str, target: str) -> None:
        """Give `source` the name `target`, at once and durably."""
        self._close(source)
        self._close(target)
        Path(source).replace(target)
        if os.name == "posix":  # elsewhere a folder cannot be opened, and a rename is durable with the file
            folder = os.open(Path(target).parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def close(self) -> None:
        """Let go of every file and lock; a process that dies does the same."""
        for handle in (*self._handles.values(), *self._locks.values()):
            handle.close()
        self._handles.clear()
        self._locks.clear()

    def _handle(self, name: str) -> FileIO:
        if name not in self._handles:
            self._handles[name] = FileIO(name, "ab")
        return self._handles[name]

    def _close(self, name: str) -> None:
        handle = self._handles.pop(name, None)
        if handle is not None:
            handle.close()


def _lock(handle: FileIO) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]  # Windows alone
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _write(handle: FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:  # a nearly full disk takes a part and says so only the next time
        left = left[handle.write(left) :]
