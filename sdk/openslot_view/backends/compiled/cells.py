"""The cells of a facet that are seen, line by line; the numpy twin is `openslot_view.cells`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_view.backends.compiled.area import sort_intervals
from openslot_view.backends.compiled.collect import OPEN
from openslot_view.backends.compiled.kernel import Record, Scene, inlined, kernel
from openslot_view.backends.compiled.look import walk
from openslot_view.backends.compiled.rows import cut
from openslot_view.cells import LINES

__all__ = ["all_cells"]

Floats = NDArray[np.float64]
Rows = NDArray[np.void]


@kernel
def all_cells(scene: Scene, beams: Rows, boxes: Floats, room: Record, shares: Floats) -> NDArray[np.uint8]:
    """Write the seen share of every cell to `shares` (n, c, c), zeros before; return how each beam stands (n,)."""
    states = np.zeros(len(beams), np.uint8)
    for p in range(len(beams)):
        shadows, states[p] = walk(scene, beams[p], room)
        if states[p] == OPEN:
            _cells(beams[p], shadows, boxes[p], room, shares[p])
    return states


@kernel
def _cells(beam: Record, shadows: int, box: Floats, room: Record, share: Floats) -> None:
    """Write the cells of one beam that has `shadows` in the room."""
    order = np.argsort(room.box[:shadows, 2])
    low = high = beam.outline[0, 1]
    for i in range(1, beam.sides):
        low, high = min(low, beam.outline[i, 1]), max(high, beam.outline[i, 1])
    cells, entered, active = len(share), 0, 0
    height, column = box[1] / (cells * LINES), cells / box[0]
    for line in range(cells * LINES):
        v = (line + 0.5) * height
        if v < low or v > high:
            continue
        while entered < shadows and room.box[order[entered], 2] <= v:
            room.loose[active] = order[entered]
            entered, active = entered + 1, active + 1
        active, count = cut(active, v, room)
        sort_intervals(room.interval, count)
        _line(beam, v, count, column, room.interval, share[line // LINES])


@inlined
def _line(beam: Record, v: float, count: int, column: float, interval: Floats, share: Floats) -> None:
    """Add what one line shows to the cells of its row: the outline less the sorted intervals."""
    left, right = -np.inf, np.inf
    for k in range(beam.sides):
        nx, level = beam.borders[k, 0], beam.borders[k, 1] * v + beam.borders[k, 2]
        if nx > 1e-14:
            left = max(left, -level / nx)
        elif nx < -1e-14:
            right = min(right, -level / nx)
    _spread(left * column, right * column, 1.0 / LINES, share)
    reached = -np.inf
    for k in range(count):
        begin, end = max(interval[k, 0], reached), interval[k, 1]
        if end > begin:
            _spread(begin * column, end * column, -1.0 / LINES, share)
            reached = end


@inlined
def _spread(begin: float, end: float, weight: float, share: Floats) -> None:
    """Add the length of begin … end within each cell, times `weight`."""
    begin, end = max(begin, 0.0), min(end, float(len(share)))
    cell = int(begin)
    while begin < end:
        step = min(end, cell + 1.0)
        share[cell] += (step - begin) * weight
        begin = step
        cell += 1
