"""The numbers themselves: finite, within range, of unit length, pointing to vertices and joints that are there.

Tolerances are the Khronos validator's, so that what passes here passes there.
"""

from __future__ import annotations

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from openslot_gltf.accessors import Elements
from openslot_gltf.document import Document, Json
from openslot_gltf.meshes import primitives_of
from openslot_gltf.rules import Report, Rule

__all__ = ["check_skin_data", "check_vertex_data", "mended_bounds"]

UNIT_TOLERANCE = 0.00674
WEIGHT_TOLERANCE = 2e-7
RESTART = {5121: 0xFF, 5123: 0xFFFF, 5125: 0xFFFFFFFF}


def mended_bounds(document: Document, elements: Elements, report: Report) -> Document:
    """Return the document with min and max as the data says, where they are needed or were given wrong.

    Every accessor's extremes are computed anyway: they also show a NaN or an infinity anywhere.
    """
    needed = _bounded_accessors(document)
    accessors, changed = list(document.array("accessors")), False
    for index, accessor in enumerate(accessors):
        low, high = elements.extremes(index)
        if low.dtype.kind == "f" and not all(map(isfinite, (*low.tolist(), *high.tolist()))):
            report.add(Rule.DATA_FINITE, f"/accessors/{index}")
            continue
        given = "min" in accessor or "max" in accessor
        if (index in needed or given) and not _declares(accessor, low, high):
            report.add(Rule.ACCESSOR_BOUNDS, f"/accessors/{index}")
            accessors[index] = {**accessor, "min": low.tolist(), "max": high.tolist()}
            changed = True
    return Document({**document.json, "accessors": accessors}, document.binary) if changed else document


def _bounded_accessors(document: Document) -> set[int]:
    """Return the accessors that must say their bounds: positions and key times."""
    positions = {primitive["attributes"]["POSITION"] for _, primitive in primitives_of(document)}
    deltas = {
        target["POSITION"]
        for _, primitive in primitives_of(document)
        for target in primitive.get("targets", [])
        if "POSITION" in target
    }
    times = {sampler["input"] for clip in document.array("animations") for sampler in clip["samplers"]}
    return positions | deltas | times


def _declares(accessor: Json, low: NDArray[np.generic], high: NDArray[np.generic]) -> bool:
    if "min" not in accessor or "max" not in accessor:
        return False
    if low.dtype.kind != "f":
        return bool(accessor["min"] == low.tolist() and accessor["max"] == high.tolist())
    # Exporters print float32 with few digits; the validator compares after rounding to float32, so do we.
    declared = np.array([accessor["min"], accessor["max"]], np.float32).tolist()
    return bool(declared == [low.tolist(), high.tolist()])


def check_vertex_data(document: Document, elements: Elements, report: Report) -> None:
    """Check indices, unit vectors and colours of every primitive."""
    seen: set[tuple[str, int]] = set()
    for where, primitive in primitives_of(document):
        if "indices" in primitive:
            _check_indices(document, elements, primitive, where, report)
        for name, index in primitive["attributes"].items():
            semantic = name.split("_")[0]
            if (semantic, index) in seen:
                continue
            seen.add((semantic, index))
            rule, case = _attribute_fault(semantic, index, elements)
            if rule is not None:
                report.add(rule, f"{where}/attributes/{name}", case)


def _check_indices(document: Document, elements: Elements, primitive: Json, where: str, report: Report) -> None:
    vertices = document.array("accessors")[primitive["attributes"]["POSITION"]]["count"]
    (highest,) = elements.extremes(primitive["indices"])[1].tolist()
    if highest >= vertices:
        report.add(Rule.MESH_INDICES, f"{where}/indices", f"index {highest} of {vertices} vertices")
    elif highest == RESTART[document.array("accessors")[primitive["indices"]]["componentType"]]:
        report.add(Rule.MESH_INDICES, f"{where}/indices", f"{highest} means a restart, which glTF does not know")


def _attribute_fault(semantic: str, index: int, elements: Elements) -> tuple[Rule | None, str]:
    if semantic in ("NORMAL", "TANGENT"):
        values = elements.floats(index)
        axes = values[:, :3]
        lengths = np.sqrt(np.einsum("ij,ij->i", axes, axes))
        if (np.abs(lengths - 1.0) > UNIT_TOLERANCE).any():
            return Rule.DATA_UNIT, semantic
        if semantic == "TANGENT" and (np.abs(values[:, 3]) != 1.0).any():
            return Rule.DATA_UNIT, "the sign of TANGENT is neither 1 nor -1"
    if semantic == "COLOR":
        values = elements.floats(index)
        if values.min() < 0.0 or values.max() > 1.0:
            return Rule.DATA_RANGE, semantic
    return None, ""


def check_skin_data(document: Document, elements: Elements, report: Report) -> None:
    """Check inverse bind matrices, and the joints and weights of every skinned primitive."""
    matrices = {skin.get("inverseBindMatrices"): index for index, skin in enumerate(document.array("skins"))}
    for accessor, index in matrices.items():
        if accessor is not None and (elements.raw(accessor)[:, 3::4] != [0.0, 0.0, 0.0, 1.0]).any():
            report.add(Rule.SKIN_MATRICES, f"/skins/{index}/inverseBindMatrices", "the last row is not 0 0 0 1")
    for influences, (count, where) in _skinned(document).items():
        _check_joints(influences, count, elements, where, report)


def _skinned(document: Document) -> dict[tuple[int, ...], tuple[int, str]]:
    """Return for each set of (joints …, weights …) accessors the fewest joints it is used with, and where.

    Primitives and skins may share them a thousand times over; each set is looked at once.
    """
    found: dict[tuple[int, ...], tuple[int, str]] = {}
    for node in document.array("nodes"):
        if "skin" not in node:
            continue
        joints = len(document.array("skins")[node["skin"]]["joints"])
        for place, primitive in enumerate(document.array("meshes")[node["mesh"]]["primitives"]):
            attributes = primitive["attributes"]
            sets = sum(name.startswith("JOINTS_") for name in attributes)
            key = tuple(attributes[f"{kind}_{number}"] for kind in ("JOINTS", "WEIGHTS") for number in range(sets))
            here = (joints, f"/meshes/{node['mesh']}/primitives/{place}/attributes")
            found[key] = min(here, found.get(key, here))
    return found


def _check_joints(influences: tuple[int, ...], count: int, elements: Elements, where: str, report: Report) -> None:
    half = len(influences) // 2
    rows = np.concatenate([elements.raw(accessor) for accessor in influences[:half]], axis=1).astype(np.int64)
    weights = np.concatenate([elements.floats(accessor) for accessor in influences[half:]], axis=1)
    if rows.max() >= count:
        report.add(Rule.SKIN_JOINTS, f"{where}/JOINTS_0", f"joint {rows.max()} of {count}")
    if weights.min() < 0 or (np.abs(weights.sum(axis=1) - 1.0) > WEIGHT_TOLERANCE * rows.shape[1] + 1e-12).any():
        report.add(Rule.DATA_JOINTS, f"{where}/WEIGHTS_0", "weights do not add up to 1")
    # A joint named twice by one vertex: sorted rows show it as equal neighbours; weightless joints do not count.
    used = np.sort(np.where(weights > 0, rows, -1 - np.arange(rows.shape[1])), axis=1)
    if (used[:, 1:] == used[:, :-1]).any():
        report.add(Rule.DATA_JOINTS, f"{where}/JOINTS_0", "a vertex names a joint twice")
