"""Walking a tree with one beam and keeping the shadows met: the inner loop of the backend."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_view.backends.compiled.area import exact_area
from openslot_view.backends.compiled.kernel import CAPACITY, Mesh, Record, inlined, kernel, woven
from openslot_view.backends.compiled.mask import full, paint
from openslot_view.backends.compiled.rows import row_area
from openslot_view.backends.compiled.shadow import project, shadow
from openslot_view.union import THIN

__all__ = ["HIDDEN", "OPEN", "OVERFLOW", "collect", "meets", "planes_of", "total"]

Floats = NDArray[np.float64]

OPEN, HIDDEN, OVERFLOW = 0, 1, 2

_SLIVER = 1e-11
_ALL = 1 - 1e-9
_NOTHING_LEFT = 2e-5  # share of the on-screen part, and of the viewport, that is not worth looking for
_EXACT = 1024  # shadows up to which the union is exact


@kernel
def total(beam: Record, shadows: int, room: Record) -> tuple[float, float]:
    """Return the area of the shadows' union in the chart and on screen."""
    if shadows == 0:
        return 0.0, 0.0
    if shadows <= _EXACT:
        return exact_area(shadows, beam.screen, room)
    low, high = beam.outline[0, 1], beam.outline[0, 1]
    for i in range(beam.sides):
        low, high = min(low, beam.outline[i, 1]), max(high, beam.outline[i, 1])
    return row_area(shadows, low, high, beam.screen, room)


@kernel
def collect(mesh: Mesh, root: int, beam: Record, own: bool, shadows: int, room: Record) -> tuple[int, int]:  # noqa: FBT001 - compiled
    """Add the shadows of `mesh` from node `root` to those in `room`; return their number and how the beam stands.

    HIDDEN when they leave nothing, OVERFLOW when the room is full, else OPEN. With `own` only triangles of the beam's
    surface count, else all but those of its owner.
    """
    planes = planes_of(beam, room.planes)
    depth = 1 if len(mesh.triangles) else 0
    room.stack[0] = root
    ask = 0
    while depth:
        depth -= 1
        node = mesh.nodes[room.stack[depth]]
        if not meets(node, room.planes, planes):
            continue
        if node.size == 0:
            room.stack[depth], room.stack[depth + 1] = node.first, node.first + 1
            depth += 2
            continue
        before = shadows
        shadows, state = _leaf(mesh, beam, own, (node.first, node.first + node.size, shadows), room)
        if state == OPEN and shadows > max(before, ask) and full(room.mask):
            inside, shown = total(beam, shadows, room)
            # near the eye next to nothing of an ad may be much of the screen
            nothing = inside > (1 - _NOTHING_LEFT) * beam.chart_area and shown > beam.screen_area - _NOTHING_LEFT
            state = HIDDEN if nothing else OPEN
            ask = 2 * shadows
        if state != OPEN:
            return shadows, state
    return shadows, OPEN


@inlined
def planes_of(beam: Record, planes: Floats) -> int:
    """Write the beam's planes in world coordinates, borders first, then the facet's and the near plane."""
    forms, borders, eye = beam.forms, beam.borders, beam.eye
    count: int = beam.sides + 2
    for k in range(count):
        for c in range(4):
            if k < beam.sides:
                planes[k, c] = borders[k, 0] * forms[0, c] + borders[k, 1] * forms[1, c] + borders[k, 2] * forms[2, c]
            else:
                planes[k, c] = forms[3 + k - beam.sides, c]
        planes[k, 3] -= planes[k, 0] * eye[0] + planes[k, 1] * eye[1] + planes[k, 2] * eye[2]
    return count


@inlined
def meets(node: Record, planes: Floats, count: int) -> bool:
    """Return whether the node's box has a point inside every plane, plane by plane."""
    low, high = node.low, node.high
    for k in range(count):
        reach = planes[k, 3]
        for axis in range(3):
            slope = planes[k, axis]
            reach += slope * (high[axis] if slope > 0 else low[axis])
        if reach < 0:
            return False
    return True


@woven
def _leaf(mesh: Mesh, beam: Record, own: bool, span: tuple[int, int, int], room: Record) -> tuple[int, int]:  # noqa: FBT001 - compiled
    """Add the triangles span[0] … span[1] to the span[2] shadows there are."""
    shadows = span[2]
    for t in range(span[0], span[1]):
        triangle = mesh.triangles[t]
        if not _may_hide(triangle, beam, own) or _turned_away(triangle, mesh.bodies, beam):
            continue
        if not project(triangle.corners, beam.eye, beam.forms, room.work):
            continue
        count, half = shadow(beam.borders, beam.sides, room.work)
        if count == 0 or not _keep(room.work[half], count, shadows, room):
            continue
        if room.area[shadows] >= _ALL * beam.chart_area:
            return shadows, HIDDEN
        if shadows == 0:
            room.mask[:] = 0
            paint(beam.outline, 0, beam.sides, room.mask[0], room.span)
        paint(room.table, room.start[shadows], room.start[shadows + 1], room.mask[1], room.span)
        for k in range(3):
            other = triangle.neighbour[k]
            room.neighbour[shadows, k] = other + mesh.offset if other >= 0 else -1
        room.triangle[shadows] = t + mesh.offset
        shadows += 1
        if shadows == CAPACITY:
            return shadows, OVERFLOW
    return shadows, OPEN


@woven
def _may_hide(triangle: Record, beam: Record, own: bool) -> bool:  # noqa: FBT001 - compiled
    if own:
        return bool(triangle.owner == beam.surface)
    return bool(triangle.owner < 0 or triangle.owner != beam.owner)


@inlined
def _turned_away(triangle: Record, bodies: NDArray[np.void], beam: Record) -> bool:
    """Return whether the triangle is seen from behind and must not hide, or need not.

    Of a closed body beyond the near plane the faces turned away hide nothing that the others do not.
    """
    normal, corners, eye = triangle.normal, triangle.corners, beam.eye
    if beam.orthographic:
        side = normal[0] * beam.toward[0] + normal[1] * beam.toward[1] + normal[2] * beam.toward[2]
    else:
        side = normal[0] * (eye[0] - corners[0, 0]) + normal[1] * (eye[1] - corners[0, 1])
        side += normal[2] * (eye[2] - corners[0, 2])
    if side > 0:
        return False
    if triangle.one_sided:
        return True
    if triangle.body < 0:
        return False
    body = bodies[triangle.body]
    reach = beam.forms[4, 3]
    for k in range(3):
        slope = beam.forms[4, k]
        reach += slope * ((body.low[k] if slope > 0 else body.high[k]) - eye[k])
    return bool(reach > 0)


@woven
def _keep(work: Floats, count: int, shadow: int, room: Record) -> bool:
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
    if shadow == 0:
        room.start[0] = 0
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


@inlined
def _lines(begin: int, end: int, shadow: int, room: Record) -> None:
    """Write the inward lines of the edges begin … end, the shadow's box, and whether it is a needle."""
    left = low = np.inf
    right = high = -np.inf
    longest = 0.0
    for i in range(begin, end):
        j = i + 1 if i + 1 < end else begin
        x, y = room.table[i, 0], room.table[i, 1]
        dx, dy = room.table[j, 0] - x, room.table[j, 1] - y
        squared = dx * dx + dy * dy
        longest = max(longest, squared)
        scale = 1.0 / max(np.sqrt(squared), 1e-15)
        room.table[i, 2], room.table[i, 3] = -dy * scale, dx * scale
        room.table[i, 4] = (dy * x - dx * y) * scale
        left, right, low, high = min(left, x), max(right, x), min(low, y), max(high, y)
    room.box[shadow, 0], room.box[shadow, 1] = left, right
    room.box[shadow, 2], room.box[shadow, 3] = low, high
    room.thin[shadow] = room.area[shadow] < THIN * longest
