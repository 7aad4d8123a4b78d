"""The exact area of the union of one beam's shadows; the theory stands in `openslot_view.union`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_view.backends.compiled.grid import cell_of, lay
from openslot_view.backends.compiled.kernel import Record, inlined, kernel
from openslot_view.union import GROWTH

__all__ = ["exact_area", "screen_cross", "sort_intervals"]

Floats = NDArray[np.float64]
Edge = tuple[float, float, float, float, float, float, float]  # begin, end, inward normal, growth

_NONE = -1
_PRIME = 2654435761


@kernel
def exact_area(shadows: int, screen: Floats, room: Record) -> tuple[float, float]:
    """Return the union's area in the chart and on screen, the latter as a share of the viewport."""
    _drop_contained(shadows, room)
    _mark_exposed(shadows, room)
    cells, loose = lay(shadows, room)
    chart = seen = 0.0
    for i in range(shadows):
        if not room.alive[i]:
            continue
        begin, end = room.start[i], room.start[i + 1]
        for e in range(begin, end):
            if room.exposed[e]:
                f = e + 1 if e + 1 < end else begin
                line = room.table[e]
                edge = (line[0], line[1], room.table[f, 0], room.table[f, 1], line[2], line[3], i * GROWTH)
                covered = _covered(i, edge, cells, loose, room)
                if covered >= 0:
                    inside, shown = _gaps(edge, covered, screen, room.interval)
                    chart += inside
                    seen += shown
    return chart / 2, abs(seen) / 8


@kernel
def sort_intervals(interval: Floats, count: int) -> None:
    """Sort interval[:count] by their begins, in place (Shell 1959, gaps of Ciura)."""
    for gap in (701, 301, 132, 57, 23, 10, 4, 1):
        for i in range(gap, count):
            begin, end = interval[i, 0], interval[i, 1]
            j = i
            while j >= gap and interval[j - gap, 0] > begin:
                interval[j, 0], interval[j, 1] = interval[j - gap, 0], interval[j - gap, 1]
                j -= gap
            interval[j, 0], interval[j, 1] = begin, end


@inlined
def screen_cross(screen: Floats, ax: float, ay: float, bx: float, by: float) -> float:
    """Return the cross product of two chart points after mapping them to the screen (−1 … 1)."""
    aw = max(screen[2, 0] * ax + screen[2, 1] * ay + screen[2, 2], 1e-12)
    bw = max(screen[2, 0] * bx + screen[2, 1] * by + screen[2, 2], 1e-12)
    au, av = screen[0, 0] * ax + screen[0, 1] * ay + screen[0, 2], screen[1, 0] * ax + screen[1, 1] * ay + screen[1, 2]
    bu, bv = screen[0, 0] * bx + screen[0, 1] * by + screen[0, 2], screen[1, 0] * bx + screen[1, 1] * by + screen[1, 2]
    return float((au * bv - av * bu) / (aw * bw))


@inlined
def _gaps(edge: Edge, count: int, screen: Floats, interval: Floats) -> tuple[float, float]:
    """Return the boundary integrals over what the sorted intervals leave of the edge."""
    sort_intervals(interval, count)
    interval[count, 0] = interval[count, 1] = 1.0
    dx, dy = edge[2] - edge[0], edge[3] - edge[1]
    chart = seen = reached = 0.0
    for k in range(count + 1):
        if interval[k, 0] > reached:
            ax, ay = edge[0] + dx * reached, edge[1] + dy * reached
            bx, by = edge[0] + dx * interval[k, 0], edge[1] + dy * interval[k, 0]
            chart += ax * by - ay * bx
            seen += screen_cross(screen, ax, ay, bx, by)
        reached = max(reached, interval[k, 1])
    return chart, seen


@inlined
def _covered(i: int, edge: Edge, cells: int, loose: int, room: Record) -> int:
    """Write the stretches of shadow i's `edge` inside other shadows to `room.interval`; −1 if it is all inside one."""
    count = 0
    for k in range(loose):
        count = _stretch(room.loose[k], i, edge, count, room)
        if count < 0:
            return _NONE
    if cells == 0:
        return count
    left, right = cell_of(min(edge[0], edge[2]), cells), cell_of(max(edge[0], edge[2]), cells)
    low, high = cell_of(min(edge[1], edge[3]), cells), cell_of(max(edge[1], edge[3]), cells)
    for y in range(low, high + 1):
        for x in range(left, right + 1):
            for k in range(room.cell[y * cells + x], room.cell[y * cells + x + 1]):
                j = room.member[k]
                # a shadow in several cells is asked in the first that it shares with the edge
                if x == max(left, cell_of(room.box[j, 0], cells)) and y == max(low, cell_of(room.box[j, 2], cells)):
                    count = _stretch(j, i, edge, count, room)
                    if count < 0:
                        return _NONE
    return count


@inlined
def _stretch(j: int, i: int, edge: Edge, count: int, room: Record) -> int:
    """Append the stretch of shadow i's `edge` inside shadow j, both grown; return the new count, −1 if it is all."""
    if j == i or _apart(edge, room.box[j]):
        return count
    ax, ay, bx, by, nx, ny, own = edge
    enter, leave = 0.0, 1.0
    for k in range(room.start[j], room.start[j + 1]):
        line = room.table[k]
        grown = line[4] + j * GROWTH - own * (nx * line[2] + ny * line[3])
        first = line[2] * ax + line[3] * ay + grown
        last = line[2] * bx + line[3] * by + grown
        if first <= 0:
            enter = max(enter, first / (first - last)) if last > 0 else 1.0
        elif last < 0:
            leave = min(leave, first / (first - last))
        if leave <= enter:
            return count
    if room.thin[j]:
        enter, leave = _within_reach(j, edge, enter, leave, room)
    if enter <= 0 and leave >= 1:
        return _NONE
    room.interval[count, 0], room.interval[count, 1] = enter, leave
    return count + 1 if leave > enter else count


@inlined
def _apart(edge: Edge, box: Floats) -> bool:
    """Return whether the edge's box is farther from `box` than growing moves either."""
    ax, ay, bx, by, _, _, _ = edge
    slack = 1e-6
    if box[0] > max(ax, bx) + slack or box[1] < min(ax, bx) - slack:
        return True
    return bool(box[2] > max(ay, by) + slack or box[3] < min(ay, by) - slack)


@inlined
def _within_reach(j: int, edge: Edge, enter: float, leave: float, room: Record) -> tuple[float, float]:
    """Return the stretch without what lies beyond the ends of needle j, which growing has moved."""
    dx, dy = edge[2] - edge[0], edge[3] - edge[1]
    scale = 1.0 / max(dx * dx + dy * dy, 1e-300)
    least, most = np.inf, -np.inf
    for k in range(room.start[j], room.start[j + 1]):
        along = ((room.table[k, 0] - edge[0]) * dx + (room.table[k, 1] - edge[1]) * dy) * scale
        least, most = min(least, along), max(most, along)
    return max(enter, least), min(leave, most)


@kernel
def _drop_contained(shadows: int, room: Record) -> None:
    """Clear `alive` of shadows that lie within one of the four largest."""
    for i in range(shadows):
        room.alive[i] = True
    if shadows <= 6:
        return
    order = np.array([_NONE, _NONE, _NONE, _NONE])
    for i in range(shadows):
        k = 4
        while k > 0 and (order[k - 1] < 0 or room.area[i] > room.area[order[k - 1]]):
            k -= 1
        if k < 4:
            for m in range(3, k, -1):
                order[m] = order[m - 1]
            order[k] = i
    for c in order:
        for i in range(shadows):
            if room.alive[c] and room.alive[i] and i != c and _contains(c, i, room):
                room.alive[i] = False


@inlined
def _contains(outer: int, inner: int, room: Record) -> bool:
    a, b = room.box[outer], room.box[inner]
    if b[0] < a[0] or b[1] > a[1] or b[2] < a[2] or b[3] > a[3]:
        return False
    for k in range(room.start[outer], room.start[outer + 1]):
        line = room.table[k]
        for e in range(room.start[inner], room.start[inner + 1]):
            if line[2] * room.table[e, 0] + line[3] * room.table[e, 1] + line[4] < 1e-10:
                return False
    return True


@kernel
def _mark_exposed(shadows: int, room: Record) -> None:
    """Clear `exposed` of edges behind which a neighbour of the same orientation goes on: they are inside the union.

    Not where either is a needle, for growing moves its edges against the other's.
    """
    size = 16
    while size < 2 * shadows:
        size *= 2
    _index(shadows, size, room)
    for i in range(shadows):
        for e in range(room.start[i], room.start[i + 1]):
            room.exposed[e] = True
            if room.source[e] < 3:
                other = _find(room.neighbour[i, room.source[e]], size, room)
                alike = other >= 0 and room.flipped[other] == room.flipped[i]
                room.exposed[e] = not alike or room.thin[i] or room.thin[other]


@kernel
def _index(shadows: int, size: int, room: Record) -> None:
    for k in range(size):
        room.hashed[k] = _NONE
    for i in range(shadows):
        k = room.triangle[i] * _PRIME & size - 1
        while room.hashed[k] >= 0:
            k = k + 1 & size - 1
        room.hashed[k] = i


@inlined
def _find(triangle: int, size: int, room: Record) -> int:
    """Return which shadow `triangle` throws, or −1."""
    if triangle < 0:
        return _NONE
    k = triangle * _PRIME & size - 1
    while room.hashed[k] >= 0:
        if room.triangle[room.hashed[k]] == triangle:
            return int(room.hashed[k])
        k = k + 1 & size - 1
    return _NONE
