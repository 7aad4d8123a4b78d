"""The order in which line items are asked for a slot: by rank, and among equals by draw.

Among equals each advertiser has the same chance, however many line items it has: a place is drawn among all, and kept
with a chance of one in as many as its advertiser has there. So nobody starves, nobody gains by splitting an order, and
a group of thousands costs little more than one of two.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator

from openslot_server.demand.chunks import Chunk, lowest
from openslot_server.demand.draws import mix, seed_of
from openslot_server.demand.entries import Entry, Feature

__all__ = ["DRAWS", "Ranking"]

DRAWS = 16
"""Draws in vain after which the advertisers are few for so many line items, and are counted instead."""
Part = tuple[Chunk, int]


class Ranking:
    """Line items, once each, looked for as they are asked for; `matches` are the sets of each chunk, in order."""

    def __init__(self, matches: Iterable[Part], draw: bytes) -> None:
        self._ahead = iter(matches)
        self._parts: deque[Part] = deque()
        self._draw_name = draw
        self._seed: int | None = None
        self._drawn = 0
        self._dropped: list[Feature] = []
        self._order = self._walk()

    def __iter__(self) -> Iterator[Entry]:
        return self._order

    def drop(self, feature: Feature) -> None:
        """Leave out from now on who has a feature."""
        self._dropped.append(feature)

    def _walk(self) -> Iterator[Entry]:
        while self._first():
            chunk, bits = self._parts[0]
            low = bits & -bits
            rest, entry = bits ^ low, chunk.entry(low.bit_length() - 1)
            if rest and not _equal(entry, chunk.entry(lowest(rest))):
                self._parts[0] = chunk, rest
                yield entry
                continue
            group = self._take_equals(entry)
            if len(group) == 1 and group[0][1] == low:
                yield entry
            else:
                yield from self._draw_all(group)

    def _first(self) -> bool:
        """Bring the best that is left to the front; False if none is."""
        while self._parts or self._look_ahead():
            chunk, bits = self._parts[0]
            if self._dropped:
                bits &= ~chunk.having(self._dropped)
                self._parts[0] = chunk, bits
            if bits:
                return True
            self._parts.popleft()
        return False

    def _look_ahead(self) -> bool:
        part = next(self._ahead, None)
        if part is not None:
            self._parts.append(part)
        return part is not None

    def _take_equals(self, entry: Entry) -> list[Part]:
        """Take all who share a line item's tier and price off the front."""
        tier, price, _ = entry.rank
        group: list[Part] = []
        while self._first():
            chunk, bits = self._parts[0]
            equals = bits & ((1 << bisect_left(chunk.ranks, (tier, price + 1, ""))) - 1)
            if equals:
                group.append((chunk, equals))
            if equals != bits:
                self._parts[0] = chunk, bits ^ equals
                break
            self._parts.popleft()
        return group

    def _draw_all(self, group: list[Part]) -> Iterator[Entry]:
        while group := self._left_of(group):
            owner = self._draw_advertiser(group)
            own = [(chunk, bits & chunk.bits.get(owner, 0)) for chunk, bits in group]
            group = [(chunk, bits & ~chunk.bits.get(owner, 0)) for chunk, bits in group]
            while own := self._left_of(own):
                part, place = self._draw_place(own)
                chunk, bits = own[part]
                own[part] = chunk, bits ^ 1 << place
                yield chunk.entry(place)

    def _left_of(self, group: list[Part]) -> list[Part]:
        left = ((chunk, bits & ~chunk.having(self._dropped)) for chunk, bits in group)
        return [(chunk, bits) for chunk, bits in left if bits]

    def _draw_advertiser(self, group: list[Part]) -> Feature:
        for _ in range(DRAWS):
            part, place = self._draw_place(group)
            owner = ("advertiser", group[part][0].entry(place).advertiser)
            mine = sum((bits & chunk.bits.get(owner, 0)).bit_count() for chunk, bits in group)
            if mine == 1 or self._draw(mine) == 0:
                return owner
        owners = sorted(_owners(group))
        return owners[self._draw(len(owners))]

    def _draw_place(self, group: list[Part]) -> tuple[int, int]:
        """Return which part of the group, and a place in it."""
        number = self._draw(sum(bits.bit_count() for _, bits in group))
        for part, (_, bits) in enumerate(group):
            count = bits.bit_count()
            if number < count:
                return part, nth(bits, number)
            number -= count
        raise AssertionError("a number within the group lies in one of its parts")

    def _draw(self, count: int) -> int:
        """Return one of the numbers below `count`; of one, nothing is drawn."""
        if count == 1:
            return 0
        if self._seed is None:
            self._seed = seed_of(self._draw_name)
        self._drawn += 1
        return mix(self._seed, self._drawn) % count


def _owners(group: list[Part]) -> set[Feature]:
    owners: set[Feature] = set()
    for chunk, bits in group:
        left = bits
        while left:
            owner = ("advertiser", chunk.entry(lowest(left)).advertiser)
            owners.add(owner)
            left &= ~chunk.bits[owner]
    return owners


def _equal(one: Entry, other: Entry) -> bool:
    return one.rank[1] == other.rank[1] and one.rank[0] == other.rank[0]


def nth(bits: int, number: int) -> int:
    """Return the place of a set's bit with `number` bits below it."""
    base, width = 0, 1 << bits.bit_length().bit_length()
    while width > 1:
        width >>= 1
        low = bits & ((1 << width) - 1)
        count = low.bit_count()
        if number < count:
            bits = low
        else:
            bits, number, base = bits >> width, number - count, base + width
    return base
