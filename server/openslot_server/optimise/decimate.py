"""Fewer triangles, by meshoptimizer (extra `decode`): along a mesh's seams, or across them where that is not enough."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_spec.errors import Code, OpenSlotError

__all__ = ["decimated"]

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]

ERROR = 0.05
"""How far it may move a surface, of the mesh's size."""
ENOUGH = 1.3
"""Times the triangles that were wanted; above it, seams are crossed."""


def decimated(corners: Rows, positions: Floats, normals: Floats, share: float) -> Rows:
    """Return about `share` of the triangles (3 n corners) over the same vertices; more where it would not look alike.

    What is shaded flat has a seam along every edge. There each corner takes, of the vertices that stand in its place,
    the one whose normal is nearest its new face's. Raises CREATIVE_REFUSED where meshoptimizer is not installed.
    """
    wanted = max(int(len(corners) * share) // 3, 1) * 3
    kept = _simplified(corners, positions, wanted)
    if len(kept) <= ENOUGH * wanted:
        return kept
    _, first, place = np.unique(positions, axis=0, return_index=True, return_inverse=True)
    crossed = place.ravel()[_simplified(first[place.ravel()[corners]], positions, wanted, is_crude=True)]
    return min(kept, _nearest(crossed, first, place.ravel(), positions, normals), key=len)


def _simplified(corners: Rows, positions: Floats, wanted: int, *, is_crude: bool = False) -> Rows:
    try:
        import meshoptimizer
    except ImportError:
        detail = "its triangles must be fewer, which needs a decimator: pip install 'openslot[decode]'"
        raise OpenSlotError(Code.CREATIVE_REFUSED, detail) from None
    made, rows = np.zeros(len(corners), np.uint32), corners.astype(np.uint32)
    points = np.ascontiguousarray(positions, np.float32)
    for options in (meshoptimizer.SIMPLIFY_PRUNE, 0) if is_crude else (0,):  # with it, small parts go whole
        for target in (wanted, 2 * wanted, 4 * wanted):
            count = meshoptimizer.simplify(
                made, rows, points, target_index_count=target, target_error=ERROR, options=options
            )
            if count:
                fewer: Rows = made[:count].astype(np.int64)
                return fewer
    return corners  # nothing would be left of it


def _nearest(places: Rows, first: Rows, place: Rows, positions: Floats, normals: Floats) -> Rows:
    """Return for each corner, given by its place, the vertex there whose normal is nearest the face's."""
    order = np.argsort(place, kind="stable")
    counts = np.bincount(place, minlength=len(first))
    starts = np.cumsum(counts) - counts
    triangle = positions[first[places]].reshape(-1, 3, 3)
    face = np.cross(triangle[:, 1] - triangle[:, 0], triangle[:, 2] - triangle[:, 0])
    face = np.repeat(face, 3, axis=0)
    best: Rows = order[starts[places]]
    found = np.full(len(places), -np.inf)
    for nth in range(int(counts.max())):
        has = counts[places] > nth
        vertex = order[np.where(has, starts[places] + nth, starts[places])]
        alike = np.where(has, (normals[vertex] * face).sum(axis=1), -np.inf)
        better = alike > found
        best, found = np.where(better, vertex, best), np.where(better, alike, found)
    return best
