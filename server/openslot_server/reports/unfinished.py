"""Views of which the end is not known: they still go on, or their world died before it could tell."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from openslot_spec.exposures import EventKind, ExposureColumns

__all__ = ["Unfinished"]

Viewers = NDArray[np.uint32]


def _nobody() -> Viewers:
    return np.zeros(0, np.uint32)


@dataclass(slots=True, eq=False)
class _Placement:
    """Viewers whose view was rendered and no more, and those whose view was viewable or ended; sorted, each once."""

    open: Viewers = field(default_factory=_nobody)
    settled: Viewers = field(default_factory=_nobody)


class Unfinished:
    """The views that were rendered, and those that became viewable or ended, placement by placement."""

    def __init__(self) -> None:
        self._placements: dict[bytes, _Placement] = {}

    def take(self, placement: bytes, columns: ExposureColumns, events: NDArray[np.intp]) -> int:
        """Take events that were not refused, by the ticket's own profile; return how many more views are unfinished."""
        known = self._placements.setdefault(placement, _Placement())
        before, kind, viewer = len(known.open), columns.kind[events], columns.viewer[events]
        settled = viewer[(kind == EventKind.VIEWABLE) | (kind == EventKind.END)]
        known.settled = np.union1d(known.settled, settled)
        known.open = np.setdiff1d(np.union1d(known.open, viewer[kind == EventKind.RENDERED]), known.settled)
        return len(known.open) - before
