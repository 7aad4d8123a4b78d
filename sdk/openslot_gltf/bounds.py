"""The box a creative takes up, at rest and in every moment of its animations.

At rest the box is exact. In motion each part's points are carried along: those of a rigid primitive, or of the vertices
a joint moves. A skinned vertex is a weighted mean of its joints' images of it, so it lies in the box of all of them and
no moment of a clip leaves the box. Where that is too many points, the corners of their box stand for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from openslot_gltf.accessors import Elements, extremes
from openslot_gltf.document import Document, Json, default_roots, reached
from openslot_gltf.geometry import TRIANGLES, default_weights, instances, rest_positions, skinned, triangle_rows
from openslot_gltf.poses import Poses, clip_times, poses_of
from openslot_gltf.skinning import inverse_bind_matrices, joint_influences
from openslot_gltf.transforms import world_matrices
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["Bounds", "SweptBounds", "content_bounds", "swept_bounds"]

Floats = NDArray[np.float64]
CORNERS = np.array(list(product((0, 1), repeat=3)))
EXACT_POINTS = 4_000_000
"""Up to here (points × moments of a clip) every point is carried, in about 0.1 s; above it the corners of boxes."""
BLOCK = 200_000
"""Matrices held at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """An axis-aligned box: `low` and `high` are (3,) metres."""

    low: Floats
    high: Floats

    @property
    def size(self) -> Floats:
        """Width, height and depth."""
        return self.high - self.low

    def joined(self, other: Bounds) -> Bounds:
        """Return the box round both."""
        return Bounds(np.minimum(self.low, other.low), np.maximum(self.high, other.high))


@dataclass(frozen=True, slots=True, eq=False)
class SweptBounds:
    """The box at rest, and the box that no clip leaves; the same where nothing moves."""

    rest: Bounds
    moving: Bounds


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Points that move as one and the node that carries them.

    Coordinates come first, (3, n) and (targets, 3, n), so that the search for extremes runs along memory.
    """

    node: int
    carrier: int
    carrier_from_part: Floats
    points: Floats
    deltas: Floats
    weights: Floats


def content_bounds(document: Document) -> Bounds:
    """Return the box the content takes up, clips included; raises CREATIVE_REFUSED when it draws no triangle."""
    return swept_bounds(document).moving


def swept_bounds(document: Document) -> SweptBounds:
    """Return the boxes of all that is drawn at rest and in motion; raises CREATIVE_REFUSED when no triangle is.

    Raises GEOMETRY_INVALID when scales multiply beyond all numbers.
    """
    elements = Elements(document)
    rest = moving = _at_rest(document, elements)
    if document.array("animations"):
        with np.errstate(over="ignore", invalid="ignore"):
            moving = _in_motion(document, elements, rest)
        if not np.isfinite(moving.size).all():
            raise OpenSlotError(Code.GEOMETRY_INVALID, "a clip leads beyond all numbers", where="/animations")
    return SweptBounds(rest, moving)


def _at_rest(document: Document, elements: Elements) -> Bounds:
    """Return the box of all that is drawn, lines and points too, as it stands when no clip plays."""
    nodes, worlds, drawn = document.array("nodes"), world_matrices(document.json), _Drawn(document, elements)
    boxes = [
        box
        for index in worlds
        if "mesh" in nodes[index]
        for box in _node_boxes(nodes[index], worlds[index], worlds, drawn)
    ]
    if not drawn.triangles:
        raise OpenSlotError(Code.CREATIVE_REFUSED, "its default scene draws no triangle")
    rest = Bounds(np.min([low for low, _ in boxes], axis=0), np.max([high for _, high in boxes], axis=0))
    if not np.isfinite(rest.size).all():
        raise OpenSlotError(Code.GEOMETRY_INVALID, "a vertex lies beyond all numbers", where="/nodes")
    return rest


class _Drawn:
    """Which points of a document's primitives are drawn, as corners of triangles, lines or points: each found once."""

    def __init__(self, document: Document, elements: Elements) -> None:
        self.document = document
        self.elements = elements
        self.triangles = 0
        self._rows: dict[tuple[int, int], NDArray[np.bool_]] = {}

    def rows(self, mesh: int, number: int, primitive: Json) -> NDArray[np.bool_]:
        """Return which vertices of a primitive are drawn."""
        if (mesh, number) not in self._rows:
            count = self.document.array("accessors")[primitive["attributes"]["POSITION"]]["count"]
            used = np.zeros(count, np.bool_)
            triangles = triangle_rows(primitive, self.elements, self.document)
            self.triangles += len(triangles)
            if primitive.get("mode", 4) >= TRIANGLES:
                used[triangles] = True
            elif "indices" in primitive:
                used[self.elements.raw(primitive["indices"])[:, 0].astype(np.int64)] = True
            else:
                used[:] = True
            self._rows[mesh, number] = used
        return self._rows[mesh, number]


def _node_boxes(node: Json, world: Floats, worlds: dict[int, Floats], drawn: _Drawn) -> Iterator[tuple[Floats, Floats]]:
    """Yield (low, high) of every primitive that a node draws, in each of its instances."""
    mesh, elements = drawn.document.array("meshes")[node["mesh"]], drawn.elements
    for number, primitive in enumerate(mesh["primitives"]):
        used = drawn.rows(node["mesh"], number, primitive)
        if not used.any():
            continue
        points = rest_positions(primitive, elements, default_weights(node, mesh))
        with np.errstate(over="ignore", invalid="ignore"):
            if "skin" in node:
                none = np.empty((0, 3), np.int64)
                placed, _ = skinned(drawn.document, elements, node, worlds, (primitive, points, none))
                yield extremes(placed if used.all() else placed[used])
                continue
            columns = np.ascontiguousarray((points if used.all() else points[used]).T)
            for world_from_mesh in instances(node, elements, world):
                carried = world_from_mesh[:3, :3] @ columns
                yield carried.min(axis=1) + world_from_mesh[:3, 3], carried.max(axis=1) + world_from_mesh[:3, 3]


def _in_motion(document: Document, elements: Elements, bounds: Bounds) -> Bounds:
    """Return `bounds` grown by every moment of every clip, some moments at a time to bound memory."""
    parts = list(_parts(document, elements))
    clips = [(animation, clip_times(animation, elements)) for animation in document.array("animations")]
    moments = sum(len(times) for _, times in clips)
    exact = moments * sum(part.points.shape[1] for part in parts) <= EXACT_POINTS
    for animation, times in clips:
        for some in np.array_split(times, -(-len(times) * len(document.array("nodes")) // BLOCK)):
            bounds = _swept(parts, poses_of(document, elements, animation, some), bounds, exact=exact)
    return bounds


def _swept(parts: list[_Part], poses: Poses, bounds: Bounds, *, exact: bool) -> Bounds:
    """Return `bounds` grown by every part that moves."""
    for part in parts:
        if not _moves(part, poses):
            continue
        weights = poses.weights.get(part.node, part.weights[None])
        points = _morphed(part, weights) if exact else _corners(part, weights)
        world_from_part = poses.worlds[part.carrier] @ part.carrier_from_part
        placed = world_from_part[:, :3, :3] @ points
        low, high = placed.min(axis=2) + world_from_part[:, :3, 3], placed.max(axis=2) + world_from_part[:, :3, 3]
        bounds = bounds.joined(Bounds(low.min(axis=0), high.max(axis=0)))
    return bounds


def _moves(part: _Part, poses: Poses) -> bool:
    return part.carrier in poses.moved or part.node in poses.weights


def _morphed(part: _Part, weights: Floats) -> Floats:
    """Return the points under each row of weights, (rows, 3, n)."""
    if not len(part.deltas):
        return part.points[None]
    return np.asarray(part.points + np.tensordot(weights, part.deltas, axes=1))


def _corners(part: _Part, weights: Floats) -> Floats:
    """Return the corners of a box that holds the points under all rows of weights, (1, 3, 8)."""
    low, high = part.points.min(axis=1), part.points.max(axis=1)
    for column, delta in zip(weights.T, part.deltas, strict=True):
        ends = delta.min(axis=1), delta.max(axis=1)
        reach = np.stack([share * end for share in (column.min(), column.max()) for end in ends])
        low, high = low + reach.min(axis=0), high + reach.max(axis=0)
    return np.asarray(np.where(CORNERS, high, low).T[None])


def _parts(document: Document, elements: Elements) -> Iterator[_Part]:
    for index in reached(document.json, default_roots(document.json)):
        node = document.array("nodes")[index]
        if "mesh" not in node:
            continue
        mesh = document.array("meshes")[node["mesh"]]
        targets = len(mesh["primitives"][0].get("targets", []))
        weights = np.array(default_weights(node, mesh) or [0.0] * targets, np.float64)
        for primitive in mesh["primitives"]:
            clouds = _clouds(primitive, elements)
            if "skin" in node:
                for joint, joint_from_mesh, held in _held(document, elements, node["skin"], primitive):
                    yield _part((index, joint, joint_from_mesh), [cloud[:, held] for cloud in clouds], weights)
            else:
                for node_from_mesh in instances(node, elements, np.eye(4)):
                    yield _part((index, index, node_from_mesh), clouds, weights)


def _clouds(primitive: Json, elements: Elements) -> list[Floats]:
    """Return the positions of a primitive's vertices, then the deltas of each of its targets."""
    positions = np.ascontiguousarray(elements.floats(primitive["attributes"]["POSITION"]).T)
    return [
        positions,
        *(
            elements.floats(target["POSITION"]).T if "POSITION" in target else np.zeros_like(positions)
            for target in primitive.get("targets", [])
        ),
    ]


def _held(
    document: Document, elements: Elements, skin: int, primitive: Json
) -> Iterator[tuple[int, Floats, NDArray[np.bool_]]]:
    """Yield (joint, joint_from_mesh, vertices it moves) of every joint that moves any."""
    rows, shares = joint_influences(primitive, elements)
    rows = np.where(shares > 0, rows, -1)
    matrices = inverse_bind_matrices(document, elements, skin)
    joints = document.array("skins")[skin]["joints"]
    named = np.bincount(rows[rows >= 0], minlength=len(joints))
    for place in np.flatnonzero(named).tolist():
        yield joints[place], matrices[place], (rows == place).any(axis=1)


def _part(carried: tuple[int, int, Floats], clouds: list[Floats], weights: Floats) -> _Part:
    points, *deltas = clouds
    return _Part(*carried, points, np.reshape(deltas, (len(deltas), *points.shape)), weights)
