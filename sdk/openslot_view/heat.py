"""On-surface heat: which part of an ad was seen, and for how long.

Every facet has a map of n × n cells over the box of its chart, so over the creative itself where the surface is a flat
rectangle: row 0 at the bottom, column 0 at the left of one who looks at the front. A cell holds the milliseconds for
which it was seen; where only a part of it was, as much less.

Each cell is cut by `LINES` lines along u at the middles of equal bands; along a line, what is on screen less what
occluders hide is exact. A share that is summed over a map is thus off by no more than a band's height times the length
that edges run along u, and far less where they run across: see `tests/view/test_heat.py`.

The maps take 8 · n² bytes a facet and 8 bytes for every viewer and surface, however long they are added to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_spec.errors import Code, OpenSlotError
from openslot_view.beams import Beams, cast
from openslot_view.cameras import Cameras
from openslot_view.occluders import Occluders
from openslot_view.pairs import drawn
from openslot_view.shadows import Shadows, candidates, throw
from openslot_view.spans import Spans, spans
from openslot_view.surfaces import Surfaces

__all__ = ["LINES", "MAX_CELLS", "HeatMaps", "SeenCells", "seen_cells"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LINES = 8
MAX_CELLS = 256
_TOGETHER = 128  # beams at once
_CROSSINGS = 1 << 20  # of shadows and lines at once, of one beam at least


@dataclass(frozen=True, slots=True, eq=False)
class SeenCells:
    """What n facets show at one instant: `viewer`, `facet` (n,), and `share` (n, cells, cells) seen of each cell."""

    viewer: Ints
    facet: Ints
    share: Floats


class HeatMaps:
    """Where the time went on each of `surfaces`, whose views may come and go.

    Time runs as in `Exposures`: between two samples of a viewer, no more than `max_gap_ms` apart, that both pass. It is
    given to what the later one shows.
    """

    def __init__(self, surfaces: Surfaces, *, max_gap_ms: float, cells: int = 32) -> None:
        if not 1 <= cells <= MAX_CELLS:
            raise OpenSlotError(Code.GEOMETRY_INVALID, f"{cells}, not 1 … {MAX_CELLS}", where="cells")
        self.surfaces = surfaces
        self.max_gap_ms = max_gap_ms
        self.maps_ms: Floats = np.zeros((len(surfaces.corners), cells, cells))
        """(facets, rows, columns); facet `surfaces.start[i]` is the first of surface i, of a flat one the only one."""
        self._last_ms = np.full((0, len(surfaces)), np.nan)

    def add(
        self,
        t_ms: float,
        cameras: Cameras,
        occluders: Occluders,
        passing: ArrayLike,
        viewer_of_view: ArrayLike | None = None,
    ) -> None:
        """Take one instant of the viewers who look through `cameras`.

        Args:
            t_ms: of any beginning; a step back breaks every run, as a gap does, or what is not finite.
            cameras: v views.
            occluders: as for `measure`.
            passing: (v, s) the pairs whose time counts: `visible_fraction > 0`, or `why` COUNTED; of several views of a
                viewer only the one that is `Visibility.better`.
            viewer_of_view: (v,) small numbers of the caller; the views' own without it.

        Raises `CAMERA_INVALID` where the arrays do not agree or two views of one viewer pass.
        """
        pairs, viewer = self._checked(cameras, passing, viewer_of_view)
        self._make_room(viewer)
        now_ms = t_ms if np.isfinite(t_ms) else np.nan
        waited = now_ms - self._last_ms[viewer]
        lasting = pairs & (waited >= 0) & (waited <= self.max_gap_ms)
        for seen in seen_cells(cameras, self.surfaces, occluders, lasting, cells=self.maps_ms.shape[1]):
            spent_ms = waited[seen.viewer, self.surfaces.surface[seen.facet]]
            np.add.at(self.maps_ms, seen.facet, seen.share * spent_ms[:, None, None])
        self._last_ms[viewer] = np.nan
        view, surface = np.nonzero(pairs)
        self._last_ms[viewer[view], surface] = now_ms

    def merge(self, other: HeatMaps) -> None:
        """Add the time of `other`, of as many cells and facets; runs that are on stay apart."""
        if other.maps_ms.shape != self.maps_ms.shape:
            raise OpenSlotError(
                Code.GEOMETRY_INVALID, f"{other.maps_ms.shape}, not {self.maps_ms.shape}", where="maps_ms"
            )
        self.maps_ms += other.maps_ms

    @property
    def cell_share(self) -> Floats:
        """Return (facets,): the share of its whole surface that one cell is."""
        surfaces = self.surfaces
        unit = np.linalg.norm(np.cross(surfaces.edge_u, surfaces.edge_v), axis=1)
        box = surfaces.outline.max(axis=1).prod(axis=1)
        return np.asarray(unit * box / surfaces.total_area[surfaces.surface] / self.maps_ms.shape[1] ** 2)

    @property
    def seen_ms(self) -> Floats:
        """Return (s,): the time of each surface weighted with its visible fraction."""
        whole = self.maps_ms.sum(axis=(1, 2)) * self.cell_share
        return np.bincount(self.surfaces.surface, whole, len(self.surfaces)).astype(np.float64)

    def _checked(self, cameras: Cameras, passing: ArrayLike, viewer_of_view: ArrayLike | None) -> tuple[Bools, Ints]:
        pairs = np.asarray(passing, np.bool_)
        if pairs.shape != (len(cameras), len(self.surfaces)):
            raise OpenSlotError(Code.CAMERA_INVALID, f"shape {pairs.shape}", where="passing")
        viewer = np.arange(len(cameras)) if viewer_of_view is None else np.asarray(viewer_of_view, np.int64)
        if viewer.shape != (len(cameras),) or (viewer < 0).any():
            raise OpenSlotError(Code.CAMERA_INVALID, f"shape {viewer.shape}", where="viewer_of_view")
        view, surface = np.nonzero(pairs)
        if len(np.unique(viewer[view] * len(self.surfaces) + surface)) < len(view):
            raise OpenSlotError(Code.CAMERA_INVALID, "two views of one viewer", where="passing")
        return pairs, viewer

    def _make_room(self, viewer: Ints) -> None:
        have, wanted = len(self._last_ms), int(viewer.max(initial=-1)) + 1
        if wanted > have:
            more = np.full((max(wanted, 2 * have) - have, len(self.surfaces)), np.nan)
            self._last_ms = np.concatenate([self._last_ms, more])


def seen_cells(
    cameras: Cameras, surfaces: Surfaces, occluders: Occluders, shown: Bools, *, cells: int
) -> Iterator[SeenCells]:
    """Yield what is seen of the cells of every pair `shown` (v, s), some facets at a time; each facet once."""
    parts = drawn(cameras, surfaces, shown)
    for begin in range(0, len(parts.viewer), _TOGETHER):
        beams = cast(cameras, surfaces, parts.take(np.arange(begin, min(begin + _TOGETHER, len(parts.viewer)))))
        lit = _lit(beams, surfaces, cells)
        for hidden, rows in _hidden(beams, surfaces, occluders, cells):
            lit[rows] -= hidden
        yield SeenCells(beams.viewer, beams.facet, np.clip(lit, 0.0, 1.0))


def _lit(beams: Beams, surfaces: Surfaces, cells: int) -> Floats:
    box = _boxes(beams, surfaces)
    return _cut(np.arange(len(beams)), beams.outline, beams.sides, box, cells)


def _hidden(beams: Beams, surfaces: Surfaces, occluders: Occluders, cells: int) -> Iterator[tuple[Floats, slice]]:
    """Yield the hidden shares of some of the beams at a time, and which beams these are."""
    thrown = list(_thrown(beams, surfaces, occluders))
    count = sum((np.bincount(each.beam, minlength=len(beams)) for each in thrown), np.zeros(len(beams), np.int64))
    box = _boxes(beams, surfaces)
    for rows in _groups(count * cells * LINES):
        chosen = [(each, (each.beam >= rows.start) & (each.beam < rows.stop)) for each in thrown]
        width = max((each.points.shape[1] for each in thrown), default=3)
        points = [_padded(each.points[some], width) for each, some in chosen]
        if points:
            group = np.concatenate([each.beam[some] for each, some in chosen]) - rows.start
            counts = np.concatenate([each.counts[some] for each, some in chosen])
            yield _cut(group, np.concatenate(points), counts, box[rows], cells), rows


def _thrown(beams: Beams, surfaces: Surfaces, occluders: Occluders) -> Iterator[Shadows]:
    surface = surfaces.surface[beams.facet]
    for each in occluders.sets:
        yield throw(beams, each, candidates(beams, each, surfaces.owner[surface]))
    if len(surfaces.own):
        yield throw(beams, surfaces.own, candidates(beams, surfaces.own, surface, only=True))


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


def _boxes(beams: Beams, surfaces: Surfaces) -> Floats:
    return np.asarray(surfaces.outline[beams.facet].max(axis=1))


def _groups(costs: Ints) -> Iterator[slice]:
    """Yield slices of rows whose costs sum to about `_CROSSINGS`."""
    cut = np.flatnonzero(np.diff(np.cumsum(costs) // _CROSSINGS)) + 1
    yield from (slice(int(begin), int(end)) for begin, end in pairwise([0, *cut.tolist(), len(costs)]))


def _padded(points: Floats, width: int) -> Floats:
    return np.pad(points, ((0, 0), (0, width - points.shape[1]), (0, 0)))
