"""What a file costs to draw: triangles with instances counted, draw calls, its box; held against a tier."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from openslot_gltf.bounds import SweptBounds, swept_bounds
from openslot_gltf.document import Document, Json, default_roots, reached
from openslot_gltf.facing import say_how_it_stands
from openslot_gltf.fit import CENTIMETRES_ABOVE
from openslot_gltf.limits import Limits
from openslot_gltf.rules import Report, Rule
from openslot_gltf.transforms import world_matrices
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["Stats", "check_budget", "check_extent"]

CLIP_KEYS = 64
"""The overhead of evaluating one clip, in keys."""
SMALLEST_M = 1e-4
"""What is smaller is a mistake of units, and is next to nothing in the single precision of engines."""
EXTREME, FAITHFUL = 1e4, 1e-2
"""Beyond this, or its inverse, a node's numbers are tried in single precision; they may lose this part of a metre."""
ESCAPES = 4.0
"""A clip whose box is this many times the box at rest makes the content unreadably small when fitted."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What was counted: of the default scene what is drawn, of the file what it holds."""

    triangles: int
    draws: int
    nodes: int
    materials: int
    textures: int
    animations: int
    skins: int
    size_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """The box at rest; zero where it was not asked for (scenes)."""


@dataclass(frozen=True, slots=True)
class _Cost:
    """What is drawn: of one mesh, or of a scene."""

    triangles: int = 0
    draws: int = 0
    vertices: int = 0

    def plus(self, other: _Cost, times: int) -> _Cost:
        """Return both together, the other drawn `times` in one call each."""
        return _Cost(
            self.triangles + times * other.triangles,
            self.draws + other.draws,
            self.vertices + times * other.vertices,
        )


def check_budget(document: Document, limits: Limits, report: Report) -> Stats:
    """Count what the default scene draws, without expanding it, and hold it against the limits."""
    nodes, total = document.array("nodes"), _Cost()
    meshes = [_cost(document, mesh) for mesh in document.array("meshes")]
    for index in reached(document.json, default_roots(document.json)):
        if "mesh" in nodes[index]:
            total = total.plus(meshes[nodes[index]["mesh"]], _instances(document, nodes[index]))
    for rule, found, most in (
        (Rule.BUDGET_TRIANGLES, total.triangles, limits.triangles),
        (Rule.BUDGET_DRAWS, total.draws, limits.draws),
        (Rule.BUDGET_VERTICES, total.vertices, limits.vertices),
        (Rule.BUDGET_TRIANGLES_ADVISED, total.triangles, limits.triangles_advised),
        (Rule.BUDGET_DRAWS_ADVISED, total.draws, limits.draws_advised),
        (Rule.BUDGET_POSES, _poses(document), limits.poses),
    ):
        if found > most:
            report.add(rule, "", f"{found}, {most} are {'advised' if rule.endswith('advised') else 'allowed'}")
    if not total.triangles:
        report.add(Rule.BUDGET_EMPTY, f"/scenes/{document.json.get('scene', 0)}")
    materials, textures, animations, skins = (
        len(document.array(name)) for name in ("materials", "textures", "animations", "skins")
    )
    return Stats(total.triangles, total.draws, len(nodes), materials, textures, animations, skins)


def _cost(document: Document, mesh: Json) -> _Cost:
    """Return what one instance of a mesh costs; a morph target counts like its vertices."""
    accessors, cost = document.array("accessors"), _Cost()
    for primitive in mesh["primitives"]:
        vertices = accessors[primitive["attributes"]["POSITION"]]["count"]
        rows = accessors[primitive["indices"]]["count"] if "indices" in primitive else vertices
        mode = primitive.get("mode", 4)
        triangles = rows // 3 if mode == 4 else max(rows - 2, 0) if mode > 4 else 0
        cost = cost.plus(_Cost(triangles, 1, vertices * (1 + len(primitive.get("targets", ())))), 1)
    return cost


def _poses(document: Document) -> int:
    """Return the work of placing everything at every key: keys × (nodes + parts); a clip costs at least `CLIP_KEYS`."""
    nodes, skins, things = document.array("nodes"), document.array("skins"), len(document.array("nodes"))
    for node in nodes:
        if "mesh" in node:
            parts = len(skins[node["skin"]]["joints"]) if "skin" in node else _instances(document, node)
            things += parts * len(document.array("meshes")[node["mesh"]]["primitives"])
    keys = 0
    for animation in document.array("animations"):
        inputs = {sampler["input"] for sampler in animation["samplers"]}
        keys += max(sum(document.array("accessors")[index]["count"] for index in inputs), CLIP_KEYS)
    return keys * things


def _instances(document: Document, node: Json) -> int:
    instancing = node.get("extensions", {}).get("EXT_mesh_gpu_instancing")
    if instancing is None:
        return 1
    first = next(iter(instancing["attributes"].values()))
    return int(document.array("accessors")[first]["count"])


def check_extent(document: Document, limits: Limits, report: Report) -> tuple[float, float, float]:
    """Check the content's box, clips included; returns its size at rest."""
    try:
        bounds = swept_bounds(document)
    except OpenSlotError as error:
        # That nothing is drawn, the budget has said.
        if error.code is Code.GEOMETRY_INVALID:
            report.add(Rule.BUDGET_EXTENT, error.where, error.detail)
        return 0.0, 0.0, 0.0
    _hold_extent(bounds, limits, report)
    if limits.creative:
        _hold_precision(document, report)
        say_how_it_stands(document, bounds.rest, report)
    wide, high, deep = bounds.rest.size.tolist()
    return wide, high, deep


def _hold_precision(document: Document, report: Report) -> None:
    """Report numbers that come out right only in more digits than an engine has: huge ones that cancel."""
    weights = [
        abs(number)
        for name in ("nodes", "meshes")
        for item in document.array(name)
        for number in item.get("weights", ())
    ]
    if max(weights, default=0.0) > EXTREME:
        report.add(Rule.BUDGET_EXTENT, "/meshes", f"a morph weight of {max(weights):.3g}")
    nodes = document.array("nodes")
    scales = [abs(number) for node in nodes for number in node.get("scale", ())]
    places = [abs(number) for node in nodes for name in ("matrix", "translation") for number in node.get(name, ())]
    if max(*places, *scales, 0.0, 0.0) <= EXTREME and min(filter(None, scales), default=1.0) >= 1 / EXTREME:
        return
    exact, single = world_matrices(document.json), world_matrices(document.json, np.float32)
    lost = [not np.allclose(single[index], world, rtol=FAITHFUL, atol=FAITHFUL) for index, world in exact.items()]
    if any(lost):
        index = list(exact)[lost.index(True)]
        report.add(Rule.BUDGET_EXTENT, f"/nodes/{index}", "its place is lost in single precision")


def _hold_extent(bounds: SweptBounds, limits: Limits, report: Report) -> None:
    farthest = float(np.abs([bounds.moving.low, bounds.moving.high]).max())
    if not farthest <= limits.extent_m:
        report.add(Rule.BUDGET_EXTENT, "", f"it reaches {farthest:.4g} m, {limits.extent_m:g} are allowed")
        return
    if limits.creative and not float(bounds.rest.size.max()) >= SMALLEST_M:
        report.add(Rule.BUDGET_EXTENT, "", f"it is {bounds.rest.size.max():.3g} m large")
        return
    rest, moving = float(bounds.rest.size.max()), float(bounds.moving.size.max())
    if moving > ESCAPES * rest:
        report.add(Rule.BUDGET_ANIMATION_ESCAPES, "/animations", f"{moving:.3g} m in motion, {rest:.3g} m at rest")
    if limits.creative and rest > CENTIMETRES_ABOVE:
        report.add(Rule.UNITS_CENTIMETRES, "", f"{rest:.3g} m")
