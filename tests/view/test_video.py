"""Videos: what each view has seen play, and that nothing is told twice."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openslot_spec.exposures import VIDEO, EventKind
from openslot_view.video import Playback, Videos

GAP_MS, STEP_MS = 250, 100
LENGTH_MS = 6_000
Told = list[tuple[int, EventKind]]


def playback(
    position_ms: float, went_on_ms: float, looking: bool, row: int = 0, length_ms: float = LENGTH_MS
) -> Playback:
    figures = (np.array([looking]), np.array([went_on_ms]), np.array([position_ms]), np.array([float(length_ms)]))
    return Playback(np.array([row]), *figures)


def watched(samples: list[tuple[float, bool]], length_ms: float = LENGTH_MS) -> Told:
    """Play samples (position, whether it is looked at), one every step, and return what was told at which."""
    videos, told = Videos(GAP_MS), []
    videos.open(np.array([0]))
    before = False
    for place, (position_ms, looking) in enumerate(samples):
        went_on_ms = STEP_MS if before and looking else 0
        told += [(place, kind) for kind, _ in videos.sample(playback(position_ms, went_on_ms, looking, 0, length_ms))]
        before = looking
    return told


def playing(count: int, first_ms: float = 0.0) -> list[tuple[float, bool]]:
    return [((first_ms + STEP_MS * place) % LENGTH_MS, True) for place in range(count)]


def test_who_looks_from_the_start_to_the_end_sees_each_quarter_at_its_time() -> None:
    assert watched(playing(61)) == [(1, VIDEO[0]), (15, VIDEO[1]), (30, VIDEO[2]), (45, VIDEO[3]), (58, VIDEO[4])]


def test_who_comes_in_the_middle_of_a_loop_sees_all_of_it_in_the_end() -> None:
    assert [kind for _, kind in watched(playing(61, first_ms=4_000))] == [*VIDEO]


def test_a_loop_that_goes_on_repeats_nothing() -> None:
    assert [kind for _, kind in watched(playing(400))] == [*VIDEO]


def test_what_nobody_sees_waits_and_is_told_as_one_pause() -> None:
    seen, unseen = playing(20), [(STEP_MS * (20 + place), False) for place in range(100)]
    told = watched([*seen, *unseen, *playing(20, first_ms=1_000), *unseen, *playing(30)])
    assert [kind for _, kind in told] == [VIDEO[0], VIDEO[1], EventKind.PAUSE, VIDEO[2], VIDEO[3], VIDEO[4]]
    assert told[2] == (20, EventKind.PAUSE)


def test_a_video_that_stands_still_is_paused_after_a_gap() -> None:
    told = watched([*playing(10), *[(900.0, True)] * 10])
    assert told == [(1, VIDEO[0]), (12, EventKind.PAUSE)]


def test_a_position_that_is_seldom_told_loses_nothing() -> None:
    coarse = [(position // 200 * 200, True) for position, _ in playing(62)]
    assert [kind for _, kind in watched(coarse)] == [*VIDEO]


def test_a_jump_adds_no_more_than_the_time_that_passed() -> None:
    assert [kind for _, kind in watched([(0.0, True), (5_900.0, True), (0.0, True), (5_000.0, True)])] == [VIDEO[0]]


def test_a_complete_video_does_not_pause() -> None:
    assert EventKind.PAUSE not in {kind for _, kind in watched([*playing(70), (0.0, False)])}


def test_a_row_that_is_opened_again_has_seen_nothing() -> None:
    videos = Videos(GAP_MS)
    for _ in range(2):
        videos.open(np.array([100]))
        news: list[Any] = []
        for place in range(3):
            news += videos.sample(playback(100.0 * place, STEP_MS * (place > 0), looking=True, row=100))
        assert [kind for kind, _ in news] == [EventKind.START]


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 40.0, 100.0, 3_000.0, 5_999.0]), st.booleans()), max_size=200),
    st.sampled_from([400, 1_000, LENGTH_MS]),
)
def test_whatever_a_player_says_events_come_once_in_order_and_not_before_their_time(
    steps: list[tuple[float, bool]], length_ms: int
) -> None:
    position_ms, samples = 0.0, []
    for step_ms, looking in steps:
        position_ms = (position_ms + step_ms) % length_ms
        samples.append((position_ms, looking))
    told = watched(samples, length_ms)
    order = [kind for _, kind in told if kind in VIDEO]
    assert order == [*VIDEO[: len(order)]]
    assert sum(kind == EventKind.PAUSE for _, kind in told) <= 1
    for place, kind in told:
        if kind in VIDEO:
            looked = [one[1] and other[1] for one, other in pairwise(samples[: place + 1])]
            share = VIDEO.index(kind) / 4
            assert STEP_MS * sum(looked) >= min(share * length_ms, max(length_ms - GAP_MS, 0.75 * length_ms))


@pytest.mark.parametrize("count", [1, 2, 40])
def test_rows_live_apart(count: int) -> None:
    videos = Videos(GAP_MS)
    rows = np.arange(count) * 7
    videos.open(rows)
    seen = np.arange(count) % 2 == 0
    kinds: dict[int, list[EventKind]] = {row: [] for row in range(count)}
    for place in range(61):
        went_on_ms = np.where(seen & (place > 0), float(STEP_MS), 0.0)
        position_ms, length_ms = np.full(count, 100.0 * place % LENGTH_MS), np.full(count, float(LENGTH_MS))
        for kind, places in videos.sample(Playback(rows, seen, went_on_ms, position_ms, length_ms)):
            for each in places.tolist():
                kinds[each].append(kind)
    assert kinds == {row: [*VIDEO] if row % 2 == 0 else [] for row in range(count)}
