"""The numba backend: one beam after another through the kernels."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from openslot_view.backends.compiled.collect import HIDDEN, OPEN, OVERFLOW, collect, total
from openslot_view.backends.compiled.kernel import BEAM, BODY, NODE, ROOM, TRIANGLE, Mesh, Record, kernel
from openslot_view.backends.compiled.tree import build, larger_last
from openslot_view.beams import Beams, quartered
from openslot_view.occluders import Occluders, TriangleSet
from openslot_view.surfaces import Surfaces
from openslot_view.union import Areas

__all__ = ["CompiledBackend"]

Floats = NDArray[np.float64]
Rows = NDArray[np.void]


class CompiledBackend:
    """Exact unions up to 1,024 shadows, 256 rows above; one thread at a time, the GIL released."""

    name = "numba"

    def __init__(self) -> None:
        self._room = np.zeros(1, ROOM)
        self._meshes: WeakKeyDictionary[TriangleSet, Mesh] = WeakKeyDictionary()

    def hidden(self, beams: Beams, surfaces: Surfaces, occluders: Occluders) -> Areas:
        """Return the areas of each beam's on-screen part that occluders hide."""
        first, second = len(occluders.static), len(occluders.static) + len(occluders.dynamic)
        meshes = (
            self._mesh(occluders.static),
            self._mesh(occluders.dynamic)._replace(offset=first),
            self._mesh(surfaces.own)._replace(offset=second),
        )
        areas = np.empty((len(beams), 2))
        states = _all_hidden(meshes, _rows(beams, surfaces), self._room, areas)
        crowded = np.nonzero(states == OVERFLOW)[0]
        if crowded.size:
            parts, whole = quartered(beams.take(crowded))
            again = self.hidden(parts, surfaces, occluders)
            areas[crowded, 0] = np.bincount(whole, again.chart, crowded.size)
            areas[crowded, 1] = np.bincount(whole, again.screen, crowded.size)
        return Areas(areas[:, 0].copy(), areas[:, 1].copy())

    def _mesh(self, triangles: TriangleSet) -> Mesh:
        mesh = self._meshes.get(triangles)
        if mesh is None:
            mesh = self._meshes[triangles] = _prepared(triangles)
        return mesh


def _prepared(triangles: TriangleSet) -> Mesh:
    """Return the triangles in the order of a tree of their own."""
    if not len(triangles):
        return Mesh(np.zeros(0, TRIANGLE), np.zeros(0, NODE), np.zeros(0, BODY), 0)
    low, high, first, size, order = build(triangles.corners.min(axis=1), triangles.corners.max(axis=1))
    larger_last(low, high, first, size, np.linalg.norm(triangles.normal[order], axis=1))
    rank = np.empty(len(order) + 1, np.int32)
    rank[order], rank[-1] = np.arange(len(order)), -1  # −1 reads the last
    bodies = triangles.bodies
    return Mesh(
        _filled(
            TRIANGLE,
            corners=triangles.corners[order],
            normal=triangles.normal[order],
            neighbour=rank[triangles.neighbour[order]],
            body=bodies.body[order],
            owner=triangles.owner[order],
            one_sided=triangles.one_sided[order],
        ),
        _filled(NODE, low=low, high=high, first=first, size=size),
        _filled(BODY, low=bodies.low, high=bodies.high),
        0,
    )


def _rows(beams: Beams, surfaces: Surfaces) -> Rows:
    surface = surfaces.surface[beams.facet]
    plain = ("eye", "toward", "orthographic", "forms", "sides", "screen", "chart_area", "screen_area")
    rows = _filled(BEAM, **{name: getattr(beams, name) for name in plain}, owner=surfaces.owner[surface])
    rows["surface"] = surface
    width = beams.outline.shape[1]
    rows["borders"][:, :width], rows["outline"][:, :width] = beams.borders, beams.outline
    return rows


def _filled(kind: np.dtype[np.void], **fields: NDArray[np.generic]) -> Rows:
    rows = np.zeros(len(next(iter(fields.values()))), kind)
    for name, values in fields.items():
        rows[name] = values
    return rows


@kernel
def _all_hidden(meshes: tuple[Mesh, Mesh, Mesh], beams: Rows, rooms: Rows, areas: Floats) -> NDArray[np.uint8]:
    """Write the hidden chart and screen area of every beam to `areas` (n, 2); return how each beam stands (n,)."""
    states = np.zeros(len(beams), np.uint8)
    room = rooms[0]
    for p in range(len(beams)):
        beam = beams[p]
        shadows, states[p] = _walk(meshes, beam, room)
        chart, seen = beam.chart_area, beam.screen_area
        if states[p] != HIDDEN:
            chart, seen = total(beam, shadows, room)
        areas[p, 0], areas[p, 1] = min(max(chart, 0.0), beam.chart_area), min(seen, beam.screen_area)
    return states


@kernel
def _walk(meshes: tuple[Mesh, Mesh, Mesh], beam: Record, room: Record) -> tuple[int, int]:
    static, dynamic, own = meshes
    shadows, state = collect(static, beam, False, 0, room)  # noqa: FBT003 - compiled
    if state == OPEN and len(dynamic.triangles):
        shadows, state = collect(dynamic, beam, False, shadows, room)  # noqa: FBT003
    if state == OPEN and len(own.triangles):
        shadows, state = collect(own, beam, True, shadows, room)  # noqa: FBT003
    return shadows, state
