"""The numbers themselves: finite, within range, of unit length, pointing to vertices and joints that are there.

Tolerances are the Khronos validator's, so that what passes here passes there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_gltf.accessors import Elements
from openslot_gltf.document import Document, Json
from openslot_gltf.meshes import primitives_of
from openslot_gltf.rules import Report, Rule

__all__ = ["check_skin_data", "check_vertex_data", "mended_bounds"]

UNIT_TOLERANCE = 0.00674
WEIGHT_TOLERANCE = 2e-7


def mended_bounds(document: Document, elements: Elements, report: Report) -> Document:
    """Return the document with min and max as the data says, where they are needed or were given wrong.

    Every accessor's extremes are computed anyway: they also show a NaN or an infinity anywhere.
    """
    needed = _bounded_accessors(document)
    accessors, changed = list(document.array("accessors")), False
    for index, accessor in enumerate(accessors):
        values = elements.raw(index)
        low, high = values.min(axis=0), values.max(axis=0)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
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
    declared = np.array([accessor["min"], accessor["max"]], np.float32)
    return bool((declared[0] == low).all() and (declared[1] == high).all())


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
    rows = elements.raw(primitive["indices"])
    vertices = document.array("accessors")[primitive["attributes"]["POSITION"]]["count"]
    highest = int(rows.max())
    if highest >= vertices:
        report.add(Rule.MESH_INDICES, f"{where}/indices", f"index {highest} of {vertices} vertices")
    elif highest == (1 << 8 * rows.itemsize) - 1:
        report.add(Rule.MESH_INDICES, f"{where}/indices", f"{highest} means a restart, which glTF does not know")


def _attribute_fault(semantic: str, index: int, elements: Elements) -> tuple[Rule | None, str]:
    if semantic in ("NORMAL", "TANGENT"):
        values = elements.floats(index)
        if (np.abs(np.linalg.norm(values[:, :3], axis=1) - 1.0) > UNIT_TOLERANCE).any():
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
    for index, skin in enumerate(document.array("skins")):
        if "inverseBindMatrices" in skin:
            bottom = elements.raw(skin["inverseBindMatrices"])[:, 3::4]
            if (bottom != [0.0, 0.0, 0.0, 1.0]).any():
                report.add(Rule.SKIN_MATRICES, f"/skins/{index}/inverseBindMatrices", "the last row is not 0 0 0 1")
    joints = _joint_counts(document)
    for mesh, count in joints.items():
        for place, primitive in enumerate(document.array("meshes")[mesh]["primitives"]):
            _check_joints(primitive, elements, count, f"/meshes/{mesh}/primitives/{place}", report)


def _joint_counts(document: Document) -> dict[int, int]:
    """Return for each skinned mesh the fewest joints of the skins it is used with."""
    counts: dict[int, int] = {}
    for node in document.array("nodes"):
        if "skin" in node and "mesh" in node:
            joints = len(document.array("skins")[node["skin"]]["joints"])
            counts[node["mesh"]] = min(joints, counts.get(node["mesh"], joints))
    return counts


def _check_joints(primitive: Json, elements: Elements, count: int, where: str, report: Report) -> None:
    attributes = primitive["attributes"]
    sets = sum(name.startswith("JOINTS_") for name in attributes)
    rows = np.concatenate([elements.raw(attributes[f"JOINTS_{n}"]) for n in range(sets)], axis=1)
    weights = np.concatenate([elements.floats(attributes[f"WEIGHTS_{n}"]) for n in range(sets)], axis=1)
    if rows.max() >= count:
        report.add(Rule.SKIN_JOINTS, f"{where}/attributes/JOINTS_0", f"joint {rows.max()} of {count}")
    if weights.min() < 0 or (np.abs(weights.sum(axis=1) - 1.0) > WEIGHT_TOLERANCE * rows.shape[1] + 1e-12).any():
        report.add(Rule.DATA_JOINTS, f"{where}/attributes/WEIGHTS_0", "weights do not add up to 1")
    # A joint named twice by one vertex: sorted rows show it as equal neighbours; weightless joints do not count.
    used = np.sort(np.where(weights > 0, rows.astype(np.int64), -1 - np.arange(rows.shape[1])), axis=1)
    if (used[:, 1:] == used[:, :-1]).any():
        report.add(Rule.DATA_JOINTS, f"{where}/attributes/JOINTS_0", "a vertex names a joint twice")
