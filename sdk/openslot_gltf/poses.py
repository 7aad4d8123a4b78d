"""Clips as poses: the world matrices of a document's nodes at every moment that matters to its bounds.

Interpolation as in glTF 2.0, appendix C.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openslot_gltf.accessors import Elements
from openslot_gltf.channels import moved_by, pointer_of
from openslot_gltf.document import Document, Json, default_roots, reached
from openslot_gltf.transforms import local_matrix, rotation_matrices

__all__ = ["Poses", "clip_times", "poses_of"]

Floats = NDArray[np.float64]
ARC = np.radians(22.5)
PLACING = frozenset({"translation", "rotation", "scale"})


@dataclass(frozen=True, slots=True, eq=False)
class Poses:
    """Nodes in a number of moments.

    Args:
        worlds: `world_from_node` of every node of the default scene, (moments or 1, 4, 4).
        moved: the nodes that the clip moves, itself or through one above.
        weights: morph weights of nodes whose clip moves them, (moments, targets).
    """

    worlds: dict[int, Floats]
    moved: frozenset[int]
    weights: dict[int, Floats]


def clip_times(animation: Json, elements: Elements) -> Floats:
    """Return the moments that matter to a clip's bounds, increasing: every key time, and as many between as needed.

    Between keys a turning part bulges out of the straight line, by 2 % of its radius over an arc of `ARC`; a spline may
    swing anywhere, and is looked at in eighths.
    """
    inputs = {sampler["input"] for sampler in animation["samplers"]}
    keys = np.sort(np.concatenate([elements.raw(accessor)[:, 0] for accessor in sorted(inputs)]).astype(np.float64))
    # Not np.unique: it imports numpy.ma on first use, and a sandboxed reader may open no file.
    keys = keys[np.append(True, keys[1:] > keys[:-1])]
    parts = np.arange(max(_steps(animation, channel, elements) for channel in animation["channels"]))
    between = keys[:-1, None] + np.diff(keys)[:, None] * parts / len(parts)
    return np.append(between.ravel(), keys[-1])


def _steps(animation: Json, channel: Json, elements: Elements) -> int:
    sampler, target = animation["samplers"][channel["sampler"]], channel["target"]
    turns_something = target["path"] == "rotation" or (pointer_of(target) or "").endswith("/rotation")
    mode = sampler.get("interpolation", "LINEAR")
    if mode == "CUBICSPLINE":
        return 8
    if mode == "STEP" or not turns_something or elements.width(sampler["output"]) != 4:
        return 1
    turns = elements.floats(sampler["output"])
    cosines = np.abs((turns[1:] * turns[:-1]).sum(axis=1)).clip(0.0, 1.0)
    widest = 2.0 * np.arccos(cosines.min(initial=1.0))
    return max(int(np.ceil(widest / ARC)), 1)


def poses_of(document: Document, elements: Elements, animation: Json, times: Floats) -> Poses:
    """Return the document's nodes at some moments of one clip."""
    moved: dict[int, dict[str, Floats]] = {}
    for channel in animation["channels"]:
        for node, path in moved_by(document, channel["target"]):
            sampler = animation["samplers"][channel["sampler"]]
            moved.setdefault(node, {})[path] = _sampled(sampler, elements, times)
    weights = {node: paths["weights"] for node, paths in moved.items() if "weights" in paths}
    placed = frozenset(reached(document.json, [node for node, paths in moved.items() if paths.keys() & PLACING]))
    return Poses(_worlds(document, moved), placed, weights)


def _sampled(sampler: Json, elements: Elements, times: Floats) -> Floats:
    """Return the sampler's value at each time, (times, components); weights are as many components as targets."""
    keys = elements.raw(sampler["input"])[:, 0].astype(np.float64)
    mode = sampler.get("interpolation", "LINEAR")
    values = elements.floats(sampler["output"])
    values = values.reshape(len(keys), 3 if mode == "CUBICSPLINE" else 1, -1)
    if elements.width(sampler["output"]) > 1:
        values = values.reshape(len(keys), -1, elements.width(sampler["output"]))
    after = np.clip(np.searchsorted(keys, times, side="right"), 1, max(len(keys) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(keys) - 1)
    span = np.where(after > before, keys[after] - keys[before], 1.0)
    part = np.clip((times - keys[before]) / span, 0.0, 1.0)[:, None]
    if mode == "STEP":
        return np.asarray(np.where(part < 1.0, values[before, 0], values[after, 0]))
    if mode == "CUBICSPLINE":
        return _hermite(values, before, after, part, span[:, None])
    start, end = values[before, 0], values[after, 0]
    if elements.width(sampler["output"]) == 4:
        return _slerp(start, end, part)
    return np.asarray(start + part * (end - start))


def _slerp(start: Floats, end: Floats, part: Floats) -> Floats:
    """Return quaternions on the shorter arc; almost equal ones are interpolated in a straight line."""
    cosine = (start * end).sum(axis=1, keepdims=True)
    end, cosine = np.where(cosine < 0, -end, end), np.abs(cosine).clip(0.0, 1.0)
    angle = np.arccos(cosine)
    sine = np.where(angle > 1e-4, np.sin(angle), 1.0)
    first = np.where(angle > 1e-4, np.sin((1 - part) * angle) / sine, 1 - part)
    second = np.where(angle > 1e-4, np.sin(part * angle) / sine, part)
    return np.asarray(first * start + second * end)


def _hermite(values: Floats, before: NDArray[np.intp], after: NDArray[np.intp], part: Floats, span: Floats) -> Floats:
    """Return cubic splines between (in-tangent, value, out-tangent) triples."""
    square, cube = part**2, part**3
    return np.asarray(
        (2 * cube - 3 * square + 1) * values[before, 1]
        + span * (cube - 2 * square + part) * values[before, 2]
        + (3 * square - 2 * cube) * values[after, 1]
        + span * (cube - square) * values[after, 0]
    )


def _worlds(document: Document, moved: dict[int, dict[str, Floats]]) -> dict[int, Floats]:
    nodes = document.array("nodes")
    worlds: dict[int, Floats] = {}
    order: list[tuple[int, Floats]] = [(root, np.eye(4)[None]) for root in default_roots(document.json)]
    for index, world_from_parent in order:
        worlds[index] = world_from_parent @ _locals(nodes[index], moved.get(index, {}))
        order.extend((child, worlds[index]) for child in nodes[index].get("children", ()))
    return worlds


def _locals(node: Json, paths: dict[str, Floats]) -> Floats:
    """Return `parent_from_node`, (moments or 1, 4, 4)."""
    if not paths.keys() & PLACING:
        return local_matrix(node)[None]
    turns = paths.get("rotation", np.array([node.get("rotation", (0.0, 0.0, 0.0, 1.0))], np.float64))
    scales = paths.get("scale", np.array([node.get("scale", (1.0, 1.0, 1.0))], np.float64))
    moves = paths.get("translation", np.array([node.get("translation", (0.0, 0.0, 0.0))], np.float64))
    count = max(len(turns), len(scales), len(moves))
    matrices = np.tile(np.eye(4), (count, 1, 1))
    matrices[:, :3, :3] = rotation_matrices(turns) * scales[:, None, :]
    matrices[:, :3, 3] = moves
    return matrices
