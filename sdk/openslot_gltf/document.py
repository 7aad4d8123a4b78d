"""A glTF file in memory: its JSON and its binary chunk, never changed once made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Document", "Json", "default_roots", "parents_of", "reached"]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A self-contained glTF: no URI is left in `json`, and all its buffer views lie in `binary`.

    Treat `json` as frozen: documents share parts of it, so what changes is copied first.
    """

    json: Json
    binary: bytes

    def array(self, name: str) -> list[Json]:
        """Return one of the root's arrays, empty when absent."""
        array: list[Json] = self.json.get(name, [])
        return array


def default_roots(json: Json) -> list[int]:
    """Return the node indices of the default scene (the first when none is named)."""
    scenes = json.get("scenes", [])
    roots: list[int] = scenes[json.get("scene", 0)].get("nodes", []) if scenes else []
    return roots


def parents_of(json: Json) -> list[int]:
    """Return each node's parent, -1 for roots."""
    nodes = json.get("nodes", [])
    parents = [-1] * len(nodes)
    for index, node in enumerate(nodes):
        for child in node.get("children", ()):
            parents[child] = index
    return parents


def reached(json: Json, roots: list[int]) -> list[int]:
    """Return the nodes below and with `roots`, parents before children."""
    nodes, order = json.get("nodes", []), list(roots)
    for index in order:
        order.extend(nodes[index].get("children", ()))
    return order
