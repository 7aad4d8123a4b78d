"""Signed records: a server's slots as other servers hear of them.

A *feed* is what one server (its origin) tells one audience: everybody, or one peer. Each record has the feed's next
number and says what stands at one slot from now on; the record with the highest number of a slot holds. Two contents
under one number are proof that the origin says one thing here and another there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple, TypeVar

import rfc8785
from pydantic import Field

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.records import Id, Record, Sha256, TimeMs
from openslot_spec.servers import Origin, Sequence, Server
from openslot_spec.signing import KEY_BYTES, SIGNATURE_BYTES, Purpose, Signer, verify
from openslot_spec.slots import Slot, SlotId

__all__ = [
    "EVERYBODY",
    "MAX_PAYLOAD_BYTES",
    "Feed",
    "Head",
    "Signed",
    "SlotRecord",
    "content_digest",
    "open_head",
    "open_slot",
    "sign",
]

EVERYBODY = ""
MAX_PAYLOAD_BYTES = 16 * 1024
Kind = TypeVar("Kind", "SlotRecord", "Head")
Audience = Annotated[str, Field(pattern=r"^([0-9a-f]{32})?$")]


class Feed(NamedTuple):
    """Who speaks, and to whom."""

    origin: str
    audience: str = EVERYBODY
    """A peer's origin, or empty for everybody; what is said to one is never carried on."""


class Signed(Record):
    """Bytes and who vouches for them."""

    payload: Annotated[bytes, Field(min_length=2, max_length=MAX_PAYLOAD_BYTES)]
    key: Annotated[bytes, Field(min_length=KEY_BYTES, max_length=KEY_BYTES)]
    signature: Annotated[bytes, Field(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]

    def digest(self) -> str:
        """Return the sha-256 of the payload, in hexadecimal: what is said, whoever vouches."""
        return hashlib.sha256(self.payload).hexdigest()


class SlotRecord(Record):
    """What stands at one slot of the origin, from this number of its feed on."""

    origin: Origin
    audience: Audience = EVERYBODY
    seq: Sequence
    world: Id
    id: SlotId
    slot: dict[str, Any] | None = None
    """The slot's record; absent once it is not shared any more."""
    at_ms: TimeMs
    """When the origin said so."""

    @property
    def feed(self) -> Feed:
        """The feed it stands in."""
        return Feed(self.origin, self.audience)

    def standing(self) -> Slot | None:
        """Return the slot that may be bought: None if there is none, or if it is of a later standard than ours."""
        try:
            slot = None if self.slot is None else Slot.parse(self.slot, Code.RECORD_INVALID)
        except OpenSlotError:
            return None
        return slot if slot is not None and slot.id == self.id else None


class Head(Record):
    """Where a feed ends, and the digest of all that holds in it: nobody who carries it can leave anything out."""

    origin: Origin
    audience: Audience = EVERYBODY
    seq: Annotated[int, Field(ge=0, le=2**53)]
    """The highest number given out."""
    count: Annotated[int, Field(ge=0, le=2**31)]
    """Records that hold: one for each slot, those no more shared included."""
    content: Sha256
    at_ms: TimeMs

    @property
    def feed(self) -> Feed:
        """The feed that ends here."""
        return Feed(self.origin, self.audience)


def sign(record: SlotRecord | Head, signer: Signer) -> Signed:
    """Return a record's bytes (canonical JSON, RFC 8785) and their signature."""
    payload = rfc8785.dumps(record.plain())
    purpose = Purpose.SLOT if isinstance(record, SlotRecord) else Purpose.HEAD
    return Signed(payload=payload, key=signer.public, signature=signer.sign(purpose, payload))


def open_slot(signed: Signed, server: Server, now_ms: int) -> SlotRecord:
    """Return the record in signed bytes of `server`, verified before they are read.

    Raises:
        OpenSlotError: `SIGNATURE_INVALID`, `KEY_NOT_HELD` (not its own, not then, or revoked by now),
            or `RECORD_INVALID`.
    """
    record = _opened(signed, Purpose.SLOT, SlotRecord)
    _check_speaker(signed, record, server, now_ms)
    return record


def open_head(signed: Signed, server: Server, now_ms: int) -> Head:
    """Return the head in signed bytes of `server`; raises what `open_slot` does."""
    head = _opened(signed, Purpose.HEAD, Head)
    _check_speaker(signed, head, server, now_ms)
    return head


def content_digest(records: Iterable[tuple[int, str]]) -> str:
    """Return the digest of a feed's content: of (number, digest of the payload) of all that holds, by number."""
    digest = hashlib.sha256()
    for seq, payload in sorted(records):
        digest.update(seq.to_bytes(8, "big") + bytes.fromhex(payload))
    return digest.hexdigest()


def _opened(signed: Signed, purpose: Purpose, kind: type[Kind]) -> Kind:
    verify(signed.key, purpose, signed.payload, signed.signature)
    try:
        return kind.parse(json.loads(signed.payload), Code.RECORD_INVALID)
    except (ValueError, RecursionError) as error:
        raise OpenSlotError(Code.RECORD_INVALID, str(error)[:200]) from None


def _check_speaker(signed: Signed, record: SlotRecord | Head, server: Server, now_ms: int) -> None:
    if record.origin != server.origin:
        raise OpenSlotError(Code.KEY_NOT_HELD, "signed by another server than it names", where="origin")
    key = server.key(signed.key, record.at_ms)
    if key.revoked_ms is not None and key.revoked_ms <= now_ms:
        raise OpenSlotError(Code.KEY_NOT_HELD, "the key is revoked", where="key")
