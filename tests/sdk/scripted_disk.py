"""A disk with a page cache that a test can crash or let fail at any operation."""

from __future__ import annotations

from dataclasses import dataclass


class Crash(BaseException):
    """The power is gone."""


@dataclass
class File:
    durable: bytes = b""
    cached: bytes = b""
    lost: bool = False
    """A failed sync: the cache says clean, the platter never got it, and no later sync will tell."""


class ScriptedDisk:
    """Operation `crash_at` ends in `Crash`, those in `fail_at` in `OSError`; `kept` says how far each of them got."""

    def __init__(self, *, crash_at: int = -1, fail_at: frozenset[int] = frozenset(), kept: float = 0.5) -> None:
        self.files: dict[str, File] = {}
        self.operations = 0
        self.locked = ""
        self._crash_at = crash_at
        self._fail_at = fail_at
        self._kept = kept

    def lock(self, name: str) -> None:
        self.locked = name

    def close(self) -> None:
        self.locked = ""

    def read(self, name: str) -> bytes:
        self._step()
        return self.files[name].cached if name in self.files else b""

    def create(self, name: str, data: bytes) -> None:
        self.files[name] = File()
        self.append(name, data)

    def append(self, name: str, data: bytes) -> None:
        file = self.files.setdefault(name, File())
        before = file.cached
        file.cached = before + data[: int(len(data) * self._kept)]
        self._step()
        file.cached = before + data

    def overwrite(self, name: str, data: bytes) -> None:
        self._step()
        self.files[name].cached = data
        self.files[name].lost = False

    def sync(self, name: str) -> None:
        file = self.files.setdefault(name, File())
        try:
            self._step()
        except OSError:
            file.lost = True
            raise
        if not file.lost:
            file.durable = file.cached

    def replace(self, source: str, target: str) -> None:
        if self._kept < 0.5:
            self._step()
        self.files[target] = self.files.pop(source)
        if self._kept >= 0.5:
            self._step()

    def after_crash(self) -> ScriptedDisk:
        """Return the disk as the next process finds it: what was synced, and some of what was not."""
        fresh = ScriptedDisk()
        for name, file in self.files.items():
            tail = file.cached[len(file.durable) :]
            content = file.durable + tail[: int(len(tail) * self._kept)]
            fresh.files[name] = File(content, content)
        return fresh

    def _step(self) -> None:
        now, self.operations = self.operations, self.operations + 1
        if now == self._crash_at:
            raise Crash
        if now in self._fail_at:
            raise OSError(5, "scripted failure")
