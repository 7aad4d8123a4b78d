"""The box a creative takes up, at rest and in every frame of its animations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openslot_gltf.document import Document
from openslot_gltf.geometry import scene_geometry
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["Bounds", "content_bounds"]


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """An axis-aligned box: `low` and `high` are (3,) metres."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]


def content_bounds(document: Document) -> Bounds:
    """Return the box of all triangles at rest; raises CREATIVE_REFUSED when there is none."""
    geometry = scene_geometry(document)
    if not len(geometry.triangles):
        raise OpenSlotError(Code.CREATIVE_REFUSED, "its default scene draws no triangle")
    drawn = geometry.vertices[geometry.triangles.ravel()]
    return Bounds(drawn.min(axis=0), drawn.max(axis=0))
