"""A server's description of itself, `/.well-known/openslot.json`: its name, its keys, where it is reached.

    root ──vouches──▶ key 2 ──vouches──▶ key 3      each key is vouched for by one that held when it began;
      └─ names the server (its origin)              the description is signed by one that holds when it is issued

The first key's digest is the server's name for good. Whoever has met a server takes a newer description only if its
first key and every key known already stand in it as they were; so a key can be added or end, and none be put in later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Self

import rfc8785
from pydantic import Field, model_validator

from openslot_spec.creatives import HttpUrl
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.records import Line, Record, TimeMs
from openslot_spec.signing import KEY_BYTES, SIGNATURE_BYTES, Purpose, Signer, origin_of, verify

__all__ = ["MAX_KEYS", "MAX_SERVER_BYTES", "Origin", "Sealed", "Server", "ServerKey", "renewed", "seal", "vouch"]

MAX_KEYS = 64
MAX_SERVER_BYTES = 64 * 1024
"""Of a whole description, as it travels."""

Origin = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Public = Annotated[str, Field(pattern=rf"^[0-9a-f]{{{2 * KEY_BYTES}}}$")]
Signature = Annotated[str, Field(pattern=rf"^[0-9a-f]{{{2 * SIGNATURE_BYTES}}}$")]
Sequence = Annotated[int, Field(ge=1, le=2**53)]
Urls = Annotated[tuple[HttpUrl, ...], Field(strict=False, max_length=8)]


class ServerKey(Record):
    """A key, when it holds, and who vouches for it."""

    public: Public
    from_ms: TimeMs
    to_ms: TimeMs
    """When it ceases to hold, exclusive."""
    by: Public
    """The key that vouches; the first one vouches for itself."""
    signature: Signature
    """Of `by`, over the canonical JSON of the origin, `public`, `from_ms` and `to_ms`."""
    revoked_ms: TimeMs | None = None
    """Nothing that it signs from then on holds, whatever `to_ms` says."""

    def holds(self, at_ms: int) -> bool:
        """Return whether what it signs at this moment is to be believed."""
        end_ms = self.to_ms if self.revoked_ms is None else min(self.to_ms, self.revoked_ms)
        return self.from_ms <= at_ms < end_ms

    def said(self, origin: str) -> bytes:
        """Return what was vouched for."""
        return _vouched(origin, self.public, self.from_ms, self.to_ms)


class Server(Record):
    """What a server says of itself."""

    origin: Origin
    name: Line
    seq: Sequence
    """Each description has a higher one than those before."""
    issued_ms: TimeMs
    keys: Annotated[tuple[ServerKey, ...], Field(strict=False, min_length=1, max_length=MAX_KEYS)]
    """In the order in which they were added; the first is the root."""
    http: HttpUrl
    """Where its REST API and its socket are."""
    sellers: HttpUrl | None = None
    """Its sellers.json."""
    policies: Urls = ()
    """What it takes and what it does not, for people to read."""
    versions: Annotated[tuple[Annotated[str, Field(max_length=8)], ...], Field(strict=False, max_length=8)] = ("1",)

    @model_validator(mode="after")
    def _keys_are_vouched_for(self) -> Self:
        if origin_of(bytes.fromhex(self.keys[0].public)) != self.origin:
            raise ValueError("the origin is not the digest of the first key")
        known: dict[str, ServerKey] = {}
        for place, key in enumerate(self.keys):
            voucher = known.get(key.by, key if place == 0 else None)
            if key.public in known or voucher is None or not voucher.holds(key.from_ms) or key.from_ms >= key.to_ms:
                raise ValueError(f"keys/{place}: vouched for by no earlier key that held when it began")
            verify(bytes.fromhex(key.by), Purpose.KEY, key.said(self.origin), bytes.fromhex(key.signature))
            known[key.public] = key
        return self

    def key(self, public: bytes, at_ms: int) -> ServerKey:
        """Return one of its keys; raises `KEY_NOT_HELD` unless it is one and holds at this moment."""
        found = next((key for key in self.keys if key.public == public.hex()), None)
        if found is None or not found.holds(at_ms):
            detail = "no key of this server" if found is None else "it was revoked, is over, or has not begun"
            raise OpenSlotError(Code.KEY_NOT_HELD, detail, where=public.hex()[:16])
        return found


class Sealed(Record):
    """A description as it travels: its text exactly as it was signed, and who signed."""

    signed: Annotated[str, Field(max_length=MAX_SERVER_BYTES)]
    key: Public
    signature: Signature

    def open(self, now_ms: int, skew_ms: int) -> Server:
        """Return the description, once the signature holds.

        Raises:
            OpenSlotError: `SIGNATURE_INVALID`, `SERVER_INVALID` naming the field, or `KEY_NOT_HELD`.
        """
        key = bytes.fromhex(self.key)
        verify(key, Purpose.SERVER, self.signed.encode(), bytes.fromhex(self.signature))
        try:
            server = Server.parse(json.loads(self.signed), Code.SERVER_INVALID)
        except (ValueError, RecursionError) as error:
            raise OpenSlotError(Code.SERVER_INVALID, str(error)[:200], where="signed") from None
        server.key(key, server.issued_ms)
        server.key(key, now_ms)
        if server.issued_ms > now_ms + skew_ms:
            raise OpenSlotError(Code.SERVER_INVALID, "issued in the future; set the clocks", where="issued_ms")
        return server


def renewed(known: Server, offered: Server) -> Server:
    """Return which description of one server holds: the newer one.

    Raises:
        OpenSlotError: `SERVER_INVALID` if the other is another server's, takes back a key, gives one a longer life, or
            says other things under the same number.
    """
    if offered.origin != known.origin:
        raise OpenSlotError(Code.SERVER_INVALID, "another server than the one that is known", where="origin")
    if offered.seq == known.seq and offered != known:
        raise OpenSlotError(Code.SERVER_INVALID, "two descriptions under one number", where="seq")
    older, newer = sorted((known, offered), key=lambda server: server.seq)
    said = {key.public: key for key in newer.keys}
    for key in older.keys:
        if key.public not in said or not _is_later_word(key, said[key.public]):
            raise OpenSlotError(Code.SERVER_INVALID, f"key {key.public[:16]} is gone or was changed", where="keys")
    return newer


def seal(server: Server, signer: Signer) -> Sealed:
    """Return the description signed."""
    text = rfc8785.dumps(server.plain())
    signature = signer.sign(Purpose.SERVER, text)
    return Sealed(signed=text.decode(), key=signer.public.hex(), signature=signature.hex())


def vouch(signer: Signer, origin: str, public: bytes, from_ms: int, to_ms: int) -> ServerKey:
    """Return a key that `signer` vouches for."""
    signature = signer.sign(Purpose.KEY, _vouched(origin, public.hex(), from_ms, to_ms))
    return ServerKey(
        public=public.hex(), from_ms=from_ms, to_ms=to_ms, by=signer.public.hex(), signature=signature.hex()
    )


def _vouched(origin: str, public: str, from_ms: int, to_ms: int) -> bytes:
    said: Mapping[str, str | int] = {"origin": origin, "public": public, "from_ms": from_ms, "to_ms": to_ms}
    return rfc8785.dumps(dict(said))


def _is_later_word(before: ServerKey, after: ServerKey) -> bool:
    """Return whether a key is as it was, but for an end that came or came sooner."""
    same = before.model_copy(update={"revoked_ms": None}) == after.model_copy(update={"revoked_ms": None})
    if before.revoked_ms is None or after.revoked_ms is None:
        return same and before.revoked_ms is None
    return same and after.revoked_ms <= before.revoked_ms
