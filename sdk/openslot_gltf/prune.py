"""A creative without what nothing refers to: accessors, views, images, materials and the like, and bytes in no view."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from openslot_gltf.core import ARRAYS
from openslot_gltf.document import Document, Json
from openslot_gltf.extensions import OF_CREATIVES
from openslot_gltf.shapes import Move
from openslot_gltf.strip import stripped

__all__ = ["pruned", "unused"]

PRUNED = ("accessors", "bufferViews", "images", "materials", "meshes", "samplers", "skins", "textures")
"""Nodes, scenes and animations are what a file is about: they stay, referred to or not."""
QUANTIZATION = "KHR_mesh_quantization"
PADDING = 8
"""Bytes between two views that are nothing but alignment."""


@dataclass(frozen=True, slots=True)
class _Seen(Move):
    """A walk that copies nothing and notes every index it meets."""

    met: dict[str, set[int]] = field(default_factory=dict)

    def index(self, array: str, value: int) -> int:
        """Note the index."""
        self.met.setdefault(array, set()).add(value)
        return value


@dataclass(frozen=True, slots=True)
class _Kept(Move):
    """A walk that copies, with every index where its item went."""

    places: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    def index(self, array: str, value: int) -> int:
        """Return the item's new index."""
        return self.places[array][value] if array in self.places else value


def unused(document: Document, json: Json, met: Mapping[str, set[int]]) -> str:
    """Return in words what nothing refers to; empty where everything has its use.

    `met` is what the file's own JSON refers to; `document` is what became of it.
    """
    lost = {name: len(json.get(name, ())) - len(met[name]) for name in PRUNED}
    bytes_lost = _bytes_lost(document)
    parts = [f"{count} {name}" for name, count in lost.items() if count]
    return ", ".join([*parts, *([f"{bytes_lost} bytes"] if bytes_lost else [])])


def pruned(document: Document) -> Document:
    """Return the creative, stripped of what may not enter a world, without what nothing refers to."""
    json = stripped(document.json)
    while True:
        met = _met(json)
        kept = {name: sorted(met.get(name, ())) for name in PRUNED}
        if all(len(places) == len(json.get(name, ())) for name, places in kept.items()):
            return _compact(Document(_with_lists(json), document.binary))
        json = _with_items(json, kept)


def _met(json: Json) -> dict[str, set[int]]:
    seen = _Seen({}, OF_CREATIVES)
    for name, shape in ARRAYS.items():
        for item in json.get(name, ()):
            shape.moved(item, seen)
    return seen.met


def _with_items(json: Json, kept: Mapping[str, list[int]]) -> Json:
    """Return the JSON with the kept items alone; an array of none goes."""
    places = {name: {old: new for new, old in enumerate(items)} for name, items in kept.items()}
    move = _Kept({}, OF_CREATIVES, places)
    arrays = {
        name: [shape.moved(json[name][index], move) for index in kept.get(name, range(len(json[name])))]
        for name, shape in ARRAYS.items()
        if name in json
    }
    return {key: value for key, value in {**json, **arrays}.items() if value or key not in arrays}


def _with_lists(json: Json) -> Json:
    """Return the JSON whose extension lists name what still stands somewhere."""
    standing = _standing(json) | {QUANTIZATION}
    lists: Json = {
        key: [name for name in json[key] if name in standing]
        for key in ("extensionsUsed", "extensionsRequired")
        if key in json
    }
    return {key: value for key, value in {**json, **lists}.items() if value or key not in lists}


def _standing(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_standing, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    below = [_standing(item) for key, item in value.items() if key != "extras"]
    return set(value.get("extensions", ())).union(*below)


def _spans(document: Document) -> list[tuple[int, int]]:
    """Return the parts of the binary chunk that views cover, in order, none touching the next."""
    ends = sorted(
        (view.get("byteOffset", 0), view.get("byteOffset", 0) + view["byteLength"])
        for view in document.array("bufferViews")
    )
    spans: list[tuple[int, int]] = []
    for start, end in ends:
        if spans and start <= spans[-1][1] + PADDING:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, end))
    return spans


def _bytes_lost(document: Document) -> int:
    lost = len(document.binary) - sum(end - start for start, end in _spans(document))
    return lost if lost > PADDING * (1 + len(document.array("bufferViews"))) else 0


def _compact(document: Document) -> Document:
    """Return the document without the bytes that no view covers; views that overlap go on to do so."""
    spans, binary, moved = _spans(document), bytearray(), []
    for start, end in spans:
        binary += bytes((start - len(binary)) % 4)  # what was aligned stays so
        moved.append(len(binary) - start)
        binary += document.binary[start:end]
    starts = [start for start, _ in spans]
    views = []
    for view in document.array("bufferViews"):
        start = view.get("byteOffset", 0)
        views.append({**view, "byteOffset": start + moved[bisect_right(starts, start) - 1]})
    arrays = {"bufferViews": views, "buffers": [{"byteLength": len(binary)}]} if views else {}
    rest = {key: value for key, value in document.json.items() if key not in ("bufferViews", "buffers")}
    return Document(rest | arrays, bytes(binary))
