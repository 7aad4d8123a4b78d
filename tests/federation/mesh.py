"""Some servers and the links between them in virtual time: messages are late, lost, doubled and overtaken.

Everything follows from the seed. Keys are made once: they say nothing about a seed.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import combinations
from random import Random

from openslot_server.federation.book import Book, Shelf
from openslot_server.federation.publish import Publisher
from openslot_server.federation.sync import Sync
from openslot_spec.feeds import EVERYBODY, Feed, SlotRecord, sign
from openslot_spec.peering import CatalogueRecords, PeerMessage
from openslot_spec.servers import Sealed, Server, seal, vouch
from openslot_spec.signing import Signer, origin_of
from openslot_spec.slots import Slot

EPOCH_MS = 1_790_000_000_000
YEAR_MS = 365 * 24 * 3_600_000
HAVE_MS = 2_000
"""How often everybody says what they have."""
POSE = {"position": [0, 0, 0], "rotation": [0, 0, 0, 1]}


@cache
def signer(number: int) -> Signer:
    return Signer(hashlib.sha256(f"key {number}".encode()).digest())


@cache
def description(number: int) -> Sealed:
    return seal(server(number), signer(number))


@cache
def server(number: int) -> Server:
    root = signer(number)
    origin = origin_of(root.public)
    key = vouch(root, origin, root.public, EPOCH_MS - YEAR_MS, EPOCH_MS + YEAR_MS)
    return Server(
        origin=origin, name=f"server {number}", seq=1, issued_ms=EPOCH_MS, keys=(key,), http="https://one.example"
    )


@cache
def slot(name: str, width: float) -> Slot:
    return Slot.parse({"id": name, "size": [width, 1.0], "pose": POSE})


class Node:
    """One server: what it keeps over a crash is its own feeds and description."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.origin = server(number).origin
        self.boot({})

    def boot(self, own: Mapping[Feed, Shelf]) -> None:
        self.book = Book()
        self.book.meet(description(self.number), EPOCH_MS)
        self.book.shelves |= own
        self.sync = Sync(self.origin, self.book)
        self.publisher = Publisher(self.origin, self.book, signer(self.number))

    def crash(self) -> None:
        self.boot({feed: shelf for feed, shelf in self.book.shelves.items() if feed.origin == self.origin})

    def state(self) -> str:
        """Return the digest of all that it knows."""
        said = [
            (feed, shelf.through, shelf.content())
            for feed, shelf in sorted(self.book.shelves.items())
            if feed.origin not in self.book.proofs and shelf.through
        ]
        return hashlib.sha256(repr((said, sorted(self.book.proofs))).encode()).hexdigest()


class Mesh:
    """The servers, who is linked with whom, and what is under way."""

    def __init__(self, nodes: int, edges: Iterable[tuple[int, int]] | None = None, seed: int = 0) -> None:
        self.chance = Random(seed)  # noqa: S311  that it can be foretold is the point
        self.nodes = [Node(number) for number in range(nodes)]
        self.edges = list(edges if edges is not None else combinations(range(nodes), 2))
        self.now_ms = EPOCH_MS
        self.loss = self.doubling = 0.0
        self.delay_ms = 50
        self.cut: set[tuple[int, int]] = set()
        """Edges over which nothing passes."""
        self.carried = 0
        """Records that were sent, each time."""
        self._by_origin = {node.origin: node for node in self.nodes}
        self._under_way: list[tuple[int, int, int, int, PeerMessage]] = []
        self._sent = 0

    def connect(self) -> None:
        for one, other in self.edges:
            for here, there in ((one, other), (other, one)):
                self._send(here, self.nodes[here].sync.open(self.nodes[there].origin))

    def reconnect(self, number: int) -> None:
        """Let all links of one server open anew, as after its crash."""
        for one, other in self.edges:
            if number in (one, other):
                for here, there in ((one, other), (other, one)):
                    self._send(here, self.nodes[here].sync.open(self.nodes[there].origin))

    def say(self, number: int, name: str, width: float | None, audience: str = EVERYBODY) -> None:
        """Let a server share a slot, or share it no more."""
        node = self.nodes[number]
        standing = None if width is None else slot(name, width)
        node.publisher.publish(audience, [("plaza", name, standing)], self.now_ms)
        self._send(number, node.sync.spread())

    def pass_on(self, ms: int) -> None:
        """Let time pass."""
        end_ms = self.now_ms + ms
        while self._under_way and self._under_way[0][0] <= end_ms:
            self.now_ms, _, here, there, message = heapq.heappop(self._under_way)
            if not self._is_cut(here, there):
                answer = self.nodes[there].sync.receive(self.nodes[here].origin, message, self.now_ms)
                self._send(there, answer)
        self.now_ms = end_ms

    def settle(self, turns: int = 12) -> None:
        """Let everybody say what they have until nobody is told anything new."""
        for _ in range(turns):
            for one, other in self.edges:
                for here, there in ((one, other), (other, one)):
                    peer = self.nodes[there].origin
                    self._send(here, [(peer, self.nodes[here].sync.have(peer))])
            self.pass_on(HAVE_MS)

    def _send(self, here: int, messages: Iterable[tuple[str, PeerMessage]]) -> None:
        for peer, message in messages:
            there = self._by_origin[peer].number
            if isinstance(message, CatalogueRecords):
                self.carried += len(message.records)
            for _ in range(1 + (self.chance.random() < self.doubling)):
                if self.chance.random() >= self.loss and not self._is_cut(here, there):
                    self._sent += 1
                    at_ms = self.now_ms + 1 + int(self.chance.random() * self.delay_ms)
                    heapq.heappush(self._under_way, (at_ms, self._sent, here, there, message))

    def _is_cut(self, one: int, other: int) -> bool:
        return (min(one, other), max(one, other)) in self.cut


def forged(feed: Feed, seq: int, name: str, width: float, number: int) -> SlotRecord:
    """Return what a server might say under a number that it has given out already."""
    return SlotRecord(
        origin=feed.origin, audience=feed.audience, seq=seq, world="plaza", id=name,
        slot=slot(name, width).plain(), at_ms=EPOCH_MS + number,
    )  # fmt: skip


def equivocate(node: Node, name: str, width: float) -> None:
    """Let a server hold another content under its last number than the one that others were told."""
    feed = Feed(node.origin)
    shelf = node.book.shelf(feed)
    record = forged(feed, shelf.through, name, width, shelf.through)
    shelf.signed.pop(shelf.through)
    shelf.slots = {place: held for place, held in shelf.slots.items() if held.seq != shelf.through}
    shelf.keep(record, sign(record, signer(node.number)))
    shelf.refresh()
    node.publisher.end(feed, EPOCH_MS)
