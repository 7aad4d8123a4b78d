"""The ad surfaces to be measured: flat quads, and curved ones as triangles, cut into flat convex facets.

A facet has its own chart: corner 0 is the origin, corner 1 lies at (1, 0), the last corner at (0, 1). Equal areas in
the chart are equal areas of the ad, so a share of the chart is a share of the creative's pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import Slot
from openslot_view.cameras import rotation_matrix
from openslot_view.triangles import TriangleSet, each, triangle_indices, triangle_set

__all__ = ["Surfaces"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FLATNESS = 1e-3  # of the diagonal: what is still called a plane
_DEGENERATE = 1e-9  # area over the square of the longer edge
_LARGEST = 1e12


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Surfaces:
    """s surfaces of f facets, as a structure of arrays in world metres.

    Args:
        corners: (f, 4, 3), counter-clockwise from the front; a triangle repeats its last corner.
        sides: (f,) 3 or 4.
        start: (s + 1,), the facets of surface i are start[i] to start[i + 1].
        two_sided: (s,).
        owner: (s,) id of the surface's own mesh among the occluders, which then does not hide it; −1 for none.

    Derived: `outline` (f, 4, 2) corners in the chart, `edge_u`, `edge_v`, `normal` (f, 3), `area` (f,) in m², and per
    surface `centre` (area-weighted), `facing` (unit), `radius`, `total_area`, `curved`; `chart_share` (f,) is the part
    of the whole surface that the chart's unit square is; `own` are the curved ones' triangles, which hide other parts
    of the same surface; their owner is the surface's index. `columns` (8, s) are factors of matrix products: centre
    about `middle` (3,) and 1, `facing` and its product with that centre. Raises
    `SLOT_DEGENERATE` that names the surface: no area, not finite, not flat, not convex.
    """

    corners: Floats
    sides: Ints
    start: Ints
    two_sided: NDArray[np.bool_]
    owner: Ints
    outline: Floats = field(init=False, repr=False)
    edge_u: Floats = field(init=False, repr=False)
    edge_v: Floats = field(init=False, repr=False)
    dual_u: Floats = field(init=False, repr=False)
    dual_v: Floats = field(init=False, repr=False)
    normal: Floats = field(init=False, repr=False)
    area: Floats = field(init=False, repr=False)
    chart_share: Floats = field(init=False, repr=False)
    surface: Ints = field(init=False, repr=False)
    centre: Floats = field(init=False, repr=False)
    facing: Floats = field(init=False, repr=False)
    radius: Floats = field(init=False, repr=False)
    total_area: Floats = field(init=False, repr=False)
    curved: NDArray[np.bool_] = field(init=False, repr=False)
    own: TriangleSet = field(init=False, repr=False)
    middle: Floats = field(init=False, repr=False)
    columns: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        counts = np.diff(self.start)
        self._set(surface=np.repeat(np.arange(len(counts)), counts), curved=counts > 1)
        self._derive_facets()
        self._derive_wholes()
        self._derive_own()

    @classmethod
    def from_quads(
        cls,
        corners: ArrayLike,
        *,
        two_sided: ArrayLike = False,
        owner: ArrayLike = -1,
    ) -> Self:
        """Return one flat surface per quad; `corners` (s, 4, 3), counter-clockwise from the front.

        A quad whose third corner is less than a thousandth of its size out of the others' plane is taken as flat.
        `two_sided` and `owner` are (s,) or one for all.
        """
        quads = _points(corners, (4, 3))
        count = len(quads)
        return cls(
            quads,
            np.full(count, 4),
            np.arange(count + 1),
            each(two_sided, count, "two_sided", Code.SLOT_DEGENERATE).astype(np.bool_),
            each(owner, count, "owner", Code.SLOT_DEGENERATE).astype(np.int64),
        )

    @classmethod
    def from_slots(cls, slots: Sequence[Slot], *, owner: ArrayLike = -1) -> Self:
        """Return the faces of slot records, in their order; of none, none."""
        half = np.reshape([slot.size for slot in slots], (-1, 1, 2)) / 2.0
        signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float64)
        local = np.concatenate([half * signs, np.zeros((len(slots), 4, 1))], axis=2)
        turn = rotation_matrix(np.reshape([slot.pose.rotation for slot in slots], (-1, 4)))
        position = np.reshape([slot.pose.position for slot in slots], (-1, 1, 3))
        corners = local @ turn.swapaxes(1, 2) + position
        return cls.from_quads(corners, two_sided=[slot.two_sided for slot in slots], owner=owner)

    @classmethod
    def from_mesh(cls, vertices: ArrayLike, triangles: ArrayLike, *, two_sided: bool = False, owner: int = -1) -> Self:
        """Return one curved surface; `vertices` (n, 3), `triangles` (m, 3) wound counter-clockwise from the front.

        Triangles without area are left out; with none left it is `SLOT_DEGENERATE`. Indices that are not whole
        numbers within range are `GEOMETRY_INVALID`.
        """
        points = _points(vertices, (3,))
        corners = points[triangle_indices(triangles, len(points))]
        corners = corners[~_without_area(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])]
        if not len(corners):
            raise OpenSlotError(Code.SLOT_DEGENERATE, "no area", where="triangles")
        return cls(
            corners[:, [0, 1, 2, 2]],
            np.full(len(corners), 3),
            np.array([0, len(corners)]),
            np.array([two_sided]),
            np.array([owner]),
        )

    @classmethod
    def join(cls, parts: Sequence[Surfaces]) -> Self:
        """Return the surfaces of all `parts`, in their order."""
        empty = cls.from_quads(np.zeros((0, 4, 3)))
        parts = [empty, *parts]
        shifts = np.cumsum([0] + [len(part.corners) for part in parts])
        starts = [part.start[:-1] + shift for part, shift in zip(parts, shifts[:-1], strict=True)]
        return cls(
            np.concatenate([part.corners for part in parts]),
            np.concatenate([part.sides for part in parts]),
            np.concatenate([*starts, shifts[-1:]]),
            np.concatenate([part.two_sided for part in parts]),
            np.concatenate([part.owner for part in parts]),
        )

    def one(self, index: int) -> Self:
        """Return surface `index` alone."""
        facets = slice(int(self.start[index]), int(self.start[index + 1]))
        count = np.array([0, self.start[index + 1] - self.start[index]])
        rows = slice(index, index + 1)
        return type(self)(self.corners[facets], self.sides[facets], count, self.two_sided[rows], self.owner[rows])

    def take(self, rows: Ints) -> Self:
        """Return the surfaces `rows`, in that order; flat ones at the cost of a few copies."""
        if self.curved[rows].any():
            return self.join([self.one(row) for row in rows.tolist()])
        part = object.__new__(type(self))
        facets = self.start[rows]
        part._set(**{name: getattr(self, name)[facets] for name in _OF_FACETS})
        part._set(**{name: getattr(self, name)[rows] for name in _OF_SURFACES})
        part._set(middle=self.middle, columns=self.columns[:, rows])
        part._set(start=np.arange(len(rows) + 1), surface=np.arange(len(rows)))
        object.__setattr__(part, "own", _nothing() if len(self.own) else self.own)
        return part

    def __len__(self) -> int:
        return len(self.start) - 1

    def _derive_facets(self) -> None:
        first, last = self.corners[:, 0], self.corners[:, 3]
        edge_u, edge_v = self.corners[:, 1] - first, last - first
        across = np.cross(edge_u, edge_v)
        double_area = np.linalg.norm(across, axis=1)
        self._refuse(_without_area(edge_u, edge_v), "no area")
        normal = across / double_area[:, None]
        opposite = self.corners[:, 2] - first
        height = np.abs(np.sum(opposite * normal, axis=1))
        size = np.sqrt(np.maximum(np.sum(edge_u**2, axis=1), np.sum(edge_v**2, axis=1)))
        self._refuse(height > _FLATNESS * size, "not flat")
        u = np.sum(np.cross(opposite, edge_v) * normal, axis=1) / double_area
        v = np.sum(np.cross(edge_u, opposite) * normal, axis=1) / double_area
        triangle = self.sides == 3
        self._refuse(~triangle & ((u <= 0) | (v <= 0) | (u + v <= 1)), "not convex")
        outline = np.tile(np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64), (len(self.corners), 1, 1))
        # parallelograms keep exact corners; a triangle's third corner stands twice
        askew = triangle | (np.abs(u - 1) > 1e-12) | (np.abs(v - 1) > 1e-12)
        outline[askew, 2] = np.stack([u, v], axis=1)[askew]
        outline[triangle, 2] = (0, 1)
        share = np.where(triangle, 0.5, (outline[:, 2, 0] + outline[:, 2, 1]) / 2)
        dual_u = np.cross(edge_v, normal) / double_area[:, None]
        dual_v = np.cross(normal, edge_u) / double_area[:, None]
        self._set(outline=outline, edge_u=edge_u, edge_v=edge_v, dual_u=dual_u, dual_v=dual_v)
        area = share * double_area
        self._set(normal=normal, area=area, chart_share=double_area / self._sum(area)[self.surface])

    def _derive_wholes(self) -> None:
        count = len(self)
        total = self._sum(self.area)
        middle = np.where(self.sides[:, None] == 3, self.corners[:, :3].mean(axis=1), self._quad_centroid())
        centre = np.stack([self._sum(self.area * middle[:, k]) / total for k in range(3)], axis=1)
        facing = np.stack([self._sum(self.area * self.normal[:, k]) for k in range(3)], axis=1)
        length = np.linalg.norm(facing, axis=1, keepdims=True)
        # a closed surface has no side it faces; it then counts by its first facet
        facing = np.where(length > 1e-9 * total[:, None], facing, self.normal[self.start[:-1]])
        facing /= np.linalg.norm(facing, axis=1, keepdims=True)
        reach = np.linalg.norm(self.corners - centre[self.surface][:, None], axis=2).max(axis=1, initial=0)
        radius = np.zeros(count)
        np.maximum.at(radius, self.surface, reach)
        middle = centre.mean(axis=0) if count else np.zeros(3)
        about = centre - middle
        level = np.sum(about * facing, axis=1)
        columns = np.concatenate([about.T, np.ones((1, count)), facing.T, level[None]])
        self._set(total_area=total, centre=centre, facing=facing, radius=radius, middle=middle, columns=columns)

    def _derive_own(self) -> None:
        facets = np.nonzero(self.curved[self.surface])[0]
        corners = self.corners[facets, :3]
        indices = np.arange(3 * len(facets)).reshape(-1, 3)
        object.__setattr__(
            self, "own", triangle_set(corners.reshape(-1, 3), indices, one_sided=False, owner=self.surface[facets])
        )

    def _sum(self, values: Floats) -> Floats:
        return np.bincount(self.surface, values, len(self)).astype(np.float64)

    def _quad_centroid(self) -> Floats:
        """Return (f, 3): the centroids of the quads' areas, by their two triangles."""
        first, second = self.corners[:, [0, 1, 2]], self.corners[:, [0, 2, 3]]
        u, v = self.outline[:, 2, 0:1], self.outline[:, 2, 1:2]
        return np.asarray((first.mean(axis=1) * v + second.mean(axis=1) * u) / (u + v))

    def _refuse(self, bad: NDArray[np.bool_], detail: str) -> None:
        if bad.any():
            surface = int(self.surface[int(np.argmax(bad))])
            raise OpenSlotError(Code.SLOT_DEGENERATE, detail, where=f"surfaces/{surface}")

    def _set(self, **derived: NDArray[np.generic]) -> None:
        for name, value in derived.items():
            object.__setattr__(self, name, value)


_OF_SURFACES = ("two_sided", "owner", "centre", "facing", "radius", "total_area", "curved")
_OF_FACETS = ("corners", "sides", "outline", "edge_u", "edge_v", "dual_u", "dual_v", "normal", "area", "chart_share")


def _nothing() -> TriangleSet:
    return triangle_set(np.zeros((0, 3)), np.zeros((0, 3), np.int64))


def _without_area(edge_u: Floats, edge_v: Floats) -> NDArray[np.bool_]:
    longest = np.maximum(np.sum(edge_u**2, axis=1), np.sum(edge_v**2, axis=1))
    return np.asarray(~(np.linalg.norm(np.cross(edge_u, edge_v), axis=1) > _DEGENERATE * longest))


def _points(values: ArrayLike, shape: tuple[int, ...]) -> Floats:
    try:
        points = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise OpenSlotError(Code.SLOT_DEGENERATE, "not numbers", where="corners") from None
    if not points.size:
        return np.zeros((0, *shape))
    if points.ndim != len(shape) + 1 or points.shape[1:] != shape:
        raise OpenSlotError(Code.SLOT_DEGENERATE, f"shape {points.shape}", where="corners")
    bad = ~(np.abs(points) <= _LARGEST).all(axis=tuple(range(1, points.ndim)))
    if bad.any():
        raise OpenSlotError(Code.SLOT_DEGENERATE, "not finite", where=f"surfaces/{int(np.argmax(bad))}")
    return points
