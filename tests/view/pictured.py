"""Scenes drawn by an engine, and what its pixels say of the slot in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openslot_view import Cameras, Occluders, Surfaces, Visibility, measure
from tests.view.engine import SIDE_PX, Engine, Part

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Picture:
    """One view of one slot: `corners` (4, 3) of a parallelogram, `occluders` (n, 3, 3)."""

    view: Floats
    projection: Floats
    corners: Floats
    occluders: Floats
    one_sided: bool = False
    two_sided_slot: bool = True

    def measured(self, backend: str) -> Visibility:
        """Return what we say of it."""
        cameras = Cameras([self.view], [self.projection], [(SIDE_PX, SIDE_PX)])
        slot = Surfaces.from_quads([self.corners], two_sided=self.two_sided_slot)
        rows = np.arange(3 * len(self.occluders)).reshape(-1, 3)
        stands = Occluders.build(self.occluders.reshape(-1, 3), rows, one_sided=self.one_sided)
        return measure(cameras, slot, stands, backend=backend)

    def drawn(self, engine: Engine) -> Counted:
        """Return what the engine's pixels say of it."""
        slot = Part(self.corners[[[0, 1, 2], [0, 2, 3]]], RED, not self.two_sided_slot)
        frame = engine.draw(self.view, self.projection, [slot, Part(self.occluders, BLUE, self.one_sided)])
        shown = frame[..., 0] == 255
        share = self.surface_per_pixel()
        edge = shown & ~_inner(shown)
        return Counted(
            float(shown.mean()),
            float(share[shown].sum()),
            float(edge.mean()),
            float(share[edge].sum()),
            int(edge.sum()),
        )

    def surface_per_pixel(self) -> Floats:
        """Return (rows, columns): which share of the slot's surface the plane behind one pixel is, by calculus.

        The plane's map (u, v, 1) → clip (x, y, w) is a 3×3 C; with q = C⁻¹ (x, y, 1) a pixel's area is |det C⁻¹| ÷ q₂³
        of the slot's.
        """
        first, along, _, up = self.corners
        plane = np.stack([np.append(along - first, 0), np.append(up - first, 0), np.append(first, 1)], axis=1)
        chart_from_clip = np.linalg.inv((self.projection @ self.view)[[0, 1, 3]] @ plane)
        at = (np.arange(SIDE_PX) + 0.5) * 2 / SIDE_PX - 1
        depth = chart_from_clip[2, 0] * at + (chart_from_clip[2, 1] * at + chart_from_clip[2, 2])[:, None]
        area = abs(np.linalg.det(chart_from_clip)) * (2 / SIDE_PX) ** 2
        return np.asarray(area / np.maximum(np.abs(depth), 1e-12) ** 3)


@dataclass(frozen=True)
class Counted:
    """Of one frame: the slot's share of the pixels, its share of the surface, and how much of both lies on its edge.

    A pixel counts by its centre, so only those that the slot's border crosses can be wrong, and each by at most
    itself. They lie in two rows along the border, of which the inner one is counted here; half of each is wrong at the
    most where the border is straight, so the inner row is the bound.
    """

    coverage: float
    fraction: float
    coverage_bound: float
    fraction_bound: float
    edge_px: int


def _inner(shown: Bools) -> Bools:
    """Return the pixels all of whose four neighbours are shown; the frame's own border is exact."""
    padded = np.pad(shown, 1, mode="edge")
    return np.asarray(padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:])
