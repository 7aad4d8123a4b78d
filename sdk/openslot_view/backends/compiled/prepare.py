"""From the core's arrays to the records that the kernels read."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from openslot_view.backends.compiled.kernel import (
    BEAM,
    BODY,
    FACET,
    GATES,
    INSTANCE,
    NODE,
    SURFACE,
    TRIANGLE,
    Mesh,
    Placed,
)
from openslot_view.backends.compiled.tree import build, larger_last
from openslot_view.beams import Beams
from openslot_view.gates import Gates
from openslot_view.instances import Instances
from openslot_view.surfaces import Surfaces
from openslot_view.triangles import TriangleSet

__all__ = ["beam_rows", "gate_row", "mesh", "placed", "shape_rows", "surface_rows"]

Ints = NDArray[np.int64]
Rows = NDArray[np.void]


def mesh(triangles: TriangleSet) -> Mesh:
    """Return the triangles in the order of a tree of their own."""
    if not len(triangles):
        return Mesh(np.zeros(0, TRIANGLE), np.zeros(0, NODE), np.zeros(0, BODY), 0)
    low, high, first, size, order = build(triangles.corners.min(axis=1), triangles.corners.max(axis=1))
    larger_last(low, high, first, size, np.linalg.norm(triangles.normal[order], axis=1))
    rank = np.empty(len(order) + 1, np.int32)
    rank[order], rank[-1] = np.arange(len(order)), -1  # −1 reads the last
    bodies = triangles.bodies
    return Mesh(
        _filled(
            TRIANGLE,
            corners=triangles.corners[order],
            normal=triangles.normal[order],
            neighbour=rank[triangles.neighbour[order]],
            body=bodies.body[order],
            owner=triangles.owner[order],
            one_sided=triangles.one_sided[order],
        ),
        _filled(NODE, low=low, high=high, first=first, size=size),
        _filled(BODY, low=bodies.low, high=bodies.high),
        0,
    )


def shape_rows(meshes: list[Mesh]) -> tuple[Mesh, Ints]:
    """Return the meshes one behind the other as one, and the root node of each."""
    triangles = np.cumsum([0] + [len(each.triangles) for each in meshes])
    nodes = np.cumsum([0] + [len(each.nodes) for each in meshes])
    bodies = np.cumsum([0] + [len(each.bodies) for each in meshes])
    parts = []
    for k, each in enumerate(meshes):
        part = [each.triangles.copy(), each.nodes.copy(), each.bodies]
        part[0]["neighbour"] += np.where(part[0]["neighbour"] >= 0, triangles[k], 0).astype(np.int32)
        part[0]["body"] += np.where(part[0]["body"] >= 0, bodies[k], 0).astype(np.int32)
        part[1]["first"] += np.where(part[1]["size"] > 0, triangles[k], nodes[k]).astype(np.int32)
        parts.append(part)
    empty = [np.zeros(0, TRIANGLE), np.zeros(0, NODE), np.zeros(0, BODY)]
    joined = [np.concatenate([nothing, *(part[k] for part in parts)]) for k, nothing in enumerate(empty)]
    return Mesh(joined[0], joined[1], joined[2], 0), nodes[:-1]


def placed(instances: Instances, shapes: Mesh, roots: Ints) -> Placed:
    """Return the placements in the order of a tree over their boxes in the world."""
    if not len(instances):
        return Placed(shapes, np.zeros(0, INSTANCE), np.zeros(0, NODE))
    turn, place = instances.world_from_shape[:, :3, :3], instances.world_from_shape[:, :3, 3]
    root = roots[instances.shape]
    low, high = shapes.nodes["low"][root], shapes.nodes["high"][root]
    middle = np.einsum("ijk,ik->ij", turn, (low + high) / 2) + place
    half = np.einsum("ijk,ik->ij", np.abs(turn), (high - low) / 2)
    box_low, box_high, first, size, order = build(middle - half, middle + half)
    rows = _filled(
        INSTANCE,
        turn=turn,
        back=np.linalg.inv(turn),
        place=place,
        owner=instances.owner,
        root=root,
        number=np.arange(len(root)),
    )
    return Placed(shapes, rows[order], _filled(NODE, low=box_low, high=box_high, first=first, size=size))


def surface_rows(surfaces: Surfaces) -> tuple[Rows, Rows]:
    """Return the surfaces and their facets."""
    names = ("corners", "outline", "sides", "edge_u", "edge_v", "dual_u", "dual_v", "normal")
    return (
        _filled(
            SURFACE,
            centre=surfaces.centre,
            facing=surfaces.facing,
            radius=surfaces.radius,
            two_sided=surfaces.two_sided,
            owner=surfaces.owner,
            number=np.arange(len(surfaces)),
            first=surfaces.start[:-1],
            last=surfaces.start[1:],
        ),
        _filled(FACET, **{name: getattr(surfaces, name) for name in names}, share=surfaces.chart_share),
    )


@lru_cache(maxsize=64)
def gate_row(gates: Gates | None) -> Rows:
    """Return the gates as one row; without any, all of a surface is wanted and every pair measured."""
    limits = gates or Gates(visible_fraction_min=1.0)
    row = np.zeros(1, GATES)
    for name in ("visible_fraction_min", "coverage_min", "angle_max_deg", "angle_inclusive"):
        row[name] = getattr(limits, name)
    row["by_screen"], row["ask_all"] = limits.angle_basis == "screen", gates is None
    return row


def beam_rows(beams: Beams, surfaces: Surfaces) -> Rows:
    """Return the beams with the owners and numbers of their surfaces."""
    surface = surfaces.surface[beams.facet]
    names = ("eye", "toward", "orthographic", "forms", "sides", "screen", "chart_area", "screen_area")
    rows = _filled(BEAM, **{name: getattr(beams, name) for name in names}, owner=surfaces.owner[surface])
    rows["surface"] = surface
    width = beams.outline.shape[1]
    rows["borders"][:, :width], rows["outline"][:, :width] = beams.borders, beams.outline
    return rows


def _filled(kind: np.dtype[np.void], **fields: NDArray[np.generic]) -> Rows:
    rows = np.zeros(len(next(iter(fields.values()))), kind)
    for name, values in fields.items():
        rows[name] = values
    return rows
