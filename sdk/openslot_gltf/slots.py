"""The ad slots of a scene, in world metres, and slots added to one.

A slot is a node with the extension `OPENSLOT_ad_slot`, or the same record in `extras.openslot` (for tools that keep
extras alone), or a Hubs media frame. See `spec/OPENSLOT_ad_slot/README.md`.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from openslot_gltf import hubs
from openslot_gltf.document import Document, Json
from openslot_gltf.transforms import Matrix, quaternion_of, rigid_of, world_matrices
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import EXTENSION, Slot, SlotTerms

__all__ = ["SceneSlot", "SceneSlots", "add_slot", "holds_creative", "scene_slots"]

METRE_DECIMALS, ROTATION_DECIMALS = 6, 9
"""Records are rounded, so that the last bits of a matrix product make no new revision of a slot."""
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


@dataclass(frozen=True, slots=True)
class _Record:
    """What a node says of a slot, as it was found."""

    node: int
    name: str
    source: Source
    where: str
    body: Any


def scene_slots(document: Document) -> SceneSlots:
    """Return the slots of the default scene; a second slot of the same id is a problem, the first stands."""
    worlds = world_matrices(document.json)
    slots: dict[str, SceneSlot] = {}
    problems: list[OpenSlotError] = []
    for record in _records(document):
        try:
            slot = _slot(_terms(record, slots), worlds.get(record.node))
            if slot.id in slots:
                raise OpenSlotError(Code.SLOT_DUPLICATE, slot.id)
            slots[slot.id] = SceneSlot(slot, record.node, record.source)
        except OpenSlotError as problem:
            where = f"{record.where}/{problem.where}".rstrip("/")
            problems.append(OpenSlotError(problem.code, problem.detail, where=where))
    return SceneSlots(tuple(slots.values()), tuple(problems))


def _records(document: Document) -> Iterator[_Record]:
    """Yield one record of each node that has any: the extension goes before extras, those before Hubs."""
    for index, node in enumerate(document.array("nodes")):
        bodies, extras, name = node.get("extensions", {}), node.get("extras"), node.get("name", "")
        mirrored = extras.get("openslot") if isinstance(extras, dict) else None
        components = bodies.get(hubs.EXTENSION, {})
        if EXTENSION in bodies:
            yield _Record(index, name, "extension", f"/nodes/{index}/extensions/{EXTENSION}", bodies[EXTENSION])
        elif mirrored is not None and not holds_creative(node):
            yield _Record(index, name, "extras", f"/nodes/{index}/extras/openslot", mirrored)
        elif "media-frame" in components:
            where = f"/nodes/{index}/extensions/{hubs.EXTENSION}/media-frame"
            yield _Record(index, name, "hubs", where, components["media-frame"])


def holds_creative(node: Json) -> bool:
    """Return whether the node is one that `embed` made."""
    extras = node.get("extras")
    tag = extras.get("openslot") if isinstance(extras, dict) else None
    return isinstance(tag, dict) and "creative" in tag


def _terms(record: _Record, taken: Container[str]) -> SlotTerms:
    body = record.body
    if record.source == "hubs":
        body = hubs.terms_of_frame(body, record.node, record.name, taken)
    return SlotTerms.parse(body, Code.SLOT_INVALID)


def _slot(terms: SlotTerms, world_from_node: Matrix | None) -> Slot:
    """Return the record in world metres; raises SLOT_DEGENERATE for a transform that keeps no rectangle."""
    if world_from_node is None:
        raise OpenSlotError(Code.SLOT_INVALID, "its node is not part of the default scene")
    rigid = rigid_of(world_from_node)
    if rigid is None:
        raise OpenSlotError(Code.SLOT_DEGENERATE, "the node's world transform keeps no rectangle")
    wide, high, deep = np.abs(rigid.scale).tolist()
    fields = terms.plain() | {
        "size": _rounded([terms.size[0] * wide, terms.size[1] * high], METRE_DECIMALS),
        "depth": round(terms.depth * deep, METRE_DECIMALS),
        "pose": {
            "position": _rounded(rigid.position.tolist(), METRE_DECIMALS),
            "rotation": _rounded(quaternion_of(rigid.rotation), ROTATION_DECIMALS),
        },
    }
    return Slot.parse(fields, Code.SLOT_DEGENERATE)


def _rounded(numbers: Iterable[float], decimals: int) -> list[float]:
    """Return rounded numbers without a negative zero."""
    return [round(number, decimals) + 0.0 for number in numbers]


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
    side = np.cross([0.0, 1.0, 0.0], forward)
    if np.linalg.norm(side) < 1e-9:
        side = np.array([1.0, 0.0, 0.0]) - forward[0] * forward
    side /= np.linalg.norm(side)
    return quaternion_of(np.stack([side, np.cross(forward, side), forward], axis=1))
