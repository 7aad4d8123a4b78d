"""Approved bytes on disk, named by their sha-256: what was approved is what is served.

    <root>/<sha256>      whole files, never changed    <root>/incoming/…   not finished; cleared at the next start
    <root>/<sha256>.gz   the same, packed; where it is gone or damaged, nothing is lost

A file appears under its name by one rename, after its bytes are durable: a crash leaves it whole or absent.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import tempfile
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

from openslot_spec.errors import Code, OpenSlotError

__all__ = ["Library"]

INCOMING = "incoming"
SHA256 = re.compile(r"[0-9a-f]{64}")
PACKED = ".gz"
WORTH_IT = 0.9
"""A packed file is kept if it is smaller than this share of the plain one."""
GZIP = 16 + zlib.MAX_WBITS


class Library:
    """The files below one folder; one server process at a time owns it. Every method blocks on the disk."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / INCOMING
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._removing = threading.Lock()
        for unfinished in self._incoming.iterdir():
            unfinished.unlink()

    def put(self, data: bytes, *, packs: bool = False) -> str:
        """Return the sha-256 of `data` once it is durable; the same bytes are kept once, packed too where that helps.

        Raises:
            OpenSlotError: `STORAGE_FAILED`; nothing is half-written.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            with self._removing:
                if self._is_whole(sha256):
                    os.utime(self._place(sha256))  # as if it came now: nobody may know of it yet
                else:
                    self._write(self._place(sha256), data)
            if packs:
                self._pack(sha256, data)
        except OSError as error:
            raise OpenSlotError(Code.STORAGE_FAILED, error.strerror or "write failed", where=sha256) from error
        return sha256

    def read(self, sha256: str) -> bytes:
        """Return the bytes with this hash, verified.

        Raises:
            OpenSlotError: `CREATIVE_UNKNOWN`, `CREATIVE_HASH_MISMATCH` if the disk holds other bytes by now, or
                `STORAGE_FAILED`.
        """
        try:
            data = self._place(sha256).read_bytes()
        except FileNotFoundError:
            raise OpenSlotError(Code.CREATIVE_UNKNOWN, where=sha256) from None
        except OSError as error:
            raise OpenSlotError(Code.STORAGE_FAILED, error.strerror or "read failed", where=sha256) from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise OpenSlotError(Code.CREATIVE_HASH_MISMATCH, "the file changed on disk", where=sha256)
        return data

    def read_packed(self, sha256: str, size_bytes: int) -> bytes | None:
        """Return a gzip of the bytes with this hash, verified by unpacking it; None where there is none that holds."""
        try:
            packed = self._packed(sha256).read_bytes()
            unpacking = zlib.decompressobj(GZIP)
            data = unpacking.decompress(packed, size_bytes + 1)
        except (OSError, zlib.error):
            return None
        is_all = unpacking.eof and not unpacking.unused_data
        return packed if is_all and hashlib.sha256(data).hexdigest() == sha256 else None

    def names(self) -> Iterator[str]:
        """Yield the hash of every file that is kept."""
        for entry in self._root.iterdir():
            if SHA256.fullmatch(entry.name):
                yield entry.name

    def remove(self, sha256: str, came_before_ms: int) -> bool:
        """Return whether a file was removed: if it came, or came again, before that time."""
        place = self._place(sha256)
        with self._removing:
            try:
                if place.stat().st_mtime_ns // 1_000_000 >= came_before_ms:
                    return False
                self._packed(sha256).unlink(missing_ok=True)  # first: without its plain file nobody would find it
                place.unlink()
            except FileNotFoundError:
                return False
        return True

    def _pack(self, sha256: str, data: bytes) -> None:
        if self.read_packed(sha256, len(data)) is None:
            packed = gzip.compress(data, mtime=0)
            if len(packed) < len(data) * WORTH_IT:
                self._write(self._packed(sha256), packed)

    def _packed(self, sha256: str) -> Path:
        return self._place(sha256).with_suffix(PACKED)

    def _is_whole(self, sha256: str) -> bool:
        try:
            self.read(sha256)
        except OpenSlotError:
            return False  # absent, or damaged: written anew
        return True

    def _place(self, sha256: str) -> Path:
        if not SHA256.fullmatch(sha256):
            raise OpenSlotError(Code.CREATIVE_UNKNOWN, "a name is 64 hexadecimal digits", where=sha256[:64])
        return self._root / sha256

    def _write(self, place: Path, data: bytes) -> None:
        with tempfile.NamedTemporaryFile(dir=self._incoming, delete=False) as file:
            unfinished = Path(file.name)
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                unfinished.replace(place)
            except BaseException:
                unfinished.unlink()
                raise
        _sync(self._root)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # a rename is durable only with its directory
    finally:
        os.close(descriptor)
