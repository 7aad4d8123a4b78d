"""Garbage collection against random schedules and crashes in the middle."""

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgpack
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from openslot_server.creatives.collect import Collector
from openslot_server.creatives.library import Library
from openslot_server.demand.decide import Outcome
from openslot_server.demand.model import Creative
from openslot_server.storage.store import CreativeRow, DecisionRow, LineItemRow

NUMBERS = st.integers(0, 5)
OLD_MS = 1_000_000
NOW_MS = 2_000_000


def data_of(number: int) -> bytes:
    return b"creative " + bytes([number]) * 500


class Rows:
    """The durable rows, as a reader gives them."""

    def __init__(self) -> None:
        self.latest: dict[type, dict[str, Any]] = {CreativeRow: {}, LineItemRow: {}}
        self.decisions: list[DecisionRow] = []

    def load(self, kind: type[Any], after: int = 0) -> Any:
        yield from self.decisions[after:] if kind is DecisionRow else self.latest[kind].values()

    def find(self, kind: type[Any], **columns: Any) -> Any:
        raise NotImplementedError


class Cut(Exception):  # noqa: N818  a crash
    pass


class Collection(RuleBasedStateMachine):
    """Uploads, orders, decisions and withdrawals in any order, with collections between and a crash now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        self.library = Library(self.root)
        self.collector = Collector(self.library)
        self.rows = Rows()
        self.sha256: dict[int, str] = {}
        self.needed: set[int] = set()
        self.fresh: set[int] = set()

    @rule(number=NUMBERS)
    def upload(self, number: int) -> None:
        self.sha256[number] = self.library.put(data_of(number), packs=True)
        self.fresh.add(number)

    @rule(number=NUMBERS)
    def grow_old(self, number: int) -> None:
        if number in self.sha256 and (place := self.root / self.sha256[number]).exists():
            os.utime(place, (OLD_MS / 1000, OLD_MS / 1000))
        self.fresh.discard(number)

    @rule(number=NUMBERS)
    def register(self, number: int) -> None:
        if number in self.fresh and self.sha256[number] not in self.rows.latest[CreativeRow]:
            self.keep(number, revoked=False)
            self.needed.add(number)

    @rule(number=NUMBERS)
    def revoke(self, number: int) -> None:
        if self.is_running(number):
            self.keep(number, revoked=True)
            if not self.is_named(number):
                self.needed.discard(number)

    @rule(number=NUMBERS)
    def order(self, number: int) -> None:
        if self.is_running(number):
            record = json.dumps({"creatives": [self.sha256[number]]})
            name = f"li-{number}"
            self.rows.latest[LineItemRow][name] = LineItemRow(name, "aurora", record, 0)

    @rule(number=NUMBERS)
    def place(self, number: int) -> None:
        if self.is_running(number):
            outcome = Outcome("north", "", bytes(16), "li", self.sha256[number], 1, 1, -1)
            packed = bytes(msgpack.packb([tuple(getattr(outcome, name) for name in Outcome.__slots__)]))
            self.rows.decisions.append(DecisionRow(bytes(16), "plaza", "s", 0, packed))

    @rule(cut=st.none() | st.integers(0, 3))
    def collect(self, cut: int | None) -> None:
        if cut is None:
            self.collector.collect(self.rows, NOW_MS)
            kept = {number for number, name in self.sha256.items() if (self.root / name).exists()}
            assert kept <= self.needed | self.fresh, "what nobody names is gone"
            return
        remove, left = self.library.remove, cut

        def torn(sha256: str, came_before_ms: int) -> bool:
            nonlocal left
            left -= 1
            if left < 0:
                raise Cut
            return remove(sha256, came_before_ms)

        self.library.remove = torn  # type: ignore[method-assign]
        with suppress(Cut):
            self.collector.collect(self.rows, NOW_MS)
        self.library = Library(self.root)
        self.collector = Collector(self.library)  # the process that crashed starts again

    @invariant()
    def what_is_needed_is_there_and_whole(self) -> None:
        for number in self.needed | self.fresh:
            assert self.library.read(self.sha256[number]) == data_of(number)

    def keep(self, number: int, *, revoked: bool) -> None:
        name = self.sha256[number]
        creative = Creative(
            sha256=name,
            media_type="model/gltf-binary",
            size_bytes=500,
            advertiser="aurora",
            label="Ad",
            revoked=revoked,
        )
        self.rows.latest[CreativeRow][name] = CreativeRow(name, "aurora", creative.model_dump_json(), 0)

    def is_running(self, number: int) -> bool:
        row = self.rows.latest[CreativeRow].get(self.sha256.get(number, ""))
        return row is not None and not json.loads(row.record)["revoked"]

    def is_named(self, number: int) -> bool:
        name = self.sha256[number]
        ordered = any(name in row.record for row in self.rows.latest[LineItemRow].values())
        return ordered or any(name.encode() in row.outcomes for row in self.rows.decisions)

    def teardown(self) -> None:
        self.folder.cleanup()


TestCollection = Collection.TestCase
TestCollection.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
