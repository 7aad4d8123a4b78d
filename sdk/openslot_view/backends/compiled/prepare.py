"""From the core's arrays to the records that the kernels read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_view.backends.compiled.kernel import BEAM, BODY, FACET, GATES, NODE, SURFACE, TRIANGLE, Mesh
from openslot_view.backends.compiled.tree import build, larger_last
from openslot_view.beams import Beams
from openslot_view.gates import Gates
from openslot_view.occluders import TriangleSet
from openslot_view.surfaces import Surfaces

__all__ = ["beam_rows", "gate_row", "mesh", "surface_rows"]

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


def surface_rows(surfaces: Surfaces) -> tuple[Rows, Rows]:
    """Return the surfaces and their facets."""
    names = ("corners", "outline", "sides", "edge_u", "edge_v", "dual_u", "dual_v", "normal")
    unit = np.linalg.norm(np.cross(surfaces.edge_u, surfaces.edge_v), axis=1)
    share = unit / surfaces.total_area[surfaces.surface]
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
        _filled(FACET, **{name: getattr(surfaces, name) for name in names}, share=share),
    )


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
