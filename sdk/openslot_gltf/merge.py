"""Merging two documents: one creative's nodes under one node of a scene, everything else as it was.

The scene comes first and keeps every index, so what nobody here knows stays right in it. The creative's indices are
shifted, those inside extensions and animation pointers too; what would shift wrongly does not come along.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any

from openslot_gltf.core import ARRAYS
from openslot_gltf.document import Document, Json, default_roots
from openslot_gltf.extensions import OF_CREATIVES
from openslot_gltf.shapes import Move
from openslot_gltf.strip import CARRIED, stripped

__all__ = ["merged"]

VARIANTS = "KHR_materials_variants"
ALIGNMENT = 4


def merged(scene: Document, creative: Document, parent: int, wrapper: Json) -> Document:
    """Return the scene with the creative's default scene hung under `parent`, inside the node `wrapper`.

    Both documents stay as they are. Cameras, lights, slots and unknown extensions of the creative are left out.
    Raises GLTF_REFUSED when the creative requires an extension that would be left out.
    """
    incoming = stripped(creative.json)
    arrays = _shifted(scene, incoming)
    start = len(scene.binary) + -len(scene.binary) % ALIGNMENT
    _place_views(arrays["bufferViews"], start)
    for name in ("nodes", "animations"):
        arrays[name] = _renamed(arrays[name], scene.array(name))
    roots = [root + len(scene.array("nodes")) for root in default_roots(incoming)]
    arrays["nodes"].append({**wrapper, "children": roots})
    json = {**scene.json, **{name: [*scene.array(name), *items] for name, items in arrays.items() if items}}
    json["nodes"][parent] = _with_child(json["nodes"][parent], len(json["nodes"]) - 1)
    binary = scene.binary.ljust(start, b"\0") + creative.binary if creative.binary else scene.binary
    if binary:
        json["buffers"] = [{**(scene.array("buffers") or [{}])[0], "byteLength": len(binary)}]
    return Document(_with_lists(json, scene.json, incoming), binary)


def _shifted(scene: Document, incoming: Json) -> dict[str, list[Json]]:
    offsets = {name: len(scene.array(name)) for name in CARRIED}
    offsets |= {"buffers": 0, "variants": len(_variants(scene.json))}
    move = Move(offsets, OF_CREATIVES)
    return {name: [ARRAYS[name].moved(item, move) for item in incoming.get(name, [])] for name in CARRIED}


def _place_views(views: list[Json], start: int) -> None:
    for view in views:
        view["byteOffset"] = view.get("byteOffset", 0) + start


def _renamed(incoming: list[Json], present: list[Json]) -> list[Json]:
    """Return the items with names that the scene has not, so that `find by name` and clips keep their meaning."""
    taken, own = _names(present), _names(incoming)
    free = {name: _free(name, taken | own) if name in taken else name for name in own}
    return [{**item, "name": free[item["name"]]} if "name" in item else item for item in incoming]


def _names(items: list[Json]) -> set[str]:
    return {item["name"] for item in items if "name" in item}


def _free(name: str, taken: set[str]) -> str:
    return next(free for number in count(2) if (free := f"{name}_{number}") not in taken)


def _with_child(node: Json, child: int) -> Json:
    return {**node, "children": [*node.get("children", []), child]}


def _with_lists(json: Json, scene: Json, incoming: Json) -> Json:
    """Return the JSON with extension lists, variants and copyright of both sides."""
    grown = dict(json)
    for name in ("extensionsUsed", "extensionsRequired"):
        names = _union(scene.get(name, []), (item for item in incoming.get(name, []) if item in OF_CREATIVES))
        if names:
            grown[name] = names
    if _variants(incoming):
        both = {"variants": [*_variants(scene), *_variants(incoming)]}
        grown["extensions"] = {**scene.get("extensions", {}), VARIANTS: both}
    credits = _union([scene["asset"].get("copyright", "")], [incoming["asset"].get("copyright", "")])
    if any(credits):
        grown["asset"] = {**scene["asset"], "copyright": "; ".join(filter(None, credits))}
    return grown


def _variants(json: Json) -> list[Any]:
    variants: list[Any] = json.get("extensions", {}).get(VARIANTS, {}).get("variants", [])
    return variants


def _union(first: Iterable[str], second: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))
