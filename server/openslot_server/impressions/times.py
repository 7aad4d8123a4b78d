"""When something happened to each viewer, for few viewers and for thousands at once.

Keys that come alone are held in a dictionary. Where many come close together, as the viewers of a session do, which are
numbered, they are held in pages: an array of a page is filled and asked in a few steps, however many keys it is about.

    key      ───────── page ─────────┬─ place in it (12 bits)
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["MISSING", "Counts", "Times"]

Ints = NDArray[np.int64]
Places = slice | NDArray[np.intp]
MISSING = -1
"""The time of a key that is not there."""
PAGE_BITS = 12
PAGE = 1 << PAGE_BITS
MANY = 256
"""Keys of one page that come together and so get an array: of 32 KiB, no more than a dictionary needs for them."""


VARIOUS = -1
"""In the place of a page: keys of various pages."""


class Times:
    """Times by key; both are whole numbers from 0."""

    __slots__ = ("_alone", "_pages")

    def __init__(self) -> None:
        self._alone: dict[int, int] = {}
        self._pages: dict[int, Ints] = {}
        """A key whose page is here is in no other place."""

    def get(self, key: int) -> int:
        """Return a key's time, or `MISSING`."""
        page = self._pages.get(key >> PAGE_BITS)
        return self._alone.get(key, MISSING) if page is None else int(page[key % PAGE])

    def add(self, key: int, time: int) -> bool:
        """Add a key unless it is there, and return whether it was added."""
        page = self._pages.get(key >> PAGE_BITS)
        if page is None:
            before = len(self._alone)
            self._alone.setdefault(key, time)
            return len(self._alone) > before
        if page[key % PAGE] != MISSING:
            return False
        page[key % PAGE] = time
        return True

    def remove(self, key: int) -> None:
        """Remove a key that is there."""
        page = self._pages.get(key >> PAGE_BITS)
        if page is None:
            del self._alone[key]
        else:
            page[key % PAGE] = MISSING

    def get_all(self, keys: Ints) -> Ints:
        """Return each key's time, or `MISSING`."""
        found = np.empty(len(keys), np.int64)
        for page, places in _by_page(keys):
            own = keys[places]
            array = self._pages.get(page)
            found[places] = [self.get(key) for key in own.tolist()] if array is None else array[own % PAGE]
        return found

    def add_all(self, keys: Ints, times: Ints) -> list[int]:
        """Add the keys that are not there, the first of each, and return the places of those that were."""
        repeats: list[int] = []
        for page, places in _by_page(keys):
            own, own_times = keys[places], times[places]
            array = self._page_of(page, len(own))
            if array is None or not _fill(array, own % PAGE, own_times):
                pairs = zip(own.tolist(), own_times.tolist(), strict=True)
                known = [place for place, (key, time) in enumerate(pairs) if not self.add(key, time)]
                repeats += np.arange(len(keys))[places][known].tolist() if known else ()
        return sorted(repeats)

    def _page_of(self, page: int, count: int) -> Ints | None:
        """Return the array of a page, a new one if so many keys of it come together, or None."""
        array = self._pages.get(page)
        if array is None and page != VARIOUS and count >= MANY:
            first = page << PAGE_BITS
            alone = self._alone
            held = [alone.pop(key, MISSING) for key in range(first, first + PAGE)] if alone else MISSING
            array = self._pages[page] = np.full(PAGE, held, np.int64)
        return array


class Counts(Times):
    """How often each key came; the number that is held is one less."""

    __slots__ = ()

    def count(self, key: int) -> int:
        """Count a key once more, and return how often it came."""
        page = self._pages.get(key >> PAGE_BITS)
        if page is None:
            self._alone[key] = held = self._alone.get(key, MISSING) + 1
            return held + 1
        page[key % PAGE] += 1
        return int(page[key % PAGE]) + 1

    def count_all(self, keys: Ints) -> Ints:
        """Count keys, each as often as it is there, and return how often each of them came."""
        for page, places in _by_page(keys):
            own = keys[places]
            array = self._page_of(page, len(own))
            if array is None:
                for key in own.tolist():
                    self.count(key)
            else:
                np.add.at(array, own % PAGE, 1)
        return self.get_all(keys) + 1


def _by_page(keys: Ints) -> Iterator[tuple[int, Places]]:
    """Yield each page and the places of its keys; keys that lie far apart are not worth it, and come together."""
    pages = keys >> PAGE_BITS
    first = int(pages[0]) if len(pages) else VARIOUS
    if (pages == first).all():
        yield first, slice(None)
        return
    order = np.argsort(pages, kind="stable")
    found, starts = np.unique(pages[order], return_index=True)
    if len(found) * MANY > len(keys) * 4:
        yield VARIOUS, slice(None)
        return
    yield from zip(found.tolist(), np.split(order, starts[1:]), strict=True)


def _fill(array: Ints, at: Ints, times: Ints) -> bool:
    """Fill free places of a page; return False, and leave it as it was, if one is not free or is asked for twice."""
    if (array[at] != MISSING).any():
        return False
    order = np.arange(len(at))
    array[at] = order
    if (array[at] != order).any():
        array[at] = MISSING
        return False
    array[at] = times
    return True
