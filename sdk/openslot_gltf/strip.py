"""What of a creative may enter a world: all but cameras, lights, slots and extensions that nobody here knows."""

from __future__ import annotations

from typing import Any

from openslot_gltf.core import ARRAYS
from openslot_gltf.document import Json
from openslot_gltf.extensions import LEFT_OUT, OF_CREATIVES
from openslot_gltf.rules import Rule
from openslot_gltf.shapes import split_pointer
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["CARRIED", "GLOW", "MOST_GLOW", "glares", "stripped"]

GLOW = "KHR_materials_emissive_strength"
MOST_GLOW = 32.0
"""Times white: the sun is a few thousand, a bright screen by night about ten."""

CARRIED = tuple(name for name in ARRAYS if name not in ("buffers", "cameras", "scenes"))
"""The arrays of which a creative brings items."""


def stripped(json: Json) -> Json:
    """Return the creative without what may not enter a world, and without pointers into what is gone.

    Raises GLTF_REFUSED when the creative requires an extension that would be left out.
    """
    refused = set(json.get("extensionsRequired", [])).difference(OF_CREATIVES, LEFT_OUT)
    if refused:
        case = f"{Rule.EXTENSION_REQUIRED}: {', '.join(sorted(refused))}"
        raise OpenSlotError(Code.GLTF_REFUSED, case, where="/extensionsRequired")
    kept: Json = _known(json)
    changed = {
        "nodes": [_node(node) for node in kept.get("nodes", [])],
        "animations": [animation for animation in map(_animation, kept.get("animations", [])) if animation],
        "materials": [_dimmed(material) for material in kept.get("materials", [])],
        "extensionsUsed": [name for name in kept.get("extensionsUsed", []) if name in OF_CREATIVES],
        "extensionsRequired": [name for name in kept.get("extensionsRequired", []) if name in OF_CREATIVES],
        "cameras": [],
    }
    return {name: value for name, value in (kept | changed).items() if value or name not in changed}


def _known(value: Any) -> Any:
    """Return a value of the file without unknown extensions; `extras` are the author's and stay."""
    if isinstance(value, list):
        return [_known(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: item if name == "extras" else _known(item) for name, item in value.items() if name != "extensions"}
    extensions = {name: _known(body) for name, body in value.get("extensions", {}).items() if name in OF_CREATIVES}
    return {**kept, "extensions": extensions} if extensions else kept


def glares(material: Json) -> bool:
    """Return whether a material shines stronger than `MOST_GLOW`."""
    return bool(material.get("extensions", {}).get(GLOW, {}).get("emissiveStrength", 1.0) > MOST_GLOW)


def _dimmed(material: Json) -> Json:
    if not glares(material):
        return material
    return {**material, "extensions": {**material["extensions"], GLOW: {"emissiveStrength": MOST_GLOW}}}


def _node(node: Json) -> Json:
    kept = {key: value for key, value in node.items() if key != "camera"}
    extras = node.get("extras")
    if isinstance(extras, dict) and "openslot" in extras:
        kept["extras"] = {key: value for key, value in extras.items() if key != "openslot"}
    return kept


def _animation(animation: Json) -> Json | None:
    channels = [channel for channel in animation["channels"] if _points_to_kept(channel["target"])]
    return {**animation, "channels": channels} if channels else None


def _points_to_kept(target: Json) -> bool:
    pointer = target.get("extensions", {}).get("KHR_animation_pointer", {}).get("pointer")
    if pointer is None:
        return bool(target["path"] != "pointer")
    array, _, rest = split_pointer(pointer)
    _, inside, name = rest.partition("/extensions/")
    return array in CARRIED and (not inside or name.split("/")[0] in OF_CREATIVES)
