"""Hubs media frames as ad slots: both face +Z and give their size in node units, so a frame is read as a slot.

Source: the `media-frame` component of the glTF extension `MOZ_hubs_components`, as Hubs' own loader reads it: bounds
default to a cube of one unit, the media type to every flat kind.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any

from openslot_spec.errors import Code, OpenSlotError

__all__ = ["EXTENSION", "terms_of_frame"]

EXTENSION = "MOZ_hubs_components"
IMAGES = ("image/png", "image/jpeg", "image/webp")
VIDEOS = ("video/mp4", "video/webm")
MEDIA: dict[str, tuple[str, ...]] = {
    "all": ("model/gltf-binary", *IMAGES, *VIDEOS),
    "all-2d": (*IMAGES, *VIDEOS),
    "image": IMAGES,
    "model": ("model/gltf-binary",),
    "video": VIDEOS,
}


def terms_of_frame(frame: Any, node: int, name: str, taken: Container[str]) -> dict[str, Any]:
    """Return the fields of `SlotTerms` for a media frame; raises SLOT_INVALID for one that Hubs could not show.

    Frames have no ids: the node's name serves, with the node's number behind it where that is missing or `taken`.
    """
    if not isinstance(frame, dict) or not isinstance(frame.get("bounds", {}), dict):
        raise OpenSlotError(Code.SLOT_INVALID, "a media frame and its bounds are objects")
    media, bounds = frame.get("mediaType", "all-2d"), frame.get("bounds", {})
    if not isinstance(media, str) or media not in MEDIA:
        raise OpenSlotError(Code.SLOT_INVALID, f"Hubs knows no media type {media!r:.40}", where="mediaType")
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("._-")[:48] or "media-frame"
    return {
        "id": f"{slug}-{node}" if slug in taken or not name else slug,
        "name": name[:120],
        "size": [bounds.get("x", 1), bounds.get("y", 1)],
        "depth": bounds.get("z", 1),
        "accepts": {"media": list(MEDIA[media])},
    }
