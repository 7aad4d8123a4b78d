"""The rules of a whole file's structure: shape, extension lists, accessors, the node graph; nothing recursive."""

from __future__ import annotations

import numpy as np

from openslot_gltf.accessors import Elements, element_bytes
from openslot_gltf.core import ARRAYS, COMPONENT_BYTES, COMPONENTS_OF, ROOT
from openslot_gltf.document import Document, Json, parents_of
from openslot_gltf.expand import decodable
from openslot_gltf.extensions import COMPRESSED, COMPRESSING, EXTENSIONS, LEFT_OUT, OF_CREATIVES, ROOT_ARRAYS
from openslot_gltf.limits import Limits
from openslot_gltf.rules import Report, Rule
from openslot_gltf.shapes import Check
from openslot_gltf.transforms import local_matrix

__all__ = [
    "check_accessors",
    "check_extensions",
    "check_graph",
    "check_shape",
    "mended_lists",
    "mended_scenes",
]

QUANTIZATION = "KHR_mesh_quantization"


def check_shape(json: Json, limits: Limits, report: Report) -> Check | None:
    """Check counts, then every known property; returns the walk, or None after a refusal."""
    counts = _counts(json, limits, report)
    if not report.refused:
        _check_version(json, report)
    if report.refused:
        return None
    walk = Check(counts, {**EXTENSIONS, **COMPRESSING}, report)
    ROOT.check(json, "", walk)
    return walk


def _counts(json: Json, limits: Limits, report: Report) -> dict[str, int]:
    bodies = json.get("extensions", {})
    counts = {}
    for name in (*ARRAYS, *ROOT_ARRAYS):
        holder = bodies.get(ROOT_ARRAYS[name], {}) if name in ROOT_ARRAYS and type(bodies) is dict else json
        array = holder.get(name, []) if type(holder) is dict else []
        counts[name] = len(array) if type(array) is list else 0
        most = {"nodes": limits.nodes, "scenes": limits.scenes, "images": limits.images}.get(name, limits.array_items)
        if counts[name] > most:
            report.add(Rule.SHAPE_COUNT, f"/{name}", f"{counts[name]} {name}, {most} are allowed")
    return counts


def _check_version(json: Json, report: Report) -> None:
    asset = json.get("asset")
    if type(asset) is not dict or type(asset.get("version")) is not str:
        report.add(Rule.ASSET_VERSION, "/asset/version", "there is none")
        return
    for name in ("version", "minVersion"):
        if asset.get(name, "2.0") != "2.0":
            report.add(Rule.ASSET_VERSION, f"/asset/{name}", f"{asset[name]!r:.20}")


def check_extensions(json: Json, walk: Check, limits: Limits, report: Report) -> None:
    """Check the two lists, what is used without being named, and what is not read here."""
    used, required = json.get("extensionsUsed", []), json.get("extensionsRequired", [])
    declared = frozenset(used)
    if not declared.issuperset(required):
        report.add(Rule.EXTENSION_LISTS, "/extensionsRequired")
    if QUANTIZATION in declared and QUANTIZATION not in required:
        report.add(Rule.EXTENSION_LISTS, "/extensionsRequired", f"{QUANTIZATION} cannot be optional")
    for name, _, where in walk.found:
        if name not in declared:
            report.add(Rule.EXTENSION_UNDECLARED, where, f"{name:.60}")
    _check_readable(declared, frozenset(required), limits, report)
    if limits.creative and json.get("cameras"):
        report.add(Rule.CONTENT_STRIPPED, "/cameras", f"{len(json['cameras'])} cameras")


def _check_readable(declared: frozenset[str], required: frozenset[str], limits: Limits, report: Report) -> None:
    """Report the extensions that are not decoded, not known, or left out of creatives."""
    compressed = declared.intersection(COMPRESSED)
    for name in sorted(compressed - decodable(limits) if compressed else compressed):
        report.add(Rule.EXTENSION_COMPRESSED, "/extensionsUsed", name)
    known = OF_CREATIVES if limits.creative else EXTENSIONS
    for name in sorted(declared.difference(known, COMPRESSED)):
        if limits.creative and name in LEFT_OUT:
            report.add(Rule.CONTENT_STRIPPED, "/extensionsUsed", name)
        elif name in required:
            report.add(Rule.EXTENSION_REQUIRED, "/extensionsRequired", f"{name:.60}")
        elif limits.creative:
            report.add(Rule.EXTENSION_STRIPPED, "/extensionsUsed", f"{name:.60}")


def mended_lists(json: Json, walk: Check, report: Report) -> Json:
    """Return the JSON without required extensions that stand nowhere; quantized formats alone stand for theirs."""
    met = {name for name, _, _ in walk.found} | {QUANTIZATION}
    required = json.get("extensionsRequired", [])
    kept = [name for name in required if name in met]
    if kept == required:
        return json
    report.add(Rule.EXTENSION_UNUSED, "/extensionsRequired", ", ".join(sorted(set(required) - met)))
    rest = {key: value for key, value in json.items() if key != "extensionsRequired"}
    return {**rest, "extensionsRequired": kept} if kept else rest


def check_accessors(document: Document, limits: Limits, report: Report) -> None:
    """Check that every accessor lies inside its view, so that numpy may read it."""
    views, total = document.array("bufferViews"), 0
    for index, accessor in enumerate(document.array("accessors")):
        where = f"/accessors/{index}"
        total += accessor["count"] * max(element_bytes(accessor["type"], accessor["componentType"]), 4)
        if accessor["count"] > limits.accessor_items:
            report.add(Rule.ACCESSOR_COUNT, where, f"{accessor['count']} elements, {limits.accessor_items} are allowed")
        _check_declared(accessor, where, report)
        if "bufferView" in accessor:
            _check_extent(accessor, views[accessor["bufferView"]], where, report)
        elif "byteOffset" in accessor:
            report.add(Rule.ACCESSOR_RANGE, where, "byteOffset without bufferView")
        if "sparse" in accessor:
            _check_sparse_extent(accessor, views, where, report)
    if total > limits.decoded_bytes:
        report.add(Rule.ACCESSOR_TOTAL, "/accessors", f"{total} bytes, {limits.decoded_bytes} are allowed")
    if not report.refused:
        _check_sparse_rows(document, report)


def _check_declared(accessor: Json, where: str, report: Report) -> None:
    if accessor.get("normalized", False) and accessor["componentType"] in (5125, 5126):
        report.add(Rule.ACCESSOR_NORMALIZED, where)
    for name in ("min", "max"):
        if len(accessor.get(name, ())) not in (0, COMPONENTS_OF[accessor["type"]]):
            report.add(Rule.SHAPE_LENGTH, f"{where}/{name}")


def _check_extent(accessor: Json, view: Json, where: str, report: Report) -> None:
    size = element_bytes(accessor["type"], accessor["componentType"])
    step = 4 if accessor["type"].startswith("MAT") else COMPONENT_BYTES[accessor["componentType"]]
    start, stride = accessor.get("byteOffset", 0), view.get("byteStride", size)
    if start % step or (view.get("byteOffset", 0) + start) % step:
        report.add(Rule.ACCESSOR_ALIGNMENT, where)
    if stride < size:
        report.add(Rule.ACCESSOR_STRIDE, where, f"{stride} bytes, one element has {size}")
    end = start + (accessor["count"] - 1) * stride + size
    if end > view["byteLength"]:
        report.add(Rule.ACCESSOR_RANGE, where, f"it ends at byte {end} of {view['byteLength']}")


def _check_sparse_extent(accessor: Json, views: list[Json], where: str, report: Report) -> None:
    sparse = accessor["sparse"]
    if sparse["count"] > accessor["count"]:
        report.add(Rule.SPARSE_RANGE, f"{where}/sparse/count", f"{sparse['count']} of {accessor['count']}")
    index_size = COMPONENT_BYTES[sparse["indices"]["componentType"]]
    value_size = COMPONENT_BYTES[accessor["componentType"]]
    parts = (
        ("indices", index_size, index_size),
        ("values", element_bytes(accessor["type"], accessor["componentType"]), value_size),
    )
    for name, size, step in parts:
        part, view = sparse[name], views[sparse[name]["bufferView"]]
        start = part.get("byteOffset", 0)
        if start + sparse["count"] * size > view["byteLength"] or "byteStride" in view:
            report.add(Rule.SPARSE_RANGE, f"{where}/sparse/{name}")
        if (view.get("byteOffset", 0) + start) % step or start % step:
            report.add(Rule.ACCESSOR_ALIGNMENT, f"{where}/sparse/{name}")


def _check_sparse_rows(document: Document, report: Report) -> None:
    elements = Elements(document)
    for index, accessor in enumerate(document.array("accessors")):
        if "sparse" not in accessor:
            continue
        rows = elements.sparse_rows(index).astype(np.int64)
        if (np.diff(rows) <= 0).any():
            report.add(Rule.SPARSE_ORDER, f"/accessors/{index}/sparse/indices")
        elif rows[-1] >= accessor["count"]:
            report.add(Rule.SPARSE_RANGE, f"/accessors/{index}/sparse/indices", f"row {rows[-1]}")


def check_graph(json: Json, limits: Limits, report: Report) -> None:
    """Check that nodes form trees of bounded depth, and that every transform is one."""
    nodes = json.get("nodes", [])
    has_parent = [False] * len(nodes)
    for index, node in enumerate(nodes):
        _check_transform(node, f"/nodes/{index}", report)
        for child in node.get("children", ()):
            if has_parent[child] or child == index:
                report.add(Rule.NODE_PARENT, f"/nodes/{child}")
            has_parent[child] = True
    if not report.refused:
        _check_depth(nodes, [index for index, below in enumerate(has_parent) if not below], limits, report)


def _check_depth(nodes: list[Json], roots: list[int], limits: Limits, report: Report) -> None:
    level, seen = roots, 0
    for _ in range(limits.node_depth):
        seen += len(level)
        level = [child for index in level for child in nodes[index].get("children", ())]
        if not level:
            break
    else:
        report.add(Rule.NODE_DEPTH, "/nodes", f"more than {limits.node_depth} levels")
        return
    if seen < len(nodes):
        report.add(Rule.NODE_LOOP, "/nodes", f"{len(nodes) - seen} nodes hang on no root")


def _check_transform(node: Json, where: str, report: Report) -> None:
    if "matrix" in node:
        if any(name in node for name in ("translation", "rotation", "scale")):
            report.add(Rule.NODE_TRANSFORM, where, "matrix beside translation, rotation or scale")
        elif not _is_trs(local_matrix(node)):
            report.add(Rule.NODE_TRANSFORM, f"{where}/matrix", "it is sheared, singular or projective")
    rotation = node.get("rotation")
    if rotation is not None and abs(sum(part * part for part in rotation) - 1.0) > 1e-3:
        report.add(Rule.NODE_TRANSFORM, f"{where}/rotation", "it is not a unit quaternion")


def _is_trs(matrix: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(matrix[:3, :3], axis=0)
        axes = matrix[:3, :3] / lengths
        orthogonal = bool(np.abs(axes.T @ axes - np.eye(3)).max() < 1e-3)
    return orthogonal and bool((lengths > 0).all()) and matrix[3].tolist() == [0.0, 0.0, 0.0, 1.0]


def mended_scenes(json: Json, report: Report) -> Json:
    """Return the JSON with scenes that list root nodes only, and with a scene if there was none."""
    parents = parents_of(json)
    if not json.get("scenes") and parents:
        report.add(Rule.SCENE_MISSING, "/scenes")
        json = {**json, "scenes": [{"nodes": [i for i, parent in enumerate(parents) if parent < 0]}], "scene": 0}
    scenes = list(json.get("scenes", []))
    for index, scene in enumerate(scenes):
        listed = scene.get("nodes", [])
        roots = list(dict.fromkeys(_root_of(node, parents) for node in listed))
        if roots != listed:
            report.add(Rule.SCENE_NON_ROOT_NODE, f"/scenes/{index}/nodes")
            scenes[index] = {**scene, "nodes": roots}
    if not scenes or not scenes[json.get("scene", 0)].get("nodes"):
        report.add(Rule.SCENE_EMPTY, f"/scenes/{json.get('scene', 0)}")
    return {**json, "scenes": scenes} if scenes else json


def _root_of(node: int, parents: list[int]) -> int:
    while parents[node] >= 0:
        node = parents[node]
    return node
