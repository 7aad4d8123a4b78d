"""What is reported of a view: the kinds of event, the reasons why a view did not count, and the columns of a batch.

A *view* is one viewer looking at one placement. Events travel in columns: one array per field, little-endian, one entry
per event. An event's id is its batch's id and its place in the batch, so a batch is counted once or not at all.

                ┌─ START ─ FIRST_QUARTILE ─ MIDPOINT ─ THIRD_QUARTILE ─ COMPLETE ─┐   of a video
    RENDERED ───┤    └──── PAUSE ────────────────────────────────────────────────┼─── END
                └─ VIEWABLE ─────────────────────────────────────────────────────┘
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from functools import cache
from operator import gt, itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from openslot_spec.errors import Code, OpenSlotError

__all__ = [
    "COLUMNS",
    "DURATIONS",
    "EVIDENCE",
    "FOLLOWS",
    "FULL",
    "HALF",
    "MAX_EVENTS",
    "OWN",
    "VIDEO",
    "Event",
    "EventKind",
    "ExposureColumns",
    "WhyNot",
    "batch_digest",
    "read_events",
]

MAX_EVENTS = 10_000
"""Events in one batch at the most."""
MAX_DURATION_MS = 24 * 3600 * 1000


class EventKind(IntEnum):
    """What happened to a view."""

    RENDERED = 1
    """The creative was drawn for this viewer for the first time."""
    VIEWABLE = 2
    """The view met its profile: the gate held for the profile's duration without a break."""
    END = 3
    """The view is over; carries the totals and, if it did not count, why."""
    START = 4
    """A video was seen to play for the first time."""
    FIRST_QUARTILE = 5
    """A quarter of its length was seen to play; so on to COMPLETE."""
    MIDPOINT = 6
    THIRD_QUARTILE = 7
    COMPLETE = 8
    PAUSE = 9
    """A video that was seen to play is not, for the first time before it was complete; carries why."""


VIDEO = (EventKind.START, EventKind.FIRST_QUARTILE, EventKind.MIDPOINT, EventKind.THIRD_QUARTILE, EventKind.COMPLETE)
"""What becomes of a video, in this order."""
FOLLOWS: dict[EventKind, frozenset[EventKind]] = {
    EventKind.RENDERED: frozenset(),
    EventKind.VIEWABLE: frozenset({EventKind.RENDERED}),
    **{kind: frozenset({EventKind.RENDERED, *VIDEO[:place]}) for place, kind in enumerate(VIDEO)},
    EventKind.PAUSE: frozenset({EventKind.RENDERED, EventKind.START}),
    EventKind.END: frozenset(EventKind) - {EventKind.END},
}
"""Of one view: what a kind may not precede."""
OWN = 0
"""In the column `profile`: the profile of the event's ticket."""
HALF, FULL = 0.5, 1.0
"""Shares of the surface that are timed beside the profile's own, in the columns `half_…` and `full_…`."""


class WhyNot(IntEnum):
    """Why a view did not count: the furthest gate it reached, in this order."""

    COUNTED = 0
    VIEWPORT = 1
    """The slot never was inside the viewport."""
    BACK_FACING = 2
    """Only the back of a one-sided slot was seen."""
    CLIPPED = 3
    """Too much of it lay outside the viewport."""
    TOO_OBLIQUE = 4
    TOO_SMALL = 5
    OBSTRUCTED = 6
    """Other things stood before it."""
    TOO_SHORT = 7
    """The gate held, but never long enough."""
    NO_WINDOW_FOCUS = 8
    IDLE = 9
    UNMEASURABLE = 10


COLUMNS: dict[str, str] = {
    "kind": "<u1",
    "profile": "<u1",
    "ticket": "<u2",
    "viewer": "<u4",
    "at_ms": "<i8",
    "continuous_ms": "<u4",
    "cumulative_ms": "<u4",
    "half_continuous_ms": "<u4",
    "half_cumulative_ms": "<u4",
    "full_continuous_ms": "<u4",
    "full_cumulative_ms": "<u4",
    "visible_fraction": "<f4",
    "coverage": "<f4",
    "angle_deg": "<f4",
    "why": "<u1",
}
"""Column name to numpy type.

`profile` is the number of the profile by which the view was judged, 0 for the ticket's own; `ticket` an index into the
batch's tickets; `half_` and `full_` are at 50 % and at 100 % of the surface; means are over the time that passed.
"""
DURATIONS = tuple(name for name in COLUMNS if name.endswith(("continuous_ms", "cumulative_ms")))
"""Columns that say for how long: the longest run, all runs; of the profile, at 50 % and at 100 %."""
NO_LONGER: tuple[tuple[str, str], ...] = (
    ("continuous_ms", "cumulative_ms"),
    ("half_continuous_ms", "half_cumulative_ms"),
    ("full_continuous_ms", "full_cumulative_ms"),
    ("full_continuous_ms", "half_continuous_ms"),
    ("full_cumulative_ms", "half_cumulative_ms"),
)
"""Columns of which the first is never longer than the second."""

EVIDENCE = "evidence"
"""The one column that may be left out: commitments to evidence, see `openslot_spec.evidence`."""

RANGES: dict[str, tuple[float, float]] = {
    "kind": (min(EventKind), max(EventKind)),
    "at_ms": (0, 2**53),
    **dict.fromkeys(DURATIONS, (0, MAX_DURATION_MS)),
    "visible_fraction": (0.0, 1.0),
    "coverage": (0.0, 1.0),
    "angle_deg": (0.0, 180.0),
    "why": (min(WhyNot), max(WhyNot)),
}


class Event(NamedTuple):
    """One event as plain numbers, one field per column."""

    kind: int
    profile: int
    ticket: int
    viewer: int
    at_ms: int
    continuous_ms: int
    cumulative_ms: int
    half_continuous_ms: int
    half_cumulative_ms: int
    full_continuous_ms: int
    full_cumulative_ms: int
    visible_fraction: float
    coverage: float
    angle_deg: float
    why: int


DTYPES = {name: np.dtype(code) for name, code in COLUMNS.items()}


def _bits(name: str, value: float) -> int:
    return int(np.array(value, DTYPES[name]).view(_unsigned(name)))


def _unsigned(name: str) -> np.dtype[Any]:
    return np.dtype(f"<u{DTYPES[name].itemsize}")


WIDE = (*DURATIONS, *(name for name, dtype in COLUMNS.items() if dtype == "<f4"))
"""Columns of four bytes that lie side by side, and so are checked as one array: first times, then means."""
WIDE_CEILINGS = [_bits(name, RANGES[name][1]) for name in WIDE]
"""The largest bits allowed, as unsigned numbers: what is below zero or not a number lies above them."""
CEILINGS = [(name, _unsigned(name), _bits(name, high)) for name, (_, high) in RANGES.items() if name not in WIDE]
FLOORS = [(name, int(low)) for name, (low, _) in RANGES.items() if low > 0]
LIMITS = [RANGES.get(name, (0, 2**32)) for name in COLUMNS]
NO_LONGER_PLACES = [(Event._fields.index(part), Event._fields.index(whole)) for part, whole in NO_LONGER]
IN_ORDER = itemgetter(*COLUMNS)
SIZES = [dtype.itemsize for dtype in DTYPES.values()]
NARROW = [name for name in COLUMNS if name not in WIDE]
FIRST_WIDE = [*COLUMNS].index(WIDE[0])
FEW = 8
"""Events that are sooner read one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class ExposureColumns:
    """The events of one batch, one array of length n per field of `COLUMNS`."""

    kind: NDArray[np.uint8]
    profile: NDArray[np.uint8]
    ticket: NDArray[np.uint16]
    viewer: NDArray[np.uint32]
    at_ms: NDArray[np.int64]
    continuous_ms: NDArray[np.uint32]
    cumulative_ms: NDArray[np.uint32]
    half_continuous_ms: NDArray[np.uint32]
    half_cumulative_ms: NDArray[np.uint32]
    full_continuous_ms: NDArray[np.uint32]
    full_cumulative_ms: NDArray[np.uint32]
    visible_fraction: NDArray[np.float32]
    coverage: NDArray[np.float32]
    angle_deg: NDArray[np.float32]
    why: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.kind)

    @classmethod
    def build(cls, columns: Mapping[str, Any]) -> ExposureColumns:
        """Return the columns with the wire's types; every name of `COLUMNS` must be there."""
        return cls(**{name: np.ascontiguousarray(columns[name], dtype) for name, dtype in COLUMNS.items()})

    @classmethod
    def unpack(cls, packed: Mapping[str, bytes], *, tickets: int) -> ExposureColumns:
        """Return the columns in `packed`, checked as a whole.

        Raises:
            OpenSlotError: `BATCH_INVALID` if names or lengths do not fit, `EVENT_OUT_OF_RANGE` for impossible figures.
        """
        if packed.keys() - {EVIDENCE} != COLUMNS.keys():
            raise OpenSlotError(Code.BATCH_INVALID, "columns are " + ", ".join(COLUMNS), where="columns")
        columns, count = IN_ORDER(packed), len(packed["kind"])
        if not 1 <= count <= MAX_EVENTS or [*map(len, columns)] != [size * count for size in SIZES]:
            raise _misshapen(packed)
        wide = np.frombuffer(b"".join(columns[FIRST_WIDE : FIRST_WIDE + len(WIDE)]), "<u4").reshape(-1, count)
        arrays = {name: np.frombuffer(packed[name], DTYPES[name]) for name in NARROW}
        arrays.update(zip(WIDE, (*wide[: len(DURATIONS)], *wide[len(DURATIONS) :].view("<f4")), strict=True))
        if not _are_surely_inside(arrays, wide, tickets):
            _refuse_outside(arrays, tickets)
        return cls(**arrays)

    def events(self) -> list[Event]:
        """Return the events one by one, which is quicker to go on with where there are few."""
        return [*map(Event._make, zip(*(getattr(self, name).tolist() for name in COLUMNS), strict=True))]

    def pack(self) -> dict[str, bytes]:
        """Return each column as little-endian bytes."""
        return {field.name: getattr(self, field.name).tobytes() for field in fields(self)}


def read_events(packed: Mapping[str, bytes], *, tickets: int) -> list[Event]:
    """Return the events of a batch one by one, checked as `ExposureColumns.unpack` does; for few that is quicker."""
    count = len(packed.get("kind", b""))
    if 0 < count <= FEW and len(packed) == len(COLUMNS) + (EVIDENCE in packed) and packed.keys() >= COLUMNS.keys():
        columns = IN_ORDER(packed)
        sizes, layout = _layout(count)
        if [*map(len, columns)] == sizes:
            values = layout.unpack(b"".join(columns))
            events = [Event._make(values[place::count]) for place in range(count)]
            if all(_is_surely_inside(event, tickets) for event in events):
                return events
    return ExposureColumns.unpack(packed, tickets=tickets).events()


def batch_digest(tickets: tuple[bytes, ...], packed: Mapping[str, bytes]) -> bytes:
    """Return the sha-256 of a batch's content: tickets in order, columns in the order of `COLUMNS`, then evidence."""
    parts = [*tickets, *IN_ORDER(packed)]
    if EVIDENCE in packed:
        parts.append(packed[EVIDENCE])
    return hashlib.sha256(b"".join([len(part).to_bytes(4, "little") + part for part in parts])).digest()


def _misshapen(packed: Mapping[str, bytes]) -> OpenSlotError:
    """Return what is wrong with columns whose lengths do not fit."""
    for name, dtype in DTYPES.items():
        if len(packed[name]) % dtype.itemsize:
            where = f"columns/{name}"
            return OpenSlotError(Code.BATCH_INVALID, f"not a whole number of {COLUMNS[name]}", where=where)
    return OpenSlotError(Code.BATCH_INVALID, f"columns of one length from 1 to {MAX_EVENTS}", where="columns")


@cache
def _layout(count: int) -> tuple[list[int], struct.Struct]:
    """Return how long the columns of so many events are, and how they lie one after the other."""
    codes = ({"<u1": "B", "<u2": "H", "<u4": "I", "<i8": "q", "<f4": "f"}[dtype] for dtype in COLUMNS.values())
    sizes = [dtype.itemsize * count for dtype in DTYPES.values()]
    return sizes, struct.Struct("<" + "".join(f"{count}{code}" for code in codes))


def _is_surely_inside(event: Event, tickets: int) -> bool:
    for value, (low, high) in zip(event, LIMITS, strict=True):
        if not low <= value <= high:
            return False
    return event.ticket < tickets and all(event[part] <= event[whole] for part, whole in NO_LONGER_PLACES)


def _are_surely_inside(arrays: Mapping[str, NDArray[Any]], wide: NDArray[np.uint32], tickets: int) -> bool:
    """Return whether no figure is outside its range, in a few passes; a negative zero is not sure to be inside."""
    if int(np.maximum.reduce(arrays["ticket"])) >= tickets:
        return False
    if any(map(gt, np.maximum.reduce(wide, axis=1).tolist(), WIDE_CEILINGS)):
        return False
    for name, unsigned, ceiling in CEILINGS:
        if int(np.maximum.reduce(arrays[name].view(unsigned))) > ceiling:
            return False
    for name, low in FLOORS:
        if int(np.minimum.reduce(arrays[name])) < low:
            return False
    times = wide[: len(DURATIONS)].reshape(3, 2, -1)  # own, half, full: each the longest run, then all runs
    return not (np.count_nonzero(times[:, 0] > times[:, 1]) or np.count_nonzero(times[2] > times[1]))


def _refuse_outside(arrays: Mapping[str, NDArray[Any]], tickets: int) -> None:
    for name, (low, high) in {**RANGES, "ticket": (0, tickets - 1)}.items():
        array = arrays[name]
        inside = (array >= low) & (array <= high)  # NaN is outside
        if not inside.all():
            index = int(np.argmin(inside))
            raise OpenSlotError(
                Code.EVENT_OUT_OF_RANGE, f"{array[index]} is not in {low}..{high}", where=f"columns/{name}/{index}"
            )
    for part, whole in NO_LONGER:
        if (arrays[part] > arrays[whole]).any():
            raise OpenSlotError(Code.EVENT_OUT_OF_RANGE, f"longer than {whole}", where=f"columns/{part}")
