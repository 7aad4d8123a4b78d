"""The estimate for beams with very many shadows: rows of merged intervals, as `openslot_view.spans` has it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_view.backends.compiled.area import sort_intervals
from openslot_view.backends.compiled.kernel import Record, kernel
from openslot_view.spans import ROWS

__all__ = ["cut", "row_area"]

Floats = NDArray[np.float64]


@kernel
def row_area(shadows: int, low: float, high: float, screen: Floats, room: Record) -> tuple[float, float]:
    """Return the union's area in the chart and on screen by `ROWS` rows between v = `low` and `high`."""
    order = np.argsort(room.box[:shadows, 2])
    density = abs(_determinant(screen)) / 8
    height = (high - low) / ROWS
    chart = seen = 0.0
    entered = active = 0
    for row in range(ROWS):
        v = low + (row + 0.5) * height
        while entered < shadows and room.box[order[entered], 2] <= v:
            room.loose[active] = order[entered]
            entered, active = entered + 1, active + 1
        active, count = cut(active, v, room)
        sort_intervals(room.interval, count)
        length, shown = _merged(count, v, screen, room.interval)
        chart += length * height
        seen += shown * height * density
    return chart, seen


@kernel
def _determinant(m: Floats) -> float:
    a = m[0, 0] * (m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1])
    b = m[0, 1] * (m[1, 0] * m[2, 2] - m[1, 2] * m[2, 0])
    c = m[0, 2] * (m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0])
    return float(a - b + c)


@kernel
def cut(active: int, v: float, room: Record) -> tuple[int, int]:
    """Write the intervals of the active shadows at `v`; return how many stay active and the intervals' number."""
    kept = count = 0
    for k in range(active):
        i = room.loose[k]
        if room.box[i, 3] < v:
            continue
        room.loose[kept] = i
        kept += 1
        left, right = -np.inf, np.inf
        for e in range(room.start[i], room.start[i + 1]):
            nx, level = room.table[e, 2], room.table[e, 3] * v + room.table[e, 4]
            if nx > 1e-14:
                left = max(left, -level / nx)
            elif nx < -1e-14:
                right = min(right, -level / nx)
        if left < right:
            room.interval[count, 0], room.interval[count, 1] = left, right
            count += 1
    return kept, count


@kernel
def _merged(count: int, v: float, screen: Floats, interval: Floats) -> tuple[float, float]:
    """Return the length of the union of sorted intervals, and the same weighted with the screen's density."""
    length = shown = 0.0
    reached = -np.inf
    start = screen[2, 1] * v + screen[2, 2]
    for k in range(count):
        left, right = max(interval[k, 0], reached), interval[k, 1]
        if right > left:
            a, b = max(start + screen[2, 0] * left, 1e-12), max(start + screen[2, 0] * right, 1e-12)
            length += right - left
            shown += (right - left) * (a + b) / (a * b) ** 2
            reached = right
    return length, shown
