"""What stands in a scene, mesh by mesh: each once, with every place it stands in and what its texture leaves of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from openslot_gltf.accessors import Elements
from openslot_gltf.alpha import Holes, cut_by_alpha, see_through
from openslot_gltf.document import Document, Json, default_roots, reached
from openslot_gltf.geometry import default_weights, instances, rest_positions, skinned, triangle_rows
from openslot_gltf.transforms import Matrix, world_matrices
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["Mode", "ScenePart", "scene_parts"]

Mode = Literal["opaque", "ignore", "cutout"]
EXTRA = "openslot_occluder"


@dataclass(frozen=True, slots=True, eq=False)
class ScenePart:
    """One primitive that hides what is behind it, and everywhere it is drawn.

    Args:
        vertices: (n, 3) in metres of its own.
        triangles: (m, 3) rows of `vertices`, front faces wound counter-clockwise.
        one_sided: seen from behind it does not hide (material not `doubleSided`).
        world_from_part: (i, 4, 4); a mirroring one keeps the front its front.
        owner: (i,) the nodes that draw it.
        holes: where one sees through it, if it has a texture that says so.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]
    one_sided: bool
    world_from_part: Matrix
    owner: NDArray[np.int64]
    holes: Holes | None


def scene_parts(document: Document, modes: Mapping[str, Mode] | None = None) -> tuple[ScenePart, ...]:
    """Return what hides in the default scene at rest, a mesh of many places once.

    How a node hides is said by `modes` (by the node's name), else by its `extras.openslot_occluder`, else by what is so
    said of the nearest node above, else by its material: OPAQUE is opaque, MASK cutout, see-through ignored.
    Raises `ARGUMENT_INVALID` for a name that no node has or a mode that is none, `GEOMETRY_INVALID` for extras that say
    no mode, an image that cannot be decoded, or scales that multiply beyond all numbers.
    """
    reading = _Reading(document, Elements(document), world_matrices(document.json), _said(document, modes or {}))
    found: dict[object, list[ScenePart]] = {}
    with np.errstate(over="ignore", invalid="ignore"):
        for node in reading.worlds:
            for key, part in reading.parts(node, found):
                found.setdefault(key, []).extend([part] if part else [])
    joined = tuple(_placed(each) for each in found.values() if each)
    if not all(np.isfinite(part.vertices).all() and np.isfinite(part.world_from_part).all() for part in joined):
        raise OpenSlotError(Code.GEOMETRY_INVALID, "a vertex lies beyond all numbers", where="/nodes")
    return joined


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """One document while its parts are read."""

    document: Document
    elements: Elements
    worlds: dict[int, Matrix]
    said: Mapping[int, Mode]

    def parts(self, index: int, known: Mapping[object, list[ScenePart]]) -> Iterator[tuple[object, ScenePart | None]]:
        """Yield what a node draws, under a key that is the same for the same triangles; None where it hides nothing."""
        node = self.document.array("nodes")[index]
        mesh = self.document.array("meshes")[node["mesh"]] if "mesh" in node else {"primitives": []}
        places = instances(node, self.elements, self.worlds[index])
        for number, primitive in enumerate(mesh["primitives"]):
            weights = tuple(default_weights(node, mesh))
            key = (index, number) if "skin" in node else (node["mesh"], number, weights, self.said.get(index))
            part = next(iter(known[key]), None) if key in known else self._read(index, primitive)
            if part is not None and "skin" not in node:
                part = replace(part, world_from_part=places, owner=np.full(len(places), index))
            yield key, part

    def _read(self, index: int, primitive: Json) -> ScenePart | None:
        """Return one primitive as the node draws it; None where it hides nothing."""
        document, elements = self.document, self.elements
        triangles = triangle_rows(primitive, elements, document)
        material = document.array("materials")[primitive["material"]] if "material" in primitive else {}
        holes = self._holes(self.said.get(index) or _mode(material), primitive, material) if len(triangles) else False
        if holes is False:
            return None
        node = document.array("nodes")[index]
        positions = rest_positions(primitive, elements, default_weights(node, document.array("meshes")[node["mesh"]]))
        if "skin" in node:
            positions, triangles = skinned(document, elements, node, self.worlds, (primitive, positions, triangles))
        sided, cut = not material.get("doubleSided", False), holes if isinstance(holes, Holes) else None
        return ScenePart(positions, triangles, sided, np.eye(4)[None], np.array([index]), cut)

    def _holes(self, mode: Mode, primitive: Json, material: Json) -> Holes | bool:
        if mode == "cutout":
            return cut_by_alpha(self.document, self.elements, primitive, material)
        return mode == "opaque"


def _mode(material: Json) -> Mode:
    if see_through(material):
        return "ignore"
    return "cutout" if material.get("alphaMode") == "MASK" else "opaque"


def _placed(same: list[ScenePart]) -> ScenePart:
    return replace(
        same[0],
        world_from_part=np.concatenate([part.world_from_part for part in same]),
        owner=np.concatenate([part.owner for part in same]),
    )


def _said(document: Document, modes: Mapping[str, Mode]) -> dict[int, Mode]:
    """Return what is said of each node, by itself or by the nearest above it."""
    nodes, said = document.array("nodes"), {}
    _check(modes.keys() - {str(node.get("name", "")) for node in nodes}, modes.items())
    for index in reached(document.json, default_roots(document.json)):
        extras = nodes[index].get("extras")
        told = extras.get(EXTRA) if isinstance(extras, dict) else None
        if told is not None and told not in get_args(Mode):
            raise OpenSlotError(
                Code.GEOMETRY_INVALID, f"{told!r:.40} is no mode", where=f"/nodes/{index}/extras/{EXTRA}"
            )
        own = modes.get(str(nodes[index].get("name", "")), told)
        if own is not None:
            said[index] = own
        said |= {child: said[index] for child in nodes[index].get("children", ()) if index in said}
    return said


def _check(unknown: Iterable[str], said: Iterable[tuple[str, str]]) -> None:
    for name in sorted(unknown):
        raise OpenSlotError(Code.ARGUMENT_INVALID, f"no node is called {name!r:.80}", where="modes")
    for name, mode in said:
        if mode not in get_args(Mode):
            raise OpenSlotError(Code.ARGUMENT_INVALID, f"{mode!r:.40} is no mode", where=f"modes/{name:.80}")
