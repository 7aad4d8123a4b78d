"""The gate and the timer: when a view counts, how long it lasted, and why it did not count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import EventKind, WhyNot
from openslot_spec.profiles import Profile, profile
from openslot_view.exposure import Exposures, Samples
from openslot_view.trace import replay

DISPLAY = profile("iig-2.0-display")
GOOD = {"visible_fraction": 0.9, "coverage": 0.1, "angle_deg": 10.0, "screen_angle_deg": 10.0, "front_facing": True}
GOOD |= {"focused": True, "idle": False}


def line(t_ms: float, **changes: Any) -> dict[str, Any]:
    return {"t_ms": t_ms, **GOOD, **changes}


def samples(count: int, **changes: Any) -> Samples:
    values = {**GOOD, "on_screen_fraction": 1.0, "why": np.uint8(0), **changes}
    return Samples(**{name: np.full(count, value) for name, value in values.items()})


def run(lines: list[dict[str, Any]], used: Profile = DISPLAY) -> list[dict[str, Any]]:
    return list(replay(lines, used))


def test_a_second_without_a_break_is_viewable_at_its_first_sample_past_the_second() -> None:
    events = run([line(t) for t in range(0, 1500, 100)])
    assert events == [
        {"event": "viewable", "t_ms": 1000},
        {"event": "end", "t_ms": 1400, "continuous_ms": 1400, "reason": "end_of_trace"},
        {"event": "summary", "viewable": True, "longest_continuous_ms": 1400, "cumulative_ms": 1400},
    ]


def test_two_looks_of_600_ms_do_not_add_up() -> None:
    first = [line(t) for t in range(0, 601, 100)]
    second = [line(t) for t in range(800, 1401, 100)]
    events = run([*first, line(700, visible_fraction=0.4), *second])
    assert [event["event"] for event in events] == ["end", "end", "summary"]
    assert events[0] == {"event": "end", "t_ms": 600, "continuous_ms": 600, "reason": "obstructed"}
    assert events[-1] == {"event": "summary", "viewable": False, "longest_continuous_ms": 600, "cumulative_ms": 1200}


def test_two_looks_of_600_ms_add_up_for_a_cumulative_profile() -> None:
    lines = [*(line(t) for t in range(0, 601, 100)), line(700, idle=True), *(line(t) for t in range(800, 1401, 100))]
    events = run(lines, DISPLAY.model_copy(update={"cumulative": True}))
    assert {"event": "viewable", "t_ms": 1200} in events


@pytest.mark.parametrize(("gap", "viewable"), [(250, True), (251, False)])
def test_a_gap_above_the_profiles_breaks_a_run(gap: int, viewable: bool) -> None:
    events = run([line(t) for t in range(0, 501, 100)] + [line(500 + gap + t) for t in range(0, 301, 100)])
    assert events[-1]["viewable"] is viewable


def test_a_step_back_in_time_breaks_a_run() -> None:
    events = run([line(0), line(200), line(100), line(300)])
    assert [event.get("reason") for event in events] == ["gap", "end_of_trace", None]
    assert events[-1]["cumulative_ms"] == 400


@pytest.mark.parametrize(
    ("name", "changes", "passes"),
    [
        ("iig-2.0-display", {"visible_fraction": 0.5}, True),
        ("iig-2.0-display", {"visible_fraction": 0.4999}, False),
        ("iig-2.0-display", {"coverage": 0.015}, True),
        ("iig-2.0-display", {"coverage": 0.0149}, False),
        ("iig-2.0-display", {"screen_angle_deg": 55.0}, False),
        ("iig-2.0-display", {"screen_angle_deg": 54.999}, True),
        ("iig-2.0-display", {"angle_deg": 80.0}, True),
        ("roblox-image", {"screen_angle_deg": 55.0, "angle_deg": 55.0}, True),
        ("iig-2.0-display", {"front_facing": False}, False),
        ("iig-2.0-display", {"focused": False}, False),
        ("iig-2.0-display", {"idle": True}, False),
        ("mrc-display", {"coverage": 0.0, "screen_angle_deg": 89.0, "angle_deg": 89.0}, True),
    ],
)
def test_bounds_are_as_the_profile_writes_them(name: str, changes: dict[str, Any], passes: bool) -> None:
    events = run([line(t, **changes) for t in range(0, 3001, 200)], profile(name))
    assert events[-1]["viewable"] is passes


def test_a_view_is_viewable_once_however_long_it_lasts() -> None:
    lines = [line(t, idle=t == 3000) for t in range(0, 6000, 100)]
    assert [event["event"] for event in run(lines)].count("viewable") == 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"visible_fraction": 0.0, "on_screen_fraction": 0.0, "why": np.uint8(WhyNot.VIEWPORT)}, WhyNot.VIEWPORT),
        ({"front_facing": False}, WhyNot.BACK_FACING),
        ({"visible_fraction": 0.3, "on_screen_fraction": 0.4}, WhyNot.CLIPPED),
        ({"screen_angle_deg": 70.0}, WhyNot.TOO_OBLIQUE),
        ({"coverage": 0.001}, WhyNot.TOO_SMALL),
        ({"visible_fraction": 0.0, "why": np.uint8(WhyNot.OBSTRUCTED)}, WhyNot.OBSTRUCTED),
        ({"visible_fraction": 0.0, "coverage": 0.0, "why": np.uint8(WhyNot.OBSTRUCTED)}, WhyNot.OBSTRUCTED),
        ({"coverage": 0.001, "why": np.uint8(WhyNot.TOO_SMALL)}, WhyNot.TOO_SMALL),
        ({"focused": False}, WhyNot.NO_WINDOW_FOCUS),
        ({"idle": True}, WhyNot.IDLE),
        ({"visible_fraction": np.nan}, WhyNot.UNMEASURABLE),
        ({}, WhyNot.TOO_SHORT),
    ],
)
def test_a_view_that_does_not_count_says_why(changes: dict[str, Any], why: WhyNot) -> None:
    exposures = Exposures(DISPLAY)
    exposures.open([3])
    exposures.sample(0, [3], samples(1, **changes))
    exposures.sample(100, [3], samples(1, **changes))
    end = exposures.close(200, [3])
    assert (end.kind[0], end.why[0]) == (EventKind.END, why)


def test_the_furthest_gate_is_the_reason() -> None:
    exposures = Exposures(DISPLAY)
    exposures.open([0])
    exposures.sample(0, [0], samples(1))
    exposures.sample(100, [0], samples(1, visible_fraction=0.0, on_screen_fraction=0.0, why=np.uint8(WhyNot.VIEWPORT)))
    assert exposures.close(200, [0]).why[0] == WhyNot.TOO_SHORT


def test_rows_live_apart_and_carry_means_of_passing_samples() -> None:
    exposures = Exposures(DISPLAY)
    exposures.open([0, 200])
    for t in range(0, 1100, 100):
        news = exposures.sample(t, [0, 200], samples(2, visible_fraction=np.array([1.0, 0.2])))
        assert (t != 0) or list(news.kind) == [EventKind.RENDERED] * 2
    assert list(news.kind) == [EventKind.VIEWABLE]
    ends = exposures.close(1100, [200, 0])
    assert list(ends.why) == [WhyNot.OBSTRUCTED, WhyNot.COUNTED]
    assert list(ends.continuous_ms) == [0, 1000]
    assert ends.visible_fraction[1] == pytest.approx(1.0)


def test_a_row_that_is_not_open_is_refused() -> None:
    exposures = Exposures(DISPLAY)
    exposures.open([0])
    exposures.close(0, [0])
    with pytest.raises(ValueError, match="not open"):
        exposures.sample(1, [0], samples(1))


@pytest.mark.parametrize("bad", [{"visible_fraction": 1.5}, {"coverage": float("nan")}, {"t_ms": -1}, {"idle": 1}])
def test_a_bad_line_is_named(bad: dict[str, Any]) -> None:
    with pytest.raises(OpenSlotError) as caught:
        run([line(0), {**line(1), **bad}])
    assert caught.value.code == Code.INVALID
    assert caught.value.where.startswith("lines/1/")


def test_means_are_over_time_so_a_sample_more_changes_none() -> None:
    coverages = {0: 0.5, 100: 0.02, 300: 0.2}
    means = []
    for between in ({}, {150: 0.2, 299: 0.2}):
        exposures = Exposures(DISPLAY)
        exposures.open([0])
        for t, coverage in sorted({**coverages, **between}.items()):
            exposures.sample(t, [0], samples(1, coverage=coverage))
        means.append(float(exposures.close(400, [0]).coverage[0]))
    assert means == pytest.approx([(100 * 0.02 + 200 * 0.2) / 300] * 2)


def test_half_and_all_of_the_surface_are_timed_apart() -> None:
    large = profile("mrc-large")
    exposures = Exposures(large)
    exposures.open([0])
    for t, share in enumerate([1.0, 1.0, 0.6, 1.0, 1.0, 1.0, 0.4, 0.5, 0.5, 0.1]):
        exposures.sample(100 * t, [0], samples(1, visible_fraction=share))
    end = exposures.close(1000, [0])
    assert (end.continuous_ms[0], end.cumulative_ms[0]) == (800, 800)
    assert (end.half_continuous_ms[0], end.half_cumulative_ms[0]) == (500, 600)
    assert (end.full_continuous_ms[0], end.full_cumulative_ms[0]) == (200, 300)
