"""What a server says of itself: its description, its own feeds, and which slots it shares with whom."""

from __future__ import annotations

from collections.abc import Iterable

from openslot_server.federation.book import Book
from openslot_spec.feeds import Feed, Head, SlotRecord, content_digest, sign
from openslot_spec.records import TimeMs
from openslot_spec.signing import Signer
from openslot_spec.slots import Slot

__all__ = ["Publisher", "Standing"]

Standing = tuple[str, str, Slot | None]
"""World, slot id, and the slot as it is shared; None once it is not."""


class Publisher:
    """Writes our own feeds into the book; the one writer they have."""

    def __init__(self, origin: str, book: Book, signer: Signer) -> None:
        self.origin = origin
        self._book = book
        self._signer = signer

    def publish(self, audience: str, changes: Iterable[Standing], now_ms: TimeMs) -> int:
        """Say what stands at some slots from now on; returns how many of them are news."""
        feed = Feed(self.origin, audience)
        shelf = self._book.shelf(feed)
        before = shelf.through
        for world, name, slot in changes:
            said = None if slot is None else slot.plain()
            known = shelf.slots.get((world, name))
            if (None if known is None else known.slot) == said:
                continue
            record = SlotRecord(
                origin=self.origin,
                audience=audience,
                seq=shelf.through + 1,
                world=world,
                id=name,
                slot=said,
                at_ms=now_ms,
            )
            self._book.write(record, sign(record, self._signer))
        if shelf.through > before:
            self.end(feed, now_ms)
        return shelf.through - before

    def resign(self, audience: str, now_ms: TimeMs) -> int:
        """Say all that stands anew, after a key was revoked; returns how much that was."""
        feed = Feed(self.origin, audience)
        shelf = self._book.shelf(feed)
        for record in list(shelf.slots.values()):
            again = record.model_copy(update={"seq": shelf.through + 1, "at_ms": now_ms})
            self._book.write(again, sign(again, self._signer))
        self.end(feed, now_ms)
        return len(shelf.slots)

    def end(self, feed: Feed, now_ms: int) -> None:
        """Say where a feed ends, and what is in it."""
        shelf = self._book.shelf(feed)
        held = [(record.seq, shelf.signed[record.seq].digest()) for record in shelf.slots.values()]
        head = Head(
            origin=feed.origin,
            audience=feed.audience,
            seq=shelf.through,
            count=len(held),
            content=content_digest(held),
            at_ms=now_ms,
        )
        self._book.close(head, sign(head, self._signer))
