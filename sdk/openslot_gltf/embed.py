"""Embedding: a creative into a slot of a scene, as one document any glTF loader shows."""

from __future__ import annotations

import numpy as np

from openslot_gltf.bounds import content_bounds
from openslot_gltf.document import Document, Json
from openslot_gltf.fit import fitted
from openslot_gltf.merge import merged
from openslot_gltf.slots import SceneSlot, holds_creative, scene_slots
from openslot_gltf.transforms import rigid_of, world_matrices
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["embed"]


def embed(scene: Document, slot_id: str, creative: Document, sha256: str = "", video: Json | None = None) -> Document:
    """Return the scene with the creative fitted into the slot; nothing else changes its meaning.

    The creative hangs under the slot's node in one node of its own, tagged `extras.openslot.creative` with `sha256`
    (of the creative's file) and, where one plays on it, `extras.openslot.video`. All its joints hang there too, so
    skinned meshes, which ignore their own parents, follow.
    Raises SLOT_UNKNOWN, CREATIVE_REFUSED (it does not fit) or GLTF_REFUSED (the slot already holds a creative: embed
    into the scene as it was before).
    """
    target = scene_slots(scene).find(slot_id)
    _forbid_second(scene, target)
    said: Json = {"creative": sha256} if video is None else {"creative": sha256, "video": video}
    tag = {"name": f"openslot:{slot_id}", "extras": {"openslot": said}}
    return merged(scene, creative, target.node, tag | wrapper_of(scene, target, creative))


def wrapper_of(scene: Document, target: SceneSlot, creative: Document) -> Json:
    """Return the translation and scale of the node between slot and creative, in the units of the slot's node."""
    fit = fitted(content_bounds(creative), target.slot)
    rigid = rigid_of(world_matrices(scene.json)[target.node])
    assert rigid is not None  # noqa: S101 - a slot's transform is rigid and scaled, or it would not be one
    return {
        "translation": (fit.slot_from_creative[:3, 3] / rigid.scale).tolist(),
        "scale": (np.array(fit.scale) / rigid.scale).tolist(),
    }


def _forbid_second(scene: Document, target: SceneSlot) -> None:
    nodes = scene.array("nodes")
    for child in nodes[target.node].get("children", []):
        if holds_creative(nodes[child]):
            case = f"the slot {target.slot.id} already holds a creative"
            raise OpenSlotError(Code.GLTF_REFUSED, case, where=f"/nodes/{child}")
