"""Evidence on disk: kept before its batch is, until the server does not want it or has it, never for long.

    keep ──▶ waits with its batch ──settle──▶ asked ──▶ revealed, and gone
                                     └──▶ not asked, and gone
    withdraw, purge ──▶ gone, whatever it was

A file of its own beside the spool, made when the first viewer consented. What is gone is gone from the disk as well
with the next `purge`, or as soon as half of the file is of that kind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import msgpack

from openslot_sdk.disk import Disk
from openslot_sdk.spool import Spool
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.evidence import KEPT_MS, Evidence
from openslot_spec.ids import id_time_ms

__all__ = ["EVIDENCE_LIMIT_BYTES", "Proofs", "Secret", "without"]

EVIDENCE_LIMIT_BYTES = 4 * 1024 * 1024
MARGIN_MS = 3_600_000
"""By which evidence goes earlier than it must: the world may be off for as long."""

Secret = tuple[bytes, bytes]
"""Salt and packed evidence; both empty once consent was withdrawn."""
GONE: Secret = (b"", b"")


@dataclass(slots=True)
class _Entry:
    batch: bytes
    asked: bool
    secrets: dict[int, Secret]

    @property
    def key(self) -> bytes:
        return hashlib.sha256(b"asked" + self.batch).digest()[:16] if self.asked else self.batch

    def pack(self) -> bytes:
        return bytes(msgpack.packb([self.batch, self.asked, self.secrets]))

    @classmethod
    def unpack(cls, payload: bytes) -> _Entry:
        batch, asked, secrets = msgpack.unpackb(payload, strict_map_key=False)
        return cls(batch, asked, {event: (salt, packed) for event, (salt, packed) in secrets.items()})


class Proofs:
    """The evidence of one world's impressions. One thread at a time; errors as `Spool`."""

    def __init__(self, disk: Disk, name: str, limit_bytes: int = EVIDENCE_LIMIT_BYTES) -> None:
        self._disk = disk
        self._name = name
        self._limit_bytes = limit_bytes
        self._entries: dict[bytes, _Entry] = {}
        """By key."""
        self._here: set[bytes] = set()
        """Batches of this run, in which viewers' numbers mean somebody who is here."""
        try:
            self._spool = self._opened() if disk.read(name) else None
        except OSError as error:
            raise OpenSlotError(Code.STORAGE_FAILED, str(error), where=name) from error

    def recover(self, waiting: Collection[bytes]) -> None:
        """Take back an earlier run's evidence: what was asked for, and that of batches that still wait."""
        if self._spool is None:
            return
        for key, payload in self._spool.waiting():
            entry = _Entry.unpack(payload)
            if entry.asked or entry.batch in waiting:
                self._entries[key] = entry
            else:
                self._spool.acknowledge(key)
        self._spool.compact()

    def keep(self, batch: bytes, secrets: Mapping[int, Secret]) -> None:
        """Keep the evidence of a batch; it is durable on return.

        Raises:
            OpenSlotError: `SPOOL_FULL` or `STORAGE_FAILED`; nothing may be committed to then.
        """
        self._here.add(batch)
        self._put(_Entry(batch, asked=False, secrets=dict(secrets)))

    def settle(self, batch: bytes, reveal: Sequence[int]) -> None:
        """Keep of a batch's evidence only what is to be revealed."""
        entry = self._entries.get(batch)
        asked = _Entry(batch, asked=True, secrets=dict.fromkeys(reveal, GONE))
        if reveal and asked.key not in self._entries:  # an earlier run may have come so far
            known = entry.secrets if entry else {}
            asked.secrets.update((event, known[event]) for event in reveal if event in known)
            self._put(asked)
        if entry is not None:
            self._drop(entry)

    def asked(self) -> list[tuple[bytes, int, Secret]]:
        """Return what is to be revealed: batch, event, secret."""
        entries = [entry for entry in self._entries.values() if entry.asked]
        return [(entry.batch, event, secret) for entry in entries for event, secret in entry.secrets.items()]

    def revealed(self, batch: bytes, event: int) -> None:
        """Drop what the server has."""
        entry = next((each for each in self._entries.values() if each.asked and each.batch == batch), None)
        if entry is not None:
            left = {other: secret for other, secret in entry.secrets.items() if other != event}
            self._replace(entry, left)

    def withdraw(self, viewers: Collection[int]) -> None:
        """Drop the evidence of viewers of this run who no longer consent; what was asked for is answered empty."""
        for entry in [entry for entry in self._entries.values() if entry.batch in self._here]:
            kept = without(entry.secrets, viewers)
            if kept != entry.secrets:
                self._replace(entry, kept)
        if self._spool is not None:
            self._spool.compact()

    def purge(self, now_ms: float) -> None:
        """Drop what has been here for long enough, and rewrite the file without what is gone."""
        for entry in [*self._entries.values()]:
            if id_time_ms(entry.batch) + KEPT_MS - MARGIN_MS <= now_ms:
                self._drop(entry)
        self._here.intersection_update(entry.batch for entry in self._entries.values())
        if self._spool is not None:
            self._spool.compact()

    def _put(self, entry: _Entry) -> None:
        if self._spool is None:
            self._spool = self._opened()
        self._spool.append(entry.key, entry.pack())
        self._entries[entry.key] = entry

    def _drop(self, entry: _Entry) -> None:
        assert self._spool is not None  # noqa: S101  it holds this entry
        del self._entries[entry.key]
        self._spool.acknowledge(entry.key)

    def _replace(self, entry: _Entry, secrets: dict[int, Secret]) -> None:
        self._drop(entry)
        if secrets:
            self._put(_Entry(entry.batch, entry.asked, secrets))

    def _opened(self) -> Spool:
        return Spool(self._disk, self._name, self._limit_bytes)


def without(secrets: Mapping[int, Secret], viewers: Collection[int]) -> dict[int, Secret]:
    """Return evidence by event, that of some viewers being gone."""
    return {event: GONE if _viewer(secret) in viewers else secret for event, secret in secrets.items()}


def _viewer(secret: Secret) -> int | None:
    try:
        return Evidence.unpack(secret[1]).viewer
    except OpenSlotError as error:
        if error.code is not Code.EVIDENCE_INVALID:
            raise
        return None
