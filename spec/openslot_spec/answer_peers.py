"""The reference answers to the vectors of federation: they alone need the library that signs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openslot_spec.errors import Code
from openslot_spec.feeds import Signed, SlotRecord, content_digest, open_head, open_slot, sign
from openslot_spec.servers import Sealed, Server, renewed, seal
from openslot_spec.signing import Signer

__all__ = ["PEER_AREAS"]

SKEW_MS = 300_000


def _server(given: Any) -> Any:
    """Open descriptions one after the other, each going on from the one before; or seal one."""
    if "seal" in given:
        server = Server.parse(given["seal"], Code.SERVER_INVALID)
        return seal(server, Signer(bytes.fromhex(given["secret"]))).plain()
    known: Server | None = None
    for each in given["sealed"]:
        offered = Sealed.parse(each, Code.SERVER_INVALID).open(given["now_ms"], SKEW_MS)
        known = offered if known is None else renewed(known, offered)
    return None if known is None else known.plain()


def _feed(given: Any) -> Any:
    """Open a record or a head of a described server, make one, or say what the digest of some records is."""
    if "content" in given:
        return content_digest((seq, payload) for seq, payload in given["content"])
    if "sign" in given:
        signed = sign(SlotRecord.parse(given["sign"], Code.RECORD_INVALID), Signer(bytes.fromhex(given["secret"])))
        return {"payload": signed.payload.decode(), "signature": signed.signature.hex()}
    server = Server.parse(given["server"], Code.SERVER_INVALID)
    signed = Signed(
        payload=given["payload"].encode(), key=bytes.fromhex(given["key"]), signature=bytes.fromhex(given["signature"])
    )
    opened = open_head if given["is"] == "head" else open_slot
    return opened(signed, server, given["now_ms"]).plain()


PEER_AREAS: dict[str, Callable[[Any], Any]] = {"server": _server, "feed": _feed}
