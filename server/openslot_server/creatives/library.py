"""Approved bytes on disk, named by their sha-256: what was approved is what is served.

    <root>/<sha256>   whole files, never changed      <root>/incoming/…   not finished; cleared at the next start

A file appears under its name by one rename, after its bytes are durable: a crash leaves it whole or absent.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from openslot_spec.errors import Code, OpenSlotError

__all__ = ["Library"]

INCOMING = "incoming"
SHA256 = re.compile(r"[0-9a-f]{64}")


class Library:
    """The files below one folder; one server process at a time owns it. Every method blocks on the disk."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / INCOMING
        self._incoming.mkdir(parents=True, exist_ok=True)
        for unfinished in self._incoming.iterdir():
            unfinished.unlink()

    def put(self, data: bytes) -> str:
        """Return the sha-256 of `data` once it is durable; the same bytes are kept once.

        Raises:
            OpenSlotError: `STORAGE_FAILED`; nothing is half-written.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            if not self._is_whole(sha256):
                self._write(self._place(sha256), data)
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
