"""What is committed within one turn of the event loop goes to the store together, when the turn is over.

    turn     answer 1, answer 2, … answer 50 ─▶ one commit ─▶ one group of the store, one future, one wake-up

The store's thread is woken once and finds the loop idle more often than not: two threads that both hold the interpreter
for a while each slow one another down. Only where there is much to write does the disk begin before the turn is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future

from openslot_server.storage.store import BatchRow, Row, Store

__all__ = ["MUCH_BYTES", "Turns"]

MUCH_BYTES = 400_000
"""Of columns that go to the store at once: eight batches of 1,000 events."""


class Turns:
    """Commits to a store; for one event loop. Where none runs there are no turns, and each commit goes by itself."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: list[Row] = []
        self._bytes = 0
        self._durable: Future[None] | None = None
        """Of what was committed in this turn and is not on its way yet."""

    def commit(self, rows: Sequence[Row]) -> Future[None]:
        """Return a future that is done once the rows are durable, as `Store.commit` does."""
        if self._durable is None:
            try:
                asyncio.get_running_loop().call_soon(self._end)
            except RuntimeError:
                return self._store.commit(rows)
            self._durable = Future()
            self._durable.set_running_or_notify_cancel()  # who stops waiting does not stop the commit
        durable = self._durable
        self._rows.extend(rows)
        self._bytes += sum([len(row.columns) for row in rows if isinstance(row, BatchRow)])
        if self._bytes >= MUCH_BYTES:
            self._end()
        return durable

    def _end(self) -> None:
        rows, durable = self._rows, self._durable
        if durable is None:
            return  # it is on its way
        self._rows, self._bytes, self._durable = [], 0, None
        self._store.commit(rows).add_done_callback(lambda written: _hand_on(written, durable))


def _hand_on(written: Future[None], durable: Future[None]) -> None:
    error = written.exception()
    if error is None:
        durable.set_result(None)
    else:
        durable.set_exception(error)
