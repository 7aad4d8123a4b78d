"""Occluders with holes: what an alpha texture leaves of a mesh, cut out texel by texel as plain triangles.

The opaque texels are gathered into rectangles, and the triangles are cut along them. What comes out hides exactly what
the texture's nearest texels do, by the same union as everything else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_spec.errors import Code, OpenSlotError
from openslot_view.polygons import Polygons, clip
from openslot_view.triangles import triangle_indices

__all__ = ["MAX_PIECES", "Cutout", "cut_out", "opaque_rectangles"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_PIECES = 200_000
"""Pieces of one mesh; a finer texture is to be made coarser."""

_U, _V = 3, 4  # columns: x, y, z, u, v


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """What is left: `vertices` (n, 3), `triangles` (m, 3), and which of the given ones each is of, `source` (m,)."""

    vertices: Floats
    triangles: Ints
    source: Ints


def cut_out(
    vertices: ArrayLike, triangles: ArrayLike, uv: ArrayLike, opaque: ArrayLike, *, max_pieces: int = MAX_PIECES
) -> Cutout:
    """Return the opaque part of a mesh.

    Args:
        vertices: (n, 3).
        triangles: (m, 3) indices.
        uv: (n, 2) texture coordinates as in glTF: (0, 0) is the texture's upper left corner; beyond 0 … 1 it repeats.
        opaque: (rows, columns) True where alpha is at least the material's cutoff.
        max_pieces: how many are too many.

    Raises `GEOMETRY_INVALID`: coordinates that are not finite, arrays that do not agree, an index out of range, or more
    than `max_pieces` pieces (then `where` is `opaque`).
    """
    points, chart = np.asarray(vertices, np.float64), np.asarray(uv, np.float64)
    if points.shape[1:] != (3,) or chart.shape != (len(points), 2) or np.ndim(opaque) != 2:
        detail = f"vertices {points.shape}, uv {chart.shape}, opaque {np.shape(opaque)}"
        raise OpenSlotError(Code.GEOMETRY_INVALID, detail, where="uv")
    corners = np.concatenate([points, chart], axis=1)[triangle_indices(triangles, len(points))]
    if not np.abs(corners).max(initial=0) <= 1e9:
        raise OpenSlotError(Code.GEOMETRY_INVALID, "not finite", where="uv")
    source, boxes = _overlaps(corners, opaque_rectangles(opaque), max_pieces)
    pieces = Polygons(corners[source], np.zeros((len(source), 3), np.int64), np.full(len(source), 3))
    for column, side, sign in ((_U, 0, 1), (_V, 1, 1), (_U, 2, -1), (_V, 3, -1)):
        pieces = clip(pieces, sign * (pieces.values[..., column] - boxes[:, side, None]), 0)
    return _fans(pieces, source)


def opaque_rectangles(opaque: ArrayLike) -> Floats:
    """Return rectangles (r, 4), u and v from and to, that together are the opaque texels, none twice."""
    texels = np.asarray(opaque, np.bool_)
    rows, columns = texels.shape
    edges = np.diff(np.pad(texels, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    found: list[tuple[int, int, int, int]] = []
    above: dict[tuple[int, int], int] = {}
    for row in range(rows + 1):
        here = [(), ()] if row == rows else [np.nonzero(edges[row] == step)[0].tolist() for step in (1, -1)]
        runs = list(zip(*here, strict=True))
        # a run that stands alike in the next row goes on; the others end here
        ended = [(run, first) for run, first in above.items() if run not in set(runs)]
        found += [(run[0], first, run[1], row) for run, first in ended]
        above = {run: above.get(run, row) for run in runs}
    return np.reshape(found, (-1, 4)) / (columns, rows, columns, rows)


def _overlaps(corners: Floats, rectangles: Floats, max_pieces: int) -> tuple[Ints, Floats]:
    """Return each triangle with each rectangle, in each repetition, whose boxes overlap."""
    low, high = corners[..., _U:].min(axis=1), corners[..., _U:].max(axis=1)
    tiles = np.floor(high).astype(np.int64) - np.floor(low).astype(np.int64) + 1
    if tiles.prod(axis=1).sum() * max(len(rectangles), 1) > 50 * max_pieces:
        raise OpenSlotError(Code.GEOMETRY_INVALID, f"above {max_pieces} pieces", where="opaque")
    source, boxes = [np.zeros(0, np.int64)], [np.zeros((0, 4))]
    for index in range(len(corners)):
        first = np.floor(low[index])
        shift = np.indices(tiles[index]).reshape(2, -1).T + first
        there = (rectangles[None] + np.tile(shift, 2)[:, None]).reshape(-1, 4)
        meets = np.all((there[:, :2] < high[index]) & (there[:, 2:] > low[index]), axis=1)
        source.append(np.full(int(meets.sum()), index))
        boxes.append(there[meets])
    joined = np.concatenate(source)
    if len(joined) > max_pieces:
        raise OpenSlotError(Code.GEOMETRY_INVALID, f"above {max_pieces} pieces", where="opaque")
    return joined, np.concatenate(boxes)


def _fans(pieces: Polygons, source: Ints) -> Cutout:
    number = np.maximum(pieces.counts - 2, 0)
    piece = np.repeat(np.arange(len(source)), number)
    step = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    width = pieces.values.shape[1]
    triangles = np.stack([piece * width, piece * width + step + 1, piece * width + step + 2], axis=1)
    return Cutout(pieces.values[..., :3].reshape(-1, 3), triangles, source[piece])
