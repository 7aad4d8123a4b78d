"""Tickets: what a placement is worth, bound by HMAC to what was decided.

A ticket is opaque to the world. Layout: 4 bytes key id · msgpack array of the fields in order · 16 bytes of
HMAC-SHA-256 over everything before. The world returns it with each event; the server recomputes and believes only it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Annotated, Literal, Self

import msgpack
from pydantic import Field, ValidationError, model_validator

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.ids import Id128
from openslot_spec.records import Id, Micros, Record, Sha256, TimeMs

__all__ = ["MAX_TICKET_BYTES", "Ticket", "mint", "read", "redeem"]

MAX_TICKET_BYTES = 768
MAC_BYTES = 16
KEY_ID_BYTES = 4


class Ticket(Record):
    """The terms of one placement."""

    placement: Id128
    world: Id
    """Payee, and the only world that may use the ticket."""
    session: Id
    slot: Id
    slot_revision: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    creative: Sha256
    line_item: Id
    price_micros: Micros
    """For one viewable impression."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    audience: Literal["shared", "per_viewer"]
    viewers: Annotated[int, Field(ge=1, le=10_000)]
    """Impressions reserved; later ones are delivered free."""
    viewer: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = None
    """Of a per-viewer placement, whose it is: a number within the session. Nobody else's events are taken."""
    profile: Annotated[str, Field(max_length=64)]
    issued_ms: TimeMs
    expires_ms: TimeMs

    @model_validator(mode="after")
    def _names_its_viewer(self) -> Self:
        if (self.audience == "per_viewer") != (self.viewer is not None):
            raise ValueError("a per-viewer ticket names its viewer, a shared one none")
        return self


def mint(ticket: Ticket, keys: Mapping[bytes, bytes], key_id: bytes) -> bytes:
    """Return the signed bytes of `ticket`; `keys` maps 4-byte key ids to secrets of 32 bytes."""
    body = key_id + bytes(msgpack.packb(list(ticket.model_dump().values())))
    return body + _mac(keys[key_id], body)


def redeem(token: bytes, keys: Mapping[bytes, bytes]) -> Ticket:
    """Return the ticket in `token`; raises `OpenSlotError(TICKET_INVALID)` unless a known key signed these bytes.

    Expiry, payee and single use are the ledger's to judge: an honest event may arrive long after its ticket expired.
    """
    body, mac = token[:-MAC_BYTES], token[-MAC_BYTES:]
    secret = keys.get(body[:KEY_ID_BYTES])
    if secret is None or len(token) > MAX_TICKET_BYTES or not hmac.compare_digest(mac, _mac(secret, body)):
        raise OpenSlotError(Code.TICKET_INVALID)
    return read(token)


def read(token: bytes) -> Ticket:
    """Return the ticket in `token` without asking who signed it: for tokens that were redeemed before.

    Raises:
        OpenSlotError: `TICKET_INVALID` if it is of another version.
    """
    try:
        values = msgpack.unpackb(token[KEY_ID_BYTES:-MAC_BYTES])
        return Ticket.model_validate(dict(zip(Ticket.model_fields, values, strict=True)))
    except (ValueError, TypeError, ValidationError) as error:
        raise OpenSlotError(Code.TICKET_INVALID, "signed by an older or newer server") from error


def _mac(secret: bytes, body: bytes) -> bytes:
    return hmac.new(secret, body, hashlib.sha256).digest()[:MAC_BYTES]
