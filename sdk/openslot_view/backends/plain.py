"""The numpy backend: exact unions where they are cheap, fine rows of intervals where they are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openslot_view.beams import Beams
from openslot_view.cameras import Cameras
from openslot_view.gates import Gates
from openslot_view.occluders import Occluders
from openslot_view.pairs import look
from openslot_view.seen import Visibility
from openslot_view.shadows import Candidates, Shadows, in_the_way, throw
from openslot_view.spans import span_areas
from openslot_view.surfaces import Surfaces
from openslot_view.triangles import TriangleSet
from openslot_view.union import Areas, needles, union_areas

__all__ = ["PlainBackend"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TOGETHER = 512  # beams at once: enough to drown the interpreter, few enough for the cache
_TESTS = 1 << 19  # edge–polygon tests of one union above which it is estimated
_FIRST = 8  # candidates of a beam that are tried before the others
_FEW = 256  # candidates of all beams together that are not worth a first try
_ALL = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class PlainBackend:
    """Works everywhere; the reference for the others."""

    name: str = "numpy"

    def look(
        self,
        cameras: Cameras,
        surfaces: Surfaces,
        occluders: Occluders,
        gates: Gates | None,
        only: Ints | None = None,
    ) -> Visibility:
        """Return what every camera sees of every surface, or of `only` some, as `openslot_view.measure`."""
        those = surfaces if only is None else surfaces.take(only)
        return look(cameras, those, gates, lambda beams: self.hidden(beams, those, occluders))

    def hidden(self, beams: Beams, surfaces: Surfaces, occluders: Occluders) -> Areas:
        """Return the areas of each beam's on-screen part that occluders hide."""
        chart, screen = np.zeros(len(beams)), np.zeros(len(beams))
        order = np.argsort(beams.sides, kind="stable")  # beams of as many sides together need no padding
        for begin in range(0, len(beams), _TOGETHER):
            rows = order[begin : begin + _TOGETHER]
            areas = _hidden(beams.take(rows).trimmed(), surfaces, occluders)
            chart[rows], screen[rows] = areas.chart, areas.screen
        return Areas(chart, screen)


def _hidden(beams: Beams, surfaces: Surfaces, occluders: Occluders) -> Areas:
    sets = in_the_way(beams, surfaces, occluders)
    if sum(len(those.beam) for _, those in sets) <= _FEW:
        return _united(beams, sets)
    # most beams that are hidden are so by what looks largest: the rest of them need not be projected
    large = [(each, those.take(_largest(those, len(beams)))) for each, those in sets]
    areas = _united(beams, large)
    left = areas.chart < _ALL * beams.chart_area
    sets = [(each, those.take(left[those.beam])) for each, those in sets]
    more = np.zeros(len(beams), np.bool_)
    for (_, those), (_, asked) in zip(sets, large, strict=True):
        more |= np.bincount(those.beam, minlength=len(beams)) > np.bincount(asked.beam, minlength=len(beams))
    rest = _united(beams, [(each, those.take(more[those.beam])) for each, those in sets])
    more &= left
    return Areas(np.where(more, rest.chart, areas.chart), np.where(more, rest.screen, areas.screen))


def _largest(those: Candidates, beams: int) -> Ints:
    """Return the rows of the `_FIRST` largest candidates of each beam."""
    order = np.lexsort((-those.size, those.beam))
    count = np.bincount(those.beam, minlength=beams)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(count) - count, count)
    return order[rank < _FIRST]


def _united(beams: Beams, sets: list[tuple[TriangleSet, Candidates]]) -> Areas:
    """Return the area of the union of the candidates' shadows on each beam."""
    thrown = [(each, throw(beams, each, those)) for each, those in sets]
    beam, points, counts, exposed, area = _joined([(shadows, _exposed(shadows, each)) for each, shadows in thrown])
    covered = np.zeros(len(beams), np.bool_)
    covered[beam[area >= _ALL * beams.chart_area[beam]]] = True
    left = ~covered[beam]
    return _areas(beams, covered, beam[left], points[left], counts[left], exposed[left])


def _areas(
    beams: Beams, covered: NDArray[np.bool_], beam: Ints, points: Floats, counts: Ints, exposed: NDArray[np.bool_]
) -> Areas:
    shapes = np.bincount(beam, minlength=len(beams))
    edges = np.bincount(beam, exposed.sum(axis=1), len(beams))
    costly = shapes * edges > _TESTS
    chart, screen = np.where(covered, beams.chart_area, 0.0), np.where(covered, beams.screen_area, 0.0)
    rows = ~costly[beam]
    exact = union_areas(beam[rows], points[rows], counts[rows], exposed[rows], beams.screen)
    chart, screen = chart + exact.chart, screen + exact.screen
    if costly.any():
        rows = ~rows
        about = span_areas(beam[rows], points[rows], counts[rows], _bands(beams), beams.screen)
        chart, screen = chart + about.chart, screen + about.screen
    return Areas(np.clip(chart, 0.0, beams.chart_area), np.clip(screen, 0.0, beams.screen_area))


def _exposed(shadows: Shadows, triangles: TriangleSet) -> NDArray[np.bool_]:
    """Return (n, k): False for edges behind which a neighbour of the same orientation goes on."""
    key = shadows.beam * len(triangles) + shadows.triangle
    order = np.argsort(key)
    ranked = key[order]
    neighbour = triangles.neighbour[shadows.triangle]
    wanted = shadows.beam[:, None] * len(triangles) + neighbour
    found = np.minimum(np.searchsorted(ranked, wanted), max(len(ranked) - 1, 0))
    inner = np.zeros((len(key), 4), np.bool_)
    if len(key):
        thin = needles(shadows.points, shadows.counts)
        same = shadows.flipped[order[found]] == shadows.flipped[:, None]
        same &= ~(thin[order[found]] | thin[:, None])
        inner[:, :3] = (neighbour >= 0) & (ranked[found] == wanted) & same
    real = np.arange(shadows.points.shape[1]) < shadows.counts[:, None]
    return np.asarray(real & ~np.take_along_axis(inner, np.clip(shadows.edges, 0, 3), axis=1))


def _joined(
    parts: list[tuple[Shadows, NDArray[np.bool_]]],
) -> tuple[Ints, Floats, Ints, NDArray[np.bool_], Floats]:
    if not parts:
        none = np.zeros(0, np.int64)
        return none, np.zeros((0, 3, 2)), none, np.zeros((0, 3), np.bool_), np.zeros(0)
    width = max(shadows.points.shape[1] for shadows, _ in parts)
    points = [np.pad(each.points, ((0, 0), (0, width - each.points.shape[1]), (0, 0))) for each, _ in parts]
    exposed = [np.pad(each, ((0, 0), (0, width - each.shape[1]))) for _, each in parts]
    return (
        np.concatenate([each.beam for each, _ in parts]),
        np.concatenate(points),
        np.concatenate([each.counts for each, _ in parts]),
        np.concatenate(exposed),
        np.concatenate([each.area for each, _ in parts]),
    )


def _bands(beams: Beams) -> Floats:
    real = np.arange(beams.outline.shape[1]) < beams.sides[:, None]
    v = beams.outline[..., 1]
    return np.stack([np.where(real, v, np.inf).min(axis=1), np.where(real, v, -np.inf).max(axis=1)], axis=1)
