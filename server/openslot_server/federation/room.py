"""The room of federation: this server among others, with what must be durable before it is said.

catalogue ─ shares ─▶ publisher ─▶ own feeds ─┐
peers' messages ────▶ sync ─▶ book ◀──────────┘─▶ rows, durable ─▶ what is said to whom
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Literal

from openslot_server.catalogue import Catalogue
from openslot_server.federation.book import Book, Proof
from openslot_server.federation.identity import Identity
from openslot_server.federation.publish import Publisher, Standing
from openslot_server.federation.sharing import Share, as_shared
from openslot_server.federation.sync import Sync
from openslot_server.storage.store import (
    DescriptionRow,
    FeedEndRow,
    FeedProofRow,
    FeedRecordRow,
    PeerRow,
    Row,
    ServerKeyRow,
    ShareRow,
)
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.feeds import Feed, Head, Signed, SlotRecord
from openslot_spec.peering import PeerMessage
from openslot_spec.servers import Sealed, Server
from openslot_spec.slots import Slot

__all__ = ["Federation", "PeerState", "Said", "UnapprovedError"]

PeerState = Literal["waiting", "approved", "revoked"]
WAITING_MOST = 100
"""Servers that nobody approved yet, at the most; more are refused and not kept."""
Said = list[tuple[str, PeerMessage]]
"""Origins of peers, and what to say to them."""


class Federation:
    """All that this server knows of others and lets them know."""

    def __init__(self, identity: Identity, catalogue: Catalogue) -> None:
        self.identity = identity
        self.book = Book()
        self.sync = Sync(identity.origin, self.book)
        self.peers: dict[str, PeerRow] = {}
        self.shares: dict[str, Share] = {}
        self._catalogue = catalogue
        self._shared_at = -1

    def load(
        self, rows: Iterable[DescriptionRow | PeerRow | ShareRow | FeedRecordRow | FeedEndRow | FeedProofRow]
    ) -> None:
        """Take rows back as they were kept: descriptions first, then records, then ends."""
        for row in rows:
            match row:
                case DescriptionRow():
                    self.book.remember(Sealed.model_validate_json(row.sealed))
                case PeerRow():
                    self.peers[row.origin] = row
                case ShareRow():
                    self.shares[row.audience] = Share.model_validate_json(row.record)
                case FeedRecordRow():
                    if self.book.is_ended(row.origin, row.key):
                        continue
                    feed = Feed(row.origin, row.audience)
                    record = SlotRecord.model_validate_json(row.payload)
                    self.book.shelf(feed).keep(
                        record, Signed(payload=row.payload, key=row.key, signature=row.signature)
                    )
                case FeedEndRow():
                    self._load_end(row)
                case FeedProofRow():
                    both = (
                        Signed(**{k: bytes.fromhex(v) for k, v in json.loads(text).items()})
                        for text in (row.first, row.second)
                    )
                    self.book.proofs[row.origin] = Proof(row.origin, *both)

    def start(self, now_ms: int) -> list[Row]:
        """Say who we are, if that is not said already."""
        rows = self.identity.describe(now_ms)
        self._described()
        return [*rows]

    def share(self, now_ms: int) -> list[Row]:
        """Bring our feeds up to what stands in the catalogue; returns what must be durable before `spread`."""
        if self._shared_at == self._catalogue.changes:
            return []
        self._shared_at = self._catalogue.changes
        publisher = Publisher(self.identity.origin, self.book, self.identity.signer)
        for audience in {
            *self.shares,
            *(feed.audience for feed in self.book.shelves if feed.origin == publisher.origin),
        }:
            publisher.publish(audience, self._standing(audience), now_ms)
        return self._news(now_ms)

    def rotate(self, key: ServerKeyRow, now_ms: int) -> list[Row]:
        """Let a new key sign from now on."""
        rows = self.identity.rotate(key, now_ms)
        self._described()
        return [*rows]

    def revoke_key(self, public: str, now_ms: int) -> list[Row]:
        """End one of our keys; what it signed is said anew."""
        rows = self.identity.revoke(public, now_ms)
        self._described()
        publisher = Publisher(self.identity.origin, self.book, self.identity.signer)
        for feed in [feed for feed in self.book.shelves if feed.origin == publisher.origin]:
            publisher.resign(feed.audience, now_ms)
        return [*rows, *self._news(now_ms)]

    def set_share(self, share: Share, now_ms: int) -> list[Row]:
        """Change what an audience hears of."""
        self.shares[share.audience] = share
        self._shared_at = -1
        return [ShareRow(share.audience, share.model_dump_json(exclude_none=True), now_ms), *self.share(now_ms)]

    def meet(self, sealed: Sealed, url: str, now_ms: int) -> tuple[PeerRow, list[Row]]:
        """Take a server that an operator named, or that said hello, onto the list; it waits for approval.

        Raises:
            OpenSlotError: for a description that does not hold, our own, or when too many wait.
        """
        server = sealed.open(now_ms, 300_000)
        if server.origin == self.identity.origin:
            raise OpenSlotError(Code.SERVER_INVALID, "that is this server", where=url)
        known = self.peers.get(server.origin)
        if known is None and sum(peer.state == "waiting" for peer in self.peers.values()) >= WAITING_MOST:
            raise OpenSlotError(Code.PEER_QUOTA, f"{WAITING_MOST} servers wait for approval", where="peers")
        self.book.meet(sealed, now_ms)
        state = "waiting" if known is None else known.state
        peer = PeerRow(server.origin, state, url or (known.url if known else ""), now_ms)
        if known is not None and (known.url, known.state) == (peer.url, peer.state):
            return known, self._news(now_ms)
        self.peers[server.origin] = peer
        return peer, [peer, *self._news(now_ms)]

    def set_state(self, origin: str, state: PeerState, now_ms: int) -> tuple[PeerRow, list[Row]]:
        """Approve or revoke a peer; raises `SERVER_UNKNOWN`."""
        known = self.peers.get(origin)
        if known is None:
            raise OpenSlotError(Code.SERVER_UNKNOWN, where=origin)
        peer = PeerRow(origin, state, known.url, now_ms)
        self.peers[origin] = peer
        return peer, [peer]

    def admit(self, sealed: Sealed, now_ms: int) -> Server:
        """Return the server behind a hello; raises `PEER_UNAPPROVED` unless it is approved."""
        server = sealed.open(now_ms, 300_000)
        peer = self.peers.get(server.origin)
        if peer is None or peer.state != "approved":
            raise UnapprovedError(sealed, server.origin)
        self.book.meet(sealed, now_ms)
        return self.book.servers[server.origin]

    def receive(self, peer: str, message: PeerMessage, now_ms: int) -> tuple[Said, list[Row]]:
        """Take a peer's message; return what to say once the rows are durable."""
        said = self.sync.receive(peer, message, now_ms)
        return said, self._news(now_ms)

    def slots(self) -> Iterator[tuple[Feed, str, Slot]]:
        """Yield the peers' slots that may be bought here: feed, world, slot; of revoked peers none."""
        revoked = {origin for origin, peer in self.peers.items() if peer.state == "revoked"}
        for feed, world, slot in self.book.slots():
            if feed.origin != self.identity.origin and feed.origin not in revoked:
                yield feed, world, slot

    def _described(self) -> None:
        assert self.identity.sealed is not None  # noqa: S101  it is said when the rooms are opened
        self.book.remember(self.identity.sealed)

    def _standing(self, audience: str) -> Iterator[Standing]:
        share = self.shares.get(audience)
        now = {
            (world, slot.id): None if share is None else as_shared(share, world, slot)
            for world in self._catalogue.worlds()
            for slot in self._catalogue.slots(world)
        }
        before = self.book.shelf(Feed(self.identity.origin, audience)).slots
        for place in {**now, **dict.fromkeys(before)}:
            if now.get(place) is not None or place in before:
                yield (*place, now.get(place))

    def _news(self, now_ms: int) -> list[Row]:
        """Return the rows of all that is new in the book."""
        rows: list[Row] = []
        feeds: set[Feed] = set()
        for new in self.book.taken():
            match new:
                case Sealed():
                    origin = Server.model_validate_json(new.signed).origin
                    rows.append(DescriptionRow(origin, new.model_dump_json(), now_ms))
                case Proof():
                    rows.append(FeedProofRow(new.origin, _hex(new.first), _hex(new.second), now_ms))
                case feed, signed:
                    feeds.add(feed)
                    if signed is not None:
                        rows.append(FeedRecordRow(*feed, signed.payload, signed.key, signed.signature))
        return [*rows, *(self._end_row(feed) for feed in sorted(feeds))]

    def _end_row(self, feed: Feed) -> FeedEndRow:
        shelf = self.book.shelf(feed)
        head = shelf.heads[shelf.head][1] if shelf.head in shelf.heads else None
        bytes_of = (b"", b"", b"") if head is None else (head.payload, head.key, head.signature)
        return FeedEndRow(*feed, shelf.through, " ".join(shelf.path), *bytes_of)

    def _load_end(self, row: FeedEndRow) -> None:
        shelf = self.book.shelf(Feed(row.origin, row.audience))
        shelf.through, shelf.path = row.through, tuple(row.path.split())
        if row.payload:
            head = Head.model_validate_json(row.payload)
            shelf.heads[head.seq] = head, Signed(payload=row.payload, key=row.key, signature=row.signature)
            shelf.head = head.seq


class UnapprovedError(OpenSlotError):
    """`PEER_UNAPPROVED`, with the description of the server that may not speak."""

    def __init__(self, sealed: Sealed, origin: str) -> None:
        super().__init__(Code.PEER_UNAPPROVED, where=origin)
        self.sealed = sealed


def _hex(signed: Signed) -> str:
    return json.dumps({name: value.hex() for name, value in signed.model_dump().items()})
