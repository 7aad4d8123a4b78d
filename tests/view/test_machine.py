"""The exposure machine against a slow one that was written from the text, on traces at and about every bound."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_spec.profiles import profile, profile_names
from openslot_view.trace import replay
from tests.view.plain_machine import failed, known, replayed

Line = dict[str, Any]
PROFILES = Path(__file__).resolve().parents[2] / "spec" / "profiles"
ASKED = {name: json.loads((PROFILES / f"{name}.json").read_text("utf-8")) for name in profile_names()}
GAPS_MS = [0, 1, 50, 100, 200, 249, 250, 250.5, 251, 400, 1000, -1, -100]
SHARES = [0.0, 0.2999, 0.3, 0.4999, 0.5, 0.75, 0.9999, 1.0]
COVERAGES = [0.0, 0.0099, 0.01, 0.0149, 0.015, 0.0151, 0.2, 1.0]
ANGLES = [0.0, 54.999, 55.0, 55.001, 90.0, 180.0]
ODD: dict[str, list[Any]] = {
    "visible_fraction": SHARES,
    "on_screen_fraction": SHARES,
    "coverage": COVERAGES,
    "angle_deg": ANGLES,
    "screen_angle_deg": ANGLES,
    "front_facing": [False],
    "focused": [False],
    "idle": [True],
}
GOOD: Line = {"visible_fraction": 1.0, "coverage": 0.2, "angle_deg": 9.5, "screen_angle_deg": 9.5, "front_facing": True}
ONE_OFF = [GOOD | {name: value} for name, values in ODD.items() for value in values]
LINES = st.one_of(
    st.just(GOOD),
    st.sampled_from(ONE_OFF),
    st.fixed_dictionaries(
        {name: st.sampled_from([*values, GOOD.get(name, values[0])]) for name, values in ODD.items()}
    ),
)
CUMULATIVE = ASKED["iig-2.0-display"] | {"cumulative": True}


def traces(lines: st.SearchStrategy[Line] = LINES) -> st.SearchStrategy[list[Line]]:
    steps = st.lists(st.tuples(st.sampled_from(GAPS_MS), lines), max_size=40)
    return steps.map(timed)


def timed(steps: list[tuple[float, Line]]) -> list[Line]:
    t_ms, found = 5_000.0, []
    for gap_ms, line in steps:
        t_ms += gap_ms
        found.append({"t_ms": t_ms, **line})
    return found


def machine(lines: list[Line], asked: dict[str, Any]) -> list[Line]:
    return list(replay(lines, profile(asked["name"]).model_copy(update={"cumulative": asked.get("cumulative", False)})))


@settings(max_examples=300)
@given(traces(), st.sampled_from([*ASKED.values(), CUMULATIVE]))
def test_both_machines_tell_the_same(lines: list[Line], asked: dict[str, Any]) -> None:
    assert machine(lines, asked) == replayed(lines, asked)


@pytest.mark.parametrize("count", [1_000, pytest.param(20_000, marks=pytest.mark.soak)])
def test_both_machines_tell_the_same_of_long_looks_with_few_breaks(count: int) -> None:
    chance = np.random.default_rng(count)
    everything = [*ASKED.values(), CUMULATIVE]
    viewable = 0
    for _ in range(count):
        asked = everything[chance.integers(len(everything))]
        lines = timed([(chance.choice(GAPS_MS, p=OFTEN), some_line(chance)) for _ in range(chance.integers(1, 40))])
        told = machine(lines, asked)
        assert told == replayed(lines, asked), lines
        viewable += told[-1]["viewable"]
    assert 0.1 * count < viewable < 0.9 * count


OFTEN = np.array([0.03, 0.03, 0.1, 0.3, 0.25, 0.05, 0.15, 0.01, 0.02, 0.02, 0.02, 0.01, 0.01])


def some_line(chance: np.random.Generator) -> Line:
    return GOOD if chance.random() < 0.93 else ONE_OFF[chance.integers(len(ONE_OFF))]


@given(traces(), st.data(), st.sampled_from([*ASKED.values(), CUMULATIVE]))
def test_a_sample_between_two_that_agree_changes_no_run_no_duration_and_no_decision(
    lines: list[Line], data: st.DataObject, asked: dict[str, Any]
) -> None:
    bounds = known(asked)
    agree = [
        place
        for place, (one, other) in enumerate(pairwise(lines))
        if 0 <= other["t_ms"] - one["t_ms"] <= bounds["max_gap_ms"] and failed(one, bounds) == failed(other, bounds)
    ]
    if not agree:
        return
    place = data.draw(st.sampled_from(agree))
    one, other = lines[place], lines[place + 1]
    share = data.draw(st.sampled_from([0.0, 0.25, 0.5, 1.0]))
    like = data.draw(st.sampled_from([one, other]))
    between = like | {"t_ms": one["t_ms"] + share * (other["t_ms"] - one["t_ms"])}
    before, after = machine(lines, asked), machine([*lines[: place + 1], between, *lines[place + 1 :]], asked)
    assert runs(before) == runs(after)
    for earlier, later in zip(met(after), met(before), strict=True):
        assert earlier in (later, between["t_ms"])
        assert earlier <= later


def runs(told: list[Line]) -> list[Line]:
    return [event for event in told if event["event"] != "viewable"]


def met(told: list[Line]) -> list[float]:
    return [event["t_ms"] for event in told if event["event"] == "viewable"]
