"""Slots for scenes that are built with pygltflib: mark a node, save, and any OpenSlot reader finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import EXTENSION, SlotTerms

if TYPE_CHECKING:
    from pygltflib import GLTF2

__all__ = ["mark_slot"]


def mark_slot(gltf: GLTF2, node: int, terms: SlotTerms) -> None:
    """Make a node of a pygltflib document a slot, in place: the extension, and its mirror in `extras.openslot`.

    The node's local +Z is the slot's face; `terms.size` is in the node's own units. Raises `SLOT_INVALID` for a node
    that is not there. pygltflib is for authoring one's own scenes: it resolves URIs, so nothing untrusted goes through
    it.
    """
    if not 0 <= node < len(gltf.nodes):
        raise OpenSlotError(Code.SLOT_INVALID, f"no node {node}", where="nodes")
    body = terms.model_dump(mode="json", exclude_defaults=True)
    marked = gltf.nodes[node]
    marked.extensions = {**(marked.extensions or {}), EXTENSION: body}
    marked.extras = {**(marked.extras or {}), "openslot": body}
    gltf.extensionsUsed = list(dict.fromkeys([*(gltf.extensionsUsed or []), EXTENSION]))
