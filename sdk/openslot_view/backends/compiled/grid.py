"""A grid over the chart, so that an edge is compared with the shadows near it only."""

from __future__ import annotations

from openslot_view.backends.compiled.kernel import Record, inlined, kernel

__all__ = ["cell_of", "lay"]

_WIDE = 16  # a shadow over more cells is not filed but always asked


@inlined
def cell_of(position: float, cells: int) -> int:
    """Return the row or column that `position` lies in; what is outside 0 … 1 belongs to the outermost."""
    return min(cells - 1, max(0, int(position * cells)))


@kernel
def lay(shadows: int, room: Record) -> tuple[int, int]:
    """File the shadows that are alive; return cells a side, 0 for no grid, and how many are in `room.loose`.

    The members of cell c are member[cell[c]] … member[cell[c + 1]].
    """
    cells = 0 if shadows <= 24 else 8 if shadows <= 200 else 16
    loose = 0
    for c in range(cells * cells + 1):
        room.cell[c] = 0
    for i in range(shadows):
        if room.alive[i] and (cells == 0 or not _file(i, cells, room, 1)):
            room.loose[loose] = i
            loose += 1
    # from counts to ends; filing then walks each end down to its cell's start
    for c in range(cells * cells):
        room.cell[c + 1] += room.cell[c]
    if cells:
        for i in range(shadows - 1, -1, -1):
            if room.alive[i]:
                _file(i, cells, room, -1)
    return cells, loose


@inlined
def _file(i: int, cells: int, room: Record, step: int) -> bool:
    """Count shadow i in its cells (`step` 1) or enter it there (−1); False when they are too many."""
    left, right = cell_of(room.box[i, 0], cells), cell_of(room.box[i, 1], cells)
    low, high = cell_of(room.box[i, 2], cells), cell_of(room.box[i, 3], cells)
    if (right - left + 1) * (high - low + 1) > _WIDE:
        return False
    for y in range(low, high + 1):
        for x in range(left, right + 1):
            c = y * cells + x
            room.cell[c] += step
            if step < 0:
                room.member[room.cell[c]] = i
    return True
