"""Fitting a creative into a slot: how it is scaled and where it stands.

A creative faces +Z like its slot. Its back stands on the slot's plane, its box centred on the slot's face, and it
reaches forward no deeper than the slot allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from openslot_gltf.bounds import Bounds
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import SlotTerms

__all__ = ["Fit", "fitted"]

FLAT = 0.01
"""Content thinner than this part of its longer side is flat, and needs no depth to stand in."""
NOTHING = 1e-6
"""A side shorter than this part of the longest has no length: scaling it up would divide by next to nothing."""
ROUNDING = 1e-6
CENTIMETRES_ABOVE = 20.0
"""Content larger than this is taken to be authored in centimetres: a 20 m product is rare, a 20 cm one is not."""


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """How a creative stands in a slot.

    Args:
        slot_from_creative: (4, 4), metres of the slot's frame; a scale and a translation.
        scale: along x, y and z.
        covers: the parts of the slot's width and height that the creative's box takes; above 1 it overhangs.
        centimetres: the creative looks authored in centimetres.
    """

    slot_from_creative: NDArray[np.float64]
    scale: tuple[float, float, float]
    covers: tuple[float, float]
    centimetres: bool


def fitted(bounds: Bounds, terms: SlotTerms) -> Fit:
    """Return how content of these bounds stands in a slot of these terms, both in metres.

    `contain` shows all of it, `cover` fills the face and may overhang on one side, `stretch` fills the face exactly,
    `fixed` keeps its size. Depth never exceeds the slot's: `contain` shrinks, the others flatten. Raises
    CREATIVE_REFUSED for content without width and height, for solid content in a slot without depth, and for content
    that at its fixed scale is larger than the slot.
    """
    size = bounds.high - bounds.low
    size = np.where(size > NOTHING * size.max(), size, 0.0)
    if size[:2].max() <= 0:
        raise OpenSlotError(Code.CREATIVE_REFUSED, "it has neither width nor height")
    flat = bool(size[2] <= FLAT * size[:2].max())
    if terms.depth <= 0 and not flat:
        raise OpenSlotError(Code.CREATIVE_REFUSED, f"it is {size[2]:.3g} m deep and the slot {terms.id} has no depth")
    scale = _fixed(size, terms, flat=flat) if terms.fit == "fixed" else _scale(size, terms, terms.fit, flat=flat)
    matrix = np.diag([*scale, 1.0])
    matrix[:3, 3] = _placed(bounds, scale, terms)
    covers = scale[:2] * size[:2] / terms.size
    x, y, z = scale.tolist()
    return Fit(matrix, (x, y, z), (float(covers[0]), float(covers[1])), bool(size.max() > CENTIMETRES_ABOVE))


def _placed(bounds: Bounds, scale: NDArray[np.float64], terms: SlotTerms) -> NDArray[np.float64]:
    """Return the translation: the back on the slot's plane, the box in the middle or at the edges it keeps to."""
    low, high = scale * bounds.low, scale * bounds.high
    place = -(low + high) / 2
    place[2] = -low[2]
    align = terms.align or "centre"
    for axis, (first, last) in enumerate((("left", "right"), ("bottom", "top"))):
        if first in align:
            place[axis] = -terms.size[axis] / 2 - low[axis]
        elif last in align:
            place[axis] = terms.size[axis] / 2 - high[axis]
    return np.asarray(place)


def _fixed(size: NDArray[np.float64], terms: SlotTerms, *, flat: bool) -> NDArray[np.float64]:
    scale = 1.0 if terms.scale is None else terms.scale
    room = np.array([*terms.size, np.inf if flat else terms.depth])
    if (scale * size > room * (1 + ROUNDING)).any():
        wanted = " × ".join(f"{side:.3g}" for side in scale * size)
        raise OpenSlotError(
            Code.CREATIVE_REFUSED,
            f"it is {wanted} m at the fixed scale of the slot {terms.id}, which has "
            f"{terms.size[0]:.3g} × {terms.size[1]:.3g} × {terms.depth:.3g} m",
        )
    return np.full(3, scale)


def _scale(
    size: NDArray[np.float64], terms: SlotTerms, rule: Literal["contain", "cover", "stretch"], *, flat: bool
) -> NDArray[np.float64]:
    # A side of no length asks for nothing: it takes the scale of the other.
    wide, high = (terms.size[axis] / size[axis] if size[axis] > 0 else np.nan for axis in (0, 1))
    deep = np.inf if flat else terms.depth / size[2]
    if rule == "contain":
        return np.full(3, min(np.nanmin([wide, high]), deep))
    if rule == "cover":
        across = float(np.nanmax([wide, high]))
        return np.array([across, across, min(across, deep)])
    across, along = (float(np.nan_to_num(side, nan=np.nanmin([wide, high]))) for side in (wide, high))
    return np.array([across, along, min(float(np.sqrt(across * along)), deep)])
