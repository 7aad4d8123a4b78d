"""A store's rows as an SQLite database, so that the oracle reads what the product wrote through SQL alone."""

from __future__ import annotations

import sqlite3
from dataclasses import fields
from importlib import resources

from tests.server.market import MemoryStore


def as_database(store: MemoryStore) -> sqlite3.Connection:
    """Return the rows in memory, in the schema of the first migration."""
    database = sqlite3.connect(":memory:")
    folder = resources.files("openslot_server.storage") / "migrations"
    for script in sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql")):
        database.executescript((folder / script).read_text("utf-8"))
    for kind, rows in store.tables.items():
        marks = ", ".join("?" for _ in fields(kind))
        values = ([getattr(row, column.name) for column in fields(kind)] for row in rows)
        database.executemany(f"INSERT INTO {kind.TABLE} VALUES ({marks})", values)  # noqa: S608  our own names
    return database
