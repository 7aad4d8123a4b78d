"""The index of all line items that may run: chunks in the order of rank, kept so while line items come and go.

A newcomer takes a gap near its rank. Where there is none, those between it and the next gap move by one place; where
that gap is far, the chunk is cut in two that have gaps again. So a change costs little and disturbs little of what
chunks keep.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from functools import reduce

from openslot_server.demand.chunks import CAPACITY, GAP, Chunk, widened
from openslot_server.demand.entries import Entry, Rank

__all__ = ["Index"]

SHIFTED = 32
"""Line items that are moved at the most to make room."""
AHEAD = 8
"""How far behind its predecessor a newcomer is set at the most, so that a wide gap is not spent at once."""
FIRST: Rank = (-1, 0, "")


class Index:
    """Line items by rank. One that is added neither runs nor has money until told so."""

    def __init__(self, entries: Iterable[Entry] = (), capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self.entries: dict[str, Entry] = {entry.id: entry for entry in entries}
        ranked = sorted(self.entries.values(), key=lambda entry: entry.rank)
        size = capacity // GAP * (GAP - 1)
        parts = [ranked[start : start + size] for start in range(0, len(ranked), size)]
        self.chunks: list[Chunk] = [Chunk.of(part, capacity) for part in parts] or [Chunk(capacity)]
        self._starts: list[Rank] = [FIRST, *(part[0].rank for part in parts[1:])]
        """The least rank that belongs to each chunk."""
        self.span = reduce(widened, (chunk.span for chunk in self.chunks))
        """It grows and never shrinks."""

    def find(self, line_item: str) -> tuple[Chunk, int]:
        """Return where a line item is."""
        rank = self.entries[line_item].rank
        chunk = self.chunks[self._chunk_of(rank)]
        return chunk, chunk.find(rank)

    def add(self, entry: Entry) -> tuple[Chunk, int]:
        """Add a line item that is not there yet, and return where."""
        number = self._chunk_of(entry.rank)
        chunk = self.chunks[number]
        wanted = bisect_left(chunk.ranks, entry.rank)
        place = self._room(chunk, wanted)
        if place is None:
            self.chunks[number : number + 1] = chunk.cut()
            self._starts.insert(number + 1, self.chunks[number + 1].ranks[0])
            return self.add(entry)
        chunk.put(entry, place)
        self.span = widened(self.span, chunk.span)
        self.entries[entry.id] = entry
        return chunk, place

    def remove(self, line_item: str) -> None:
        """Take a line item out."""
        chunk, place = self.find(line_item)
        chunk.take(place)
        del self.entries[line_item]
        if not chunk.used and len(self.chunks) > 1:
            number = self.chunks.index(chunk)
            del self.chunks[number], self._starts[max(number, 1)]

    def _chunk_of(self, rank: Rank) -> int:
        return bisect_right(self._starts, rank) - 1

    def _room(self, chunk: Chunk, place: int) -> int | None:
        """Return a free place before whoever is first at `place` or behind it; None if none is near."""
        if place < self.capacity and chunk.at[place] is None:
            end = place
            while end < self.capacity and chunk.at[end] is None and end < place + 2 * AHEAD:
                end += 1
            return (place + end - 1) // 2
        for distance in range(1, SHIFTED + 1):
            after, before = place + distance, place - 1 - distance
            if after < self.capacity and chunk.at[after] is None:
                for source in range(after - 1, place - 1, -1):
                    chunk.move(source, source + 1)
                return place
            if before >= 0 and chunk.at[before] is None:
                for source in range(before + 1, place):
                    chunk.move(source, source - 1)
                return place - 1
        return None
