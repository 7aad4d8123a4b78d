"""Occluders from the parts of a scene: what stands once as one static set, what stands often as placements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from openslot_spec.errors import OpenSlotError
from openslot_view.cutouts import cut_out
from openslot_view.instances import Instances, Shapes
from openslot_view.occluders import Occluders
from openslot_view.triangles import TriangleSet, triangle_set

__all__ = ["PIECES", "Holes", "Part", "occluders_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PIECES = 20_000
"""Pieces of one part's cut-out; a texture that leaves more is halved until it does not."""
_FLAT = 1e-12


class Holes(Protocol):
    """Where a texture lets one see through, as `cut_out` takes it."""

    @property
    def uv(self) -> Floats:
        """Return the texture coordinates (n, 2)."""
        ...

    @property
    def opaque(self) -> NDArray[np.bool_]:
        """Return the texels (rows, columns) that hide."""
        ...


class Part(Protocol):
    """Triangles and all places they stand in, like `openslot_gltf.ScenePart`."""

    @property
    def vertices(self) -> Floats:
        """Return (n, 3), metres of its own."""
        ...

    @property
    def triangles(self) -> Ints:
        """Return (m, 3), counter-clockwise from the front."""
        ...

    @property
    def one_sided(self) -> bool:
        """Return whether it does not hide when seen from behind."""
        ...

    @property
    def world_from_part(self) -> Floats:
        """Return (i, 4, 4)."""
        ...

    @property
    def owner(self) -> Ints:
        """Return (i,)."""
        ...

    @property
    def holes(self) -> Holes | None:
        """Return where one sees through it."""
        ...


def occluders_of(parts: Iterable[Part], names: Mapping[int, str] | Sequence[str] = ()) -> Occluders:
    """Return the occluders of `parts`; `names` by owner. Raises `GEOMETRY_INVALID` as `Occluders.build`."""
    single: list[TriangleSet] = []
    shapes: list[TriangleSet] = []
    which, places, owners = [], [], []
    for part in parts:
        mesh = _mesh(part)
        often = _repeated(part.world_from_part)
        for matrix, owner in zip(part.world_from_part[~often], part.owner[~often], strict=True):
            single.append(mesh.placed(matrix, int(owner)))
        if often.any() and len(mesh):
            which.append(np.full(int(often.sum()), len(shapes)))
            shapes.append(mesh)
            places.append(part.world_from_part[often])
            owners.append(part.owner[often])
    none = np.zeros(0, np.int64)
    instances = Instances.of(
        Shapes(tuple(shapes)),
        np.concatenate([none, *which]),
        np.concatenate([np.zeros((0, 4, 4)), *places]),
        np.concatenate([none, *owners]),
    )
    return Occluders.of(TriangleSet.join(single), instances, names)


def _mesh(part: Part) -> TriangleSet:
    vertices, triangles = part.vertices, part.triangles
    if part.holes is not None:
        vertices, triangles = _left(vertices, triangles, part.holes.uv, part.holes.opaque)
    return triangle_set(vertices, triangles, one_sided=part.one_sided)


def _repeated(world_from_part: Floats) -> NDArray[np.bool_]:
    """Return which places are worth a placement: one of several, and not flattened."""
    turn = world_from_part[:, :3, :3]
    volume = np.linalg.norm(turn, axis=1).prod(axis=1)
    often = np.abs(np.linalg.det(turn)) > _FLAT * volume
    return np.asarray(often & (len(turn) > 1))


def _left(vertices: Floats, triangles: Ints, uv: Floats, opaque: NDArray[np.bool_]) -> tuple[Floats, Ints]:
    """Return what the texture leaves, as fine as is affordable."""
    share = opaque.astype(np.float64)
    while True:
        try:
            cut = cut_out(vertices, triangles, uv, _spread(share), max_pieces=PIECES)
        except OpenSlotError as error:
            if error.where != "opaque" or max(share.shape) == 1:
                raise
            share = _halved(share)
        else:
            return cut.vertices, cut.triangles


def _halved(share: Floats) -> Floats:
    """Return every two by two texels as one, the mean of them."""
    rows, columns = share.shape
    even = np.pad(share, ((0, rows % 2), (0, columns % 2)), mode="edge")
    return np.asarray(even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2).mean(axis=(1, 3)))


def _spread(share: Floats) -> NDArray[np.bool_]:
    """Return whole texels, as many of each stretch of a row as their shares sum to: coarser leaves hide as much."""
    texels = np.rint(np.cumsum(share.ravel()))
    return np.diff(texels, prepend=0.0).reshape(share.shape) > 0
