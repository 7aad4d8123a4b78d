"""What hides an ad, by name: asked for single pairs, by those who can move a pillar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_spec.errors import Code, OpenSlotError
from openslot_view.beams import Beams, cast
from openslot_view.cameras import Cameras
from openslot_view.occluders import Occluders
from openslot_view.outlines import outlines
from openslot_view.shadows import Shadows, candidates, throw
from openslot_view.surfaces import Surfaces
from openslot_view.union import union_areas

__all__ = ["Hider", "hiders"]

Ints = NDArray[np.int64]
_LEAST = 1e-6  # share of a surface that is worth a name


@dataclass(frozen=True, slots=True)
class Hider:
    """A thing and the share of the surface that it alone hides; several may hide the same part."""

    owner: int
    name: str
    hidden_fraction: float


def hiders(
    cameras: Cameras, surfaces: Surfaces, occluders: Occluders, viewers: ArrayLike, indices: ArrayLike
) -> list[list[Hider]]:
    """Return, for each pair of `viewers[i]` and surface `indices[i]`, what hides it, the worst first.

    Things of owner −1 are one thing without a name; a curved surface's own folds are not told. Raises
    `GEOMETRY_INVALID` for an index out of range or numbers that do not agree.
    """
    viewer, surface = _indices(viewers, len(cameras), "viewers"), _indices(indices, len(surfaces), "indices")
    if viewer.shape != surface.shape:
        raise OpenSlotError(Code.GEOMETRY_INVALID, f"{len(viewer)} viewers, {len(surface)} surfaces", where="indices")
    found: list[list[Hider]] = []
    for v, s in zip(viewer, surface, strict=True):
        facets = np.arange(surfaces.start[s], surfaces.start[s + 1])
        beams = cast(cameras, surfaces, outlines(cameras, surfaces, np.full(len(facets), v), facets))
        shares = {owner: float(share.sum()) for owner, share in _shares(beams, surfaces, occluders)}
        found.append(_ranked(shares, occluders))
    return found


def _indices(values: ArrayLike, count: int, where: str) -> Ints:
    index = np.atleast_1d(np.asarray(values, np.int64))
    if index.ndim != 1 or not ((index >= 0) & (index < count)).all():
        raise OpenSlotError(Code.GEOMETRY_INVALID, "index out of range", where=where)
    return index


def _shares(beams: Beams, surfaces: Surfaces, occluders: Occluders) -> list[tuple[int, NDArray[np.float64]]]:
    """Return each owner with the share (n,) of the beams' whole surfaces that it hides."""
    surface = surfaces.surface[beams.facet]
    unit = np.linalg.norm(np.cross(surfaces.edge_u[beams.facet], surfaces.edge_v[beams.facet]), axis=1)
    found = []
    for each in occluders.sets:
        shadows = throw(beams, each, candidates(beams, each, surfaces.owner[surface]))
        owners = each.owner[shadows.triangle]
        for owner in np.unique(owners):
            chart = _united(shadows, owners == owner, beams)
            found.append((int(owner), chart * unit / surfaces.total_area[surface]))
    return found


def _united(shadows: Shadows, rows: NDArray[np.bool_], beams: Beams) -> NDArray[np.float64]:
    counts = shadows.counts[rows]
    every = np.arange(shadows.points.shape[1]) < counts[:, None]
    return union_areas(shadows.beam[rows], shadows.points[rows], counts, every, beams.screen).chart


def _ranked(shares: dict[int, float], occluders: Occluders) -> list[Hider]:
    kept = [(owner, share) for owner, share in shares.items() if share > _LEAST]
    kept.sort(key=lambda item: -item[1])
    return [Hider(owner, occluders.names.get(owner, ""), min(share, 1.0)) for owner, share in kept]
