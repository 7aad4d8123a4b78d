"""Compressed content made plain: what is budgeted is then what is drawn, and what is served any loader reads.

Decoders are other people's native code: of untrusted files this runs in a sandbox's worker alone, and only where the
limits say so. See `meshopt`, `draco` and `textures` for each.
"""

from __future__ import annotations

from openslot_gltf import draco, meshopt, textures
from openslot_gltf.document import Document, Json
from openslot_gltf.extensions import COMPRESSED
from openslot_gltf.limits import Limits
from openslot_gltf.rules import Report, Rule

__all__ = ["decodable", "expanded", "loaded"]


def decodable(limits: Limits) -> frozenset[str]:
    """Return the compressing extensions that are decoded here: none where the limits do not allow it."""
    if not limits.decodes:
        return frozenset()
    known = [draco.NAME] if draco.is_available() else []
    known += meshopt.NAMES if meshopt.is_available() else ()
    known += [textures.BASISU] if textures.is_available() else []
    return frozenset(known)


def loaded(limits: Limits) -> frozenset[str]:
    """Load every decoder that the limits allow, so that nothing is left to load; returns the extensions decoded."""
    if limits.decodes:
        textures.pillow()
    return decodable(limits)


def expanded(document: Document, limits: Limits, report: Report) -> Document:
    """Return the document with nothing compressed left in it, and without the names of what was."""
    used = document.json.get("extensionsUsed", [])
    if draco.NAME in used and not report.refused:
        document = draco.with_plain_primitives(document, limits.accessor_items, report)
    special = textures.BASISU in used or (limits.creative and textures.WEBP_TEXTURE in used)
    if special and not report.refused:
        document = textures.with_plain_textures(document, limits, report)
    gone = {*COMPRESSED, *([textures.WEBP_TEXTURE] if limits.creative or special else [])}.intersection(used)
    if report.refused or not gone:
        return document
    report.add(Rule.EXTENSION_DECODED, "/extensionsUsed", ", ".join(sorted(gone)))
    return Document(_without(document.json, gone), document.binary)


def _without(json: Json, names: set[str]) -> Json:
    """Return the JSON without these extensions, where they are named and where they stand."""
    lists: Json = {
        key: [name for name in json[key] if name not in names]
        for key in ("extensionsUsed", "extensionsRequired")
        if key in json
    }
    meshes = [
        {**mesh, "primitives": [_bare(primitive, names) for primitive in mesh["primitives"]]}
        for mesh in json.get("meshes", [])
    ]
    changed: Json = {**json, **lists, **({"meshes": meshes} if meshes else {})}
    return {key: value for key, value in changed.items() if value != [] or key not in lists}


def _bare(holder: Json, names: set[str]) -> Json:
    if names.isdisjoint(holder.get("extensions", ())):
        return holder
    rest = {name: body for name, body in holder["extensions"].items() if name not in names}
    kept = {key: value for key, value in holder.items() if key != "extensions"}
    return kept | ({"extensions": rest} if rest else {})
