"""Views of which the end is not known: they still go on, or their world died before it could tell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from openslot_server.impressions.batches import Judged
from openslot_spec.exposures import OWN, EventKind
from openslot_spec.tickets import Ticket

__all__ = ["Unfinished"]

Where = tuple[str, str, str, str]


class Unfinished:
    """The views that were rendered, and those that became viewable or ended, placement by placement."""

    def __init__(self) -> None:
        self._where: dict[bytes, Where] = {}
        self._rendered: defaultdict[bytes, list[NDArray[np.uint32]]] = defaultdict(list)
        self._settled: defaultdict[bytes, list[NDArray[np.uint32]]] = defaultdict(list)

    def take(self, where: Where, ticket: Ticket, judged: Judged, events: NDArray[np.intp]) -> None:
        """Take events of one ticket that were not refused."""
        columns = judged.columns
        events = events[columns.profile[events] == OWN]
        kind, viewer = columns.kind[events], columns.viewer[events]
        self._where[ticket.placement] = where
        self._rendered[ticket.placement].append(viewer[kind == EventKind.RENDERED])
        settled = (kind == EventKind.VIEWABLE) | (kind == EventKind.END)
        self._settled[ticket.placement].append(viewer[settled])

    def counts(self) -> Iterator[tuple[Where, int]]:
        """Yield where each placement belongs, and how many of its views are neither viewable nor over."""
        for placement, where in self._where.items():
            rendered, settled = (np.concatenate(each[placement]) for each in (self._rendered, self._settled))
            count = len(np.setdiff1d(rendered, settled))
            if count:
                yield where, count
