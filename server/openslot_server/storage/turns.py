"""What is committed within one turn of the event loop goes to the store together, when the turn is over.

    turn     answer 1, answer 2, … answer 50 ─▶ one commit ─▶ one group of the store, one future, one wake-up

The store's thread is woken once and finds the loop idle more often than not: two threads that both hold the interpreter
for a while each slow one another down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future

from openslot_server.storage.store import Row, Store

__all__ = ["Turns"]


class Turns:
    """Commits to a store; for one event loop. Where none runs there are no turns, and each commit goes by itself."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: list[Row] = []
        self._durable: Future[None] | None = None
        """Of this turn, once it has rows."""

    def commit(self, rows: Sequence[Row]) -> Future[None]:
        """Return a future that is done once the rows are durable, as `Store.commit` does."""
        if self._durable is None:
            try:
                asyncio.get_running_loop().call_soon(self._end)
            except RuntimeError:
                return self._store.commit(rows)
            self._durable = Future()
            self._durable.set_running_or_notify_cancel()  # who stops waiting does not stop the commit
        self._rows.extend(rows)
        return self._durable

    def _end(self) -> None:
        rows, durable = self._rows, self._durable
        assert durable is not None  # noqa: S101  a turn ends because it has one
        self._rows, self._durable = [], None
        self._store.commit(rows).add_done_callback(lambda written: _hand_on(written, durable))


def _hand_on(written: Future[None], durable: Future[None]) -> None:
    error = written.exception()
    if error is None:
        durable.set_result(None)
    else:
        durable.set_exception(error)
