"""The rules of meshes: attributes, their formats and lengths (glTF 2.0, 3.7.2; KHR_mesh_quantization)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from openslot_gltf.document import Document, Json
from openslot_gltf.rules import Report, Rule
from openslot_gltf.uses import Uses

__all__ = ["check_instances", "check_meshes", "primitives_of"]

BYTE, UBYTE, SHORT, USHORT, UINT, FLOAT = 5120, 5121, 5122, 5123, 5125, 5126
NORMALIZED = True
PLAIN = False
Format = tuple[int, bool]
Formats = dict[str, tuple[tuple[str, ...], frozenset[Format], frozenset[Format]]]
"""Types, core formats, and formats with KHR_mesh_quantization, by semantic."""

FLOATS: frozenset[Format] = frozenset({(FLOAT, PLAIN)})
FRACTIONS = FLOATS | {(UBYTE, NORMALIZED), (USHORT, NORMALIZED)}
SIGNED = FLOATS | {(BYTE, NORMALIZED), (SHORT, NORMALIZED)}
SMALL = frozenset((kind, normalized) for kind in (BYTE, UBYTE, SHORT, USHORT) for normalized in (PLAIN, NORMALIZED))
ATTRIBUTES: Formats = {
    "POSITION": (("VEC3",), FLOATS, FLOATS | SMALL),
    "NORMAL": (("VEC3",), FLOATS, SIGNED),
    "TANGENT": (("VEC4",), FLOATS, SIGNED),
    "TEXCOORD": (("VEC2",), FRACTIONS, FLOATS | SMALL),
    "COLOR": (("VEC3", "VEC4"), FRACTIONS, FRACTIONS),
    "JOINTS": (("VEC4",), frozenset({(UBYTE, PLAIN), (USHORT, PLAIN)}), frozenset({(UBYTE, PLAIN), (USHORT, PLAIN)})),
    "WEIGHTS": (("VEC4",), FRACTIONS, FRACTIONS),
}
TARGETS: Formats = {
    "POSITION": (("VEC3",), FLOATS, FLOATS | {(BYTE, PLAIN), (SHORT, PLAIN)} | SIGNED),
    "NORMAL": (("VEC3",), FLOATS, FLOATS | {(BYTE, PLAIN), (SHORT, PLAIN)} | SIGNED),
    "TANGENT": (("VEC3",), FLOATS, FLOATS | {(BYTE, PLAIN), (SHORT, PLAIN)} | SIGNED),
    "TEXCOORD": (("VEC2",), FRACTIONS | SIGNED, FRACTIONS | SIGNED),
    "COLOR": (("VEC3", "VEC4"), FRACTIONS | SIGNED, FRACTIONS | SIGNED),
}
INSTANCES: Formats = {
    "TRANSLATION": (("VEC3",), FLOATS, FLOATS),
    "ROTATION": (("VEC4",), SIGNED, SIGNED),
    "SCALE": (("VEC3",), FLOATS, FLOATS),
}
NUMBERED = re.compile(r"(TEXCOORD|COLOR|JOINTS|WEIGHTS)_(0|[1-9][0-9]?)")
SETS = frozenset({"TEXCOORD", "COLOR", "JOINTS", "WEIGHTS"})
MOST_TARGETS = 1_000
"""Engines keep targets as the layers of a texture, of which 2,048 are common."""
INDEX_FORMATS = frozenset({UBYTE, USHORT, UINT})


def primitives_of(document: Document) -> Iterator[tuple[str, Json]]:
    """Yield (pointer, primitive) of every mesh."""
    for index, mesh in enumerate(document.array("meshes")):
        for place, primitive in enumerate(mesh["primitives"]):
            yield f"/meshes/{index}/primitives/{place}", primitive


def check_meshes(document: Document, uses: Uses, report: Report) -> None:
    """Check the formats and lengths of all primitives; their data is read later."""
    quantized = "KHR_mesh_quantization" in document.json.get("extensionsRequired", [])
    formats, materials = _Formats(uses, report, quantized), document.array("materials")
    texcoords = [_texcoords_needed(material) for material in materials]
    for where, primitive in primitives_of(document):
        formats.check(primitive, where)
        _check_names(primitive["attributes"], where, report)
        if "material" in primitive:
            missing = [n for n in texcoords[primitive["material"]] if f"TEXCOORD_{n}" not in primitive["attributes"]]
            if missing:
                report.add(Rule.MESH_TEXCOORD, where, f"TEXCOORD_{missing[0]}")
            _check_tangent_space(materials[primitive["material"]], primitive, where, report)
    _check_weights(document, report)


@dataclass(frozen=True, slots=True)
class _Formats:
    """Checks the accessors of primitives against the tables."""

    uses: Uses
    report: Report
    quantized: bool

    def check(self, primitive: Json, where: str) -> None:
        count = self._attributes(primitive["attributes"], f"{where}/attributes")
        if "indices" in primitive:
            self._indices(self.uses.accessor(primitive["indices"], "indices", where), where)
        for place, target in enumerate(primitive.get("targets", [])):
            self._target(target, primitive["attributes"], count, f"{where}/targets/{place}")

    def _attributes(self, attributes: Json, where: str) -> int:
        """Check names, formats and equal counts; returns the number of vertices."""
        counts = set()
        for name, index in attributes.items():
            accessor = self._vertices(index, f"{where}/{name[:40]}")
            counts.add(accessor["count"])
            if not _fits(name, accessor, ATTRIBUTES, quantized=self.quantized):
                self.report.add(Rule.MESH_ATTRIBUTE, f"{where}/{name[:40]}")
        if "POSITION" not in attributes:
            self.report.add(Rule.MESH_ATTRIBUTE, where, "there is no POSITION")
        if len(counts) > 1:
            self.report.add(Rule.MESH_COUNT, where, f"{sorted(counts)}")
        return int(max(counts))

    def _target(self, target: Json, attributes: Json, count: int, where: str) -> None:
        for name, index in target.items():
            accessor = self._vertices(index, f"{where}/{name[:40]}")
            fits = _fits(name, accessor, TARGETS, quantized=self.quantized)
            if name not in attributes or accessor["count"] != count or not fits:
                self.report.add(Rule.MESH_TARGETS, f"{where}/{name[:40]}")

    def _vertices(self, index: int, where: str) -> Json:
        accessor = self.uses.accessor(index, "vertices", where)
        self.uses.check_vertex_alignment(index, where)
        return accessor

    def _indices(self, accessor: Json, where: str) -> None:
        plain = accessor["type"] == "SCALAR" and not accessor.get("normalized", False)
        if not plain or accessor["componentType"] not in INDEX_FORMATS:
            self.report.add(Rule.MESH_INDICES, f"{where}/indices")


def _fits(
    name: str,
    accessor: Json,
    table: Formats,
    *,
    quantized: bool,
) -> bool:
    if name.startswith("_"):
        return bool(accessor["componentType"] != UINT)
    numbered = NUMBERED.fullmatch(name)
    semantic = numbered.group(1) if numbered else name
    if semantic not in table or (numbered is None) == (semantic in SETS):
        return False
    kinds, core, wide = table[semantic]
    found = (accessor["componentType"], bool(accessor.get("normalized", False)))
    return accessor["type"] in kinds and found in (wide if quantized else core)


def _check_names(attributes: Json, where: str, report: Report) -> None:
    sets: dict[str, set[int]] = {}
    for name in attributes:
        numbered = NUMBERED.fullmatch(name)
        if numbered:
            sets.setdefault(numbered.group(1), set()).add(int(numbered.group(2)))
    for semantic, numbers in sets.items():
        if numbers != set(range(len(numbers))):
            report.add(Rule.MESH_ATTRIBUTE, f"{where}/attributes", f"{semantic} is not numbered 0, 1, 2 …")
    if sets.get("JOINTS") != sets.get("WEIGHTS"):
        report.add(Rule.MESH_ATTRIBUTE, f"{where}/attributes", "JOINTS and WEIGHTS come in pairs")


def _check_weights(document: Document, report: Report) -> None:
    meshes, targets = document.array("meshes"), []
    for index, mesh in enumerate(meshes):
        counts = {len(primitive.get("targets", [])) for primitive in mesh["primitives"]}
        targets.append(max(counts))
        if targets[-1] > MOST_TARGETS:
            report.add(Rule.MESH_TARGETS, f"/meshes/{index}", f"{targets[-1]} targets, {MOST_TARGETS} are allowed")
        if len(counts) > 1 or len(mesh.get("weights", [0] * targets[-1])) != targets[-1]:
            report.add(Rule.MESH_TARGETS, f"/meshes/{index}", f"{sorted(counts)} targets")
    for index, node in enumerate(document.array("nodes")):
        if "weights" in node and ("mesh" not in node or len(node["weights"]) != targets[node["mesh"]]):
            report.add(Rule.NODE_WEIGHTS, f"/nodes/{index}/weights")


def check_instances(document: Document, report: Report) -> None:
    """Check the accessors of EXT_mesh_gpu_instancing: their formats, and one value each per instance."""
    accessors = document.array("accessors")
    for index, node in enumerate(document.array("nodes")):
        attributes = node.get("extensions", {}).get("EXT_mesh_gpu_instancing", {}).get("attributes", {})
        where = f"/nodes/{index}/extensions/EXT_mesh_gpu_instancing"
        for name, accessor in attributes.items():
            if not _fits(name, accessors[accessor], INSTANCES, quantized=False):
                report.add(Rule.MESH_ATTRIBUTE, f"{where}/attributes/{name[:40]}")
        if len({accessors[accessor]["count"] for accessor in attributes.values()}) > 1:
            report.add(Rule.MESH_COUNT, where)


def _texcoords_needed(material: Json) -> list[int]:
    """Return the texture coordinate sets a material reads, its extensions' textures included."""
    needed, inside = set(), [value for value in material.values() if type(value) is dict]
    while inside:
        value = inside.pop()
        if "index" in value:
            moved = value.get("extensions", {}).get("KHR_texture_transform", {})
            needed.add(moved.get("texCoord", value.get("texCoord", 0)))
        inside.extend(child for key, child in value.items() if type(child) is dict and key != "extras")
    return sorted(needed)


def _check_tangent_space(material: Json, primitive: Json, where: str, report: Report) -> None:
    bodies = material.get("extensions", {})
    needs = (
        "clearcoatNormalTexture" in bodies.get("KHR_materials_clearcoat", {}) or "KHR_materials_anisotropy" in bodies
    )
    if needs and "normalTexture" not in material and "TANGENT" not in primitive["attributes"]:
        report.add(Rule.MESH_ATTRIBUTE, where, "the material needs TANGENT")
