from __future__ import annotations

import gc
import tracemalloc
from collections import defaultdict
from dataclasses import dataclass, field
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from openslot_sdk.meter import Look, Meter, Seen
from openslot_sdk.turns import BUDGET_SHARE, LONGEST_MS, Budget, Turns
from openslot_spec.exposures import EventKind
from openslot_view import Cameras, Gates, Occluders, Surfaces, Visibility
from openslot_view.backends import choose
from openslot_view.beams import Beams
from openslot_view.union import Areas
from tests.sdk.test_meter import LOOKING, START, board, placement

SAMPLE_MS, MAX_GAP_MS = 100, 250


@dataclass
class SlowBackend:
    """The numpy backend on a machine where every pair takes `pair_ms` by its own clock."""

    pair_ms: float
    name: str = "slow"
    clock_ms: float = 0.0
    tick_ms: int = 0
    measured_ms: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    def look(
        self,
        cameras: Cameras,
        surfaces: Surfaces,
        occluders: Occluders,
        gates: Gates | None,
        only: NDArray[np.int64] | None = None,
    ) -> Visibility:
        chosen = range(len(surfaces)) if only is None else only.tolist()
        self.clock_ms += self.pair_ms * len(cameras) * len(chosen)
        for slot in chosen:
            self.measured_ms[slot].append(self.tick_ms)
        return choose("numpy").look(cameras, surfaces, occluders, gates, only)

    def hidden(self, beams: Beams, surfaces: Surfaces, occluders: Occluders) -> Areas:
        return choose("numpy").hidden(beams, surfaces, occluders)


def slow_meter(slots: int, pair_ms: float, budget_ms: float | None = None) -> tuple[Meter, SlowBackend]:
    backend = SlowBackend(pair_ms)
    meter = Meter(backend, budget=Budget(lambda: backend.clock_ms, budget_ms))
    meter.add_slots([board(f"b{n}", 0.01 * n) for n in range(slots)], [-1] * slots)
    for number in range(slots):
        meter.place(placement(f"b{number}", number), START)
    return meter, backend


def tick(meter: Meter, backend: SlowBackend, now: int) -> tuple[Seen, float]:
    backend.tick_ms, begun_ms = now, backend.clock_ms
    return meter.tick(START + now, {"you": Look(LOOKING)}), backend.clock_ms - begun_ms


@given(st.integers(1, 300), st.integers(1, 99))
def test_ticks_share_the_slots_evenly_and_each_has_its_turn(slots: int, step_ms: int) -> None:
    turns, last_ms = Turns(SAMPLE_MS), np.zeros(slots)
    turns.add(slots)
    for now in range(0, 700, step_ms):
        due = turns.due(now)
        if now:
            assert len(due) <= slots * step_ms // SAMPLE_MS + 1
            assert (now - last_ms[due] <= SAMPLE_MS + step_ms).all()
        turns.took(now, due)
        last_ms[due] = now
    assert (now - last_ms < SAMPLE_MS + step_ms).all()


@given(st.integers(1, 30), st.integers(SAMPLE_MS, 400))
def test_rare_ticks_measure_every_slot_each_time(slots: int, step_ms: int) -> None:
    turns = Turns(SAMPLE_MS)
    turns.add(slots)
    for now in range(0, 3000, step_ms):
        due = turns.due(now)
        assert sorted(due.tolist()) == list(range(slots))
        turns.took(now, due)


def test_a_slot_that_comes_later_is_measured_at_once() -> None:
    turns = Turns(SAMPLE_MS)
    turns.add(2)
    turns.took(0, turns.due(0))
    turns.add(1)
    assert turns.due(10).tolist() == [2]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.floats(0.01, 5.0), st.floats(0.0, 10.0), st.integers(5, 120))
def test_a_tick_keeps_its_deadline_but_for_one_slot(slots: int, pair_ms: float, budget_ms: float, step_ms: int) -> None:
    meter, backend = slow_meter(slots, pair_ms, budget_ms)
    tick(meter, backend, 0)  # which learns what a pair costs
    for now in range(step_ms, 12 * step_ms, step_ms):
        seen, spent_ms = tick(meter, backend, now)
        assert spent_ms <= max(budget_ms, pair_ms) + 1e-9
        assert seen.late < slots


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 30), st.floats(0.1, 5.0), st.floats(0.0, 10.0), st.integers(5, 120))
def test_while_a_slot_waits_no_other_is_measured_twice(
    slots: int, pair_ms: float, budget_ms: float, step_ms: int
) -> None:
    meter, backend = slow_meter(slots, pair_ms, budget_ms)
    (views,) = meter._views.values()
    due_ms, ticks = [], range(0, 40 * step_ms, step_ms)
    for now in ticks:
        due_ms.append(views.turns.due_ms - START)
        tick(meter, backend, now)
    for slot in range(slots):
        began = 0
        for at in [*backend.measured_ms[slot], ticks[-1] + 1]:
            waits = [now for now, due in zip(ticks, due_ms, strict=True) if began <= now < at and due[slot] <= now]
            for other in range(slots):
                times = sum(now in waits for now in backend.measured_ms[other])
                assert other == slot or times <= 1
            began = at + 1
    assert len(backend.measured_ms) == slots


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 12), st.floats(0.01, 4.0), st.floats(0.1, 4.0), st.integers(16, 240))
def test_a_meter_that_falls_behind_counts_only_time_it_sampled(
    slots: int, pair_ms: float, budget_ms: float, step_ms: int
) -> None:
    meter, backend = slow_meter(slots, pair_ms, budget_ms)
    for now in range(0, 2500, step_ms):
        tick(meter, backend, now)
    meter.close(START + 2500)
    for taken in meter.take():
        events, slot = taken.recorded.events, taken.recorded.slot
        for row in np.flatnonzero(events.kind == EventKind.END):
            gaps = np.diff(backend.measured_ms[int(slot[row])])
            assert events.cumulative_ms[row] == gaps[gaps <= MAX_GAP_MS].sum()


def test_what_was_not_measured_for_too_long_is_stale_and_only_that() -> None:
    meter, backend = slow_meter(10, pair_ms=4.0, budget_ms=4.0)
    found = set()
    for now in range(0, 1500, 50):
        seen, _ = tick(meter, backend, now)
        for slot, sight in seen["you"].items():
            age_ms = now - backend.measured_ms[int(slot[1:])][-1]
            assert sight.stale == (age_ms > MAX_GAP_MS)
            found.add(sight.stale)
    assert found == {True, False}
    assert seen.late > 0


def test_a_viewer_who_comes_between_turns_shows_up_slot_by_slot_and_one_who_goes_is_gone() -> None:
    meter, backend = slow_meter(4, pair_ms=0.0)
    tick(meter, backend, 0)
    both = {"you": Look(LOOKING), "they": Look(LOOKING)}
    counts = [len(meter.tick(START + now, both)["they"]) for now in (25, 50, 75, 100)]
    assert counts == [1, 2, 3, 4]
    seen = meter.tick(START + 125, {"they": Look(LOOKING)})
    assert not seen["you"]
    assert len(seen["they"]) == 4


@pytest.mark.parametrize(("between_ms", "budget_ms"), [(16, 16 * BUDGET_SHARE), (5000, LONGEST_MS), (0, 0), (-9, 0)])
def test_by_default_a_tick_may_take_a_share_of_the_time_between_ticks(between_ms: int, budget_ms: float) -> None:
    clock = [0.0]
    budget = Budget(lambda: clock[0])
    budget.begin(1000)
    for _ in range(30):
        budget.spent(1)  # nothing costs anything: the clock alone limits
    budget.begin(1000 + between_ms)
    assert budget.room(1) > 0
    clock[0] = max(0.0, budget_ms - 0.001)
    budget.spent(10**9)
    assert (budget.room(1) > 0) is (budget_ms > 0)
    clock[0] = budget_ms + 0.001
    budget.spent(10**9)
    assert budget.room(1) == 0


@pytest.mark.parametrize("backend", ["numpy", "numba"] if find_spec("numba") else ["numpy"])
def test_more_ticks_take_no_more_memory(backend: str) -> None:
    meter, wall = Meter(backend), np.array([(-1.0, 0.0, 1.0), (0.0, 0.0, 1.0), (0.0, 2.0, 1.0)])
    meter.add_slots([board(f"b{n}", 0.3 * n) for n in range(12)], [-1] * 12)

    def tick_on(ticks: range) -> int:
        for now in ticks:
            slot = now % 12
            meter.place(placement(f"b{slot}", now), START + 16 * now)
            viewers = {"you": Look(LOOKING), f"passer-by {now // 10 % 3}": Look(LOOKING)}
            meter.tick(START + 16 * now, viewers, (wall + 0.001 * (now % 10), [(0, 1, 2)]))
            meter.take()
        gc.collect()
        # numpy keeps a few blocks of each small size by itself
        ours = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*openslot_*")])
        return sum(each.size for each in ours.statistics("filename"))

    meter.tick(START, {"you": Look(LOOKING)})  # what is loaded once is no tick's
    tracemalloc.start()
    try:
        before = tick_on(range(180))  # what is laid in at first, once, is no tick's either
        after = tick_on(range(180, 480))
    finally:
        tracemalloc.stop()
    assert after - before < 300 * 32  # not the smallest object a tick
