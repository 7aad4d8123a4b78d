"""Walking a tree with one beam and keeping the shadows met: the inner loop of the backend."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_view.backends.compiled.area import exact_area
from openslot_view.backends.compiled.kernel import CAPACITY, Beam, Mesh, Scratch, kernel
from openslot_view.backends.compiled.mask import full, paint
from openslot_view.backends.compiled.rows import row_area
from openslot_view.backends.compiled.shadow import project, shadow

__all__ = ["HIDDEN", "OPEN", "OVERFLOW", "begin", "collect", "total"]

Floats = NDArray[np.float64]

OPEN, HIDDEN, OVERFLOW = 0, 1, 2

_SLIVER = 1e-11
_ALL = 1 - 1e-9
_NOTHING_LEFT = 2e-5  # share of the on-screen part that is not worth looking for
_EXACT = 1024  # shadows up to which the union is exact


@kernel
def begin(beam: Beam, room: Scratch) -> None:
    """Make `room` ready for a beam: the mask's outline."""
    room.mask[:] = 0
    paint(beam.outline, 0, beam.sides, room.mask[0], room.span)


@kernel
def total(beam: Beam, shadows: int, room: Scratch) -> tuple[float, float]:
    """Return the area of the shadows' union in the chart and on screen."""
    if shadows <= _EXACT:
        return exact_area(shadows, beam.screen, room)
    v = beam.outline[: beam.sides, 1]
    return row_area(shadows, v.min(), v.max(), beam.screen, room)


@kernel
def collect(mesh: Mesh, beam: Beam, own: bool, shadows: int, room: Scratch) -> tuple[int, int]:  # noqa: FBT001 - compiled
    """Add the shadows of `mesh` to those already in `room`; return their number and how the beam stands.

    HIDDEN when they leave nothing, OVERFLOW when the room is full, else OPEN. With `own` only triangles of the beam's
    surface count, else all but those of its owner.
    """
    planes = _planes(beam, room.planes)
    stack, depth, ask = room.stack, 0, 0
    if len(mesh.corners):
        stack[0], depth = 0, 1
    while depth:
        depth -= 1
        node = stack[depth]
        if not _meets(mesh.low[node], mesh.high[node], room.planes, planes):
            continue
        first, count = mesh.first[node], mesh.size[node]
        if count == 0:
            stack[depth], stack[depth + 1] = first, first + 1
            depth += 2
            continue
        before = shadows
        shadows, state = _leaf(mesh, beam, own, (first, first + count, shadows), room)
        if state == OPEN and shadows > max(before, ask) and full(room.mask):
            state = HIDDEN if total(beam, shadows, room)[0] > (1 - _NOTHING_LEFT) * beam.chart_area else OPEN
            ask = 2 * shadows
        if state != OPEN:
            return shadows, state
    return shadows, OPEN


@kernel
def _planes(beam: Beam, planes: Floats) -> int:
    """Write the beam's planes in world coordinates, borders first, then the facet's and the near plane."""
    forms, eye = beam.forms, beam.eye
    for k in range(beam.sides + 2):
        for c in range(4):
            if k < beam.sides:
                row = beam.borders[k]
                planes[k, c] = row[0] * forms[0, c] + row[1] * forms[1, c] + row[2] * forms[2, c]
            else:
                planes[k, c] = forms[3 + k - beam.sides, c]
        planes[k, 3] -= planes[k, 0] * eye[0] + planes[k, 1] * eye[1] + planes[k, 2] * eye[2]
    return beam.sides + 2


@kernel
def _meets(low: Floats, high: Floats, planes: Floats, count: int) -> bool:
    """Return whether the box has a point inside every plane, plane by plane."""
    for k in range(count):
        a, b, c, d = planes[k]
        x = high[0] if a > 0 else low[0]
        y = high[1] if b > 0 else low[1]
        z = high[2] if c > 0 else low[2]
        if a * x + b * y + c * z + d < 0:
            return False
    return True


@kernel
def _leaf(mesh: Mesh, beam: Beam, own: bool, span: tuple[int, int, int], room: Scratch) -> tuple[int, int]:  # noqa: FBT001 - compiled
    """Add the triangles span[0] … span[1] to the span[2] shadows there are."""
    shadows = span[2]
    for t in range(span[0], span[1]):
        if not _may_hide(mesh.owner[t], beam, own) or _turned_away(mesh, t, beam):
            continue
        if not project(mesh.corners[t], beam.eye, beam.forms, room.work):
            continue
        count, half = shadow(beam.borders, beam.sides, room.work)
        if count == 0 or not _keep(room.work[half], count, shadows, room):
            continue
        if room.area[shadows] >= _ALL * beam.chart_area:
            return shadows, HIDDEN
        for k in range(3):
            other = mesh.neighbour[t, k]
            room.neighbour[shadows, k] = other + mesh.offset if other >= 0 else -1
        room.triangle[shadows] = t + mesh.offset
        paint(room.table, room.start[shadows], room.start[shadows + 1], room.mask[1], room.span)
        shadows += 1
        if shadows == CAPACITY:
            return shadows, OVERFLOW
    return shadows, OPEN


@kernel
def _may_hide(owner: int, beam: Beam, own: bool) -> bool:  # noqa: FBT001 - compiled
    if own:
        return owner == beam.surface
    return owner < 0 or owner != beam.owner


@kernel
def _turned_away(mesh: Mesh, t: int, beam: Beam) -> bool:
    """Return whether the triangle is seen from behind and need not or must not hide."""
    normal = mesh.normal[t]
    if beam.orthographic:
        side = normal[0] * beam.toward[0] + normal[1] * beam.toward[1] + normal[2] * beam.toward[2]
    else:
        corner, eye = mesh.corners[t, 0], beam.eye
        side = normal[0] * (eye[0] - corner[0]) + normal[1] * (eye[1] - corner[1]) + normal[2] * (eye[2] - corner[2])
    if side > 0:
        return False
    if mesh.one_sided[t]:
        return True
    c = mesh.component[t]
    if c < 0:
        return False
    near = beam.forms[4]
    reach = near[3]
    for k in range(3):
        reach += near[k] * ((mesh.closed_low[c, k] if near[k] > 0 else mesh.closed_high[c, k]) - beam.eye[k])
    return bool(reach > 0)


@kernel
def _keep(work: Floats, count: int, shadow: int, room: Scratch) -> bool:
    """Write the polygon, divided and counter-clockwise, as shadow number `shadow`; False if it is a sliver."""
    for i in range(count):
        weight = 1.0 / max(work[i, 2], 1e-12)
        work[i, 0] *= weight
        work[i, 1] *= weight
    area = 0.0
    for i in range(count):
        j = i + 1 if i + 1 < count else 0
        area += work[i, 0] * work[j, 1] - work[i, 1] * work[j, 0]
    if abs(area) < 2 * _SLIVER:
        return False
    begin = room.start[shadow]
    for i in range(count):
        vertex, edge = i, i
        if area < 0:
            vertex, edge = count - 1 - i, count - 2 - i if i + 1 < count else count - 1
        room.table[begin + i, 0], room.table[begin + i, 1] = work[vertex, 0], work[vertex, 1]
        room.source[begin + i] = int(work[edge, 6])
    room.start[shadow + 1] = begin + count
    room.area[shadow], room.flipped[shadow] = abs(area) / 2, area < 0
    _lines(begin, begin + count, shadow, room)
    return True


@kernel
def _lines(begin: int, end: int, shadow: int, room: Scratch) -> None:
    """Write the inward lines of the edges begin … end and the shadow's box."""
    box = room.box[shadow]
    box[0] = box[2] = np.inf
    box[1] = box[3] = -np.inf
    for i in range(begin, end):
        j = i + 1 if i + 1 < end else begin
        x, y = room.table[i, 0], room.table[i, 1]
        dx, dy = room.table[j, 0] - x, room.table[j, 1] - y
        scale = 1.0 / max(np.sqrt(dx * dx + dy * dy), 1e-15)
        room.table[i, 2], room.table[i, 3] = -dy * scale, dx * scale
        room.table[i, 4] = (dy * x - dx * y) * scale
        box[0], box[1] = min(box[0], x), max(box[1], x)
        box[2], box[3] = min(box[2], y), max(box[3], y)
