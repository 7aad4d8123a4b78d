"""Sets of triangles with all that is known of them apart from any viewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_spec.errors import Code, OpenSlotError
from openslot_view import bvh
from openslot_view.bodies import Bodies, closed_bodies

__all__ = ["TriangleSet", "each", "triangle_indices", "triangle_set"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LARGEST = 1e12


@dataclass(frozen=True, eq=False)
class TriangleSet:
    """m triangles with an area.

    `corners` (m, 3, 3) world metres; `normal` (m, 3) not unit; `neighbour` (m, 3) the triangle over each edge when that
    edge is shared by exactly two triangles of one winding, else −1; `one_sided` (m,), `owner` (m,) as given.
    """

    corners: Floats
    normal: Floats
    neighbour: Ints
    one_sided: NDArray[np.bool_]
    owner: Ints

    @classmethod
    def join(cls, parts: Sequence[TriangleSet]) -> TriangleSet:
        """Return the triangles of all `parts`, in their order."""
        offsets = np.cumsum([0] + [len(part) for part in parts])
        none = triangle_set(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
        shifted = [
            replace(part, neighbour=np.where(part.neighbour >= 0, part.neighbour + offset, -1))
            for part, offset in zip(parts, offsets[:-1], strict=True)
        ]
        return cls(
            *(np.concatenate([getattr(part, each.name) for part in (none, *shifted)]) for each in fields(TriangleSet))
        )

    def placed(self, world_from_set: Floats, owner: int) -> TriangleSet:
        """Return the triangles where a 4×4 puts them, with an `owner` of their own, or theirs where it is −1.

        A mirroring placement keeps the front its front. What it flattens to nothing is left out.
        """
        corners, neighbour = self.corners @ world_from_set[:3, :3].T + world_from_set[:3, 3], self.neighbour
        if np.linalg.det(world_from_set[:3, :3]) < 0:
            corners, neighbour = corners[:, [0, 2, 1]], neighbour[:, [2, 1, 0]]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        owners = self.owner if owner < 0 else np.full(len(self), owner)
        placed = TriangleSet(corners, normal, neighbour, self.one_sided, owners)
        real = np.any(normal != 0, axis=1)
        return placed if real.all() else placed.take(real)

    def take(self, kept: NDArray[np.bool_]) -> TriangleSet:
        """Return the triangles that are `kept` (m,)."""
        rank = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)  # −1 reads the last
        rows = {each.name: getattr(self, each.name)[kept] for each in fields(TriangleSet)}
        return TriangleSet(**{**rows, "neighbour": rank[rows["neighbour"]]})

    def __len__(self) -> int:
        return len(self.corners)

    @cached_property
    def tree(self) -> bvh.Bvh:
        """Return the tree over the triangles, built when first asked for."""
        return bvh.build(self.corners)

    @cached_property
    def bodies(self) -> Bodies:
        """Return the closed bodies among the triangles, found when first asked for."""
        return closed_bodies(self.corners, self.neighbour, self.owner)


def triangle_set(
    vertices: ArrayLike, triangles: ArrayLike, *, one_sided: ArrayLike = False, owner: ArrayLike = -1
) -> TriangleSet:
    """Return the set of `triangles` (m, 3) over `vertices` (n, 3); arguments and errors as in `Occluders.build`."""
    points = _vertices(vertices)
    indices = triangle_indices(triangles, len(points))
    sided, owners = each(one_sided, len(indices), "one_sided"), each(owner, len(indices), "owner")
    corners = points[indices]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    real = np.any(normal != 0, axis=1)
    corners, indices, normal = corners[real], indices[real], normal[real]
    return TriangleSet(
        corners,
        normal,
        _neighbours(_welded(points)[indices]),
        sided[real].astype(np.bool_),
        owners[real].astype(np.int64),
    )


def _neighbours(triangles: Ints) -> Ints:
    """Return (m, 3): over edge k (corner k to k + 1), the one triangle that runs it the other way, or −1."""
    if not len(triangles):
        return np.zeros((0, 3), np.int64)
    begin, end = triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()
    radix = int(triangles.max()) + 1
    key, reverse = begin * radix + end, end * radix + begin
    order = np.argsort(key, kind="stable")
    ranked = key[order]
    repeated = np.zeros(len(key), np.bool_)
    same = ranked[1:] == ranked[:-1]
    repeated[order[1:][same]] = True
    repeated[order[:-1][same]] = True
    found = np.minimum(np.searchsorted(ranked, reverse), len(ranked) - 1)
    other = order[found]
    shared = (ranked[found] == reverse) & ~repeated & ~repeated[other]
    return np.where(shared, other // 3, -1).reshape(-1, 3)


def _welded(points: Floats) -> Ints:
    """Return (n,): one id per distinct position, so that meshes with split normals still have neighbours."""
    if not len(points):
        return np.zeros(0, np.int64)
    order = np.lexsort(points.T)
    ranked = points[order]
    fresh = np.concatenate([[False], np.any(ranked[1:] != ranked[:-1], axis=1)])
    ids = np.empty(len(points), np.int64)
    ids[order] = np.cumsum(fresh)
    return ids


def _vertices(values: ArrayLike) -> Floats:
    try:
        points = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise OpenSlotError(Code.GEOMETRY_INVALID, "not numbers", where="vertices") from None
    if not points.size:
        return np.zeros((0, 3))
    if points.ndim != 2 or points.shape[1] != 3:
        raise OpenSlotError(Code.GEOMETRY_INVALID, f"shape {points.shape}, not (n, 3)", where="vertices")
    bad = ~(np.abs(points) <= _LARGEST).all(axis=1)
    if bad.any():
        raise OpenSlotError(Code.GEOMETRY_INVALID, "not finite", where=f"vertices/{int(np.argmax(bad))}")
    return points


def triangle_indices(values: ArrayLike, vertices: int) -> Ints:
    """Return (m, 3) indices below `vertices`; raises `GEOMETRY_INVALID`: not whole numbers, not three, out of range."""
    try:
        indices = np.asarray(values)
    except ValueError:
        raise OpenSlotError(Code.GEOMETRY_INVALID, "of different lengths", where="triangles") from None
    if not indices.size:
        return np.zeros((0, 3), np.int64)
    if indices.ndim != 2 or indices.shape[1] != 3 or not np.issubdtype(indices.dtype, np.integer):
        raise OpenSlotError(Code.GEOMETRY_INVALID, f"{indices.dtype} {indices.shape}", where="triangles")
    if indices.min() < 0 or indices.max() >= vertices:
        raise OpenSlotError(Code.GEOMETRY_INVALID, "index out of range", where="triangles")
    return indices.astype(np.int64)


def each(values: ArrayLike, count: int, where: str, code: Code = Code.GEOMETRY_INVALID) -> NDArray[np.generic]:
    """Return (count,) of `values`, whole numbers or flags, as many or one for all; raises `code` otherwise."""
    array = np.asarray(values)
    if (array.dtype.kind not in "biu" and array.size) or array.shape not in {(), (count,)}:
        raise OpenSlotError(code, f"{array.dtype} {array.shape}, not ({count},)", where=where)
    return np.broadcast_to(array, (count,))
