"""The disk under the spool: five methods, and the lock that keeps a second world out."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Protocol

from openslot_spec.errors import Code, OpenSlotError

__all__ = ["Disk", "FileDisk", "FileLock"]


class Disk(Protocol):
    """Files by name. Content is durable once `sync` returned, a name once `replace` did; any may raise `OSError`."""

    def read(self, name: str) -> bytes:
        """Return the whole file; empty if there is none."""

    def create(self, name: str, data: bytes) -> None:
        """Write a file that holds `data` and nothing else."""

    def append(self, name: str, data: bytes) -> None:
        """Add `data` at the file's end."""

    def sync(self, name: str) -> None:
        """Make what was written to the file durable."""

    def replace(self, source: str, target: str) -> None:
        """Give `source` the name `target`, at once and durably; the file that had it is gone."""


class FileDisk:
    """The real disk. One open handle a file, so that `sync` hears of every failed write before it."""

    def __init__(self) -> None:
        self._handles: dict[str, FileIO] = {}

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
        """Close every handle."""
        for name in tuple(self._handles):
            self._close(name)

    def _handle(self, name: str) -> FileIO:
        if name not in self._handles:
            self._handles[name] = FileIO(name, "ab")
        return self._handles[name]

    def _close(self, name: str) -> None:
        handle = self._handles.pop(name, None)
        if handle is not None:
            handle.close()


class FileLock:
    """Held from construction to `close`, by one process and one holder in it.

    Raises:
        OpenSlotError: `CONFIG_INVALID` if another holds it, `STORAGE_FAILED` if the folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._handle = path.open("ab")
        except OSError as error:
            raise OpenSlotError(Code.STORAGE_FAILED, str(error), where=str(path)) from error
        try:
            _lock(self._handle)
        except OSError:
            self._handle.close()
            detail = "another world holds this spool; give each world its own"
            raise OpenSlotError(Code.CONFIG_INVALID, detail, where=str(path)) from None

    def close(self) -> None:
        """Let go; a process that dies lets go too."""
        self._handle.close()


def _lock(handle: BinaryIO) -> None:
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
