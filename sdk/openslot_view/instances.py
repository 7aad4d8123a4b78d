"""Things placed many times: their triangles are kept once, however often they stand in the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_spec.errors import Code, OpenSlotError
from openslot_view.placed import Placed, together
from openslot_view.triangles import TriangleSet, each, triangle_set

__all__ = ["Instances", "Shapes"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LARGEST = 1e12


@dataclass(frozen=True, eq=False)
class Shapes:
    """Meshes to be placed, in coordinates of their own."""

    meshes: tuple[TriangleSet, ...]

    @classmethod
    def build(cls, meshes: Sequence[tuple[ArrayLike, ArrayLike]], *, one_sided: ArrayLike = False) -> Self:
        """Return the shapes of (vertices, triangles) pairs; `one_sided` per mesh or for all; errors as `Occluders`."""
        sided = each(one_sided, len(meshes), "one_sided")
        sets = [
            triangle_set(vertices, triangles, one_sided=bool(side))
            for (vertices, triangles), side in zip(meshes, sided, strict=True)
        ]
        return cls(tuple(sets))


@dataclass(frozen=True, eq=False)
class Instances:
    """i placements: `shape` (i,) which of `shapes`, `world_from_shape` (i, 4, 4), `owner` (i,).

    A mirroring placement keeps a shape's front its front, as glTF has it.
    """

    shapes: Shapes
    shape: Ints
    world_from_shape: Floats
    owner: Ints

    @classmethod
    def none(cls) -> Self:
        """Return no placements."""
        nothing = np.zeros(0, np.int64)
        return cls(Shapes(()), nothing, np.zeros((0, 4, 4)), nothing)

    @classmethod
    def of(cls, shapes: Shapes, shape: ArrayLike, world_from_shape: ArrayLike, owner: ArrayLike = -1) -> Self:
        """Return the placements, checked; raises `GEOMETRY_INVALID` that names the field and the placement.

        Placements of shapes without triangles are left out.
        """
        which, matrices = np.asarray(shape, np.int64), np.asarray(world_from_shape, np.float64)
        if which.ndim != 1 or matrices.shape != (len(which), 4, 4):
            raise OpenSlotError(Code.GEOMETRY_INVALID, f"shape {matrices.shape}", where="world_from_shape")
        _refuse((which < 0) | (which >= len(shapes.meshes)), "shape", "no such shape")
        finite = np.all(np.abs(matrices) <= _LARGEST, axis=(1, 2))
        _refuse(~finite, "world_from_shape", "not finite")
        _refuse(np.any(matrices[:, 3] != (0, 0, 0, 1), axis=1), "world_from_shape", "last row is not 0 0 0 1")
        _refuse(np.linalg.det(matrices[:, :3, :3]) == 0, "world_from_shape", "singular")
        owners = each(owner, len(which), "owner").astype(np.int64)
        full = np.array([len(mesh) > 0 for mesh in shapes.meshes], np.bool_)[which]
        return cls(shapes, which[full], matrices[full], owners[full])

    def __len__(self) -> int:
        return len(self.shape)

    @cached_property
    def sets(self) -> tuple[TriangleSet, ...]:
        """Return all triangles in the world, for who cannot walk placements; no tree is built for them."""
        meshes = self.shapes.meshes
        rows = [(mesh, np.nonzero(self.shape == index)[0]) for index, mesh in enumerate(meshes)]
        return together(
            [Placed.of(mesh, self.world_from_shape[some], self.owner[some]) for mesh, some in rows if len(some)]
        )

    def without(self, owner: int) -> Instances:
        """Return the placements but those of `owner`."""
        kept = self.owner != owner
        return Instances(self.shapes, self.shape[kept], self.world_from_shape[kept], self.owner[kept])


def _refuse(bad: NDArray[np.bool_], where: str, detail: str) -> None:
    if bad.any():
        raise OpenSlotError(Code.GEOMETRY_INVALID, detail, where=f"{where}/{int(np.argmax(bad))}")
