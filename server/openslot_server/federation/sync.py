"""Catalogue sync: what to say to each peer, so that all end with the same catalogue.

    have ─▶ what the peer lacks: descriptions, records, heads      records ─▶ book ─▶ what the other peers lack now
                                                                   a head that disagrees ─▶ all of it again, of anyone

Nothing here waits: messages come in, messages go out. A link is believed to deliver until it is closed; `have`, said on
every link from time to time, finds what was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from openslot_server.federation.book import Book, Proof, Shelf
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.feeds import EVERYBODY, Feed, Signed
from openslot_spec.peering import (
    MAX_BATCH_BYTES,
    MAX_HOPS,
    MAX_RECORDS,
    CatalogueHave,
    CatalogueProof,
    CatalogueRecords,
    CatalogueServers,
    Have,
    PeerMessage,
)

__all__ = ["Link", "Sync"]

AGAIN_MS, AGAIN_MOST_MS = 500, 600_000
"""How long a feed that was not whole is left before it is asked for again: twice as long each time."""


@dataclass(slots=True)
class Link:
    """What is known of one connected peer."""

    peer: str
    """Its origin."""
    through: dict[Feed, int] = field(default_factory=dict)
    """How far it has each feed, as far as we know."""
    heads: dict[Feed, int] = field(default_factory=dict)
    """The heads that it was told."""
    told: dict[str, int] = field(default_factory=dict)
    """The number of each server's description that it knows or was told."""
    accused: set[str] = field(default_factory=set)
    """The origins against which it was told a proof."""
    heard: bool = False
    """Whether it has said what it has; before that it is told nothing."""
    refused: int = 0
    """Things that it said and that did not hold."""


class Sync:
    """One server's side of every link."""

    def __init__(self, origin: str, book: Book) -> None:
        self.origin = origin
        self.book = book
        self.links: dict[str, Link] = {}

    def open(self, peer: str) -> list[tuple[str, PeerMessage]]:
        """Return what is said first to a peer that has just been connected."""
        self.links[peer] = Link(peer)
        return [(peer, self.have(peer))]

    def close(self, peer: str) -> None:
        """Forget a link; what it had not delivered is found when it opens again."""
        self.links.pop(peer, None)

    def have(self, peer: str) -> CatalogueHave:
        """Return how far we have what this peer may hear of or tell us."""
        book = self.book
        feeds = (
            Have(
                origin=feed.origin,
                audience=feed.audience,
                server=book.servers[feed.origin].seq,
                through=shelf.through,
                content=shelf.content(),
            )
            for feed, shelf in sorted(book.shelves.items())
            if self._concerns(feed, peer) and feed.origin not in book.proofs
        )
        return CatalogueHave(feeds=tuple(feeds), doubted=tuple(sorted(book.proofs)))

    def receive(self, peer: str, message: PeerMessage, now_ms: int) -> list[tuple[str, PeerMessage]]:
        """Take a message; return what is to be said now, and to whom."""
        link = self.links.get(peer)
        if link is None:
            return []  # it was closed meanwhile
        again: list[tuple[str, PeerMessage]] = []
        match message:
            case CatalogueHave():
                self._compare(link, message)
            case CatalogueServers():
                self._meet(link, message, now_ms)
            case CatalogueRecords():
                again = self._take(link, message, now_ms)
            case CatalogueProof():
                self._believe(link, message, now_ms)
        return [*again, *self.spread()]

    def spread(self) -> list[tuple[str, PeerMessage]]:
        """Return what the peers lack, as far as we know; they are taken to have it from now on."""
        return [(link.peer, message) for link in self.links.values() if link.heard for message in self._lacking(link)]

    def _compare(self, link: Link, message: CatalogueHave) -> None:
        link.heard = True
        link.told = {have.origin: have.server for have in message.feeds}
        link.accused = set(message.doubted)
        link.through = {have.feed: have.through for have in message.feeds}
        link.heads = {}
        for have in message.feeds:
            shelf = self.book.shelves.get(have.feed)
            if shelf is not None and shelf.head == shelf.through == have.through and shelf.content() != have.content:
                link.through[have.feed] = 0  # one of us lacks something, or the origin says two things: show all

    def _meet(self, link: Link, message: CatalogueServers, now_ms: int) -> None:
        for sealed in message.servers:
            try:
                self.book.meet(sealed, now_ms)
            except OpenSlotError:
                link.refused += 1

    def _take(self, link: Link, message: CatalogueRecords, now_ms: int) -> list[tuple[str, PeerMessage]]:
        feed = message.feed
        if not self._may_come(link, message):
            link.refused += 1
            return []
        if feed.origin in self.book.proofs:
            return []
        known = self.book.shelves.get(feed)
        if feed.origin not in self.book.servers or message.after > (known.through if known else 0):
            return [(link.peer, self.have(link.peer))]  # something before was lost
        shelf = self.book.shelf(feed)
        for signed in message.records:
            self._try(link, self.book.put, feed, signed, now_ms)
        link.through[feed] = max(link.through.get(feed, 0), message.through)
        if message.through > shelf.through:
            self.book.reach(feed, message.through, message.path)
        is_whole = message.head is None or self._try(link, self.book.end, feed, message.head, now_ms)
        link.heads[feed] = shelf.head
        return [] if is_whole is not False or feed.origin in self.book.proofs else self._ask_again(feed, shelf, now_ms)

    def _believe(self, link: Link, message: CatalogueProof, now_ms: int) -> None:
        link.accused.add(message.origin)
        self._try(link, self.book.accuse, Proof(message.origin, message.first, message.second), now_ms)

    def _ask_again(self, feed: Feed, shelf: Shelf, now_ms: int) -> list[tuple[str, PeerMessage]]:
        """Ask every peer for all of a feed of which something was left out, ever more seldom."""
        if now_ms < shelf.again_ms:
            return []
        shelf.doubts += 1
        shelf.again_ms = now_ms + min(AGAIN_MS << shelf.doubts, AGAIN_MOST_MS)
        shelf.through = 0
        return [(peer, self.have(peer)) for peer in self.links if self._concerns(feed, peer)]

    def _lacking(self, link: Link) -> Iterator[PeerMessage]:
        for origin, proof in self.book.proofs.items():
            if origin not in link.accused and link.peer != origin:
                link.accused.add(origin)
                yield from self._describe(link, origin)
                yield CatalogueProof(origin=origin, first=proof.first, second=proof.second)
        for origin in [origin for origin in link.told if origin in self.book.servers]:
            yield from self._describe(link, origin)
        for feed, shelf in self.book.shelves.items():
            if feed.origin in self.book.proofs or not self._may_go(feed, shelf, link):
                continue
            at = link.through.get(feed, 0)
            if at < shelf.through or (at == shelf.through and link.heads.get(feed, 0) < shelf.head == at):
                yield from self._describe(link, feed.origin)
                yield from self._batches(feed, shelf, at)
                link.through[feed], link.heads[feed] = shelf.through, shelf.head

    def _describe(self, link: Link, origin: str) -> Iterator[PeerMessage]:
        if link.told.get(origin, 0) < self.book.servers[origin].seq:
            link.told[origin] = self.book.servers[origin].seq
            yield CatalogueServers(servers=(self.book.sealed[origin],))

    def _batches(self, feed: Feed, shelf: Shelf, after: int) -> Iterator[PeerMessage]:
        path = (*shelf.path, self.origin)
        parts = list(_parts([(seq, shelf.signed[seq]) for seq in shelf.after(after)]))
        for place, part in enumerate(parts or [[]]):
            is_last = place + 1 >= len(parts)
            through = shelf.through if is_last else part[-1][0]
            yield CatalogueRecords(
                origin=feed.origin,
                audience=feed.audience,
                after=after,
                through=through,
                path=path,
                records=tuple(signed for _, signed in part),
                head=shelf.heads[through][1] if is_last and through in shelf.heads else None,
            )
            after = through

    def _concerns(self, feed: Feed, peer: str) -> bool:
        """Return whether a feed may pass between us and this peer at all."""
        return feed.audience == EVERYBODY or {feed.audience, feed.origin} == {self.origin, peer}

    def _may_go(self, feed: Feed, shelf: Shelf, link: Link) -> bool:
        is_new_there = link.peer != feed.origin and link.peer not in shelf.path
        return self._concerns(feed, link.peer) and is_new_there and len(shelf.path) < MAX_HOPS

    def _may_come(self, link: Link, message: CatalogueRecords) -> bool:
        path = message.path
        is_honest = path[0] == message.origin and path[-1] == link.peer and len(set(path)) == len(path)
        return is_honest and self.origin not in path and self._concerns(message.feed, link.peer)

    def _try(self, link: Link, step: Callable[..., bool], *said: object) -> bool | None:
        """Return what a step of the book says; None if it refused, which counts against the peer and nothing else."""
        try:
            return step(*said)
        except OpenSlotError as error:
            link.refused += error.code is not Code.FEED_EQUIVOCAL
            return None


def _parts(records: Sequence[tuple[int, Signed]]) -> Iterator[list[tuple[int, Signed]]]:
    """Yield the records in batches that a message takes."""
    part: list[tuple[int, Signed]] = []
    size = 0
    for seq, signed in records:
        if part and (len(part) == MAX_RECORDS or size + len(signed.payload) > MAX_BATCH_BYTES):
            yield part
            part, size = [], 0
        part.append((seq, signed))
        size += len(signed.payload)
    if part:
        yield part
