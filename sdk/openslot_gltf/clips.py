"""The rules of animations: what a channel may target, in which formats, with which key times."""

from __future__ import annotations

import numpy as np

from openslot_gltf.accessors import Elements
from openslot_gltf.channels import moved_by, pointer_of
from openslot_gltf.document import Document, Json
from openslot_gltf.rules import Report, Rule
from openslot_gltf.shapes import split_pointer
from openslot_gltf.strip import MOST_GLOW
from openslot_gltf.uses import Uses

__all__ = ["check_clips", "check_keys"]

FLOAT = 5126
KEY_FORMATS = frozenset({(FLOAT, False), (5120, True), (5121, True), (5122, True), (5123, True)})
PLACING = frozenset({"nodes", "meshes"})
PATH_TYPES = {"translation": "VEC3", "scale": "VEC3", "rotation": "VEC4", "weights": "SCALAR"}
UNIT_TOLERANCE = 0.00769
"""The Khronos validator's bound on the length of a quaternion."""


def check_clips(document: Document, uses: Uses, report: Report) -> None:
    """Check targets, formats and counts of every animation."""
    for index, animation in enumerate(document.array("animations")):
        where = f"/animations/{index}"
        for place, sampler in enumerate(animation["samplers"]):
            _check_sampler(sampler, f"{where}/samplers/{place}", uses, report)
        seen = set()
        for place, channel in enumerate(animation["channels"]):
            spot = f"{where}/channels/{place}"
            if channel["sampler"] >= len(animation["samplers"]):
                report.add(Rule.ANIMATION_CHANNEL, f"{spot}/sampler")
                continue
            target = channel["target"]
            _check_target(document, target, spot, report)
            _check_values(document, animation["samplers"][channel["sampler"]], target, spot, report)
            key = (target.get("node"), target["path"], str(target.get("extensions", "")))
            if key in seen and (key[0] is not None or key[2]):
                report.add(Rule.ANIMATION_CHANNEL, f"{spot}/target", "another channel has the same target")
            seen.add(key)


def _check_sampler(sampler: Json, where: str, uses: Uses, report: Report) -> None:
    times = uses.accessor(sampler["input"], "key times", f"{where}/input")
    uses.accessor(sampler["output"], "key values", f"{where}/output")
    if (times["type"], times["componentType"]) != ("SCALAR", FLOAT):
        report.add(Rule.ANIMATION_TIMES, f"{where}/input")
    if sampler.get("interpolation") == "CUBICSPLINE" and times["count"] < 2:
        report.add(Rule.ANIMATION_TIMES, f"{where}/input", "a cubic spline needs two keys")


def _check_target(document: Document, target: Json, where: str, report: Report) -> None:
    pointer = pointer_of(target)
    if (target["path"] == "pointer") != (pointer is not None) or (pointer is not None and "node" in target):
        report.add(Rule.ANIMATION_CHANNEL, f"{where}/target", "a pointer has path `pointer` and no node")
    moved = moved_by(document, target)
    if pointer is not None and not moved and _points_to_place(pointer):
        report.add(Rule.ANIMATION_CHANNEL, f"{where}/target", "it moves what is not known to move")
    for index, path in moved:
        node = document.array("nodes")[index]
        if path == "weights":
            primitives = document.array("meshes")[node["mesh"]]["primitives"] if "mesh" in node else [{}]
            if not primitives[0].get("targets"):
                report.add(Rule.ANIMATION_CHANNEL, f"{where}/target", "the node has no morph targets")
        elif "matrix" in node:
            report.add(Rule.ANIMATION_CHANNEL, f"{where}/target", "the node has a matrix")


def _points_to_place(pointer: str) -> bool:
    """Return whether a pointer leads to what a node or mesh is itself, and not to an extension of it."""
    array, _, rest = split_pointer(pointer)
    return array in PLACING and not rest.startswith("/extensions/")


def _check_values(document: Document, sampler: Json, target: Json, where: str, report: Report) -> None:
    if "node" not in target and target["path"] in PATH_TYPES:
        _check_format(document, sampler, (None, target["path"]), where, report)
    for moved in moved_by(document, target):
        _check_format(document, sampler, moved, where, report)


def _check_format(document: Document, sampler: Json, moved: tuple[int | None, str], where: str, report: Report) -> None:
    node, path = moved
    accessors = document.array("accessors")
    times, values = accessors[sampler["input"]], accessors[sampler["output"]]
    formats = KEY_FORMATS if path in ("rotation", "weights") else {(FLOAT, False)}
    found = (values["componentType"], bool(values.get("normalized", False)))
    if values["type"] != PATH_TYPES[path] or found not in formats:
        report.add(Rule.ANIMATION_VALUES, where, f"the format does not fit {path}")
    wanted = times["count"] * (3 if sampler.get("interpolation") == "CUBICSPLINE" else 1)
    if path == "weights" and node is not None:
        wanted *= _targets_of(document, node)
    if values["count"] != wanted and (path != "weights" or node is not None):
        report.add(Rule.ANIMATION_VALUES, where, f"{values['count']} values, {wanted} are expected")


def _targets_of(document: Document, node: int) -> int:
    mesh = document.array("nodes")[node].get("mesh")
    return 1 if mesh is None else len(document.array("meshes")[mesh]["primitives"][0].get("targets", [0]))


def _check_glow(elements: Elements, animation: Json, where: str, report: Report) -> None:
    """Report clips that make a material shine stronger than any may."""
    for place, channel in enumerate(animation["channels"]):
        if (pointer_of(channel["target"]) or "").endswith("/emissiveStrength"):
            highest = float(elements.extremes(animation["samplers"][channel["sampler"]]["output"])[1].max())
            if highest > MOST_GLOW:
                report.add(Rule.ANIMATION_VALUES, f"{where}/channels/{place}", f"{highest:.3g} times white")


def check_keys(document: Document, elements: Elements, report: Report) -> None:
    """Check the data of animations: times increase from zero, rotations are of unit length."""
    checked: set[int] = set()
    for index, animation in enumerate(document.array("animations")):
        where = f"/animations/{index}"
        inputs = {sampler["input"] for sampler in animation["samplers"]}
        for accessor in inputs - checked:
            times = elements.raw(accessor)[:, 0].astype(np.float64)
            if times[0] < 0 or (np.diff(times) <= 0).any():
                report.add(Rule.ANIMATION_TIMES, f"/accessors/{accessor}", where)
        checked |= inputs
        _check_glow(elements, animation, where, report)
    turning = {
        (sampler["output"], sampler.get("interpolation", "LINEAR")): f"/animations/{index}/channels/{place}"
        for index, animation in enumerate(document.array("animations"))
        for place, channel in enumerate(animation["channels"])
        if "rotation" in {path for _, path in moved_by(document, channel["target"])}
        for sampler in (animation["samplers"][channel["sampler"]],)
    }
    for (accessor, mode), where in turning.items():
        values = elements.floats(accessor)
        if mode == "CUBICSPLINE":
            values = values.reshape(-1, 3, 4)[:, 1]
        if (np.abs(np.linalg.norm(values, axis=1) - 1.0) > UNIT_TOLERANCE).any():
            report.add(Rule.DATA_UNIT, where, "rotation keys")
