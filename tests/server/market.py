"""Rooms with a scripted clock, seeded randomness and a store in memory: a whole server without a process or a disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import fields
from typing import Any
from zlib import crc32

import numpy as np

from openslot_server.config import Settings
from openslot_server.demand.model import Campaign, Creative, LineItem, LineItemDraft
from openslot_server.demand.targeting import Targeting
from openslot_server.impressions.ledger import Entry, Kind
from openslot_server.impressions.postings import funded
from openslot_server.impressions.verify import Books, verify
from openslot_server.reports.queries import Dimension, Report, recount
from openslot_server.rooms import Rooms, first_rows, open_rooms, sweep
from openslot_server.service import answer
from openslot_server.sessions import Seat
from openslot_server.storage.store import FORGETTABLE, Forgotten, LatestRow, Reader, Row, SomeRow
from openslot_spec.exposures import COLUMNS, EventKind, ExposureColumns, WhyNot
from openslot_spec.messages import (
    Error,
    ExposuresAck,
    ExposuresPut,
    Message,
    Placement,
    Placements,
    PlacementsGet,
    SlotsAck,
    SlotsPut,
)
from openslot_spec.records import Money

NOW_MS = 1_790_000_000_000
GLB = "model/gltf-binary"


def pose_of(slot: str) -> dict[str, Any]:
    """Return a place for a slot of this name; boards in one place would be marked as stacked."""
    return {"position": [10 * (crc32(slot.encode()) % 100_003), 2, -5], "rotation": [0, 0, 0, 1]}


class MemoryStore:
    """A store in which everything is durable at once."""

    failed = False

    def __init__(self) -> None:
        self.tables: dict[type[Row], list[Row]] = {}

    @contextmanager
    def read(self) -> Iterator[Reader]:
        frozen = MemoryStore()
        frozen.tables = {kind: list(rows) for kind, rows in self.tables.items()}
        yield frozen

    def load(self, kind: type[SomeRow], after: int = 0) -> Iterator[SomeRow]:
        for row in self.tables.get(kind, [])[after:]:
            assert isinstance(row, kind)
            yield row

    def find(self, kind: type[SomeRow], **columns: Any) -> SomeRow | None:
        matching = (row for row in self.load(kind) if all(getattr(row, name) == columns[name] for name in columns))
        return next(matching, None)

    def commit(self, rows: Sequence[Row]) -> Future[None]:
        for row in rows:
            if isinstance(row, Forgotten):
                self._forget(row)
                continue
            table = self.tables.setdefault(type(row), [])
            if isinstance(row, LatestRow):
                table[:] = [old for old in table if isinstance(old, LatestRow) and _key(old) != _key(row)]
            table.append(row)
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def close(self) -> None:
        pass

    def _forget(self, old: Forgotten) -> None:
        for kind, rows in self.tables.items():
            if old.table == kind.TABLE:
                rows[:] = [row for row in rows if getattr(row, FORGETTABLE[kind]) >= old.before_ms]


def _key(row: LatestRow) -> tuple[Any, ...]:
    return tuple(getattr(row, column.name) for column in fields(row)[: row.KEY])


class Market:
    """One server's rooms, and short words for what tests do with them."""

    def __init__(self, seed: int = 0, **settings: Any) -> None:
        self.now_ms = NOW_MS
        self.settings = Settings(**settings)
        self.store = MemoryStore()
        self.entropy = np.random.default_rng(seed).bytes
        with self.store.read() as reader:
            rows, _ = first_rows(reader, self.settings, self.now_ms, self.entropy)
        self.store.commit(rows)
        self.rooms = self._open()
        self.orders = 0

    def _open(self) -> Rooms:
        with self.store.read() as reader:
            return open_rooms(reader, self.settings, self.now_ms, self.entropy)

    def restart(self) -> None:
        """Forget what is in memory, as a crash does."""
        self.rooms = self._open()

    def pass_time(self, ms: int) -> None:
        self.now_ms += ms
        self.store.commit(sweep(self.rooms, self.settings.late_ms, self.now_ms))

    def say(self, message: Message, world: str = "plaza", session: str = "s1") -> Message:
        reply, rows = answer(self.rooms, Seat(world, session), message, self.now_ms)
        self.store.commit(rows)
        return reply

    def creative(self, name: str = "a", advertiser: str = "aurora", **facts: Any) -> str:
        sha256 = name.encode().hex().ljust(64, "0")
        known: dict[str, Any] = {"media_type": GLB, "size_bytes": 1000, "label": f"Ad · {advertiser}"}
        creative = Creative(sha256=sha256, advertiser=advertiser, **(known | facts))
        self.store.commit([self.rooms.orders.keep_creative(creative, self.now_ms)])
        return sha256

    def campaign(self, advertiser: str = "aurora") -> str:
        campaign = Campaign(id=f"cmp-{advertiser}", advertiser=advertiser, name="Spring")
        self.store.commit([self.rooms.orders.keep_campaign(campaign, self.now_ms)])
        return campaign.id

    def line_item(
        self, price: int = 2_000, impressions: int = 100, advertiser: str = "aurora", **draft: Any
    ) -> LineItem:
        """Run a line item whose budget buys `impressions` at `price` micros each."""
        self.orders += 1
        creatives = draft.pop("creatives", None) or (self.creative(advertiser[:4], advertiser),)
        said: dict[str, Any] = {
            "campaign": self.campaign(advertiser),
            "name": "Posters",
            "creatives": creatives,
            "cpm": Money(micros=price * 1000),
            "budget": Money(micros=price * impressions),
            "from_ms": NOW_MS - 1000,
            "to_ms": NOW_MS + 10**9,
        }
        line_item = self.rooms.orders.admit(LineItemDraft(**(said | draft)), f"li-{self.orders}", self.now_ms)
        lot = self.rooms.budgets.fund(line_item.id, line_item.budget.currency, line_item.budget.micros)
        entry = Entry(Kind.FUND, self.now_ms, line_item.id, funded(lot, line_item.advertiser), (lot,))
        rows = [self.rooms.orders.keep_line_item(line_item, self.now_ms), *self.rooms.ledger.append(entry)]
        self.store.commit(rows)
        return line_item

    def slot(self, name: str = "north", world: str = "plaza", **terms: Any) -> SlotsAck:
        record = {"id": name, "size": [4, 2], "pose": pose_of(name)} | terms
        reply = self.say(SlotsPut(slots=(record,)), world)
        assert isinstance(reply, SlotsAck)
        return reply

    def ask(
        self, *slots: str, viewers: int = 1, viewer: int | None = None, world: str = "plaza", session: str = "s1"
    ) -> Placements:
        reply = self.say(PlacementsGet(slots=slots or ("north",), viewers=viewers, viewer=viewer), world, session)
        assert isinstance(reply, Placements), reply
        return reply

    def place(self, slot: str = "north", viewers: int = 1) -> Placement:
        return self.ask(slot, viewers=viewers).placements[0]

    def send(self, *tickets: bytes, batch: bytes | None = None, world: str = "plaza", **columns: Any) -> ExposuresAck:
        reply = self.say(exposures(self, tickets, batch, **columns), world)
        assert isinstance(reply, ExposuresAck), reply
        return reply

    def refused(self, message: Message, world: str = "plaza") -> Error:
        reply = self.say(message, world)
        assert isinstance(reply, Error), reply
        return reply

    def books(self) -> Books:
        with self.store.read() as reader:
            return verify(reader)

    def report(self, by: Dimension = "slot", only: str | None = None) -> Report:
        with self.store.read() as reader:
            return recount(reader, "USD", by, only)


def exposures(market: Market, tickets: Sequence[bytes], batch: bytes | None = None, **columns: Any) -> ExposuresPut:
    """Return a batch; columns that are left out are those of a good viewable event now."""
    count = max(np.size(value) for value in (columns or {"kind": 2}).values())
    good: dict[str, Any] = {
        "kind": EventKind.VIEWABLE,
        "profile": 0,
        "ticket": 0,
        "viewer": 1,
        "at_ms": market.now_ms,
        "continuous_ms": 1000,
        "cumulative_ms": 1000,
        "half_continuous_ms": columns.get("continuous_ms", 1000),
        "half_cumulative_ms": columns.get("cumulative_ms", 1000),
        "full_continuous_ms": 0,
        "full_cumulative_ms": 0,
        "visible_fraction": 0.9,
        "coverage": 0.1,
        "angle_deg": 10.0,
        "why": WhyNot.COUNTED,
    }
    built = {name: np.broadcast_to(columns.get(name, good[name]), count) for name in COLUMNS}
    name = batch or market.entropy(16)
    return ExposuresPut(batch=name, tickets=tuple(tickets), columns=ExposureColumns.build(built).pack())


def only_in(*worlds: str) -> Targeting:
    return Targeting(worlds=worlds)
