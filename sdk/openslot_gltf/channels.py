"""What an animation's channels move: by the node they name, or by a KHR_animation_pointer to the same."""

from __future__ import annotations

from openslot_gltf.document import Document, Json
from openslot_gltf.shapes import split_pointer

__all__ = ["PATHS", "moved_by", "pointer_of"]

PATHS = frozenset({"translation", "rotation", "scale", "weights"})


def pointer_of(target: Json) -> str | None:
    """Return the text of a channel's animation pointer, None where it names a node."""
    pointer: str | None = target.get("extensions", {}).get("KHR_animation_pointer", {}).get("pointer")
    return pointer


def moved_by(document: Document, target: Json) -> list[tuple[int, str]]:
    """Return the nodes that a channel moves, and which path of each; none for a channel that changes only looks.

    A mesh's weights are those of every node that shows it and has none of its own.
    """
    pointer = pointer_of(target)
    if pointer is None:
        return [(target["node"], target["path"])] if "node" in target else []
    array, index, rest = split_pointer(pointer)
    path = rest.removeprefix("/")
    if array == "nodes" and path in PATHS:
        return [(index, path)]
    if array == "meshes" and path == "weights":
        nodes = document.array("nodes")
        return [(at, path) for at, node in enumerate(nodes) if node.get("mesh") == index and "weights" not in node]
    return []
