"""The rules of skins: formats of matrices, one common root, and that a skin meets a mesh made for it."""

from __future__ import annotations

from openslot_gltf.document import Document, Json, parents_of, reached
from openslot_gltf.rules import Report, Rule
from openslot_gltf.uses import Uses

__all__ = ["check_skins"]

FLOAT = 5126


def check_skins(document: Document, uses: Uses, report: Report) -> None:
    """Check all skins, and the nodes that use them."""
    parents = parents_of(document.json)
    for index, skin in enumerate(document.array("skins")):
        where = f"/skins/{index}"
        if "inverseBindMatrices" in skin:
            accessor = uses.accessor(skin["inverseBindMatrices"], "matrices", where)
            if (accessor["type"], accessor["componentType"]) != ("MAT4", FLOAT) or accessor["count"] < len(
                skin["joints"]
            ):
                report.add(Rule.SKIN_MATRICES, f"{where}/inverseBindMatrices")
        _check_root(skin, parents, where, report)
    if not report.refused:
        _check_nodes(document, report)


def _check_root(skin: Json, parents: list[int], where: str, report: Report) -> None:
    common = set(_line(skin["joints"][0], parents))
    for joint in skin["joints"][1:]:
        common.intersection_update(_line(joint, parents))
    if not common:
        report.add(Rule.SKIN_JOINTS, f"{where}/joints")
    elif skin.get("skeleton", next(iter(common))) not in common:
        report.add(Rule.SKIN_JOINTS, f"{where}/skeleton")


def _line(node: int, parents: list[int]) -> list[int]:
    """Return the node and all above it."""
    line = [node]
    while parents[line[-1]] >= 0:
        line.append(parents[line[-1]])
    return line


def _check_nodes(document: Document, report: Report) -> None:
    skins, meshes = document.array("skins"), document.array("meshes")
    for index, node in enumerate(document.array("nodes")):
        if "skin" not in node:
            continue
        where = f"/nodes/{index}/skin"
        if "mesh" not in node:
            report.add(Rule.NODE_SKIN, where, "there is no mesh")
        elif not all("JOINTS_0" in primitive["attributes"] for primitive in meshes[node["mesh"]]["primitives"]):
            report.add(Rule.NODE_SKIN, where, "its mesh has no JOINTS_0")
    for place, scene in enumerate(document.array("scenes")):
        inside = set(reached(document.json, scene.get("nodes", [])))
        skinned = [index for index in sorted(inside) if "skin" in document.array("nodes")[index]]
        for index in skinned:
            if not inside.issuperset(skins[document.array("nodes")[index]["skin"]]["joints"]):
                report.add(Rule.NODE_SKIN, f"/nodes/{index}/skin", f"scene {place} lacks its joints")
