from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.server.test_commands import Ended, Run, run

__all__ = ["run"]  # the fixture

GOOD = {"visible_fraction": 0.9, "coverage": 0.1, "angle_deg": 10.0, "screen_angle_deg": 10.0, "front_facing": True}
GOOD |= {"focused": True, "idle": False}


def trace(tmp_path: Path, *lines: str | dict[str, Any]) -> Path:
    path = tmp_path / "trace.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), "utf-8")
    return path


def second(*, until_ms: int = 1_000) -> list[dict[str, Any]]:
    return [{"t_ms": t_ms, **GOOD} for t_ms in range(0, until_ms + 1, 200)]


def told(ended: Ended) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ended.stdout.splitlines()]


SEEN = [
    {"event": "viewable", "t_ms": 1000},
    {"event": "end", "t_ms": 1000, "continuous_ms": 1000, "reason": "end_of_trace"},
    {"event": "summary", "viewable": True, "longest_continuous_ms": 1000, "cumulative_ms": 1000},
]


def test_a_trace_is_replayed(run: Run, tmp_path: Path) -> None:
    ended = run("exposure", trace(tmp_path, *second()), "--profile", "iig-2.0-display", "--json")
    assert (ended.returncode, told(ended), ended.stderr) == (0, SEEN, "")


def test_each_profile_tells_its_own(run: Run, tmp_path: Path) -> None:
    names = ["mrc-video", "roblox-video"]
    words = [word for name in names for word in ("--profile", name)]
    ended = run("exposure", trace(tmp_path, *second()), *words, "--json")
    found = {name: [event["event"] for event in told(ended) if event["profile"] == name] for name in names}
    assert found == {"mrc-video": ["end", "summary"], "roblox-video": ["viewable", "end", "summary"]}


@pytest.mark.parametrize("text", ["", "\n", "  \n\n"])
def test_a_trace_of_nothing_has_a_summary(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "t").write_text(text)
    ended = run("exposure", tmp_path / "t", "--profile", "full-view", "--json")
    assert told(ended) == [{"event": "summary", "viewable": False, "longest_continuous_ms": 0, "cumulative_ms": 0}]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("{", ""),
        ("[1, 2]", ""),
        ("7", ""),
        ('"' + "x" * 70_000 + '"', ""),
        ("[" * 60_000, ""),
        ('{"t_ms": 1, "t_ms": 2}', ""),
        ('{"t_ms": ' + "9" * 5_000 + "}", ""),
        ("\x00", ""),
        ({**GOOD, "t_ms": math.nan}, "/t_ms"),
        ({**GOOD, "t_ms": math.inf}, "/t_ms"),
        ({**GOOD, "t_ms": -1}, "/t_ms"),
        ({**GOOD, "t_ms": 10**300}, "/t_ms"),
        ({**GOOD, "t_ms": True}, "/t_ms"),
        ({**GOOD, "t_ms": 1, "visible_fraction": 1.001}, "/visible_fraction"),
        ({**GOOD, "t_ms": 1, "coverage": None}, "/coverage"),
        ({**GOOD, "t_ms": 1, "colour": "red"}, "/colour"),
        ({"t_ms": 1}, "/visible_fraction"),
    ],
)
def test_a_bad_line_is_named_by_file_line_and_field(run: Run, tmp_path: Path, line: Any, field: str) -> None:
    path = trace(tmp_path, {"t_ms": 0, **GOOD}, "", line, {"t_ms": 100, **GOOD})
    ended = run("exposure", path, "--profile", "iig-2.0-display", "--json")
    assert ended.returncode == 2
    assert f"run.file_invalid at {path}:3{field}" in ended.stderr
    assert "summary" not in ended.stdout
    assert len(ended.stderr) < 1_000


def test_bytes_that_are_no_text_are_a_bad_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b'{"t_ms": \xff}')
    ended = run("exposure", tmp_path / "t", "--json")
    assert (ended.returncode, "t:1" in ended.stderr) == (2, True)


def test_a_trace_that_is_not_there_and_a_profile_nobody_knows(run: Run, tmp_path: Path) -> None:
    missing, unknown = tmp_path / "none.jsonl", trace(tmp_path, *second())
    for words, code in (((missing,), "run.file_not_found"), ((unknown, "--profile", "iig-9"), "profile.unknown")):
        ended = run("exposure", *words, "--json")
        assert (ended.returncode, ended.stdout) == (2, "")
        assert code in ended.stderr


def test_a_trace_is_not_longer_than_a_limit(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openslot_server.cli.measure.MAX_SAMPLES", 6)
    assert run("exposure", trace(tmp_path, *second()), "--json").returncode == 0
    ended = run("exposure", trace(tmp_path, *second(until_ms=1_200)), "--json")
    assert (ended.returncode, "trace.jsonl:7" in ended.stderr) == (2, True)
