"""What may stand before an ad: triangles in a tree, static ones built once, moving ones replaced each tick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from openslot_view.instances import Instances, Shapes
from openslot_view.triangles import TriangleSet, triangle_set

__all__ = ["Occluders", "TriangleSet"]


@dataclass(frozen=True, slots=True, eq=False)
class Occluders:
    """Static, moving and repeated triangles that hide what is behind them.

    `names` tells a person what an owner id is; `Surfaces.owner` names the owner that does not hide that surface.
    """

    static: TriangleSet
    dynamic: TriangleSet
    instances: Instances
    names: Mapping[int, str]

    @classmethod
    def none(cls) -> Self:
        """Return no occluders at all."""
        return cls.build(np.zeros((0, 3)), np.zeros((0, 3), np.int64))

    @classmethod
    def build(
        cls,
        vertices: ArrayLike,
        triangles: ArrayLike,
        *,
        one_sided: ArrayLike = False,
        owner: ArrayLike = -1,
        names: Mapping[int, str] | Sequence[str] = (),
    ) -> Self:
        """Return occluders with a static set and nothing that moves.

        Args:
            vertices: (n, 3) world metres.
            triangles: (m, 3) indices, counter-clockwise from the front, mirrored transforms already turned round.
            one_sided: (m,) or one for all: does not hide when seen from behind.
            owner: (m,) or one for all: an id of the thing the triangle belongs to; −1 for none.
            names: by owner id.

        Triangles without area are left out. Raises `GEOMETRY_INVALID`: not finite, an index out of range, lengths that
        do not agree.
        """
        return cls.of(triangle_set(vertices, triangles, one_sided=one_sided, owner=owner), Instances.none(), names)

    @classmethod
    def of(cls, static: TriangleSet, instances: Instances, names: Mapping[int, str] | Sequence[str] = ()) -> Self:
        """Return occluders of a static set and placements, with nothing that moves."""
        table = dict(names) if isinstance(names, Mapping) else dict(enumerate(names))
        nothing = triangle_set(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
        return cls(static, nothing, instances, table)

    def with_dynamic(
        self,
        vertices: ArrayLike,
        triangles: ArrayLike,
        *,
        one_sided: ArrayLike = False,
        owner: ArrayLike = -1,
        names: Mapping[int, str] | None = None,
    ) -> Self:
        """Return these occluders with the moving set replaced, arguments as in `build`; the static tree is shared."""
        dynamic = triangle_set(vertices, triangles, one_sided=one_sided, owner=owner)
        return replace(self, dynamic=dynamic, names={**self.names, **(names or {})})

    def with_instances(
        self,
        shapes: Shapes,
        shape: ArrayLike,
        world_from_shape: ArrayLike,
        *,
        owner: ArrayLike = -1,
        names: Mapping[int, str] | None = None,
    ) -> Self:
        """Return these occluders with the repeated things replaced: `shape` (i,) of `shapes`, where, and whose.

        What `shapes` hold is prepared once; moving, adding or leaving out placements costs by their number.
        """
        instances = Instances.of(shapes, shape, world_from_shape, owner)
        return replace(self, instances=instances, names={**self.names, **(names or {})})

    def without(self, owner: int) -> Occluders:
        """Return these occluders but what belongs to `owner`; sets that hold nothing of it are shared."""
        static, dynamic = (
            each if (each.owner != owner).all() else each.take(each.owner != owner)
            for each in (self.static, self.dynamic)
        )
        return replace(self, static=static, dynamic=dynamic, instances=self.instances.without(owner))

    @property
    def sets(self) -> tuple[TriangleSet, ...]:
        """Return the sets that hold any triangle, placements in the world's coordinates."""
        return tuple(each for each in (self.static, self.dynamic, *self.instances.sets) if len(each))
