"""The exposure machine again, slow and plain, written from `spec/measurement.md` alone: one line at a time.

It knows profiles as their JSON and imports nothing of the product.
"""

from __future__ import annotations

from typing import Any

Line = dict[str, Any]
DEFAULTS = {"coverage_min": 0.0, "angle_max_deg": 180.0, "angle_inclusive": True, "angle_basis": "screen"}
DEFAULTS |= {"cumulative": False, "max_gap_ms": 250}


def replayed(lines: list[Line], profile: dict[str, Any]) -> list[Line]:
    """Return the events of a trace."""
    asked = known(profile)
    told: list[Line] = []
    runs: list[list[float]] = []
    """The times of each run's passing samples."""
    running = viewable = False
    for line in lines:
        now = line["t_ms"]
        if running and not 0 <= now - runs[-1][-1] <= asked["max_gap_ms"]:
            told.append(end(runs[-1], "gap"))
            running = False
        elif running and failed(line, asked):
            told.append(end(runs[-1], failed(line, asked)))
            running = False
        if failed(line, asked):
            continue
        if not running:
            runs.append([])
            running = True
        runs[-1].append(now)
        seen_ms = sum(map(length, runs)) if asked["cumulative"] else length(runs[-1])
        if seen_ms >= asked["duration_ms"] and not viewable:
            viewable = True
            told.append({"event": "viewable", "t_ms": now})
    if running:
        told.append(end(runs[-1], "end_of_trace"))
    lengths = [length(run) for run in runs]
    times = {"longest_continuous_ms": max(lengths, default=0), "cumulative_ms": sum(lengths)}
    return [*told, {"event": "summary", "viewable": viewable, **times}]


def known(profile: dict[str, Any]) -> dict[str, Any]:
    """Return a profile with what it leaves out."""
    return DEFAULTS | profile


def end(run: list[float], reason: str) -> Line:
    return {"event": "end", "t_ms": run[-1], "continuous_ms": length(run), "reason": reason}


def length(run: list[float]) -> float:
    return run[-1] - run[0]


def failed(line: Line, asked: dict[str, Any]) -> str:
    """Return the first gate that a sample fails, in the order of the table of reasons, or nothing."""
    seen = line["visible_fraction"]
    on_screen = line.get("on_screen_fraction", 1.0 if seen else 0.0)
    small = line["coverage"] < asked["coverage_min"]
    alone_small = seen >= on_screen or line["coverage"] * on_screen < asked["coverage_min"] * seen
    gates = (
        ("viewport", on_screen == 0),
        ("back_facing", not line["front_facing"]),
        ("clipped", on_screen < asked["visible_fraction_min"]),
        ("too_oblique", too_oblique(line, asked)),
        ("too_small", small and alone_small),
        ("obstructed", small or seen < asked["visible_fraction_min"]),
        ("no_window_focus", not line.get("focused", True)),
        ("idle", line.get("idle", False)),
    )
    return next((name for name, fails in gates if fails), "")


def too_oblique(line: Line, asked: dict[str, Any]) -> bool:
    angle_deg = line["screen_angle_deg" if asked["angle_basis"] == "screen" else "angle_deg"]
    most = asked["angle_max_deg"]
    return bool(angle_deg > most if asked["angle_inclusive"] else angle_deg >= most)
