from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from openslot_server.sessions import LIFE_MS, Sessions
from openslot_server.storage import sqlite
from openslot_server.storage.sqlite import SqliteStore
from openslot_server.storage.store import SessionRow
from tests.server.market import NOW_MS

RANDOM = bytes(10)


def test_a_world_goes_on_with_its_own_session_alone() -> None:
    sessions = Sessions()
    seat, row = sessions.take("plaza", None, NOW_MS, RANDOM)
    assert row == SessionRow(seat.session, "plaza", NOW_MS)
    assert sessions.take("plaza", seat.session, NOW_MS + 1, RANDOM) == (seat, None)
    other, row = sessions.take("arcade", seat.session, NOW_MS + 2, RANDOM)
    assert row is not None
    assert other.session != seat.session


def test_a_session_is_forgotten_after_its_life_and_not_before() -> None:
    sessions = Sessions([SessionRow("old", "plaza", NOW_MS), SessionRow("new", "plaza", NOW_MS + 1)])
    sessions.forget(NOW_MS + LIFE_MS)
    assert sessions.take("plaza", "old", NOW_MS + LIFE_MS, RANDOM)[1] is None
    sessions.forget(NOW_MS + LIFE_MS + 1)
    assert sessions.take("plaza", "new", NOW_MS + LIFE_MS + 1, RANDOM)[1] is None
    assert sessions.take("plaza", "old", NOW_MS + LIFE_MS + 1, RANDOM)[1] is not None


def test_the_store_hears_of_it_once_an_hour_and_drops_so_many_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "FORGOTTEN_MOST", 2)
    rows = [SessionRow(f"s{number}", "plaza", NOW_MS + number) for number in range(5)]
    now_ms = NOW_MS + LIFE_MS + 4
    with closing(SqliteStore(tmp_path / "sessions.sqlite3")) as store:
        store.commit(rows).result(5)
        with store.read() as reader:
            sessions = Sessions(reader.load(SessionRow))
        kept = []
        for _ in range(3):
            store.commit(sessions.forget(now_ms)).result(5)
            assert sessions.forget(now_ms + 1) == []
            with store.read() as reader:
                kept.append([row.id for row in reader.load(SessionRow)])
            now_ms += 3_600_000
        assert kept[0] == ["s2", "s3", "s4"]
        assert kept[2] == []
