"""Placements as triangles in the world: what is known of a shape is moved with it, not found again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from openslot_view import bvh
from openslot_view.bodies import Bodies
from openslot_view.triangles import TriangleSet

__all__ = ["Placed", "together"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Placed(TriangleSet):
    """Triangles that keep the trees and the bodies of the shapes they came from."""

    trees: bvh.Bvh
    parts: Bodies

    @classmethod
    def of(cls, shape: TriangleSet, world_from_shape: Floats, owner: Ints) -> Placed:
        """Return a `shape` that stands p times: where (p, 4, 4), and whose (p,), or its own where that is −1.

        A mirroring placement keeps the front its front.
        """
        turn, shift = world_from_shape[:, :3, :3], world_from_shape[:, None, :3, 3]
        points = shape.corners.reshape(-1, 3) @ turn.swapaxes(1, 2) + shift
        corners = points.reshape(-1, len(shape), 3, 3)
        neighbour = _counted_on(shape.neighbour, len(owner), len(shape))
        mirrored = np.linalg.det(turn) < 0
        corners[mirrored] = corners[mirrored][:, :, [0, 2, 1]]
        neighbour[mirrored] = neighbour[mirrored][:, :, [2, 1, 0]]
        first, second, third = (corners[..., k, :].reshape(-1, 3) for k in range(3))
        bodies = shape.bodies
        low, high = bvh.moved(bodies.low, bodies.high, world_from_shape)
        return cls(
            corners.reshape(-1, 3, 3),
            np.cross(second - first, third - first),
            neighbour.reshape(-1, 3),
            np.tile(shape.one_sided, len(owner)),
            np.where(owner[:, None] < 0, shape.owner, owner[:, None]).ravel(),
            shape.tree.placed(world_from_shape),
            Bodies(
                _counted_on(bodies.body, len(owner), len(bodies.low)).ravel(), low.reshape(-1, 3), high.reshape(-1, 3)
            ),
        )

    @cached_property
    def tree(self) -> bvh.Bvh:
        """Return the shapes' trees where they stand."""
        return self.trees

    @cached_property
    def bodies(self) -> Bodies:
        """Return the shapes' bodies where they stand."""
        return self.parts


def together(sets: Sequence[Placed]) -> tuple[Placed, ...]:
    """Return the placements as few sets: one for each depth of their trees."""
    groups: dict[int, list[Placed]] = {}
    for each in sets:
        groups.setdefault(len(each.tree.level), []).append(each)
    return tuple(_joined(group) for group in groups.values())


def _joined(sets: Sequence[Placed]) -> Placed:
    if len(sets) == 1:
        return sets[0]
    all_of = TriangleSet.join(sets)
    return Placed(
        all_of.corners,
        all_of.normal,
        all_of.neighbour,
        all_of.one_sided,
        all_of.owner,
        bvh.join([each.tree for each in sets]),
        _joined_bodies([each.bodies for each in sets]),
    )


def _joined_bodies(parts: Sequence[Bodies]) -> Bodies:
    begin = np.cumsum([0] + [len(part.low) for part in parts])
    return Bodies(
        np.concatenate([np.where(part.body < 0, -1, part.body + at) for part, at in zip(parts, begin, strict=False)]),
        np.concatenate([part.low for part in parts]),
        np.concatenate([part.high for part in parts]),
    )


def _counted_on(numbers: Ints, copies: int, size: int) -> Ints:
    """Return (copies, …): `numbers` below `size` counted on from copy to copy; −1 stays."""
    offset = (np.arange(copies) * size).reshape(-1, *np.ones(numbers.ndim, np.int64))
    return np.where(numbers < 0, -1, numbers + offset)
