"""Which part of an ad was seen for how long: a map on each slot, gathered from those who look at it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_spec.errors import Code, OpenSlotError
from openslot_view.cameras import Cameras
from openslot_view.occluders import Occluders
from openslot_view.surfaces import Surfaces
from openslot_view.visibility import measure

__all__ = ["Heat"]

Floats = NDArray[np.float64]


class Heat:
    """Maps of viewer-milliseconds, `seen_ms` (s, rows, columns), row 0 at the bottom of the ad as its viewer sees it.

    Each cell of a map is measured as a surface of its own, so a sample costs rows × columns pairs: ask for the pairs
    that count, and less often than for exposures.
    """

    def __init__(self, surfaces: Surfaces, rows: int = 9, columns: int = 16) -> None:
        """Begin empty maps; raises `SLOT_DEGENERATE` for a curved surface, which has no rows and columns."""
        if surfaces.curved.any():
            where = f"surfaces/{int(np.argmax(surfaces.curved))}"
            raise OpenSlotError(Code.SLOT_DEGENERATE, "a curved surface has no heat map", where=where)
        self.seen_ms = np.zeros((len(surfaces), rows, columns))
        self._cells = [_cells(surfaces, index, rows, columns) for index in range(len(surfaces))]

    def add(
        self,
        cameras: Cameras,
        occluders: Occluders,
        pairs: tuple[ArrayLike, ArrayLike],
        lasted_ms: float,
        backend: str = "auto",
    ) -> None:
        """Add `lasted_ms` of what the `pairs` (viewer indices, surface indices) see now."""
        viewer, surface = (np.asarray(each, np.int64) for each in pairs)
        for index in np.unique(surface):
            looking = cameras.take(viewer[surface == index])
            seen = measure(looking, self._cells[index], occluders, backend=backend)
            self.seen_ms[index] += lasted_ms * seen.visible_fraction.sum(axis=0).reshape(self.seen_ms.shape[1:])


def _cells(surfaces: Surfaces, index: int, rows: int, columns: int) -> Surfaces:
    """Return the surface cut into rows × columns, row by row."""
    low_v, low_u = (each.ravel() for each in np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"))
    u = (low_u[:, None] + np.array([0, 1, 1, 0]))[..., None] / columns
    v = (low_v[:, None] + np.array([0, 0, 1, 1]))[..., None] / rows
    a, b, c, d = surfaces.corners[surfaces.start[index]]
    corners = (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * d + u * c)
    return Surfaces.from_quads(corners, two_sided=surfaces.two_sided[index], owner=surfaces.owner[index])
