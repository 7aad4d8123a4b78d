"""The numba backend: one pair after another through the kernels."""

from __future__ import annotations

from threading import Lock
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from openslot_spec.exposures import WhyNot
from openslot_view import pairs
from openslot_view.backends.compiled.cells import all_cells
from openslot_view.backends.compiled.collect import HIDDEN, OVERFLOW, total
from openslot_view.backends.compiled.kernel import ROOM, SEEN, Mesh, Placed, Scene, flat, kernel
from openslot_view.backends.compiled.look import look, walk
from openslot_view.backends.compiled.prepare import beam_rows, gate_row, mesh, placed, shape_rows, surface_rows
from openslot_view.beams import Beams, quartered
from openslot_view.cameras import Cameras
from openslot_view.cells import boxes, seen_shares
from openslot_view.gates import Gates
from openslot_view.instances import Instances, Shapes
from openslot_view.occluders import Occluders
from openslot_view.seen import Visibility
from openslot_view.surfaces import Surfaces
from openslot_view.triangles import TriangleSet
from openslot_view.union import Areas

__all__ = ["CompiledBackend"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = NDArray[np.void]


class CompiledBackend:
    """Exact unions up to 1,024 shadows, 256 rows above; any thread may call, one at a time is answered.

    Triangles and surfaces are put in order when first met and remembered as long as their owner keeps them.
    """

    name = "numba"

    def __init__(self) -> None:
        self._room = np.zeros(1, ROOM)
        self._turn = Lock()  # there is one room, and the kernels let other threads run
        self._meshes: WeakKeyDictionary[TriangleSet, Mesh] = WeakKeyDictionary()
        self._shapes: WeakKeyDictionary[Shapes, tuple[Mesh, Ints]] = WeakKeyDictionary()
        self._placements: WeakKeyDictionary[Instances, Placed] = WeakKeyDictionary()
        self._surfaces: WeakKeyDictionary[Surfaces, tuple[Rows, Rows]] = WeakKeyDictionary()

    def look(
        self,
        cameras: Cameras,
        surfaces: Surfaces,
        occluders: Occluders,
        gates: Gates | None,
        only: Ints | None = None,
    ) -> Visibility:
        """Return what every camera sees of every surface, or of `only` some, as `openslot_view.measure`."""
        views = (cameras.camera_from_world, cameras.clip_from_camera, cameras.depth)
        rows = self._rows(surfaces)
        if only is not None:
            rows = rows[0][only], rows[1]
        seen = np.zeros((len(cameras), len(rows[0])), SEEN)
        with self._turn:
            crowded = look(views, rows, flat(self._scene(surfaces, occluders)), gate_row(gates), self._room, seen)
        found = Visibility(
            seen["visible"],
            seen["on_screen"],
            seen["coverage"],
            seen["sight"],
            seen["screen"],
            seen["measured"],
            seen["why"],
        )
        for viewer, column in np.argwhere(found.why == WhyNot.UNMEASURABLE).tolist() if crowded else ():
            one = surfaces.one(column if only is None else int(only[column]))
            self._in_parts(found, cameras, one, occluders, gates, (viewer, column))
        return found

    def hidden(self, beams: Beams, surfaces: Surfaces, occluders: Occluders) -> Areas:
        """Return the areas of each beam's on-screen part that occluders hide."""
        areas = np.empty((len(beams), 2))
        with self._turn:
            states = _all_hidden(self._scene(surfaces, occluders), beam_rows(beams, surfaces), self._room[0], areas)
        crowded = np.nonzero(states == OVERFLOW)[0]
        if crowded.size:
            parts, whole = quartered(beams.take(crowded))
            again = self.hidden(parts, surfaces, occluders)
            areas[crowded, 0] = np.bincount(whole, again.chart, crowded.size)
            areas[crowded, 1] = np.bincount(whole, again.screen, crowded.size)
        return Areas(areas[:, 0].copy(), areas[:, 1].copy())

    def cells(self, beams: Beams, surfaces: Surfaces, occluders: Occluders, cells: int) -> Floats:
        """Return (n, rows, columns): the share of each cell of the beams' facets that is seen."""
        shares, rows = np.zeros((len(beams), cells, cells)), beam_rows(beams, surfaces)
        with self._turn:
            scene = self._scene(surfaces, occluders)
            states = all_cells(scene, rows, boxes(beams, surfaces), self._room[0], shares)
        crowded = np.nonzero(states == OVERFLOW)[0]
        if crowded.size:
            shares[crowded] = seen_shares(beams.take(crowded), surfaces, occluders, cells)
        return np.clip(shares, 0.0, 1.0)

    def _rows(self, surfaces: Surfaces) -> tuple[Rows, Rows]:
        found = self._surfaces.get(surfaces)
        if found is None:
            found = self._surfaces[surfaces] = surface_rows(surfaces)
        return found

    def _scene(self, surfaces: Surfaces, occluders: Occluders) -> Scene:
        first, second = len(occluders.static), len(occluders.static) + len(occluders.dynamic)
        return Scene(
            self._mesh(occluders.static),
            self._mesh(occluders.dynamic)._replace(offset=first),
            self._placed(occluders.instances),
            self._mesh(surfaces.own)._replace(offset=second),
        )

    def _placed(self, instances: Instances) -> Placed:
        found = self._placements.get(instances)
        if found is None:
            shapes = self._shapes.get(instances.shapes)
            if shapes is None:
                shapes = self._shapes[instances.shapes] = shape_rows([self._mesh(m) for m in instances.shapes.meshes])
            found = self._placements[instances] = placed(instances, *shapes)
        return found

    def _mesh(self, triangles: TriangleSet) -> Mesh:
        found = self._meshes.get(triangles)
        if found is None:
            found = self._meshes[triangles] = mesh(triangles)
        return found

    def _in_parts(
        self,
        found: Visibility,
        cameras: Cameras,
        one: Surfaces,
        occluders: Occluders,
        gates: Gates | None,
        pair: tuple[int, int],
    ) -> None:
        """Write the answer of a pair that has more shadows than the room holds."""
        camera = cameras.take(slice(pair[0], pair[0] + 1))
        again = pairs.look(camera, one, gates, lambda beams: self.hidden(beams, one, occluders))
        for name in ("visible_fraction", "coverage", "why"):
            getattr(found, name)[pair] = getattr(again, name)[0, 0]


@kernel
def _all_hidden(scene: Scene, beams: Rows, room: np.void, areas: Floats) -> NDArray[np.uint8]:
    """Write the hidden chart and screen area of every beam to `areas` (n, 2); return how each beam stands (n,)."""
    states = np.zeros(len(beams), np.uint8)
    for p in range(len(beams)):
        beam = beams[p]
        shadows, states[p] = walk(scene, beam, room)
        chart, seen = beam.chart_area, beam.screen_area
        if states[p] != HIDDEN:
            chart, seen = total(beam, shadows, room)
        areas[p, 0], areas[p, 1] = min(max(chart, 0.0), beam.chart_area), min(seen, beam.screen_area)
    return states
