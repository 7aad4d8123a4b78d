"""The views of one profile: viewers × slots as a table of rows in `openslot_view.exposure`.

    seat ─┐
          ├─▶ table (seats, slots) ─▶ row ─▶ exposure state, viewer's number, ticket
    slot ─┘                           −1: nothing hangs there for this viewer

A row is one view: one viewer and one placement, from the placement's start to its end. A viewer who is away is not
sampled; that breaks a run, as any gap does, and the view goes on when they are back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from openslot_sdk.turns import Turns
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import HALF, MAX_DURATION_MS, OWN, EventKind, WhyNot
from openslot_spec.profiles import Profile
from openslot_spec.slots import Slot
from openslot_view.backends import Backend
from openslot_view.cameras import Cameras
from openslot_view.exposure import Events, Exposures, Samples
from openslot_view.gates import Gates
from openslot_view.heat import HeatMaps
from openslot_view.occluders import Occluders
from openslot_view.surfaces import Surfaces
from openslot_view.video import Playback, Videos
from openslot_view.visibility import Visibility, measure

__all__ = ["Crowd", "Opening", "Playing", "Recorded", "Tally", "Views"]

Ints = NDArray[np.int64]
Opening = tuple[int, int, int, int]
"""Seat, viewer's number, slot, ticket."""
NOTHING = -1
FIRST_ROWS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """The viewers of one tick, arrays (v,) in one order; `viewer_of_view` is the row of each camera's viewer."""

    names: tuple[str, ...]
    cameras: Cameras
    viewer_of_view: Ints
    seats: Ints
    focused: NDArray[np.bool_]
    idle_ms: Ints

    def first_cameras(self) -> Cameras:
        """Return one camera of each viewer."""
        if len(self.cameras) == len(self.seats):
            return self.cameras
        return self.cameras.take(np.searchsorted(self.viewer_of_view, np.arange(len(self.seats))))


@dataclass(frozen=True, slots=True)
class Playing:
    """Where a video stands that plays in a slot; raises `INVALID` for a place outside of it."""

    position_ms: float
    length_ms: float

    def __post_init__(self) -> None:
        if not (0 <= self.position_ms <= self.length_ms <= MAX_DURATION_MS and self.length_ms > 0):
            raise OpenSlotError(Code.INVALID, f"{self.position_ms} of {self.length_ms} ms", where="playing")


@dataclass(frozen=True, slots=True, eq=False)
class _Sampled:
    """What was sampled last, arrays (n,)."""

    rows: Ints
    samples: Samples


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """n events and whose they are, arrays (n,); `slot` counts in `Views.slots`."""

    events: Events
    viewer: Ints
    ticket: Ints
    slot: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """How many events there were: `kinds` (slots, EventKind) and, of the ends, `why` (slots, WhyNot)."""

    kinds: Ints
    why: Ints

    @classmethod
    def of(cls, slots: int) -> Tally:
        """Return zeros."""
        return cls(np.zeros((slots, len(EventKind) + 1), np.int64), np.zeros((slots, len(WhyNot)), np.int64))


class Views:
    """Every view of the slots that one profile judges; `beside` if it is not the one by which they are billed."""

    def __init__(
        self,
        profile: Profile,
        slots: Sequence[Slot],
        owners: Sequence[int],
        *,
        beside: bool = False,
        heat_cells: int = 0,
    ) -> None:
        self.profile = profile
        self.number = profile.number if beside else OWN
        """As in the column `profile`."""
        # half of a slot is timed too, so it is measured also where the profile asks for more
        self._gates = replace(Gates.of(profile), visible_fraction_min=min(profile.visible_fraction_min, HALF))
        self.slots: tuple[Slot, ...] = ()
        self.ids: tuple[str, ...] = ()
        self.owners: tuple[int, ...] = ()
        self.tally = Tally.of(0)
        self.turns = Turns(profile.sample_ms)
        self.heat: HeatMaps | None = None
        """Where the time of what counts went, by slot, if `heat_cells` a side are kept of it."""
        if heat_cells:
            self.heat = HeatMaps(Surfaces.from_slots(()), max_gap_ms=profile.max_gap_ms, cells=heat_cells)
        self._exposures = Exposures(profile)
        self._videos = Videos(profile.max_gap_ms)
        self._sampled: _Sampled | None = None
        self._table = np.full((0, 0), NOTHING, np.int64)
        self._free = [*range(FIRST_ROWS)]
        self._viewer, self._ticket, self._slot = (np.zeros(FIRST_ROWS, np.int64) for _ in range(3))
        self.add(slots, owners)

    def add(self, slots: Sequence[Slot], owners: Sequence[int]) -> None:
        """Take more slots; raises `SLOT_DEGENERATE` for one without area."""
        self.slots, self.owners = (*self.slots, *slots), (*self.owners, *owners)
        self._surfaces = Surfaces.from_slots(self.slots, owner=np.array(self.owners, np.int64))
        self._table = _grown(self._table, (len(self._table), len(self.slots)))
        self.ids = tuple(slot.id for slot in self.slots)
        self.turns.add(len(slots))
        self.heat = self.heat and self.heat.grown(self._surfaces)
        before, self.tally = self.tally, Tally.of(len(self.slots))
        self.tally.kinds[: len(before.kinds)], self.tally.why[: len(before.why)] = before.kinds, before.why

    def open(self, openings: Sequence[Opening]) -> None:
        """Begin the views that are not open yet."""
        seats, numbers, slots, tickets = np.array(openings, np.int64).reshape(-1, 4).T
        self._make_room(seats)
        fresh = self._table[seats, slots] == NOTHING
        rows = self._take_rows(int(fresh.sum()))
        self._table[seats[fresh], slots[fresh]] = rows
        self._viewer[rows], self._ticket[rows], self._slot[rows] = numbers[fresh], tickets[fresh], slots[fresh]
        self._exposures.open(rows)
        self._videos.open(rows)

    def hung(self, slots: Ints) -> Ints:
        """Return those of the slots in which something hangs for somebody."""
        hung: Ints = slots[(self._table[:, slots] != NOTHING).any(axis=0)]
        return hung

    def is_watched(self, t_ms: float, slot: int) -> bool:
        """Return whether the run of any view of this slot is on."""
        rows = self._table[:, slot]
        return bool(self._exposures.progress(t_ms, rows[rows != NOTHING])[0].any())

    def end(self, t_ms: float, *, slot: int | None = None, viewer: int | None = None) -> Recorded:
        """End the views of what hangs in one slot, of one viewer's number, of both, or all."""
        part = self._table if slot is None else self._table[:, slot]
        chosen = part != NOTHING
        if viewer is not None:
            chosen &= self._viewer[part] == viewer
        rows = part[chosen]
        part[chosen] = NOTHING
        recorded = self._recorded(self._exposures.close(t_ms, rows))
        self._free.extend(rows.tolist())
        return recorded

    def sample(
        self, t_ms: float, crowd: Crowd, chosen: Ints, occluders: Occluders, backend: str | Backend
    ) -> tuple[Visibility, Recorded]:
        """Return what `crowd` sees of the `chosen` slots, in rising order, and what that brought about."""
        only = None if len(chosen) == len(self.slots) else chosen
        views = measure(crowd.cameras, self._surfaces, occluders, gates=self._gates, only=only, backend=backend)
        seen = views.by_viewer(crowd.viewer_of_view)
        self._make_room(crowd.seats)
        rows = self._table[crowd.seats[:, None], chosen]
        viewer, slot = np.nonzero(rows != NOTHING)
        idle = crowd.idle_ms >= self.profile.idle_timeout_ms
        samples = Samples.of(
            seen, self._surfaces, (viewer, slot), only=only, focused=crowd.focused[viewer], idle=idle[viewer]
        )
        if self.heat is not None:
            counted = np.zeros(rows.shape, np.bool_)
            counted[viewer, slot] = self._exposures.judge(samples) == WhyNot.COUNTED
            shown = views.better(crowd.viewer_of_view) & counted[crowd.viewer_of_view]
            self.heat.backend = backend
            self.heat.add(t_ms, crowd.cameras, occluders, shown, crowd.seats[crowd.viewer_of_view], only=chosen)
        self._sampled = _Sampled(rows[viewer, slot], samples)
        events = self._exposures.sample(t_ms, rows[viewer, slot], samples)
        return seen, self._recorded(events if self.number == OWN else events.of(EventKind.VIEWABLE))

    def play(self, t_ms: float, playing: Mapping[tuple[int, int | None], Playing]) -> Recorded:
        """Return what became of the videos that were just sampled; `playing` is by slot and, if not None, viewer."""
        rows = np.zeros(0, np.int64) if self._sampled is None else self._sampled.rows
        position_ms, length_ms = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
        for (slot, viewer), video in playing.items():
            those = (self._slot[rows] == slot) & ((viewer is None) | (self._viewer[rows] == viewer))
            position_ms[those], length_ms[those] = video.position_ms, video.length_ms
        plays = np.flatnonzero(length_ms > 0)
        looking, went_on_ms = self._exposures.progress(t_ms, rows[plays])
        now = Playback(rows[plays], looking, went_on_ms, position_ms[plays], length_ms[plays])
        told = [self._told(kind, t_ms, plays[places]) for kind, places in self._videos.sample(now)]
        return self._recorded(Events.join([self._exposures.events(EventKind.START, t_ms, rows[:0]), *told]))

    def _told(self, kind: EventKind, t_ms: float, places: Ints) -> Events:
        assert self._sampled is not None  # noqa: S101  there was somebody to tell of
        events = self._exposures.events(kind, t_ms, self._sampled.rows[places])
        if kind != EventKind.PAUSE:
            return events
        return replace(events, why=self._exposures.judge(self._sampled.samples.take(places)))

    def _make_room(self, seats: Ints) -> None:
        wanted = int(seats.max(initial=-1)) + 1
        if wanted > len(self._table):
            self._table = _grown(self._table, (max(wanted, 2 * len(self._table)), len(self.slots)))

    def _recorded(self, events: Events) -> Recorded:
        recorded = Recorded(events, self._viewer[events.row], self._ticket[events.row], self._slot[events.row])
        np.add.at(self.tally.kinds, (recorded.slot, events.kind), 1)
        ended = events.kind == EventKind.END
        np.add.at(self.tally.why, (recorded.slot[ended], events.why[ended]), 1)
        return recorded

    def _take_rows(self, count: int) -> Ints:
        if len(self._free) < count:
            have = len(self._viewer)
            size = max(have + count, 2 * have)
            self._viewer, self._ticket, self._slot = (
                np.concatenate([each, np.zeros(size - have, np.int64)])
                for each in (self._viewer, self._ticket, self._slot)
            )
            self._free.extend(range(size - 1, have - 1, -1))
        cut = len(self._free) - count
        rows = np.array(self._free[cut:], np.int64)
        del self._free[cut:]
        return rows


def _grown(table: Ints, shape: tuple[int, int]) -> Ints:
    room = np.full(shape, NOTHING, np.int64)
    room[: table.shape[0], : table.shape[1]] = table
    return room
