"""What servers say to each other of their catalogues.

`spec/federation.md` gives the messages' meaning. All of them may come from either side, in any order, twice, or not at
all: what is known afterwards depends only on what was said.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from openslot_spec.feeds import Audience, Feed, Signed
from openslot_spec.messages import Message
from openslot_spec.records import Record, Sha256
from openslot_spec.servers import Origin, Sealed

__all__ = [
    "MAX_BATCH_BYTES",
    "MAX_HOPS",
    "MAX_RECORDS",
    "PEERING",
    "CatalogueHave",
    "CatalogueProof",
    "CatalogueRecords",
    "CatalogueServers",
    "Have",
    "PeerMessage",
]

MAX_RECORDS = 50
"""In one message."""
MAX_BATCH_BYTES = 64 * 1024
"""Of the payloads in one message together."""
MAX_HOPS = 4
"""Servers that a record may go through, its origin included."""
MAX_FEEDS = 1024

Number = Annotated[int, Field(ge=0, le=2**53)]


class Have(Record):
    """How far a server has a feed: all that holds up to `through`, and the digest of it."""

    origin: Origin
    audience: Audience = ""
    server: Number
    """The number of the origin's description that it knows."""
    through: Number
    content: Sha256

    @property
    def feed(self) -> Feed:
        """The feed."""
        return Feed(self.origin, self.audience)


class CatalogueHave(Message):
    """How far the sender has each feed that it may tell the receiver of, or take from it; feeds not named: nothing."""

    TYPE = "catalogue.have"
    feeds: Annotated[tuple[Have, ...], Field(strict=False, max_length=MAX_FEEDS)] = ()
    doubted: Annotated[tuple[Origin, ...], Field(strict=False, max_length=MAX_FEEDS)] = ()
    """The servers against which it has a proof."""


class CatalogueServers(Message):
    """Descriptions of servers whose records follow."""

    TYPE = "catalogue.servers"
    servers: Annotated[tuple[Sealed, ...], Field(strict=False, min_length=1, max_length=8)]


class CatalogueRecords(Message):
    """All that holds of a feed after one number and through another, and the feed's head where it ends there."""

    TYPE = "catalogue.records"
    origin: Origin
    audience: Audience = ""
    after: Number
    through: Number
    path: Annotated[tuple[Origin, ...], Field(strict=False, min_length=1, max_length=MAX_HOPS)]
    """The servers that it came through, the origin first and the sender last."""
    records: Annotated[tuple[Signed, ...], Field(strict=False, max_length=MAX_RECORDS)] = ()
    head: Signed | None = None

    @property
    def feed(self) -> Feed:
        """The feed."""
        return Feed(self.origin, self.audience)


class CatalogueProof(Message):
    """Two things that one server signed and that cannot both be: none of the feed is believed any more."""

    TYPE = "catalogue.proof"
    origin: Origin
    first: Signed
    second: Signed


PeerMessage = CatalogueHave | CatalogueServers | CatalogueRecords | CatalogueProof
PEERING: dict[str, type[Message]] = {
    message.TYPE: message for message in (CatalogueHave, CatalogueServers, CatalogueRecords, CatalogueProof)
}
"""Type name to class."""
