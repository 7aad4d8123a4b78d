"""The numba backend: one beam after another through the kernels."""

from __future__ import annotations

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from openslot_view.backends.compiled.collect import HIDDEN, OPEN, OVERFLOW, begin, collect, total
from openslot_view.backends.compiled.components import closed_components
from openslot_view.backends.compiled.kernel import Beam, Mesh, Scratch, kernel, scratch
from openslot_view.backends.compiled.tree import build, larger_last
from openslot_view.beams import Beams, quartered
from openslot_view.occluders import Occluders, TriangleSet
from openslot_view.surfaces import Surfaces
from openslot_view.union import Areas

__all__ = ["CompiledBackend"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class _Table(NamedTuple):
    """All beams as the kernel reads them: `Beams`, and their surfaces."""

    eye: Floats
    toward: Floats
    orthographic: NDArray[np.bool_]
    forms: Floats
    borders: Floats
    outline: Floats
    sides: Ints
    screen: Floats
    chart_area: Floats
    screen_area: Floats
    owner: Ints
    surface: Ints


class CompiledBackend:
    """Exact unions up to 1,024 shadows, 256 rows above; one thread at a time, the GIL released."""

    name = "numba"

    def __init__(self) -> None:
        self._room = scratch()
        self._meshes: WeakKeyDictionary[TriangleSet, Mesh] = WeakKeyDictionary()

    def hidden(self, beams: Beams, surfaces: Surfaces, occluders: Occluders) -> Areas:
        """Return the areas of each beam's on-screen part that occluders hide."""
        surface = surfaces.surface[beams.facet]
        first, second = len(occluders.static), len(occluders.static) + len(occluders.dynamic)
        meshes = (
            self._mesh(occluders.static),
            self._mesh(occluders.dynamic)._replace(offset=first),
            self._mesh(surfaces.own)._replace(offset=second),
        )
        areas = np.empty((len(beams), 2))
        states = _all_hidden(meshes, _table(beams, surfaces.owner[surface], surface), self._room, areas)
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
        boxes, numbers = np.zeros((1, 3)), np.zeros(1, np.int32)
        tree = (boxes, boxes, numbers, numbers, np.zeros(0, np.int64))
    else:
        tree = build(triangles.corners.min(axis=1), triangles.corners.max(axis=1))
    low, high, first, count, order = tree
    larger_last(low, high, first, count, np.linalg.norm(triangles.normal[order], axis=1))
    rank = np.empty(len(order) + 1, np.int32)
    rank[order], rank[-1] = np.arange(len(order)), -1  # −1 reads the last
    component, closed_low, closed_high = closed_components(triangles.corners, triangles.neighbour, triangles.owner)
    return Mesh(
        triangles.corners[order],
        triangles.normal[order],
        rank[triangles.neighbour[order]],
        triangles.one_sided[order],
        triangles.owner[order],
        component[order],
        closed_low,
        closed_high,
        low,
        high,
        first,
        count,
        0,
    )


def _table(beams: Beams, owner: Ints, surface: Ints) -> _Table:
    arrays: dict[str, Any] = {name: np.ascontiguousarray(getattr(beams, name)) for name in _Table._fields[:-2]}
    return _Table(**arrays, owner=owner, surface=surface)


@kernel
def _all_hidden(meshes: tuple[Mesh, Mesh, Mesh], table: _Table, room: Scratch, areas: Floats) -> NDArray[np.uint8]:
    """Write the hidden chart and screen area of every beam to `areas` (n, 2); return how each beam stands (n,)."""
    states = np.zeros(len(table.sides), np.uint8)
    for p in range(len(table.sides)):
        beam = Beam(
            table.eye[p],
            table.toward[p],
            table.orthographic[p],
            table.forms[p],
            table.borders[p],
            table.outline[p],
            table.sides[p],
            table.screen[p],
            table.chart_area[p],
            table.owner[p],
            table.surface[p],
        )
        begin(beam, room)
        shadows, states[p] = _walk(meshes, beam, room)
        if states[p] == HIDDEN:
            areas[p, 0], areas[p, 1] = table.chart_area[p], table.screen_area[p]
        else:
            chart, seen = total(beam, shadows, room)
            areas[p, 0], areas[p, 1] = min(max(chart, 0.0), table.chart_area[p]), min(seen, table.screen_area[p])
    return states


@kernel
def _walk(meshes: tuple[Mesh, Mesh, Mesh], beam: Beam, room: Scratch) -> tuple[int, int]:
    shadows, state = 0, OPEN
    for m in range(3):
        if state == OPEN:
            shadows, state = collect(meshes[m], beam, m == 2, shadows, room)
    return shadows, state
