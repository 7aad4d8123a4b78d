"""The decorators of compiled functions, and the records they share.

A record is one pointer to the compiled code, however many arrays it holds; as separate arrays they cost more to pass
from function to function than most beams cost to answer.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeAlias, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BEAM",
    "BODY",
    "CAPACITY",
    "INSTANCE",
    "NODE",
    "ROOM",
    "TRIANGLE",
    "Mesh",
    "Placed",
    "Record",
    "Scene",
    "flat",
    "inlined",
    "kernel",
    "scene_of",
    "woven",
]

P = ParamSpec("P")
R = TypeVar("R")
Record: TypeAlias = Any  # one row of a structured array; its fields are attributes to the compiler only

CAPACITY = 16384
"""Shadows of one beam; a beam with more is split by the caller."""

# not nnan and ninf: padding and empty boxes use infinities
_OPTIONS: Any = {"cache": True, "nogil": True, "fastmath": {"contract", "nsz", "arcp"}, "error_model": "numpy"}

_SOURCES = sorted(Path(__file__).parent.glob("*.py"))
_STAMP = tuple((source.name, source.stat().st_mtime_ns, source.stat().st_size) for source in _SOURCES)

BEAM = np.dtype(
    [
        ("eye", np.float64, (3,)),
        ("toward", np.float64, (3,)),
        ("orthographic", np.int64),
        ("forms", np.float64, (5, 4)),
        ("borders", np.float64, (12, 3)),
        ("outline", np.float64, (12, 2)),
        ("sides", np.int64),
        ("screen", np.float64, (3, 3)),
        ("chart_area", np.float64),
        ("screen_area", np.float64),
        ("owner", np.int64),
        ("surface", np.int64),
    ]
)
"""`Beams` as rows, with the `owner` that does not hide the beam's facet and the `surface` it belongs to."""

TRIANGLE = np.dtype(
    [
        ("corners", np.float64, (3, 3)),
        ("normal", np.float64, (3,)),
        ("neighbour", np.int32, (3,)),
        ("body", np.int32),
        ("owner", np.int64),
        ("one_sided", np.int64),
    ]
)
"""`body` is the closed body a triangle belongs to, or −1."""

NODE = np.dtype([("low", np.float64, (3,)), ("high", np.float64, (3,)), ("first", np.int32), ("size", np.int32)])
"""As `openslot_view.bvh`, the triangles already in order; `size` 0 for an inner node."""

BODY = np.dtype([("low", np.float64, (3,)), ("high", np.float64, (3,))])

CAMERA = np.dtype(
    [
        ("eye", np.float64, (3,)),
        ("toward", np.float64, (3,)),
        ("orthographic", np.int64),
        ("clip", np.float64, (4, 4)),
        ("planes", np.float64, (6, 4)),
    ]
)
"""As `Cameras` derives them: `clip` is clip_from_eye."""

SURFACE = np.dtype(
    [
        ("centre", np.float64, (3,)),
        ("facing", np.float64, (3,)),
        ("radius", np.float64),
        ("two_sided", np.int64),
        ("owner", np.int64),
        ("number", np.int64),
        ("first", np.int64),
        ("last", np.int64),
    ]
)
"""Its facets are `first` … `last` − 1."""

FACET = np.dtype(
    [
        ("corners", np.float64, (4, 3)),
        ("outline", np.float64, (4, 2)),
        ("sides", np.int64),
        ("edge_u", np.float64, (3,)),
        ("edge_v", np.float64, (3,)),
        ("dual_u", np.float64, (3,)),
        ("dual_v", np.float64, (3,)),
        ("normal", np.float64, (3,)),
        ("share", np.float64),
    ]
)
"""`share` is the part of the whole surface that the chart's unit square is."""

GATES = np.dtype(
    [
        ("visible_fraction_min", np.float64),
        ("coverage_min", np.float64),
        ("angle_max_deg", np.float64),
        ("angle_inclusive", np.int64),
        ("by_screen", np.int64),
        ("ask_all", np.int64),
    ]
)
"""`ask_all`: occluders are asked whatever the gates say."""

SEEN = np.dtype(
    [
        ("visible", np.float64),
        ("on_screen", np.float64),
        ("coverage", np.float64),
        ("sight", np.float64),
        ("screen", np.float64),
        ("measured", np.bool_),
        ("why", np.uint8),
    ],
    align=True,
)
"""One pair of `Visibility`; the angles as cosines."""

INSTANCE = np.dtype(
    [
        ("turn", np.float64, (3, 3)),
        ("back", np.float64, (3, 3)),
        ("place", np.float64, (3,)),
        ("owner", np.int64),
        ("root", np.int64),
        ("number", np.int64),
    ]
)
"""A placement: world = turn · shape + place, `back` the inverse of `turn`, `root` the shape's node."""

ROOM = np.dtype(
    [
        ("camera", CAMERA),
        ("beam", BEAM),
        ("local", BEAM),
        ("world_planes", np.float64, (16, 4)),
        ("world_stack", np.int32, (256,)),
        ("outline", np.float64, (2, 16, 8)),
        ("work", np.float64, (2, 24, 7)),
        ("planes", np.float64, (16, 4)),
        ("stack", np.int32, (256,)),
        ("mask", np.uint32, (2, 32)),
        ("span", np.float64, (2, 32)),
        ("table", np.float64, (8 * CAPACITY, 5)),
        ("source", np.int8, (8 * CAPACITY,)),
        ("exposed", np.int8, (8 * CAPACITY,)),
        ("start", np.int64, (CAPACITY + 1,)),
        ("box", np.float64, (CAPACITY, 4)),
        ("area", np.float64, (CAPACITY,)),
        ("triangle", np.int64, (CAPACITY,)),
        ("neighbour", np.int64, (CAPACITY, 3)),
        ("flipped", np.int8, (CAPACITY,)),
        ("alive", np.int8, (CAPACITY,)),
        ("thin", np.int8, (CAPACITY,)),
        ("hashed", np.int32, (4 * CAPACITY,)),
        ("cell", np.int64, (16 * 16 + 1,)),
        ("member", np.int32, (16 * CAPACITY,)),
        ("loose", np.int32, (CAPACITY,)),
        ("interval", np.float64, (CAPACITY + 2, 2)),
    ],
    align=True,
)
"""Room for the shadows of one beam, used again for every beam: some 12 MB, of which a beam touches what it needs.

Edge e has `table[e]` = x, y of its begin and its inward line nx, ny, c, and `source[e]` = the triangle's edge 0, 1, 2,
or 3 for a cut. Shadow i owns the edges start[i] … start[i + 1] and has the box x low, x high, y low, y high.
"""


class Mesh(NamedTuple):
    """One set of triangles in the order of its tree; `offset` makes triangle numbers of several meshes distinct."""

    triangles: NDArray[np.void]
    nodes: NDArray[np.void]
    bodies: NDArray[np.void]
    offset: int


class Placed(NamedTuple):
    """Shapes, one behind the other in one `mesh`, and their placements in the order of a tree of their own."""

    mesh: Mesh
    instances: NDArray[np.void]
    nodes: NDArray[np.void]


class Scene(NamedTuple):
    """All that may hide: `own` are the triangles of curved surfaces, which hide only other parts of the same one."""

    static: Mesh
    dynamic: Mesh
    placed: Placed
    own: Mesh


FlatMesh: TypeAlias = tuple[NDArray[np.void], NDArray[np.void], NDArray[np.void], int]
Flat: TypeAlias = tuple[FlatMesh, FlatMesh, tuple[FlatMesh, NDArray[np.void], NDArray[np.void]], FlatMesh]


def flat(scene: Scene) -> Flat:
    """Return `scene` as plain tuples: at a call from Python a named one costs as much as several boards."""
    shapes, instances, nodes = scene.placed
    return _plain(scene.static), _plain(scene.dynamic), (_plain(shapes), instances, nodes), _plain(scene.own)


def _plain(mesh: Mesh) -> FlatMesh:
    return mesh.triangles, mesh.nodes, mesh.bodies, mesh.offset


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` compiled on first use and cached on disk: no Python objects, no GIL."""
    return cast("Callable[P, R]", _cached(numba.njit(function, **_OPTIONS)))


def woven(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` as a part of its callers' source: for long ones, or each caller would compile it again."""
    return cast("Callable[P, R]", numba.njit(function, inline="always", **{**_OPTIONS, "cache": False}))


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` compiled into its callers: for short ones."""
    return cast("Callable[P, R]", _cached(numba.njit(function, forceinline=True, **_OPTIONS)))


def _cached(compiled: Any) -> Any:
    """Return `compiled` with a cache that knows all sources: numba looks at a function's own file only.

    What a kernel calls is compiled into it, so after a change elsewhere it would run on as it was.
    """
    compiled._cache._cache_file._source_stamp = _STAMP
    return compiled


@inlined
def scene_of(parts: Flat) -> Scene:
    """Return what `flat` made plain."""
    static, dynamic, placed, own = parts
    shapes, instances, nodes = placed
    return Scene(_mesh(static), _mesh(dynamic), Placed(_mesh(shapes), instances, nodes), _mesh(own))


@inlined
def _mesh(part: FlatMesh) -> Mesh:
    return Mesh(part[0], part[1], part[2], part[3])
