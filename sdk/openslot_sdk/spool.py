"""Batches on disk until the server says it has them.

A file is 16 bytes of `MAGIC`, then records in the order they were written:

    ┌────────┬───────────┬──────────┬──────────┬─────────────────┐
    │ mark 4 │ length u4 │ crc32 u4 │ batch 16 │ payload, length │   crc32 over length, batch and payload
    └────────┴───────────┴──────────┴──────────┴─────────────────┘

A record of length 0 says that its batch was acknowledged. `append` returns when the record is durable. The mark lets
recovery go on behind a damaged record: what cannot be read costs itself and nothing after it.
"""

from __future__ import annotations

import struct
import zlib

from openslot_sdk.disk import Disk
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["MAX_PAYLOAD_BYTES", "SPOOL_LIMIT_BYTES", "Spool", "scan"]

MAGIC = b"openslot spool\x01\n"
MARK = b"\xa5OS\x1a"
HEAD = struct.Struct("<4sII16s")
MAX_PAYLOAD_BYTES = 1024 * 1024
SPOOL_LIMIT_BYTES = 32 * 1024 * 1024
"""Waiting batches take this much memory and, while the file is being rewritten, up to three times as much disk."""
GARBAGE_BYTES = 256 * 1024
"""Acknowledged records are left in the file until they weigh this much, and more than those that wait."""


class Spool:
    """The batches that the server does not have yet, oldest first.

    One thread at a time. When the limit is reached `append` refuses; the caller counts what it drops.

    Raises:
        OpenSlotError: `CONFIG_INVALID` if the file is something else or another world's, `STORAGE_FAILED` if it cannot
            be read or written.
    """

    def __init__(self, disk: Disk, name: str, limit_bytes: int = SPOOL_LIMIT_BYTES) -> None:
        self._disk = disk
        self._name = name
        self.limit_bytes = limit_bytes
        self._waiting: dict[bytes, bytes] = {}
        self.waiting_bytes = 0
        self._garbage_bytes = 0
        self._doubtful = True
        self._has_name = False
        """Whether the file's name is durable too."""
        self.unreadable_bytes = 0
        """What recovery could not read, for the caller to say (`SPOOL_DAMAGED`)."""
        try:
            disk.lock(name)
            self._recover(disk.read(name))
        except OSError as error:
            raise OpenSlotError(Code.STORAGE_FAILED, str(error), where=name) from error

    def __len__(self) -> int:
        return len(self._waiting)

    def waiting(self) -> tuple[tuple[bytes, bytes], ...]:
        """Return (batch, payload) of all that is not acknowledged, oldest first."""
        return tuple(self._waiting.items())

    def append(self, batch: bytes, payload: bytes) -> None:
        """Keep a batch; it is durable on return.

        Raises:
            OpenSlotError: `SPOOL_FULL`; `STORAGE_FAILED` (try again with the same id: a crash may yet bring it back);
                `BATCH_CONFLICT` for an id that waits with other content.
        """
        if not 1 <= len(payload) <= MAX_PAYLOAD_BYTES:
            raise OpenSlotError(Code.BATCH_INVALID, f"{len(payload)} bytes, at most {MAX_PAYLOAD_BYTES}")
        if batch in self._waiting:
            if self._waiting[batch] != payload:
                raise OpenSlotError(Code.BATCH_CONFLICT, batch.hex())
            return
        record = _record(batch, payload)
        if self.waiting_bytes + len(record) > self.limit_bytes:
            raise OpenSlotError(Code.SPOOL_FULL, f"{self.waiting_bytes} of {self.limit_bytes} bytes", where=self._name)
        self._write(record)
        self._waiting[batch] = payload
        self.waiting_bytes += len(record)

    def acknowledge(self, batch: bytes) -> None:
        """Forget a batch. Not synced: if this is lost, the batch is sent again under its id and counted once."""
        payload = self._waiting.pop(batch, None)
        if payload is None:
            return
        self.waiting_bytes -= HEAD.size + len(payload)
        self._garbage_bytes += 2 * HEAD.size + len(payload)
        try:
            if self._garbage_bytes > max(GARBAGE_BYTES, self.waiting_bytes):
                self._rewrite()
            else:
                self._disk.append(self._name, _record(batch, b""))
        except OSError:
            self._doubtful = True  # the next append rewrites the file, or raises

    def compact(self) -> None:
        """Rewrite the file without what was acknowledged, if there is any; raises `STORAGE_FAILED`."""
        if self._garbage_bytes:
            try:
                self._rewrite()
            except OSError as error:
                raise OpenSlotError(Code.STORAGE_FAILED, str(error), where=self._name) from error

    def _recover(self, data: bytes) -> None:
        if not MAGIC.startswith(data[: len(MAGIC)]):
            raise OpenSlotError(Code.CONFIG_INVALID, "not a spool; it is left as it is", where=self._name)
        self._waiting, self.unreadable_bytes = scan(data)
        self.waiting_bytes = sum(HEAD.size + len(payload) for payload in self._waiting.values())
        self._garbage_bytes = len(data) - len(MAGIC) - self.waiting_bytes
        self._has_name = len(data) >= len(MAGIC)
        self._write_again(data)

    def _write_again(self, data: bytes) -> None:
        """Make what was read durable: a killed writer, or a failed fsync in an earlier life, left it in memory alone.

        An fsync of the file as it is would prove nothing: a failure is told once, and to whoever asked then.
        """
        try:
            self._rewrite()
        except OSError:
            if not self._waiting:
                raise
            self._disk.overwrite(self._name, data)  # a full disk: this needs no room
            self._disk.sync(self._name)

    def _write(self, record: bytes) -> None:
        try:
            if self._doubtful:
                self._rewrite()
            self._doubtful = True
            self._disk.append(self._name, record)
            self._disk.sync(self._name)
        except OSError as error:
            raise OpenSlotError(Code.STORAGE_FAILED, str(error), where=self._name) from error
        self._doubtful = False

    def _rewrite(self) -> None:
        """Put exactly the waiting batches into a new file: after damage, after a failed write, against garbage.

        After a failed fsync the old file's content is anybody's guess, even where it reads well. With nothing to lose
        the old file is emptied in its place, for which even a disk that it filled has room.
        """
        self._doubtful = True
        in_place = self._has_name and not self._waiting
        fresh = self._name if in_place else self._name + ".new"
        self._disk.create(fresh, MAGIC + b"".join(_record(*item) for item in self._waiting.items()))
        self._disk.sync(fresh)
        if not in_place:
            self._disk.replace(fresh, self._name)
            self._has_name = True
        self._garbage_bytes = 0
        self._doubtful = False


def scan(data: bytes) -> tuple[dict[bytes, bytes], int]:
    """Return the batches of a spool file that are not acknowledged, and how many bytes could not be read."""
    waiting: dict[bytes, bytes] = {}
    unreadable = 0
    at = min(len(MAGIC), len(data))
    while at < len(data):
        found = _record_at(data, at)
        if found is None:
            after = data.find(MARK, at + 1)
            after = len(data) if after < 0 else after
            unreadable += after - at
            at = after
            continue
        batch, payload = found
        if payload:
            waiting.setdefault(batch, payload)
        else:
            waiting.pop(batch, None)
        at += HEAD.size + len(payload)
    return waiting, unreadable


def _record(batch: bytes, payload: bytes) -> bytes:
    return HEAD.pack(MARK, len(payload), _crc(batch, payload), batch) + payload


def _record_at(data: bytes, at: int) -> tuple[bytes, bytes] | None:
    if at + HEAD.size > len(data):
        return None
    mark, length, crc, batch = HEAD.unpack_from(data, at)
    payload = data[at + HEAD.size : at + HEAD.size + min(length, MAX_PAYLOAD_BYTES)]
    if mark != MARK or len(payload) != length or crc != _crc(batch, payload):
        return None
    return batch, payload


def _crc(batch: bytes, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(batch, len(payload)))  # the length is the start value
