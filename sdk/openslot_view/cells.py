"""Which cells of a facet are seen: its chart's box cut in n × n, and the share of each that one instant shows.

Each cell is cut by `LINES` lines along u at the middles of equal bands; along a line, what is on screen less what
occluders hide is exact. A share that is summed over a facet is thus off by no more than half a band's height times the
length that edges run along u, and far less where they run across: `tests/view/test_heat.py` has the figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from openslot_view.beams import Beams
from openslot_view.occluders import Occluders
from openslot_view.shadows import in_the_way, throw
from openslot_view.spans import Spans, spans
from openslot_view.surfaces import Surfaces

__all__ = ["LINES", "SeesCells", "boxes", "seen_shares"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LINES = 8
_TOGETHER = 128  # beams at once
_CROSSINGS = 1 << 20  # of shadows and lines at once, of one beam at least


@runtime_checkable
class SeesCells(Protocol):
    """A backend that has a way of its own to `seen_shares`."""

    def cells(self, beams: Beams, surfaces: Surfaces, occluders: Occluders, cells: int) -> Floats:
        """Return (n, rows, columns), as `seen_shares`."""
        ...


def seen_shares(beams: Beams, surfaces: Surfaces, occluders: Occluders, cells: int) -> Floats:
    """Return (n, rows, columns): the share of each cell of the beams' facets that is on screen and not hidden."""
    shares = np.empty((len(beams), cells, cells))
    for begin in range(0, len(beams), _TOGETHER):
        rows = slice(begin, begin + _TOGETHER)
        some = beams.take(rows)
        lit = _cut(np.arange(len(some)), some.outline, some.sides, boxes(some, surfaces), cells)
        for hidden, those in _hidden(some, surfaces, occluders, cells):
            lit[those] -= hidden
        shares[rows] = lit
    return np.clip(shares, 0.0, 1.0)


def boxes(beams: Beams, surfaces: Surfaces) -> Floats:
    """Return (n, 2): how far the beams' facets reach in u and v; one for a rectangle."""
    return np.asarray(surfaces.outline[beams.facet].max(axis=1))


def _hidden(beams: Beams, surfaces: Surfaces, occluders: Occluders, cells: int) -> Iterator[tuple[Floats, slice]]:
    """Yield the hidden shares of some of the beams at a time, and which beams these are."""
    thrown = [throw(beams, each, those) for each, those in in_the_way(beams, surfaces, occluders)]
    count = sum((np.bincount(each.beam, minlength=len(beams)) for each in thrown), np.zeros(len(beams), np.int64))
    box = boxes(beams, surfaces)
    for rows in _groups(count * cells * LINES):
        chosen = [(each, (each.beam >= rows.start) & (each.beam < rows.stop)) for each in thrown]
        width = max((each.points.shape[1] for each in thrown), default=3)
        points = [_padded(each.points[some], width) for each, some in chosen]
        if points:
            group = np.concatenate([each.beam[some] for each, some in chosen]) - rows.start
            counts = np.concatenate([each.counts[some] for each, some in chosen])
            yield _cut(group, np.concatenate(points), counts, box[rows], cells), rows


def _cut(group: Ints, points: Floats, counts: Ints, box: Floats, cells: int) -> Floats:
    """Return (n, cells, cells): the share of each cell of `box` (n, 2) that its group's polygons cover together."""
    bands = np.stack([np.zeros(len(box)), box[:, 1]], axis=1)
    found = spans(group, points, counts, bands, cells * LINES)
    row = found.line // LINES
    column = cells / box[row // cells, 0]
    ends = Spans(row, np.clip(found.left * column, 0, cells), np.clip(found.right * column, 0, cells))
    return _spread(ends, len(box) * cells, cells).reshape(len(box), cells, cells) / LINES


def _spread(ends: Spans, rows: int, cells: int) -> Floats:
    """Return (rows, cells): the length of the intervals in each cell, in cells."""
    part, whole = np.zeros(rows * cells), np.zeros(rows * cells)
    for end, sign in ((ends.right, 1.0), (ends.left, -1.0)):
        cell = np.minimum(end.astype(np.int64), cells - 1)
        at = ends.line * cells + cell
        part += sign * np.bincount(at, end - cell, rows * cells)
        whole += sign * np.bincount(at, minlength=rows * cells)
    # what ends in a cell fills all cells before it
    full = whole.reshape(rows, cells)
    before = np.cumsum(full[:, ::-1], axis=1)[:, ::-1] - full
    return np.asarray(part.reshape(rows, cells) + before)


def _groups(costs: Ints) -> Iterator[slice]:
    """Yield slices of rows whose costs sum to about `_CROSSINGS`."""
    cut = np.flatnonzero(np.diff(np.cumsum(costs) // _CROSSINGS)) + 1
    yield from (slice(int(begin), int(end)) for begin, end in pairwise([0, *cut.tolist(), len(costs)]))


def _padded(points: Floats, width: int) -> Floats:
    return np.pad(points, ((0, 0), (0, width - points.shape[1]), (0, 0)))
