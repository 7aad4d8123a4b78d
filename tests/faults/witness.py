"""What a world's spool said while it ran, held against what the server's database says in the end."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgpack

from openslot_server.reports.queries import recount as product_recount
from openslot_server.storage.sqlite import reading
from tests.faults import recount, spool_file
from tests.faults.audit import Terms, complaints
from tests.faults.programs import Town

FEE_PPM = 100_000
TERMS = Terms(skew_ms=5_000, late_ms=24 * 3_600_000)


class Witness:
    """What a world wrote into its spool: what it kept, and what it was told is durable at the server."""

    def __init__(self, spool: Path) -> None:
        self.kept: dict[bytes, bytes] = {}
        self.acknowledged: set[bytes] = set()
        self._spool = spool
        self._sizes: dict[Path, int] = {}

    def look(self) -> None:
        """Read what is new in the journals, and the spool: a killed world may have written there alone."""
        for journal in self._spool.parent.glob(f"{self._spool.name}.*.journal"):
            if journal.stat().st_size != self._sizes.get(journal):
                data = journal.read_bytes()
                self._sizes[journal] = len(data)
                self._read(bytes(spool_file.MAGIC_BYTES) + data)
        if self._spool.exists():
            self._read(self._spool.read_bytes())

    def _read(self, data: bytes) -> None:
        for batch, payload in spool_file.records(data):
            if payload:
                assert self.kept.setdefault(batch, payload) == payload
            else:
                self.acknowledged.add(batch)


def stored(town: Town) -> dict[bytes, list[tuple[bytes, bytes]]]:
    with closing(sqlite3.connect(town.database)) as database:
        rows: dict[bytes, list[tuple[bytes, bytes]]] = {}
        for batch, tickets, columns in database.execute("SELECT id, tickets, columns FROM batches"):
            rows.setdefault(batch, []).append((tickets, columns))
    return rows


def check(town: Town, witness: Witness) -> None:
    """What was kept is stored, once, as it was, and nothing else is; and the books and reports hold."""
    rows = stored(town)
    assert rows.keys() == witness.kept.keys()
    for batch, payload in witness.kept.items():
        body = msgpack.unpackb(payload)
        assert rows[batch] == [(msgpack.packb(body["tickets"]), msgpack.packb(body["columns"]))]
    with closing(sqlite3.connect(town.database)) as database, reading(town.database) as reader:
        assert complaints(database, TERMS) == []
        assert not any(event.verdict in recount.REFUSED for event in recount.events(database))
        assert recount.report(database, "slot", FEE_PPM) == product_recount(reader, "USD", "slot").plain()
