"""Garbage collection: files that nobody names any more. What is removed is decided from durable rows alone.

A file stays while a record of a creative that may be shown names it, and for ever once a line item names its creative
or a decision placed it: decisions stand under the ledger's chain, and what was shown must be there to be looked at.
"""

from __future__ import annotations

import re

from openslot_server.creatives.library import Library
from openslot_server.demand.decide import read_outcomes
from openslot_server.demand.model import Creative
from openslot_server.storage.store import CreativeRow, DecisionRow, LineItemRow, Reader

__all__ = ["Collector"]

NAME = re.compile(r"\b[0-9a-f]{64}\b")


class Collector:
    """Removes files of one library; each run reads only the decisions that are new."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._placed: set[str] = set()
        self._decisions = 0

    def collect(self, reader: Reader, came_before_ms: int) -> list[str]:
        """Return what was removed of all that came before that time: whoever uploads just now is not known yet.

        A run that is cut off has removed a part of it, and the next one the rest.
        """
        named = self._named(reader)
        return [
            name
            for name in sorted(self._library.names())
            if name not in named and self._library.remove(name, came_before_ms)
        ]

    def _named(self, reader: Reader) -> set[str]:
        """Return every hash that a record names which stands for something."""
        for row in reader.load(DecisionRow, self._decisions):
            self._placed |= {outcome.creative for outcome in read_outcomes(row)}
            self._decisions += 1
        held = self._placed.union(*(NAME.findall(row.record) for row in reader.load(LineItemRow)))
        named = set(held)
        for kept in reader.load(CreativeRow):
            if kept.sha256 in held or not Creative.model_validate_json(kept.record).revoked:
                named |= {kept.sha256, *NAME.findall(kept.record)}
        return named
