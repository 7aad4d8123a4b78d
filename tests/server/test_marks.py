from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openslot_server.impressions import marks
from openslot_server.impressions.marks import COLUMNS, Looks, Marks, Still, is_perfect, is_periodic, traces
from openslot_server.impressions.traffic import traffic_rules
from openslot_server.impressions.verdicts import Verdict
from tests.server.market import Market

RULES = traffic_rules()
MINUTE_MS = 60_000
LIFE_MS = 30_000


def looks(at_ms: Any, **columns: Any) -> Looks:
    """Looks at these times; what is left out is that of a moving viewer who met a board some time after it was hung."""
    times = np.asarray(at_ms)
    chance = np.random.default_rng(len(times))
    rows = np.zeros((len(times), COLUMNS), np.int64)
    known: dict[str, Any] = {
        "AT": times,
        "BEGAN": 9_000,
        "LIFE": LIFE_MS,
        "FRACTION": chance.integers(500_000, 1_000_000, len(times)),
        "COVERAGE": chance.integers(20_000, 300_000, len(times)),
        "ANGLE": chance.integers(0, 500_000, len(times)),
    }
    for name, values in (known | columns).items():
        rows[:, getattr(marks, name)] = values
    return rows


def even(count: int, gap_ms: float, variation: float = 0.0) -> Any:
    """Return times whose gaps have exactly this variation, one gap longer and the next one shorter."""
    gaps = gap_ms * (1 + variation * np.resize([1, -1], count - 1))
    return np.rint(np.concatenate([[0], np.cumsum(gaps)])).astype(np.int64)


@pytest.mark.parametrize(
    ("times", "is_even"),
    [
        (even(30, 4_000), True),
        (even(29, 4_000), False),
        (even(30, 4_000, 0.019), True),
        (even(30, 4_000, 0.021), False),
        (even(30, 99), False),
        (even(30, 100), True),
        (np.zeros(30), False),
        (np.concatenate([[0, 700], 9_000 + even(30, 4_000)]), True),
        (np.cumsum(np.random.default_rng(0).exponential(4_000, 3_000)), False),
    ],
)
def test_thirty_looks_at_even_intervals_are_periodic(times: Any, is_even: bool) -> None:
    assert is_periodic(looks(times), RULES.periodic) is is_even


@pytest.mark.parametrize(
    ("gap_ms", "began_ms", "excused"),
    [(25_000, 500, True), (15_000, 5_000, True), (14_990, 500, False), (25_000, 5_001, False)],
)
def test_who_stands_before_a_board_while_it_is_renewed_is_not_periodic(
    gap_ms: int, began_ms: int, excused: bool
) -> None:
    assert is_periodic(looks(even(30, gap_ms), BEGAN=began_ms), RULES.periodic) is not excused


@given(st.integers(1, 50), st.integers(0, 100), st.integers(200, 30_000))
def test_a_periodic_stretch_is_found_wherever_it_lies(step: int, before: int, gap_ms: int) -> None:
    chance = np.random.default_rng(before)
    first = np.cumsum(chance.exponential(7_000, before)) - 10**7
    times = np.concatenate([first, even(30 + step - 1, gap_ms)])
    assert is_periodic(looks(times), RULES.periodic, step)


STAYS = looks(np.arange(26) * 24_000, FRACTION=900_000, COVERAGE=70_000, ANGLE=200_000)


@pytest.mark.parametrize(
    ("rows", "frozen"),
    [
        (STAYS, True),
        (STAYS[:25], False),  # nine minutes and a half
        (STAYS[::3], False),  # too few
        (looks(STAYS[:, marks.AT], FRACTION=900_000, COVERAGE=70_000, ANGLE=np.arange(26) % 2), False),
    ],
)
def test_a_camera_that_does_not_move_for_ten_minutes_is_frozen(rows: Looks, frozen: bool) -> None:
    assert Still().is_frozen(rows, RULES.frozen) is frozen


def test_a_frozen_camera_is_found_however_its_looks_are_cut_and_before_several_boards() -> None:
    boards = STAYS.copy()
    boards[:, marks.SLOT] = np.arange(26) % 3
    boards[:, marks.COVERAGE] += 9 * boards[:, marks.SLOT]
    still = Still()
    assert [still.is_frozen(part, RULES.frozen) for part in np.split(boards, [1, 7, 20])] == [False, False, False, True]


def test_a_walk_past_many_boards_is_not_frozen() -> None:
    walk = STAYS.copy()
    walk[:, marks.SLOT] = np.arange(26)
    assert not Still().is_frozen(walk, RULES.frozen)


@pytest.mark.parametrize(
    ("columns", "perfect"),
    [
        ({}, True),
        ({"FRACTION": 999_499}, False),
        ({"ANGLE": 10_001}, False),
        ({"COVERAGE": 70_000}, False),
        ({"COVERAGE": np.arange(30) % 8}, True),
        ({"COVERAGE": np.arange(30) % 7}, False),
    ],
)
def test_moving_looks_that_are_whole_and_from_straight_ahead_are_too_good(
    columns: dict[str, Any], perfect: bool
) -> None:
    best = {"FRACTION": 999_500, "ANGLE": 10_000}
    assert is_perfect(looks(np.arange(30), **(best | columns)), RULES.perfect) is perfect
    assert not is_perfect(looks(np.arange(29), **best), RULES.perfect)


def test_a_trace_is_the_same_at_another_time_and_a_little_off_and_another_one_elsewhere() -> None:
    trace = looks(even(12, 4_100))
    trace[:, marks.FRACTION : marks.ANGLE + 1] += 700  # not at the edge of a step
    later = trace.copy()
    later[:, marks.AT] += 7 * MINUTE_MS
    later[:, marks.COVERAGE] += 100
    other = looks(even(12, 4_100), SLOT=1)
    assert len(traces(trace, RULES.copied)) == 12 - RULES.copied.looks + 1
    assert traces(trace, RULES.copied) == traces(later, RULES.copied)
    assert not set(traces(trace, RULES.copied)) & set(traces(other, RULES.copied))


def test_who_stands_still_leaves_no_trace() -> None:
    assert traces(STAYS, RULES.copied) == []


def test_the_third_to_have_a_trace_gives_all_three_away() -> None:
    judge = Marks(RULES)
    trace = looks(np.cumsum(np.random.default_rng(1).exponential(6_000, 16)))
    found = [
        [judge.look(("plaza", session), part, 0)[-1] for session in ("a", "b", "c")] for part in np.split(trace, 2)
    ]
    assert found == [[0, 0, Verdict.COPIED], [Verdict.COPIED] * 3]


def test_an_own_trace_again_is_nobody_elses() -> None:
    judge = Marks(RULES)
    trace = looks(np.cumsum(np.random.default_rng(1).exponential(6_000, 8)))
    for turn in range(5):
        again = trace.copy()
        again[:, marks.AT] += turn * MINUTE_MS
        assert not judge.look(("plaza", "a"), again, 0).any()


def test_a_session_that_keeps_time_is_marked_whoever_looks() -> None:
    judge = Marks(RULES)
    found = judge.look(("plaza", "a"), looks(even(60, 4_000), VIEWER=np.arange(60)), 0)
    assert set(found.tolist()) == {Verdict.PERIODIC}
    assert not judge.look(("plaza", "b"), looks([1, 2, 3]), 0).any()


def test_only_whom_the_evidence_is_about_is_marked() -> None:
    judge = Marks(RULES)
    steady = looks(even(32, 4_000), VIEWER=7)
    others = looks(np.cumsum(np.random.default_rng(3).exponential(900, 160)), VIEWER=np.arange(160) % 20 + 10)
    both = np.concatenate([steady, others])
    found = judge.look(("plaza", "a"), both, 0)
    assert set(found[:32].tolist()) == {Verdict.PERIODIC}
    assert not found[32:].any()


def test_a_session_that_fell_silent_is_forgotten() -> None:
    judge = Marks(RULES)
    times = even(60, 4_000)
    for part in range(0, 60, 5):
        now_ms = part * 20 * MINUTE_MS
        assert not judge.look(("plaza", "a"), looks(times[part : part + 5]), now_ms).any()


@pytest.fixture
def beaten() -> Market:
    """A market where one viewer looked every four seconds, 40 times, and another as people do."""
    market = Market(late_ms=3_600_000)
    market.line_item(price=2_000, impressions=1_000)
    for board in range(7):
        market.slot(f"board-{board}")
    chance = np.random.default_rng(0)
    for turn in range(6):
        tickets = [
            placed.ticket for placed in market.ask(*(f"board-{board}" for board in range(7)), viewers=2).placements
        ]
        market.pass_time(28_000)
        times_ms = market.now_ms - 28_000 + 4_000 * np.arange(7)
        figures: dict[str, Any] = {"coverage": chance.uniform(0.02, 0.3, 7), "angle_deg": chance.uniform(0, 50, 7)}
        market.send(*tickets, ticket=range(7), viewer=1, at_ms=times_ms + 3_000, **figures)
        if turn < 2:
            market.send(*tickets, ticket=range(7), viewer=2, at_ms=times_ms + chance.integers(0, 4_000, 7), **figures)
    return market


def test_a_mark_costs_what_comes_after_it_and_leaves_the_rest_open(beaten: Market) -> None:
    totals = beaten.report().totals
    assert totals.gross == 6 * 7 + 2 * 7
    assert totals.invalid_why == {"traffic.periodic": 7}
    assert (totals.valid, totals.undetermined, totals.viewable) == (14, 35, 49)
    assert totals.spend_micros == 49 * 2_000
    assert totals.decision_rate == round(21 / 56, 6)


def test_a_mark_outlives_a_restart(beaten: Market) -> None:
    beaten.restart()
    ticket = beaten.place("board-0").ticket
    beaten.pass_time(9_000)
    assert beaten.send(ticket, viewer=[1, 2]).accepted == 2
    assert beaten.report().totals.invalid_why == {"traffic.periodic": 8}
