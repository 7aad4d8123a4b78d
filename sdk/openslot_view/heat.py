"""On-surface heat: which part of an ad was seen, and for how long.

Every facet has a map of n × n cells over the box of its chart, so over the creative itself where the surface is a flat
rectangle: row 0 at the bottom, column 0 at the left of one who looks at the front. A cell holds the milliseconds for
which it was seen; where only a part of it was, as much less.

The maps take 8 · n² bytes a facet and 8 bytes for every viewer and surface, however long they are added to.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_spec.errors import Code, OpenSlotError
from openslot_view.backends import Backend, choose
from openslot_view.beams import cast
from openslot_view.cameras import Cameras
from openslot_view.cells import SeesCells, seen_shares
from openslot_view.occluders import Occluders
from openslot_view.pairs import drawn
from openslot_view.surfaces import Surfaces

__all__ = ["MAX_CELLS", "HeatMaps"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MAX_CELLS = 256
_TOGETHER = 1 << 20  # cells at once: bounds the memory


class HeatMaps:
    """Where the time went on each of `surfaces`, whose views may come and go.

    Time runs as in `Exposures`: between two samples of a viewer, no more than `max_gap_ms` apart, that both pass. It is
    given to what the later one shows.
    """

    def __init__(
        self, surfaces: Surfaces, *, max_gap_ms: float, cells: int = 32, backend: str | Backend = "numpy"
    ) -> None:
        if not 1 <= cells <= MAX_CELLS:
            raise OpenSlotError(Code.GEOMETRY_INVALID, f"{cells}, not 1 … {MAX_CELLS}", where="cells")
        self.surfaces = surfaces
        self.max_gap_ms = max_gap_ms
        self.backend = backend
        """numba is ten times as fast; `warm_up` compiles this too."""
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
        *,
        only: ArrayLike | None = None,
    ) -> None:
        """Take one instant of the viewers who look through `cameras`.

        Args:
            t_ms: of any beginning; a step back breaks every run, as a gap does, or what is not finite.
            cameras: v views.
            occluders: as for `measure`.
            passing: (v, s) the pairs whose time counts: `visible_fraction > 0`, or `why` COUNTED; of several views of a
                viewer only the one that is `Visibility.better`.
            viewer_of_view: (v,) small numbers of the caller; the views' own without it.
            only: (n,) the surfaces that `passing` (v, n) is about, where others were not sampled now; their runs go on.

        Raises `CAMERA_INVALID` where the arrays do not agree or two views of one viewer pass.
        """
        sampled = np.arange(len(self.surfaces)) if only is None else np.asarray(only, np.int64)
        pairs, viewer = self._checked(cameras, passing, viewer_of_view, sampled)
        self._make_room(viewer)
        now_ms = t_ms if np.isfinite(t_ms) else np.nan
        waited = now_ms - self._last_ms[viewer]
        lasting = pairs & (waited >= 0) & (waited <= self.max_gap_ms)
        self._spend(cameras, occluders, np.where(lasting, waited, 0.0))
        self._last_ms[viewer[:, None], sampled] = np.nan
        view, surface = np.nonzero(pairs)
        self._last_ms[viewer[view], surface] = now_ms

    def grown(self, surfaces: Surfaces) -> HeatMaps:
        """Return maps of `surfaces`, of which the first are these, with their time and their runs."""
        more = HeatMaps(surfaces, max_gap_ms=self.max_gap_ms, cells=self.maps_ms.shape[1], backend=self.backend)
        more.maps_ms[: len(self.maps_ms)] = self.maps_ms
        more._last_ms = np.full((len(self._last_ms), len(surfaces)), np.nan)
        more._last_ms[:, : len(self.surfaces)] = self._last_ms
        return more

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

    def _spend(self, cameras: Cameras, occluders: Occluders, spent_ms: Floats) -> None:
        """Add the times (v, s) to what their pairs show now."""
        surfaces, cells = self.surfaces, self.maps_ms.shape[1]
        backend = choose(self.backend)
        see = backend.cells if isinstance(backend, SeesCells) else seen_shares
        parts, step = drawn(cameras, surfaces, spent_ms > 0), max(1, _TOGETHER // cells**2)
        for begin in range(0, len(parts.viewer), step):
            beams = cast(cameras, surfaces, parts.take(slice(begin, begin + step)))
            shares = see(beams, surfaces, occluders, cells)
            shares *= spent_ms[beams.viewer, surfaces.surface[beams.facet]][:, None, None]
            np.add.at(self.maps_ms, beams.facet, shares)

    def _checked(
        self, cameras: Cameras, passing: ArrayLike, viewer_of_view: ArrayLike | None, sampled: Ints
    ) -> tuple[Bools, Ints]:
        given = np.asarray(passing, np.bool_)
        if given.shape != (len(cameras), len(sampled)):
            raise OpenSlotError(Code.CAMERA_INVALID, f"shape {given.shape}", where="passing")
        pairs = np.zeros((len(cameras), len(self.surfaces)), np.bool_)
        pairs[:, sampled] = given
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
