"""Flat normals where a mesh has none, as glTF 2.0 asks (3.7.2.1); some renderers shade such meshes smooth instead."""

from __future__ import annotations

import numpy as np

from openslot_gltf.accessors import Elements
from openslot_gltf.document import Document, Json
from openslot_gltf.geometry import triangle_rows
from openslot_gltf.packing import VERTICES, Packer

__all__ = ["with_normals"]


def with_normals(document: Document) -> Document:
    """Return the document in which every triangle mesh has normals; those without are taken apart into flat faces."""
    meshes = document.array("meshes")
    if all("NORMAL" in primitive["attributes"] for mesh in meshes for primitive in mesh["primitives"]):
        return document
    elements, packer = Elements(document), Packer(document)
    changed = [
        {**mesh, "primitives": [_flat(primitive, document, elements, packer) for primitive in mesh["primitives"]]}
        for mesh in meshes
    ]
    return packer.packed({**document.json, "meshes": changed})


def _flat(primitive: Json, document: Document, elements: Elements, packer: Packer) -> Json:
    rows = triangle_rows(primitive, elements, document)
    if "NORMAL" in primitive["attributes"] or not len(rows):
        return primitive
    corners = elements.floats(primitive["attributes"]["POSITION"])[rows]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(across, axis=1, keepdims=True)
    face = np.where(length > 0, across / np.where(length > 0, length, 1.0), [0.0, 0.0, 1.0])

    def taken_apart(attributes: Json) -> Json:
        return {
            name: packer.accessor(
                elements.raw(index)[rows.ravel()],
                VERTICES,
                normalized=document.array("accessors")[index].get("normalized", False),
                bounded=name == "POSITION",
            )
            for name, index in attributes.items()
        }

    kept = {name: value for name, value in primitive.items() if name not in ("indices", "mode", "targets")}
    attributes = taken_apart(primitive["attributes"])
    attributes["NORMAL"] = packer.accessor(np.repeat(face, 3, axis=0).astype(np.float32), VERTICES)
    morphs = {"targets": [taken_apart(target) for target in primitive["targets"]]} if "targets" in primitive else {}
    return {**kept, "attributes": attributes, **morphs}
