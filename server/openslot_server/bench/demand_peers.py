"""Other ways to find the best bid for a slot, each as good as it can be made; all of them do the same filter."""

from __future__ import annotations

import importlib
import math
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from openslot_server.bench.demand_market import Asked
from openslot_server.demand.entries import Entry, entry_of
from openslot_server.demand.model import Offer

__all__ = ["PEERS", "Peer"]

Bids = Sequence[int]
"""The best bid for each slot, 0 where nobody may have it."""
Peer = Callable[[Sequence[Asked]], Bids]
Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
SIDES = {"worlds": "world", "tags": "tag", "regions": "region"}


class Sorted:
    """Line items by bid, the first that fits wins."""

    def __init__(self, offers: Sequence[Offer]) -> None:
        self.entries = sorted(map(entry_of, offers), key=lambda entry: entry.rank)

    def __call__(self, slots: Sequence[Asked]) -> Bids:
        """Return the best bids."""
        return [self._best(one) for one in slots]

    def _best(self, one: Asked) -> int:
        slot = one.question.slot
        tags, blocked, media = set(slot.tags), set(slot.categories_blocked), slot.accepts.media[0]
        aspect, floor, world = _aspect(one), _floor(one), one.question.world
        for entry in self.entries:
            if entry.bid_micros < floor:
                return 0
            creative, targeting = entry.offer.creatives[0], entry.offer.line_item.targeting
            if creative.media_type != media or not entry.bounds[1] <= aspect <= entry.bounds[2]:
                continue
            if targeting.worlds and world not in targeting.worlds:
                continue
            if targeting.regions and one.region not in targeting.regions:
                continue
            if targeting.tags and tags.isdisjoint(targeting.tags):
                continue
            if blocked.isdisjoint(creative.categories):
                return entry.bid_micros
        return 0


class Arrays:
    """Columns in numpy, slot by slot."""

    def __init__(self, offers: Sequence[Offer]) -> None:
        entries = Sorted(offers).entries
        self.bid = np.array([entry.bid_micros for entry in entries])
        self.low, self.high = (np.array([entry.bounds[side] for entry in entries]) for side in (1, 2))
        self.media = np.array([entry.offer.creatives[0].media_type for entry in entries])
        self.having = {name: _flags(entries, name) for name in SIDES}
        self.category = _columns([entry.offer.creatives[0].categories for entry in entries])

    def __call__(self, slots: Sequence[Asked]) -> Bids:
        """Return the best bids."""
        every = np.arange(len(self.bid))
        return [self._best(one, every[self._here(one)]) for one in slots]

    def _here(self, one: Asked) -> Flags:
        found: Flags = self._wants("worlds", [one.question.world]) & self._wants("regions", [one.region])
        return found

    def _wants(self, name: str, values: Sequence[str]) -> Flags:
        columns, free = self.having[name]
        found = free.copy()
        for value in values:
            if value in columns:
                found |= columns[value]
        return found

    def _best(self, one: Asked, rows: np.ndarray[Any, Any]) -> int:
        slot, aspect = one.question.slot, _aspect(one)
        found = self.media[rows] == slot.accepts.media[0]
        found &= (self.low[rows] <= aspect) & (aspect <= self.high[rows]) & (self.bid[rows] >= _floor(one))
        found &= self._wants("tags", slot.tags)[rows]
        for name in slot.categories_blocked:
            found &= ~self.category[name][rows]
        first = int(found.argmax()) if len(found) else 0
        return int(self.bid[rows[first]]) if len(found) and found[first] else 0


class Batch(Arrays):
    """The same for a whole scene: what its slots share is filtered once, the rest in two dimensions."""

    def __init__(self, offers: Sequence[Offer]) -> None:
        super().__init__(offers)
        names, self.media_number = np.unique(self.media, return_inverse=True)
        self.names = names.tolist()
        self.tags = sorted(self.having["tags"][0])
        self.tag_matrix = np.stack([self.having["tags"][0][tag] for tag in self.tags], axis=1).astype(np.float32)
        self.categories = sorted(self.category)
        self.category_matrix = np.stack([self.category[name] for name in self.categories], axis=1).astype(np.float32)

    def __call__(self, slots: Sequence[Asked]) -> Bids:
        """Return the best bids of the slots of one world and region."""
        rows = np.flatnonzero(self._here(slots[0]))
        terms = [one.question.slot for one in slots]
        media = np.array([self.names.index(slot.accepts.media[0]) for slot in terms])
        aspect = np.array([_aspect(one) for one in slots])
        found = self.media_number[rows] == media[:, None]
        found &= (self.low[rows] <= aspect[:, None]) & (aspect[:, None] <= self.high[rows])
        found &= self.bid[rows] >= np.array([_floor(one) for one in slots])[:, None]
        tags = _chosen([slot.tags for slot in terms], self.tags)
        found &= (tags @ self.tag_matrix[rows].T > 0) | self.having["tags"][1][rows]
        blocked = _chosen([slot.categories_blocked for slot in terms], self.categories)
        found &= blocked @ self.category_matrix[rows].T == 0
        if not len(rows):
            return [0] * len(slots)
        first = found.argmax(axis=1)
        bids: list[int] = np.where(found[np.arange(len(slots)), first], self.bid[rows[first]], 0).tolist()
        return bids


class Roaring:
    """Compressed bitmaps of places in the order of bids."""

    def __init__(self, offers: Sequence[Offer]) -> None:
        self._bitmap: Any = importlib.import_module("pyroaring").BitMap
        entries = Sorted(offers).entries
        self.bids = [entry.bid_micros for entry in entries]
        self.falling = -np.array(self.bids)
        places: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
        aspects: defaultdict[tuple[float, ...], list[int]] = defaultdict(list)
        for place, entry in enumerate(entries):
            for feature in entry.features:
                places[feature].append(place)
            aspects[entry.bounds[1:3]].append(place)
        self.aspects = [(low, high, self._bitmap(found)) for (low, high), found in aspects.items()]
        self.having = {feature: self._bitmap(found) for feature, found in places.items()}
        self.every = self._bitmap(range(len(entries)))
        self.free = {name: self.every - self.having.get((name,), self._bitmap()) for name in SIDES.values()}

    def __call__(self, slots: Sequence[Asked]) -> Bids:
        """Return the best bids."""
        return [self._best(one) for one in slots]

    def _best(self, one: Asked) -> int:
        slot, aspect, none = one.question.slot, _aspect(one), self._bitmap()
        found = self.having.get(("media", slot.accepts.media[0]), none)
        for name, values in (("world", [one.question.world]), ("region", [one.region]), ("tag", slot.tags)):
            wanted = [self.having.get((name, value), none) for value in values]
            found = found & self._bitmap.union(self.free[name], *wanted)
        fitting = [bitmap for low, high, bitmap in self.aspects if low <= aspect <= high]
        found = found & self._bitmap.union(none, *fitting)
        for name in slot.categories_blocked:
            found = found - self.having.get(("category", name), none)
        best = found.min() if found else len(self.bids)
        return self.bids[best] if best < len(self.bids) and self.bids[best] >= _floor(one) else 0


class Sqlite:
    """A database in memory with the index that serves the question best."""

    def __init__(self, offers: Sequence[Offer]) -> None:
        self.connection = sqlite3.connect(":memory:")
        _load(self.connection, offers, "INTEGER PRIMARY KEY", " WITHOUT ROWID")
        self.connection.execute(
            "CREATE INDEX best ON items (media, bid DESC, low, high, any_world, any_tag, any_region, id)"
        )
        self.connection.execute("ANALYZE")

    def __call__(self, slots: Sequence[Asked]) -> Bids:
        """Return the best bids."""
        execute = self.connection.execute
        return [(execute(QUERY, _arguments(one)).fetchone() or (0,))[0] for one in slots]


class Duck:
    """An analytical database with the same question."""

    def __init__(self, offers: Sequence[Offer]) -> None:
        self.connection: Any = importlib.import_module("duckdb").connect()
        self.connection.execute("SET threads = 1")
        rows, sides = _rows(offers)
        frame = {name: np.array(column) for name, column in zip(COLUMNS, zip(*rows, strict=True), strict=True)}
        self.connection.register("frame", frame)
        self.connection.execute("CREATE TABLE items AS SELECT * FROM frame ORDER BY bid DESC")
        for name, pairs in sides.items():
            ids, values = zip(*pairs, strict=True)
            self.connection.register("pairs", {"id": np.array(ids), "value": np.array(values)})
            self.connection.execute(f"CREATE TABLE {name} AS SELECT * FROM pairs")  # noqa: S608  names of ours

    def __call__(self, slots: Sequence[Asked]) -> Bids:
        """Return the best bids."""
        execute = self.connection.execute
        return [(execute(QUERY, _arguments(one)).fetchone() or (0,))[0] for one in slots]


PEERS: dict[str, tuple[Callable[[Sequence[Offer]], Peer], float]] = {
    "sorted loop": (Sorted, 0.1),
    "sqlite": (Sqlite, 0.2),
    "numpy": (Arrays, 0.2),
    "numpy batch": (Batch, 1.0),
    "pyroaring": (Roaring, 0.3),
    "duckdb": (Duck, 0.05),
}
"""Each peer, and the share of the questions that it is asked, for some are slow."""

COLUMNS = ("id", "bid", "media", "low", "high", "any_world", "any_tag", "any_region")
QUERY = """
SELECT bid FROM items WHERE media = ? AND bid >= ? AND low <= ? AND high >= ?
AND (any_world OR EXISTS (SELECT 1 FROM worlds WHERE worlds.id = items.id AND value = ?))
AND (any_region OR EXISTS (SELECT 1 FROM regions WHERE regions.id = items.id AND value = ?))
AND (any_tag OR EXISTS (SELECT 1 FROM tags WHERE tags.id = items.id AND value IN (?, ?, ?, ?)))
AND NOT EXISTS (SELECT 1 FROM categories WHERE categories.id = items.id AND value IN (?, ?, ?))
ORDER BY bid DESC LIMIT 1
"""


def _load(connection: sqlite3.Connection, offers: Sequence[Offer], key: str, layout: str) -> None:
    rows, sides = _rows(offers)
    connection.execute(f"CREATE TABLE items (id {key}, {', '.join(COLUMNS[1:])})")
    connection.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    for name, pairs in sides.items():
        connection.execute(f"CREATE TABLE {name} (id INTEGER, value TEXT, PRIMARY KEY (id, value)){layout}")
        connection.executemany(f"INSERT INTO {name} VALUES (?, ?)", pairs)  # noqa: S608  names of ours


def _rows(offers: Sequence[Offer]) -> tuple[list[tuple[Any, ...]], dict[str, list[tuple[int, str]]]]:
    rows, sides = [], defaultdict[str, list[tuple[int, str]]](list)
    for number, offer in enumerate(offers):
        entry, targeting, creative = entry_of(offer), offer.line_item.targeting, offer.creatives[0]
        free = not targeting.worlds, not targeting.tags, not targeting.regions
        rows.append((number, entry.bid_micros, creative.media_type, *entry.bounds[1:3], *free))
        for name in SIDES:
            sides[name] += [(number, value) for value in getattr(targeting, name)]
        sides["categories"] += [(number, value) for value in creative.categories]
    return rows, sides


def _arguments(one: Asked) -> tuple[Any, ...]:
    slot, aspect = one.question.slot, _aspect(one)
    near = slot.accepts.media[0], _floor(one), aspect, aspect, one.question.world, one.region
    return (*near, *slot.tags, *slot.categories_blocked)


def _aspect(one: Asked) -> float:
    width, height = one.question.slot.size
    return math.log(width / height)


def _floor(one: Asked) -> int:
    return -(-one.question.slot.floor_cpm.micros // 1000)


def _flags(entries: Sequence[Entry], name: str) -> tuple[dict[str, Flags], Flags]:
    values = [getattr(entry.offer.line_item.targeting, name) for entry in entries]
    return _columns(values), np.array([not value for value in values])


def _columns(values: Sequence[Sequence[str]]) -> dict[str, Flags]:
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for row, names in enumerate(values):
        for name in names:
            rows[name].append(row)
    columns: dict[str, Flags] = {name: np.zeros(len(values), np.bool_) for name in rows}
    for name, found in rows.items():
        columns[name][found] = True
    return columns


def _chosen(values: Sequence[Sequence[str]], names: list[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array([[name in chosen for name in names] for chosen in values], np.float32)
