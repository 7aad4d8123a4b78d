"""One beam from one camera to one facet; the numpy twin is `openslot_view.beams.cast`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_view.backends.compiled.area import screen_cross
from openslot_view.backends.compiled.kernel import Record, inlined, kernel
from openslot_view.beams import PLANE_BIAS_M

__all__ = ["aim", "outline"]

Floats = NDArray[np.float64]

_U, _V = 6, 7  # columns of the outline: six frustum distances, then the chart


@kernel
def outline(camera: Record, facet: Record, work: Floats, beam: Record) -> bool:
    """Write the part of the facet on screen and its areas to `beam`; False where there is none, or it is edge-on."""
    if abs(_height(camera, facet)) <= 1e-12:
        return False
    count, half = _clipped(camera, facet, work)
    if count < 3:
        return False
    area = 0.0
    for i in range(count):
        j = i + 1 if i + 1 < count else 0
        area += work[half, i, _U] * work[half, j, _V] - work[half, i, _V] * work[half, j, _U]
        beam.outline[i, 0], beam.outline[i, 1] = work[half, i, _U], work[half, i, _V]
    beam.sides, beam.chart_area = count, area / 2
    if area <= 2e-12:
        return False
    _screen(camera, facet, beam)
    return True


@kernel
def aim(camera: Record, facet: Record, beam: Record) -> None:
    """Write the rest of `beam`, which occluders need."""
    for c in range(3):
        beam.eye[c], beam.toward[c] = camera.eye[c], camera.toward[c]
    beam.orthographic = camera.orthographic
    _forms(camera, facet, beam)
    _borders(beam.outline, beam.sides, beam.borders)


@inlined
def _height(camera: Record, facet: Record) -> float:
    """Return how high the eye is over the facet, or for an orthographic camera the cosine of their directions."""
    height = 0.0
    for c in range(3):
        back = camera.toward[c] if camera.orthographic else camera.eye[c] - facet.corners[0, c]
        height += back * facet.normal[c]
    return height


@inlined
def _clipped(camera: Record, facet: Record, work: Floats) -> tuple[int, int]:
    """Clip the facet to the frustum; return the number of corners and which half of `work` holds them."""
    outside = 0
    for i in range(facet.sides):
        x, y, z = (
            facet.corners[i, 0] - camera.eye[0],
            facet.corners[i, 1] - camera.eye[1],
            facet.corners[i, 2] - camera.eye[2],
        )
        for k in range(6):
            plane = camera.planes
            work[0, i, k] = plane[k, 0] * x + plane[k, 1] * y + plane[k, 2] * z + plane[k, 3]
            if work[0, i, k] < 0:
                outside |= 1 << k
        work[0, i, _U], work[0, i, _V] = facet.outline[i, 0], facet.outline[i, 1]
    count: int = facet.sides
    half = 0
    for k in range(6):
        if outside >> k & 1 and count >= 3:
            count = _clip(work[half], count, work[1 - half], k)
            half = 1 - half
    return count, half


@inlined
def _clip(source: Floats, count: int, target: Floats, column: int) -> int:
    made = 0
    for i in range(count):
        j = i + 1 if i + 1 < count else 0
        here, there = source[i, column], source[j, column]
        if here >= 0:
            for k in range(8):
                target[made, k] = source[i, k]
            made += 1
        if (here >= 0) != (there >= 0):
            share = here / (here - there)
            for k in range(8):
                target[made, k] = source[i, k] + (source[j, k] - source[i, k]) * share
            made += 1
    return made


@inlined
def _forms(camera: Record, facet: Record, beam: Record) -> None:
    """Write (X, Y, W, height, near) on eye-relative points."""
    forms, height = beam.forms, _height(camera, facet)
    side, reach = (-1.0 if height < 0 else 1.0), abs(height)
    rise = side * _over(camera, facet, facet.normal)
    for row in range(2):
        dual = facet.dual_u if row == 0 else facet.dual_v
        slope, scale, constant = _over(camera, facet, dual), reach, 0.0
        if camera.orthographic:
            along, scale = slope, 1.0
            slope = (camera.toward[0] * dual[0] + camera.toward[1] * dual[1] + camera.toward[2] * dual[2]) / reach
            constant = along - slope * rise
        for c in range(3):
            forms[row, c] = dual[c] * scale - facet.normal[c] * side * slope
        forms[row, 3] = constant
    for c in range(3):
        forms[2, c] = 0.0 if camera.orthographic else -facet.normal[c] * side
        forms[3, c] = facet.normal[c] * side
        forms[4, c] = camera.planes[0, c]
    forms[2, 3] = 1.0 if camera.orthographic else 0.0
    forms[3, 3], forms[4, 3] = rise - PLANE_BIAS_M, camera.planes[0, 3]


@inlined
def _borders(outline: Floats, count: int, borders: Floats) -> None:
    for i in range(count):
        j = i + 1 if i + 1 < count else 0
        dx, dy = outline[j, 0] - outline[i, 0], outline[j, 1] - outline[i, 1]
        length = np.sqrt(dx * dx + dy * dy)
        borders[i, 0], borders[i, 1], borders[i, 2] = 0.0, 0.0, 1.0
        if length > 1e-13:
            borders[i, 0], borders[i, 1] = -dy / length, dx / length
            borders[i, 2] = -(borders[i, 0] * outline[i, 0] + borders[i, 1] * outline[i, 1])


@inlined
def _screen(camera: Record, facet: Record, beam: Record) -> None:
    """Write the map from chart to screen, and the share of the viewport on screen."""
    for r in range(3):
        row = 3 if r == 2 else r
        beam.screen[r, 0] = beam.screen[r, 1] = 0.0
        beam.screen[r, 2] = camera.clip[row, 3]
        for c in range(3):
            beam.screen[r, 0] += camera.clip[row, c] * facet.edge_u[c]
            beam.screen[r, 1] += camera.clip[row, c] * facet.edge_v[c]
            beam.screen[r, 2] += camera.clip[row, c] * (facet.corners[0, c] - camera.eye[c])
    seen, outline = 0.0, beam.outline
    for i in range(beam.sides):
        j = i + 1 if i + 1 < beam.sides else 0
        seen += screen_cross(beam.screen, outline[i, 0], outline[i, 1], outline[j, 0], outline[j, 1])
    beam.screen_area = abs(seen) / 8


@inlined
def _over(camera: Record, facet: Record, direction: Floats) -> float:
    """Return how far the eye is from the facet's corner 0 along a direction."""
    far = 0.0
    for c in range(3):
        far += (camera.eye[c] - facet.corners[0, c]) * direction[c]
    return far
