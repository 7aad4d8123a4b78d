"""The feeds that a server knows: what holds in each, how far, and whether its origin is to be believed.

record ─▶ signature ─▶ number not used for other content ─▶ newest of its slot holds, older ones are let go
head ───▶ signature ─▶ number not used for another head  ─▶ what is held up to there is all of it, or is asked again
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.feeds import Feed, Head, Signed, SlotRecord, content_digest, open_head, open_slot
from openslot_spec.servers import Sealed, Server, renewed
from openslot_spec.slots import Slot

__all__ = ["Book", "Limits", "Proof", "Shelf"]

SKEW_MS = 300_000
HEADS = 64
"""Of one feed that are remembered, the last ones."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one origin may fill here."""

    records_of_feed: int = 200_000
    """Numbers that are remembered of one feed."""
    origins: int = 1_000


@dataclass(frozen=True, slots=True)
class Proof:
    """Two things that an origin signed and that cannot both be."""

    origin: str
    first: Signed
    second: Signed


@dataclass(slots=True)
class Shelf:
    """One feed."""

    path: tuple[str, ...] = ()
    """The servers that it came through last, the origin first; empty for our own."""
    through: int = 0
    """As far as somebody has told us all."""
    signed: dict[int, Signed] = field(default_factory=dict)
    """What came under each number, so that other content under it is noticed."""
    known: dict[str, int] = field(default_factory=dict)
    """The numbers by digest of what came: what is the same needs no second look."""
    slots: dict[tuple[str, str], SlotRecord] = field(default_factory=dict)
    """What holds, by world and slot."""
    heads: dict[int, tuple[Head, Signed]] = field(default_factory=dict)
    head: int = 0
    """The number of the last head."""
    doubts: int = 0
    """How often it ended otherwise than its origin says, and when it may be asked for again."""
    again_ms: int = 0
    _digest: tuple[int, str] = (-1, "")

    def keep(self, record: SlotRecord, signed: Signed) -> None:
        """Remember what stands under a number; the highest of a slot holds."""
        self.signed[record.seq] = signed
        self.known[signed.digest()] = record.seq
        newest = self.slots.get((record.world, record.id))
        if newest is None or newest.seq < record.seq:
            self.slots[record.world, record.id] = record

    def refresh(self) -> None:
        """Forget the digest that is remembered."""
        self._digest = (-1, "")

    def content(self) -> str:
        """Return the digest of what holds; remembered until something comes."""
        if self._digest[0] != len(self.signed):
            held = ((record.seq, self.signed[record.seq].digest()) for record in self.slots.values())
            self._digest = len(self.signed), content_digest(held)
        return self._digest[1]

    def after(self, seq: int) -> list[int]:
        """Return the numbers that hold after a number, in order."""
        return sorted(record.seq for record in self.slots.values() if record.seq > seq)


New = Sealed | Proof | tuple[Feed, Signed | None]
"""A description, a proof, a record of a feed, or word of how far the feed is held."""


class Book:
    """All feeds, and the servers behind them."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        self.servers: dict[str, Server] = {}
        self.sealed: dict[str, Sealed] = {}
        self.shelves: dict[Feed, Shelf] = {}
        self.proofs: dict[str, Proof] = {}
        """Of origins that said one thing here and another there."""
        self._fresh: list[New] = []

    def taken(self) -> list[New]:
        """Return what is new since this was last asked."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def remember(self, sealed: Sealed) -> None:
        """Take a description of which nobody has to be convinced: our own, or one that was kept."""
        server = Server.model_validate_json(sealed.signed)
        self.servers[server.origin], self.sealed[server.origin] = server, sealed

    def write(self, record: SlotRecord, signed: Signed) -> None:
        """Put a record of our own in its feed, behind all others."""
        shelf = self.shelf(record.feed)
        shelf.keep(record, signed)
        shelf.through = record.seq
        self._fresh.append((record.feed, signed))

    def close(self, head: Head, signed: Signed) -> None:
        """End a feed of our own."""
        shelf = self.shelf(head.feed)
        shelf.heads[head.seq] = head, signed
        shelf.head = head.seq
        self._fresh.append((head.feed, None))

    def reach(self, feed: Feed, through: int, path: tuple[str, ...]) -> None:
        """Believe that all that holds up to a number is held."""
        shelf = self.shelf(feed)
        shelf.through, shelf.path = through, path
        self._fresh.append((feed, None))

    def meet(self, sealed: Sealed, now_ms: int) -> bool:
        """Take a server's description; returns whether it is news.

        Raises:
            OpenSlotError: what `Sealed.open` and `renewed` raise, or `PEER_QUOTA`.
        """
        if sealed in self.sealed.values():
            return False
        offered = sealed.open(now_ms, SKEW_MS)
        known = self.servers.get(offered.origin)
        if known is None and len(self.servers) >= self._limits.origins:
            raise OpenSlotError(Code.PEER_QUOTA, f"{len(self.servers)} servers are known", where="servers")
        if known is not None and renewed(known, offered) == known:
            return False
        self.servers[offered.origin], self.sealed[offered.origin] = offered, sealed
        self._fresh.append(sealed)
        for feed in [feed for feed in self.shelves if feed.origin == offered.origin]:
            if any(self.is_ended(feed.origin, signed.key) for signed in self.shelves[feed].signed.values()):
                del self.shelves[feed]  # what a revoked key signed is not believed; what stands is said anew
                self._fresh.append((feed, None))
        return True

    def is_ended(self, origin: str, public: bytes) -> bool:
        """Return whether a key of a server was revoked."""
        return any(key.revoked_ms is not None and key.public == public.hex() for key in self.servers[origin].keys)

    def put(self, feed: Feed, signed: Signed, now_ms: int) -> bool:
        """Take a record of a feed; returns whether it is news.

        Raises:
            OpenSlotError: `FEED_EQUIVOCAL` once two contents stand under one number, `SERVER_UNKNOWN`, `PEER_QUOTA`,
                `RECORD_INVALID` for a record of another feed, or what says that its signature does not hold.
        """
        server, shelf = self._server(feed.origin), self.shelf(feed)
        if signed.digest() in shelf.known:
            return False
        record = open_slot(signed, server, now_ms)
        if record.feed != feed:
            raise OpenSlotError(Code.RECORD_INVALID, "of another feed", where=str(record.seq))
        if record.seq in shelf.signed:
            self._accuse(feed.origin, shelf.signed[record.seq], signed)
        if len(shelf.signed) >= self._limits.records_of_feed:
            raise OpenSlotError(Code.PEER_QUOTA, f"{len(shelf.signed)} records of one feed", where=feed.origin)
        shelf.keep(record, signed)
        self._fresh.append((feed, signed))
        return True

    def end(self, feed: Feed, signed: Signed, now_ms: int) -> bool:
        """Take a feed's head; returns whether all that holds up to it is here, or it ends elsewhere than we do.

        Raises:
            OpenSlotError: `FEED_EQUIVOCAL` for another head under the same number, and what says that it does not hold.
        """
        server, shelf = self._server(feed.origin), self.shelf(feed)
        head = next((head for head, known in shelf.heads.values() if known.payload == signed.payload), None)
        if head is None:
            head = open_head(signed, server, now_ms)
            if head.feed != feed:
                raise OpenSlotError(Code.RECORD_INVALID, "the head of another feed", where=str(head.seq))
            before, its_bytes = shelf.heads.setdefault(head.seq, (head, signed))
            if _content(before) != _content(head):
                self._accuse(feed.origin, its_bytes, signed)
        if head.seq > shelf.head:
            shelf.head = head.seq
            self._fresh.append((feed, None))
        while len(shelf.heads) > HEADS:
            del shelf.heads[min(shelf.heads)]
        return shelf.through != head.seq or (len(shelf.slots), shelf.content()) == (head.count, head.content)

    def shelf(self, feed: Feed) -> Shelf:
        """Return what is known of a feed."""
        return self.shelves.setdefault(feed, Shelf())

    def accuse(self, proof: Proof, now_ms: int) -> bool:
        """Take a proof from elsewhere; returns whether it is news.

        Raises:
            OpenSlotError: `SERVER_UNKNOWN`, a signature that does not hold, or `RECORD_INVALID` if it proves nothing.
        """
        if proof.origin in self.proofs:
            return False
        server = self._server(proof.origin)
        if not _contradict(proof, server, now_ms):
            raise OpenSlotError(Code.RECORD_INVALID, "the two do not contradict each other", where=proof.origin)
        self._doubt(proof)
        return True

    def slots(self) -> Iterator[tuple[Feed, str, Slot]]:
        """Yield the slots that may be bought: feed, world and slot, those of doubtful origin left out."""
        for feed, shelf in self.shelves.items():
            for record in shelf.slots.values() if feed.origin not in self.proofs else ():
                slot = record.standing()
                if slot is not None:
                    yield feed, record.world, slot

    def _server(self, origin: str) -> Server:
        if origin in self.proofs:
            raise OpenSlotError(Code.FEED_EQUIVOCAL, where=origin)
        if origin not in self.servers:
            raise OpenSlotError(Code.SERVER_UNKNOWN, where=origin)
        return self.servers[origin]

    def _accuse(self, origin: str, first: Signed, second: Signed) -> None:
        self._doubt(Proof(origin, first, second))
        raise OpenSlotError(Code.FEED_EQUIVOCAL, where=origin)

    def _doubt(self, proof: Proof) -> None:
        self.proofs[proof.origin] = proof
        self._fresh.append(proof)


def _contradict(proof: Proof, server: Server, now_ms: int) -> bool:
    """Return whether a server signed both, under one number of one feed, and they say different things."""
    try:
        one, other = (open_slot(signed, server, now_ms) for signed in (proof.first, proof.second))
    except OpenSlotError:
        first, second = (open_head(signed, server, now_ms) for signed in (proof.first, proof.second))
        return (first.feed, first.seq) == (second.feed, second.seq) and _content(first) != _content(second)
    return (one.feed, one.seq) == (other.feed, other.seq) and one != other


def _content(head: Head) -> tuple[int, str]:
    """Return what a head says holds; it may be said again at another time."""
    return head.count, head.content
