"""The ad slots of a scene, in world metres, and slots added to one.

A slot is a node with the extension `OPENSLOT_ad_slot`, or the same record in `extras.openslot` (for tools that keep
extras alone), or a Hubs media frame. See `spec/OPENSLOT_ad_slot/README.md`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from openslot_gltf.document import Document, Json
from openslot_gltf.transforms import Matrix, quaternion_of, rigid_of, world_matrices
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import EXTENSION, Slot, SlotTerms

__all__ = ["SceneSlot", "SceneSlots", "add_slot", "scene_slots"]

HUBS = "MOZ_hubs_components"
HUBS_MEDIA: dict[str, tuple[str, ...]] = {
    "all": ("model/gltf-binary", "image/png", "image/jpeg", "image/webp", "video/mp4", "video/webm"),
    "all-2d": ("image/png", "image/jpeg", "image/webp", "video/mp4", "video/webm"),
    "image": ("image/png", "image/jpeg", "image/webp"),
    "model": ("model/gltf-binary",),
    "video": ("video/mp4", "video/webm"),
}
Source = Literal["extension", "extras", "hubs"]


@dataclass(frozen=True, slots=True)
class SceneSlot:
    """One slot as it stands in a scene: the record in world metres, the node it stands on, and where it was read."""

    slot: Slot
    node: int
    source: Source


@dataclass(frozen=True, slots=True)
class SceneSlots:
    """A scene's slots in node order, and one error for each record that is not one."""

    slots: tuple[SceneSlot, ...]
    problems: tuple[OpenSlotError, ...]

    def require(self) -> tuple[SceneSlot, ...]:
        """Return the slots; raises the first problem, or SCENE_WITHOUT_SLOTS when there is neither."""
        if self.problems:
            raise self.problems[0]
        if not self.slots:
            raise OpenSlotError(Code.SCENE_WITHOUT_SLOTS)
        return self.slots

    def find(self, slot_id: str) -> SceneSlot:
        """Return the slot with this id; raises SLOT_UNKNOWN."""
        for scene_slot in self.slots:
            if scene_slot.slot.id == slot_id:
                return scene_slot
        known = ", ".join(scene_slot.slot.id for scene_slot in self.slots[:8])
        raise OpenSlotError(Code.SLOT_UNKNOWN, f"{slot_id!r:.80}; the scene has {known or 'none'}")


def scene_slots(document: Document) -> SceneSlots:
    """Return the slots of the default scene; a second slot of the same id is a problem, the first stands."""
    worlds = world_matrices(document.json)
    slots: dict[str, SceneSlot] = {}
    problems: list[OpenSlotError] = []
    for node, source, where, body in _records(document):
        try:
            found = SceneSlot(_slot(_terms(source, body, where, node), worlds.get(node), where), node, source)
            if found.slot.id in slots:
                raise OpenSlotError(Code.SLOT_DUPLICATE, found.slot.id, where=where)
            slots[found.slot.id] = found
        except OpenSlotError as problem:
            problems.append(problem)
    return SceneSlots(tuple(slots.values()), tuple(problems))


def _records(document: Document) -> Iterator[tuple[int, Source, str, Any]]:
    """Yield (node, source, pointer, body), one per node: the extension goes before extras, those before Hubs."""
    for index, node in enumerate(document.array("nodes")):
        bodies, extras = node.get("extensions", {}), node.get("extras")
        mirrored = extras.get("openslot") if isinstance(extras, dict) else None
        frame = bodies.get(HUBS, {}).get("media-frame")
        if EXTENSION in bodies:
            yield index, "extension", f"/nodes/{index}/extensions/{EXTENSION}", bodies[EXTENSION]
        elif mirrored is not None and not (isinstance(mirrored, dict) and "creative" in mirrored):
            yield index, "extras", f"/nodes/{index}/extras/openslot", mirrored
        elif frame is not None:
            yield (
                index,
                "hubs",
                f"/nodes/{index}/extensions/{HUBS}/media-frame",
                {"name": node.get("name", ""), "frame": frame},
            )


def _terms(source: Source, body: Any, where: str, node: int) -> SlotTerms:
    if source == "hubs":
        body = _from_hubs(body["name"], body["frame"], node, where)
    if not isinstance(body, dict):
        raise OpenSlotError(Code.SLOT_INVALID, "an object is expected", where=where)
    try:
        return SlotTerms.parse(body, Code.SLOT_INVALID)
    except OpenSlotError as error:
        raise OpenSlotError(error.code, error.detail, where=f"{where}/{error.where}") from None


def _from_hubs(name: str, frame: Any, node: int, where: str) -> dict[str, Any]:
    """Return terms for a Hubs media frame, which like a slot faces +Z and has its bounds in node units."""
    bounds = frame.get("bounds", {}) if isinstance(frame, dict) else None
    if not isinstance(bounds, dict):
        raise OpenSlotError(Code.SLOT_INVALID, "a media frame's bounds are an object", where=where)
    media = HUBS_MEDIA.get(str(frame.get("mediaType", "all-2d")))
    if media is None:
        raise OpenSlotError(Code.SLOT_INVALID, "the media type is not known", where=f"{where}/mediaType")
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("._-")[:64]
    return {
        "id": slug or f"media-frame-{node}",
        "name": name[:120],
        "size": [bounds.get("x", 1), bounds.get("y", 1)],
        "depth": bounds.get("z", 1),
        "accepts": {"media": list(media)},
    }


def _slot(terms: SlotTerms, world_from_node: Matrix | None, where: str) -> Slot:
    """Return the record in world metres; raises SLOT_DEGENERATE for a transform that keeps no rectangle."""
    if world_from_node is None:
        raise OpenSlotError(Code.SLOT_INVALID, "its node is not part of the default scene", where=where)
    rigid = rigid_of(world_from_node)
    if rigid is None:
        raise OpenSlotError(Code.SLOT_DEGENERATE, "the node's world transform", where=where)
    wide, high, deep = np.abs(rigid.scale).tolist()
    fields = terms.plain() | {
        "size": [terms.size[0] * wide, terms.size[1] * high],
        "depth": terms.depth * deep,
        "pose": {"position": rigid.position.tolist(), "rotation": list(quaternion_of(rigid.rotation))},
    }
    try:
        return Slot.parse(fields, Code.SLOT_DEGENERATE)
    except OpenSlotError as error:
        raise OpenSlotError(error.code, f"in world metres, {error.detail}", where=f"{where}/{error.where}") from None


def add_slot(
    document: Document,
    terms: SlotTerms,
    at: tuple[float, float, float],
    facing: tuple[float, float, float] = (0.0, 0.0, 1.0),
) -> Document:
    """Return the scene with one more root node that holds the slot, mirrored in `extras.openslot`.

    Args:
        document: the scene; it must not have a slot of this id (SLOT_DUPLICATE).
        terms: the slot, its size in metres.
        at: the centre of its face, world metres.
        facing: the direction it looks, of any length but zero; width stays level unless it looks straight up or down.
    """
    if any(other.slot.id == terms.id for other in scene_slots(document).slots):
        raise OpenSlotError(Code.SLOT_DUPLICATE, terms.id)
    body = terms.model_dump(mode="json", exclude_defaults=True)
    node = {
        "name": terms.name or terms.id,
        "translation": list(_finite(at)),
        "rotation": list(_looking(_finite(facing))),
        "extensions": {EXTENSION: body},
        "extras": {"openslot": body},
    }
    return _with_root(document, node)


def _with_root(document: Document, node: Json) -> Document:
    json = document.json
    nodes, scenes = [*json.get("nodes", []), node], [dict(scene) for scene in json.get("scenes", [{}])]
    scene = scenes[json.get("scene", 0)]
    scene["nodes"] = [*scene.get("nodes", []), len(nodes) - 1]
    used = list(dict.fromkeys([*json.get("extensionsUsed", []), EXTENSION]))
    grown = {**json, "extensionsUsed": used, "scene": json.get("scene", 0), "scenes": scenes, "nodes": nodes}
    return Document(grown, document.binary)


def _finite(vector: tuple[float, float, float]) -> tuple[float, float, float]:
    if not all(math.isfinite(part) and abs(part) <= 1e9 for part in vector):
        raise OpenSlotError(Code.SLOT_INVALID, f"{vector} is not a place or direction", where="at, facing")
    return vector


def _looking(facing: tuple[float, float, float]) -> tuple[float, float, float, float]:
    """Return the rotation that turns +Z to `facing` and keeps +X level."""
    length = math.hypot(*facing)
    if length < 1e-9:
        raise OpenSlotError(Code.SLOT_DEGENERATE, "facing has no length", where="facing")
    forward = np.array(facing) / length
    upright = np.array([0.0, 1.0, 0.0]) if abs(forward[1]) < 0.9999 else np.array([0.0, 0.0, -np.sign(forward[1])])
    side = np.cross(upright, forward)
    side /= np.linalg.norm(side)
    return quaternion_of(np.stack([side, np.cross(forward, side), forward], axis=1))
