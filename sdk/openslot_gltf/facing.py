"""How content stands by itself: what faces +Z near its origin is seen as its author saw it; what does not is said."""

from __future__ import annotations

import numpy as np

from openslot_gltf.bounds import Bounds
from openslot_gltf.document import Document
from openslot_gltf.fit import FLAT
from openslot_gltf.geometry import scene_geometry
from openslot_gltf.rules import Report, Rule

__all__ = ["say_how_it_stands"]

EDGE = 10.0
"""A flat thing is on edge when its depth is this many times its thickness."""
FAR = 10.0
"""Content is far from its origin when it is this many times its size away; turned or scaled by a tool, it jumps."""


def say_how_it_stands(document: Document, rest: Bounds, report: Report) -> None:
    """Warn of flat content that lies on its edge or shows its back, and of content far from its origin."""
    size, centre = rest.size, (rest.low + rest.high) / 2
    thin = int(np.argmin(size))
    if size[thin] <= FLAT * size.max():
        if thin != 2 and size[2] > EDGE * size[thin]:
            report.add(Rule.FACING_EDGE, "", f"it is {size[0]:.3g} × {size[1]:.3g} × {size[2]:.3g} m")
        elif thin == 2 and _shows_its_back(document):
            report.add(Rule.FACING_AWAY, "")
    distance = float(np.linalg.norm(centre))
    if distance > FAR * float(size.max()):
        report.add(Rule.ORIGIN_FAR, "", f"it is {size.max():.3g} m large and stands {distance:.3g} m away")


def _shows_its_back(document: Document) -> bool:
    """Return whether nothing is drawn of one-sided content that is seen from +Z."""
    geometry = scene_geometry(document)
    if not geometry.one_sided.all():
        return False
    first, second, third = geometry.vertices[geometry.triangles].transpose(1, 0, 2)
    return bool((np.cross(second - first, third - first)[:, 2] <= 0).all())
