"""From cameras to events: who looks at what, for every viewer and every placement of a world.

Pure: time is an argument, nothing is read or sent. `tick` takes cameras, `place` and `withdraw` what hangs where, and
`take` hands over the events since the last call.

A placement counts as *rendered* for a viewer at the first sample in which any of its front is on that viewer's screen
after `place`; the world calls `place` once the creative's checked bytes are there and shown.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openslot_sdk.audience import Audience, Member
from openslot_sdk.motion import Motion, motion_rules
from openslot_sdk.sightings import Sightings
from openslot_sdk.traces import Draft, Subject, Traces
from openslot_sdk.turns import Budget
from openslot_sdk.views import Crowd, Opening, Playing, Recorded, Tally, Views
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import OWN, EventKind, WhyNot
from openslot_spec.messages import Placement
from openslot_spec.profiles import profile, profile_names
from openslot_spec.slots import Slot
from openslot_view.backends import Backend
from openslot_view.cameras import Camera, Cameras
from openslot_view.occluders import Occluders
from openslot_view.proof import Claim
from openslot_view.visibility import Visibility

__all__ = ["Look", "Meter", "Moving", "Part", "Seen", "Sight", "SlotTally", "Taken"]

Ints = NDArray[np.int64]
BESIDE = "beside "
"""Before a profile's name: its views of what is not billed by it."""
Screen = str | tuple[str, str]
"""A slot, or a slot and a viewer's name where each sees something else."""
Moving = tuple[ArrayLike, ArrayLike]
"""Vertices (n, 3) in world metres and triangles (m, 3) that stand before ads just now: avatars, doors."""


@dataclass(frozen=True, slots=True, init=False)
class Look:
    """What a viewer looks through, whether the window has focus, and the time since their last input.

    One camera, or several that are one viewer's: `Look(left, right)` for the eyes of a headset, one per monitor. For
    each slot the better of them counts. A picture within a picture is none.
    """

    cameras: tuple[Camera, ...]
    focused: bool
    idle_ms: int
    consented: bool
    """Whether this viewer agreed that coarse evidence of their looks is kept here and, if asked for, shown."""

    def __init__(self, *cameras: Camera, focused: bool = True, idle_ms: int = 0, consented: bool = False) -> None:
        object.__setattr__(self, "cameras", cameras)
        object.__setattr__(self, "focused", focused)
        object.__setattr__(self, "idle_ms", idle_ms)
        object.__setattr__(self, "consented", consented)


@dataclass(frozen=True, slots=True)
class Sight:
    """What one viewer sees of one slot; `why` is the first geometric gate that failed, or COUNTED."""

    visible_fraction: float
    on_screen_fraction: float
    coverage: float
    angle_deg: float
    why: WhyNot
    stale: bool = False
    """It was not measured within the profile's `max_gap_ms`: no time counts, and it may look different by now."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What one profile's slots look like: `visibility` and `stale` are (viewers, slots)."""

    viewers: tuple[str, ...]
    slots: tuple[str, ...]
    visibility: Visibility
    stale: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the viewers saw when they were last sampled; `refused` says whose cameras could not be used, and why.

    `late` is how many slots were due and not reached in the tick's time; they come first in the next. `watched` are the
    slots with a video that somebody looks at now, as their profiles have it: a world should pause the others.
    """

    parts: tuple[Part, ...] = ()
    refused: Mapping[str, OpenSlotError] = field(default_factory=dict)
    late: int = 0
    watched: frozenset[str] = frozenset()

    def __getitem__(self, viewer: str) -> dict[str, Sight]:
        """Return, by slot, what is on this viewer's screen; nothing for a viewer who is not there."""
        rows = [(part, part.viewers.index(viewer)) for part in self.parts if viewer in part.viewers]
        return {
            part.slots[column]: _sight(part, row, int(column))
            for part, row in rows
            for column in np.flatnonzero(part.visibility.on_screen_fraction[row])
        }


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """Events as they leave the meter, one ticket for each; `profile` as in the column of that name."""

    recorded: Recorded
    tickets: tuple[bytes, ...]
    profile: int = OWN
    drafts: Mapping[int, Draft] = field(default_factory=dict)
    """Evidence of consenting viewers' VIEWABLE events, by place."""


@dataclass(frozen=True, slots=True)
class SlotTally:
    """What came of one slot so far; `why` counts the views that ended, by reason, COUNTED among them."""

    rendered: int
    viewable: int
    why: Mapping[WhyNot, int]
    video: Mapping[EventKind, int]
    beside: Mapping[str, int]
    """Views that met profiles which are not billed, by their names."""


class Meter:
    """The measurement of one world.

    `speed_max_mps` is how fast anybody can move in it, if it says. `budget` ends a tick's measuring; without one all
    that is due is measured.
    """

    def __init__(
        self,
        backend: str | Backend = "numpy",
        speed_max_mps: float | None = None,
        budget: Budget | None = None,
        heat_cells: int = 0,
    ) -> None:
        self.backend = backend
        """Of `openslot_view.measure`; may be changed between ticks."""
        self.audience = Audience()
        self.hanging: dict[tuple[str, int | None], Placement] = {}
        """What hangs where, by slot and, for a slot that shows each viewer something else, the viewer's number."""
        self._views: dict[str, Views] = {}
        self._places: dict[str, tuple[Views, int]] = {}
        self._beside: dict[tuple[str, str], tuple[Views, int]] = {}
        """By slot and profile: where a slot is judged by one that it is not billed by."""
        self._occluders = Occluders.none()
        self.traces = Traces()
        self.geometry: bytes | None = None
        """The registered geometry that evidence names; without one there is none."""
        self._placements: dict[int, Placement] = {}
        self._ticket_of: dict[tuple[str, int | None], int] = {}
        self._next_ticket = 0
        self._taken: list[Taken] = []
        self._budget = budget or Budget()
        self._heat_cells = heat_cells
        self._sightings: dict[str, Sightings] = {}
        self._refused: dict[str, OpenSlotError] = {}
        self._motion = Motion(motion_rules(), speed_max_mps)
        self._playing: dict[Views, dict[tuple[int, int | None], Playing]] = {}

    def check_slots(self, slots: Sequence[Slot]) -> None:
        """Raise `SLOT_DUPLICATE`, or `PROFILE_UNKNOWN` for a profile nobody knows, if these may not be added."""
        ids = Counter([*self._places, *(slot.id for slot in slots)])
        for slot in slots:
            if ids[slot.id] > 1:
                raise OpenSlotError(Code.SLOT_DUPLICATE, slot.id)
            profile(slot.profile)

    def add_slots(self, slots: Sequence[Slot], owners: Sequence[int]) -> None:
        """Take slots to measure; `owners` are the occluders' ids of their own meshes, −1 for none.

        Raises what `check_slots` raises; nothing is taken then.
        """
        self.check_slots(slots)
        for name in dict.fromkeys(slot.profile for slot in slots):
            chosen = [index for index, slot in enumerate(slots) if slot.profile == name]
            self._add(name, [slots[index] for index in chosen], [owners[index] for index in chosen])

    def set_occluders(self, occluders: Occluders) -> None:
        """Replace what stands in the world and does not move."""
        self._occluders = occluders

    def place(self, placement: Placement, now_ms: float) -> None:
        """Begin views of what now hangs in a slot, after those of what hung there have ended."""
        key = placement.slot, placement.viewer
        self.remove(key, now_ms)
        self.hanging[key], self._ticket_of[key] = placement, self._next_ticket
        self._placements[self._next_ticket] = placement
        self._next_ticket += 1
        for name in placement.also_profiles:
            self._judge_beside(placement.slot, name)
        self._open([*self.audience.present.values()], [key])

    def remove(self, key: tuple[str, int | None], now_ms: float) -> None:
        """End the views of what hangs at `key`, if anything does."""
        placement = self.hanging.pop(key, None)
        if placement is None:
            return
        for views, slot in self._judged(placement):
            self._record(views, views.end(min(now_ms, placement.expires_ms), slot=slot, viewer=placement.viewer))
        del self._placements[self._ticket_of.pop(key)]

    def withdraw(self, sha256: str, now_ms: float) -> list[Placement]:
        """Take a creative down everywhere and return the placements that showed it."""
        return self._remove_all([each for each in self.hanging.values() if each.creative.sha256 == sha256], now_ms)

    def expire(self, now_ms: float) -> list[Placement]:
        """Take down what is over and return it."""
        return self._remove_all([each for each in self.hanging.values() if each.expires_ms <= now_ms], now_ms)

    def close(self, now_ms: float) -> None:
        """End every view."""
        self._remove_all([*self.hanging.values()], now_ms)

    def tick(
        self,
        now_ms: float,
        looks: Mapping[str, Look],
        moving: Moving | None = None,
        playing: Mapping[Screen, Playing] | None = None,
    ) -> Seen:
        """Measure what is due, as far as time allows, and return what was seen last.

        `moving` are triangles that stand there just now, `playing` the videos that do. Raises `SLOT_UNKNOWN` for one
        in a slot that is not there.
        """
        self._budget.begin(now_ms)
        self._meet(looks.keys(), now_ms)
        self._playing = self._screens(playing or {})
        due = {name: slots for name, views in self._views.items() if len(slots := _due(views, now_ms))}
        late = self._look(now_ms, due, looks, moving) if due else 0
        watched = frozenset(
            views.ids[slot]
            for views, each in self._playing.items()
            for slot, _ in each
            if views.is_watched(now_ms, slot)
        )
        return Seen(tuple(self._parts(now_ms)), self._refused, late, watched)

    def take(self) -> list[Taken]:
        """Return the events since the last call."""
        taken, self._taken = self._taken, []
        return taken

    def tallies(self) -> dict[str, SlotTally]:
        """Return what came of each slot so far."""
        beside: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for (slot, name), (views, index) in self._beside.items():
            beside[slot][name] = int(views.tally.kinds[index][EventKind.VIEWABLE])
        return {slot: _slot_tally(views.tally, index, beside[slot]) for slot, (views, index) in self._places.items()}

    def heat(self, slot: str) -> NDArray[np.float64]:
        """Return (n, n) milliseconds for which each cell of what hung in the slot was seen in views that pass.

        Row 0 is at the bottom, column 0 at the left. Raises `SLOT_UNKNOWN`, or `CONFIG_INVALID` where none is kept.
        """
        if slot not in self._places:
            raise OpenSlotError(Code.SLOT_UNKNOWN, slot)
        views, index = self._places[slot]
        if views.heat is None:
            raise OpenSlotError(Code.CONFIG_INVALID, "no heat is kept", where="heat_cells")
        return np.array(views.heat.maps_ms[index])

    def _add(self, name: str, slots: Sequence[Slot], owners: Sequence[int]) -> None:
        if name in self._views:
            self._views[name].add(slots, owners)
        else:
            self._views[name] = Views(profile(name), slots, owners, heat_cells=self._heat_cells)
        views = self._views[name]
        self._places |= {slot.id: (views, len(views.slots) - len(slots) + n) for n, slot in enumerate(slots)}

    def _judge_beside(self, slot: str, name: str) -> None:
        """Judge what hangs in a slot by this profile too, if it is known."""
        own, index = self._places[slot]
        if name == own.profile.name or (slot, name) in self._beside or name not in profile_names():
            return
        key = f"{BESIDE}{name}"
        if key not in self._views:
            self._views[key] = Views(profile(name), (), (), beside=True)
        views = self._views[key]
        views.add([own.slots[index]], [own.owners[index]])
        self._beside[slot, name] = views, len(views.slots) - 1

    def _judged(self, placement: Placement) -> Iterator[tuple[Views, int]]:
        """Yield where a placement is judged: by the profile that is billed, then by the others."""
        yield self._places[placement.slot]
        for name in dict.fromkeys(placement.also_profiles):
            if (placement.slot, name) in self._beside:
                yield self._beside[placement.slot, name]

    def _screens(self, playing: Mapping[Screen, Playing]) -> dict[Views, dict[tuple[int, int | None], Playing]]:
        """Return the videos by the views and the slot, and the viewer's number, that they are in."""
        found: defaultdict[Views, dict[tuple[int, int | None], Playing]] = defaultdict(dict)
        for screen, video in playing.items():
            slot, viewer = (screen, None) if isinstance(screen, str) else screen
            if slot not in self._places:
                raise OpenSlotError(Code.SLOT_UNKNOWN, slot, where="playing")
            views, index = self._places[slot]
            if viewer is None or viewer in self.audience.present:
                found[views][index, None if viewer is None else self.audience.present[viewer].number] = video
        return found

    def _meet(self, names: Collection[str], now_ms: float) -> None:
        came, forgotten = self.audience.update(names)
        for member in forgotten:
            self.traces.forget(member.number)
            for views in self._views.values():
                self._record(views, views.end(now_ms, viewer=member.number))
        if came:
            self._open(came, [*self.hanging])

    def _open(self, members: list[Member], keys: list[tuple[str, int | None]]) -> None:
        """Begin the views of these viewers on what hangs at `keys`, those that are not open yet."""
        openings: defaultdict[Views, list[Opening]] = defaultdict(list)
        for slot, viewer in keys:
            ticket = self._ticket_of[slot, viewer]
            watching = [each for each in members if viewer in (None, each.number)]
            for views, index in self._judged(self.hanging[slot, viewer]):
                openings[views].extend((each.seat, each.number, index, ticket) for each in watching)
        for views, wanted in openings.items():
            views.open(wanted)

    def _parts(self, now_ms: float) -> Iterator[Part]:
        for name, last in self._sightings.items():
            views = self._views[name]
            stale = now_ms - last.at_ms > views.profile.max_gap_ms
            yield Part(last.viewers, views.ids[: stale.shape[1]], last.visibility, stale)

    def _look(self, now_ms: float, due: dict[str, Ints], looks: Mapping[str, Look], moving: Moving | None) -> int:
        """Measure the slots `due` of each profile, the longest due first; return how many there was no time for."""
        names, self._refused = usable(looks)
        crowd = self._crowd(names, looks)
        members = [self.audience.present[name] for name in names]
        faults = self._motion.watch(now_ms, members, crowd.first_cameras())
        if faults:
            self._refused |= {names[place]: _implausible(names[place], why) for place, why in faults.items()}
            crowd = self._crowd([name for place, name in enumerate(names) if place not in faults], looks)
        self._note(now_ms, crowd, looks)
        occluders = self._occluders if moving is None else self._occluders.with_dynamic(*moving)
        while due and (room := self._budget.room(len(crowd.cameras))) != 0:
            name = min(due, key=lambda each: self._views[each].turns.due_ms[due[each][0]])
            slots = due.pop(name)
            self._measure(now_ms, name, np.sort(slots[:room]), crowd, occluders)
            if len(slots) > room:
                due[name] = slots[room:]
        return sum(len(slots) for slots in due.values())

    def _note(self, now_ms: float, crowd: Crowd, looks: Mapping[str, Look]) -> None:
        numbers = [self.audience.present[name].number for name in crowd.names]
        consented = [looks[name].consented for name in crowd.names]
        self.traces.note(now_ms, numbers, consented, crowd.cameras, crowd.viewer_of_view)

    def _measure(self, now_ms: float, name: str, chosen: Ints, crowd: Crowd, occluders: Occluders) -> None:
        views = self._views[name]
        seen, recorded = views.sample(now_ms, crowd, chosen, occluders, self.backend)
        self._record(views, recorded, self._drafts(views, recorded))
        if views in self._playing:
            self._record(views, views.play(now_ms, self._playing[views]))
        views.turns.took(now_ms, chosen)
        self._budget.spent(len(crowd.cameras) * len(chosen))
        if views.number != OWN:
            return
        last = self._sightings.get(name) or Sightings.of((), 0)
        self._sightings[name] = last.after(now_ms, crowd.names, len(views.slots), chosen, seen)

    def _crowd(self, names: Sequence[str], looks: Mapping[str, Look]) -> Crowd:
        cameras = [looks[name].cameras for name in names]
        return Crowd(
            tuple(names),
            Cameras.stack([*chain.from_iterable(cameras)]),
            np.repeat(np.arange(len(names)), np.array([len(each) for each in cameras], np.int64)),
            np.array([self.audience.present[name].seat for name in names], np.int64),
            np.array([looks[name].focused for name in names], np.bool_),
            np.array([looks[name].idle_ms for name in names], np.int64),
        )

    def _remove_all(self, placements: list[Placement], now_ms: float) -> list[Placement]:
        for placement in placements:
            self.remove((placement.slot, placement.viewer), now_ms)
        return placements

    def _drafts(self, views: Views, recorded: Recorded) -> dict[int, Draft]:
        """Return evidence of the impressions of those who consented."""
        if self.geometry is None or views.number != OWN:
            return {}
        viewable = np.flatnonzero(recorded.events.kind == EventKind.VIEWABLE).tolist()
        drafts = {row: self._draft(views, recorded, row, self.geometry) for row in viewable}
        return {row: draft for row, draft in drafts.items() if draft is not None}

    def _draft(self, views: Views, recorded: Recorded, row: int, geometry: bytes) -> Draft | None:
        events, viewer = recorded.events, int(recorded.viewer[row])
        if viewer not in self.traces:
            return None
        run_ms, together_ms = int(events.continuous_ms[row]), int(events.cumulative_ms[row])
        means = (float(each[row]) for each in (events.visible_fraction, events.coverage, events.angle_deg))
        placement = self._placements[int(recorded.ticket[row])].id
        evidence = self.traces.evidence(Subject(placement, viewer, int(events.at_ms[row]), run_ms, geometry))
        claim = Claim(views.profile, run_ms, together_ms, *means)
        return None if evidence is None else Draft(evidence, claim, views.slots[int(recorded.slot[row])])

    def _record(self, views: Views, recorded: Recorded, drafts: Mapping[int, Draft] | None = None) -> None:
        if len(recorded.events):
            tickets = tuple(self._placements[ticket].ticket for ticket in recorded.ticket.tolist())
            self._taken.append(Taken(recorded, tickets, views.number, drafts or {}))


def usable(looks: Mapping[str, Look]) -> tuple[tuple[str, ...], dict[str, OpenSlotError]]:
    """Return who can be measured, and why the others cannot."""
    try:
        Cameras.stack([camera for look in looks.values() for camera in look.cameras])
        if all(look.cameras for look in looks.values()):
            return tuple(looks), {}
    except OpenSlotError:
        pass
    refused = {name: error for name, look in looks.items() if (error := _fault(name, look)) is not None}
    return tuple(name for name in looks if name not in refused), refused


def _fault(name: str, look: Look) -> OpenSlotError | None:
    if not look.cameras:
        return OpenSlotError(Code.CAMERA_INVALID, "no camera", where=f"viewers/{name}")
    try:
        Cameras.stack(look.cameras)
    except OpenSlotError as error:
        return OpenSlotError(error.code, error.detail, where=f"viewers/{name}/{error.where}")
    return None


def _implausible(name: str, why: str) -> OpenSlotError:
    return OpenSlotError(Code.CAMERA_IMPLAUSIBLE, why, where=f"viewers/{name}")


def _sight(part: Part, row: int, column: int) -> Sight:
    seen = part.visibility
    return Sight(
        float(seen.visible_fraction[row, column]),
        float(seen.on_screen_fraction[row, column]),
        float(seen.coverage[row, column]),
        float(seen.angle_deg[row, column]),
        WhyNot(int(seen.why[row, column])),
        bool(part.stale[row, column]),
    )


def _due(views: Views, now_ms: float) -> Ints:
    """Return the slots that are due; by a profile that is not billed only those in which something hangs."""
    slots = views.turns.due(now_ms)
    return slots if views.number == OWN else views.hung(slots)


def _slot_tally(tally: Tally, slot: int, beside: Mapping[str, int]) -> SlotTally:
    kinds, why = tally.kinds[slot], tally.why[slot]
    reasons = {reason: int(why[reason]) for reason in WhyNot if why[reason]}
    video = {kind: int(kinds[kind]) for kind in EventKind if kind > EventKind.END and kinds[kind]}
    return SlotTally(int(kinds[EventKind.RENDERED]), int(kinds[EventKind.VIEWABLE]), reasons, video, beside)
