"""A chunk of the index: some thousand line items in the order of their rank, and for each feature the set of those
that have it, as one big integer.

    place    0      1      2      3      4 …           the best rank at 0, gaps between for newcomers
    at       li-7   li-2   –      li-9   li-4
    ("world", "plaza")     0b…01001                    li-7 and li-9
    running                0b…11011                    what may serve now; pausing clears one bit

Sets that were worked out are kept with the version they are of. A change only notes which places it touched, and a
kept set is mended there when it is next asked for.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Sequence

import numpy as np

from openslot_server.demand.entries import BOUNDS, Entry, Feature, Rank

__all__ = ["CAPACITY", "LAST", "NOTHING", "Chunk", "Span", "beyond", "lowest", "widened"]

Span = list[tuple[float, float]]
"""Between which numbers each of `BOUNDS` lies."""
NOTHING: Span = [(math.inf, -math.inf)] * len(BOUNDS)

CAPACITY = 4096
GAP = 8
LAST: Rank = (1 << 62, 0, "")
"""The rank of a place behind the last line item."""
KEPT = 2048
"""Sets that a chunk keeps at the most."""
MENDED = 12
"""Places up to which mending a set is cheaper than making it anew."""
LOGGED = 64
NEVER = (-LOGGED, 0)


class Chunk:
    """A run of ranks. `ranks` has at a gap the rank that follows it, so that it can be searched."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self.at: list[Entry | None] = [None] * capacity
        self.ranks: list[Rank] = [LAST] * capacity
        self.bits: dict[Feature, int] = {}
        self.bounds = np.full((len(BOUNDS), capacity), np.nan)
        self.used = 0
        self.running = 0
        """Which may serve as far as status and flight go."""
        self.funded = 0
        """Which have money for one impression at least."""
        self.span = NOTHING
        """It grows and never shrinks."""
        self._kept: dict[Hashable, tuple[int, int]] = {}
        self._version = 0
        self._log: list[int] = []
        """The place that each of the last versions touched."""

    @classmethod
    def of(cls, entries: Sequence[Entry], capacity: int = CAPACITY) -> Chunk:
        """Return a chunk of some line items in the order of their rank, with a gap after every seven."""
        chunk = cls(capacity)
        bits = chunk.bits
        places = spread(len(entries))
        for entry, place in zip(entries, places, strict=True):
            bit = 1 << place
            for feature in entry.features:
                bits[feature] = bits.get(feature, 0) | bit
            chunk.used |= bit
            chunk.at[place] = entry
            chunk.ranks[place] = entry.rank
        for place in range(capacity - 2, -1, -1):
            if chunk.at[place] is None:
                chunk.ranks[place] = chunk.ranks[place + 1]
        bounds = np.array([entry.bounds for entry in entries])
        chunk.bounds[:, places] = bounds.T
        chunk.span = list(zip(bounds.min(axis=0).tolist(), bounds.max(axis=0).tolist(), strict=True))
        return chunk

    def find(self, rank: Rank) -> int:
        """Return the place of the line item with this rank."""
        return bisect_right(self.ranks, rank) - 1

    def entry(self, place: int) -> Entry:
        """Return the line item at a place that is used."""
        found = self.at[place]
        assert found is not None  # noqa: S101  a bit without a line item is a fault of ours
        return found

    def put(self, entry: Entry, place: int) -> None:
        """Set a line item at a free place; it does not run until told so."""
        bit = 1 << place
        for feature in entry.features:
            self.bits[feature] = self.bits.get(feature, 0) | bit
        self.at[place] = entry
        self.bounds[:, place] = entry.bounds
        self.used |= bit
        self.span = widened(self.span, [(number, number) for number in entry.bounds])
        self._fill_ranks(place, entry.rank)
        self._touch(place)

    def take(self, place: int) -> Entry:
        """Remove the line item at a place, and leave a gap."""
        entry, keep = self.entry(place), ~(1 << place)
        for feature in entry.features:
            left = self.bits[feature] & keep
            if left:
                self.bits[feature] = left
            else:
                del self.bits[feature]
        self.at[place] = None
        self.bounds[:, place] = np.nan
        self.used &= keep
        self.running &= keep
        self.funded &= keep
        self._fill_ranks(place, self.ranks[place + 1] if place + 1 < self.capacity else LAST)
        self._touch(place)
        return entry

    def move(self, source: int, target: int) -> None:
        """Move a line item to a free place next to it."""
        running, funded = self.running >> source & 1, self.funded >> source & 1
        self.put(self.take(source), target)
        self.running |= running << target
        self.funded |= funded << target

    def cut(self) -> tuple[Chunk, Chunk]:
        """Return two chunks with half of the line items each, evenly spread again."""
        places = [place for place, entry in enumerate(self.at) if entry is not None]
        half = len(places) // 2
        return self._part(places[:half]), self._part(places[half:])

    def _part(self, places: Sequence[int]) -> Chunk:
        part = Chunk.of([self.entry(place) for place in places], self.capacity)
        for target, source in zip(spread(len(places)), places, strict=True):
            part.running |= (self.running >> source & 1) << target
            part.funded |= (self.funded >> source & 1) << target
        return part

    def having(self, features: Iterable[Feature]) -> int:
        """Return who has one of the features."""
        found, bits = 0, self.bits
        for feature in features:
            found |= bits.get(feature, 0)
        return found

    def within(self, bound: int, value: float) -> int:
        """Return whose number `bound` is on its side of `value`."""
        side = BOUNDS[bound][1]
        least, most = self.span[bound]
        if value <= least if side > 0 else value >= most:
            return self.used
        if beyond(self.span, bound, value):
            return 0

        def holds(entry: Entry) -> bool:
            return (entry.bounds[bound] - value) * side >= 0

        def whole() -> int:
            column = self.bounds[bound]
            return packed(column >= value if side > 0 else column <= value)

        return self.kept((bound, value), whole, holds)

    def known(self, key: Hashable) -> int | None:
        """Return the set called `key` if it is kept and as it was."""
        version, found = self._kept.get(key, NEVER)
        return found if version == self._version else None

    def kept(self, key: Hashable, whole: Callable[[], int], holds: Callable[[Entry], bool]) -> int:
        """Return the set called `key`: as kept, mended where line items changed since, or made by `whole`."""
        version, found = self._kept.get(key, NEVER)
        behind = self._version - version
        if not behind:
            return found
        if behind > min(len(self._log), MENDED):
            found = whole()
        else:
            for place in self._log[-behind:]:
                entry, bit = self.at[place], 1 << place
                found = found | bit if entry is not None and holds(entry) else found & ~bit
        if len(self._kept) >= KEPT:
            self._kept.clear()
        self._kept[key] = self._version, found
        return found

    def _fill_ranks(self, place: int, rank: Rank) -> None:
        """Write a rank at a place and into the gaps before it."""
        self.ranks[place] = rank
        before = place - 1
        while before >= 0 and self.at[before] is None:
            self.ranks[before] = rank
            before -= 1

    def _touch(self, place: int) -> None:
        self._version += 1
        self._log.append(place)
        if len(self._log) > 2 * LOGGED:
            del self._log[:LOGGED]


def beyond(span: Span, bound: int, value: float) -> bool:
    """Return whether nobody's number `bound` within a span is on its side of `value`."""
    least, most = span[bound]
    return value > most if BOUNDS[bound][1] > 0 else value < least


def widened(span: Span, other: Span) -> Span:
    """Return the span of both."""
    return [(min(low, least), max(high, most)) for (low, high), (least, most) in zip(span, other, strict=True)]


def spread(count: int) -> list[int]:
    """Return the places of so many line items with a gap after every seven."""
    return [index + index // (GAP - 1) for index in range(count)]


def lowest(bits: int) -> int:
    """Return the place of the lowest bit of a set that is not empty."""
    return (bits & -bits).bit_length() - 1


def packed(flags: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> int:
    """Return flags as a set."""
    return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")
