"""Writes spec/vectors/visibility and spec/vectors/exposure; what is expected is worked out here by hand, not measured.

The camera stands at (0, 0, 10), looks along −Z with a square 90° view, so that a point d metres ahead and x to the
right is at x / d on a screen from −1 to 1. The board is the square −1 … 1 at z = 0: 0.1² of the screen.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors"
BOARD = [[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]
ROOF = {
    "vertices": [[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0], [-1, 1, -2], [1, 1, -2]],
    "triangles": [[0, 1, 2], [0, 2, 3], [3, 2, 5], [3, 5, 4]],
}
FLOOR = [[-1, -1, 10], [1, -1, 10], [1, -1, -10], [-1, -1, -10]]
STRAIGHT = {"visible_fraction": 1, "on_screen_fraction": 1, "coverage": 0.01, "angle_deg": 0, "screen_angle_deg": 0}
STRAIGHT |= {"front_facing": True, "why": 0}
HALF = {**STRAIGHT, "visible_fraction": 0.5, "coverage": 0.005, "why": 6}
NOTHING = {**STRAIGHT, "visible_fraction": 0, "coverage": 0}


def projection(near: float = 0.1, far: float = 100.0) -> list[list[float]]:
    return [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)],
        [0, 0, -1, 0],
    ]


def camera(position: tuple[float, float, float] = (0, 0, 10), **changes: Any) -> dict[str, Any]:
    view = np.eye(4)
    view[:3, 3] = [-x for x in position]
    return {
        "camera_from_world": view.tolist(),
        "clip_from_camera": projection(),
        "viewport_px": [1000, 1000],
        "depth": "minus_one_to_one",
        **changes,
    }


def turned(yaw_deg: float, distance: float = 10.0, back: bool = False) -> dict[str, Any]:
    """Return a camera that walked round the board by `yaw_deg` and looks at its centre."""
    c, s = math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg))
    sign = -1 if back else 1
    view = [[c, 0, -s, 0], [0, 1, 0, 0], [sign * s, 0, sign * c, -distance], [0, 0, 0, 1]]
    return camera(camera_from_world=view)


def wall(x0: float, x1: float, z: float = 5.0, **more: Any) -> dict[str, Any]:
    return {
        "vertices": [[x0, -2, z], [x1, -2, z], [x1, 2, z], [x0, 2, z]],
        "triangles": [[0, 1, 2], [0, 2, 3]],
        **more,
    }


def looks(occluders: Any = None, slot: Any = None, view: Any = None, **more: Any) -> dict[str, Any]:
    given = {"camera": view or camera(), "slot": slot or {"corners": BOARD}, **more}
    return given if occluders is None else {**given, "occluders": occluders}


def far_away() -> dict[str, Any]:
    shift = np.array([1e5, 0, -1e5])
    hidden = wall(-1, 0)
    hidden["vertices"] = (np.array(hidden["vertices"]) + shift).tolist()
    return looks(hidden, {"corners": (np.array(BOARD) + shift).tolist()}, camera((1e5, 0, 10 - 1e5)))


Good = list[tuple[str, dict[str, Any], dict[str, Any]]]


def hiding() -> Good:
    own = looks(wall(-2, 2, z=0.1, owner=3), {"corners": BOARD, "owner": 3})
    most = {**STRAIGHT, "visible_fraction": 0.4, "coverage": 0.004, "why": 6}
    return [
        ("straight ahead", looks(), STRAIGHT),
        ("a wall halfway hides the left half", looks(wall(-1, 0)), HALF),
        ("overlapping walls count once", looks(two_walls()), most),
        ("hidden by what covers it", looks(wall(-2, 2)), {**NOTHING, "why": 6}),
        ("a wall behind it hides nothing", looks(wall(-2, 2, z=-1)), STRAIGHT),
        ("a wall in its plane hides nothing", looks(wall(-2, 2, z=0)), STRAIGHT),
        ("what is before the near plane hides nothing", looks(wall(-2, 2, z=9.95)), STRAIGHT),
        ("its own mesh hides nothing", own, STRAIGHT),
        ("a one-sided wall seen from behind hides nothing", looks(back_wall()), STRAIGHT),
        ("a one-sided wall seen from the front hides", looks(wall(-2, 2, one_sided=True)), {**NOTHING, "why": 6}),
        ("140 km from the origin", far_away(), HALF),
    ]


def standing() -> Good:
    floor = {"visible_fraction": 0.45, "on_screen_fraction": 0.45, "coverage": 0.2475, "front_facing": True, "why": 3}
    floor |= {"angle_deg": 0, "screen_angle_deg": 90}
    short = {**floor, "visible_fraction": 0.2, "on_screen_fraction": 0.2, "coverage": 0.24}
    half_out = {**STRAIGHT, "visible_fraction": 0.5, "on_screen_fraction": 0.5, "coverage": 0.005, "why": 3}
    behind = turned(0, back=True)
    edge = camera((10, 0, 0), camera_from_world=[[0, 0, -1, 0], [0, 1, 0, 0], [1, 0, 0, -10], [0, 0, 0, 1]])
    short_sighted = camera((0, 0, 0), clip_from_camera=projection(0.1, 5))
    return [
        ("the back of a one-sided board is nothing", looks(view=behind), {**NOTHING, **back(2)}),
        ("the back of a two-sided board is seen", looks(slot=two_sided(), view=behind), {**STRAIGHT, **back(0)}),
        ("edge-on", looks(view=edge), {**NOTHING, **edge_on()}),
        ("behind the camera", looks(view=camera((0, 0, -10))), {**NOTHING, **back(1)}),
        ("half out of the view", looks(view=camera((10, 0, 10))), {**half_out, "angle_deg": 45}),
        ("crossing the near plane", looks(slot={"corners": FLOOR}, view=camera((0, 0, 0))), floor),
        ("crossing the far plane too", looks(slot={"corners": FLOOR}, view=short_sighted), short),
        ("curved: what is turned away is not seen", looks(slot=ROOF), roof_seen()),
    ]


def projecting() -> Good:
    mirrored = np.diag([-1.0, 1, 1, 1])
    mirrored[2, 3] = -10
    reversed_infinite = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0.1], [0, 0, -1, 0]]
    orthographic = [[0.1, 0, 0, 0], [0, 0.1, 0, 0], [0, 0, -0.02, -1], [0, 0, 0, 1]]
    asymmetric = [[1, 0, 0.1, 0], [0, 1, 0, 0], *projection()[2:]]
    views = {
        "orthographic": camera(clip_from_camera=orthographic),
        "asymmetric, as for one eye": camera(clip_from_camera=asymmetric),
        "reversed depth, far plane at infinity": camera(
            clip_from_camera=reversed_infinite, depth="reversed_zero_to_one"
        ),
        "a mirrored view": camera(camera_from_world=mirrored.tolist()),
    }
    return [(name, looks(wall(-1, 0), view=view), HALF) for name, view in views.items()]


def judging() -> Good:
    used = "iig-2.0-display"
    sixty = {**STRAIGHT, "angle_deg": 60, "screen_angle_deg": 60, "why": 4}
    # the board's ends are at ±sin 30° across and ±cos 30° in depth: a trapezium of heights 2 / d
    near, far = 10 - math.cos(math.radians(30)), 10 + math.cos(math.radians(30))
    sixty["coverage"] = (0.5 / near + 0.5 / far) * (1 / near + 1 / far) / 4
    large = {**STRAIGHT, "coverage": 0.04}
    return [
        ("60 degrees are too oblique", looks(view=turned(60), profile=used), sixty),
        ("1 % of the screen is too small", looks(profile=used), {**STRAIGHT, "why": 5}),
        ("enough of the screen counts", looks(view=camera((0, 0, 5)), profile=used), large),
    ]


def pairing() -> Good:
    """Return viewers with two views each."""
    used = "iig-2.0-display"
    # from (2, 0, 10) the wall's shadow is at −4 … −2
    aside = {**STRAIGHT, "angle_deg": math.degrees(math.atan2(2, 10))}
    left, right = camera((10, 0, 10)), camera((-10, 0, 10))
    half_out = {**HALF, "on_screen_fraction": 0.5, "angle_deg": 45, "why": 3}
    # at half the way −1 … −0.1 shadows −2 … −0.2
    fence, near, most = wall(-1, -0.1, 2.5), camera((0, 0, 5)), {**STRAIGHT, "visible_fraction": 0.6, "coverage": 0.024}
    # at x = 10.2 the screen ends at 0.2
    screen, out = wall(-2, 2, 4), camera((10.2, 0, 10))
    less = {**STRAIGHT, "visible_fraction": 0.4, "on_screen_fraction": 0.4, "coverage": 0.004, "why": 3}
    less["angle_deg"] = math.degrees(math.atan2(10.2, 10))
    return [
        ("the eye that sees more", views(camera(), camera((2, 0, 10)), things=wall(-1, 0)), aside),
        ("whichever is given first", views(camera((2, 0, 10)), camera(), things=wall(-1, 0)), aside),
        ("two halves are not a whole", views(left, right), half_out),
        ("of equal shares the larger on its screen", views(camera(), near), {**STRAIGHT, "coverage": 0.04}),
        ("one that counts before one that may see more", views(turned(60, 5), near, things=fence, profile=used), most),
        ("the further gate of two that fail", views(turned(60, 3), camera(), profile=used), {**STRAIGHT, "why": 5}),
        ("a part before one that is hidden", views(near, out, things=screen, profile=used), less),
        ("one view alone", views(camera()), STRAIGHT),
    ]


def views(*cameras: dict[str, Any], things: Any = None, profile: str = "") -> dict[str, Any]:
    given: dict[str, Any] = {"cameras": list(cameras), "slot": {"corners": BOARD}}
    given |= {"occluders": things} if things else {}
    return given | ({"profile": profile} if profile else {})


def bad_views() -> list[tuple[str, dict[str, Any], str]]:
    flat, short = np.zeros((4, 4)).tolist(), camera()
    del short["viewport_px"]
    return [
        ("no view", views(), "camera.invalid"),
        ("a second view without an inverse", views(camera(), camera(camera_from_world=flat)), "camera.invalid"),
        ("a second projection without an inverse", views(camera(), camera(clip_from_camera=flat)), "camera.invalid"),
        ("a second projection of three numbers", views(camera(), camera(clip_from_camera=[1, 2, 3])), "camera.invalid"),
        ("a second viewport without height", views(camera(), camera(viewport_px=[9, 0])), "camera.invalid"),
        ("a second depth range nobody knows", views(camera(), camera(depth="one_to_two")), "camera.invalid"),
        ("a second view without a viewport", views(camera(), short), "wire.invalid"),
        ("a number of views", {**views(), "cameras": 2}, "wire.invalid"),
    ]


def two_walls() -> dict[str, Any]:
    # shadows on the board: −0.8 … 0.4 and −1/3 … 1/3
    a, b = wall(-0.4, 0.2), wall(-0.2, 0.2, z=4)
    return {"vertices": a["vertices"] + b["vertices"], "triangles": [*a["triangles"], [4, 5, 6], [4, 6, 7]]}


def back_wall() -> dict[str, Any]:
    return wall(-2, 2, one_sided=True, triangles=[[0, 2, 1], [0, 3, 2]])


def two_sided() -> dict[str, Any]:
    return {"corners": BOARD, "two_sided": True}


def back(why: int) -> dict[str, Any]:
    behind = {"front_facing": False, "angle_deg": 180, "why": why}
    if why == 1:
        return {**behind, "on_screen_fraction": 0, "screen_angle_deg": 0}
    return {**behind, "screen_angle_deg": 180, "on_screen_fraction": 0 if why == 2 else 1}


def edge_on() -> dict[str, Any]:
    return {"on_screen_fraction": 0, "front_facing": False, "angle_deg": 90, "screen_angle_deg": 90, "why": 2}


def roof_seen() -> dict[str, Any]:
    # centroid of the two faces (0, 0.5, −0.5); mean normal (0, 1, 1) / √2; the eye is at (0, 0, 10)
    angle = math.degrees(math.acos((-0.5 + 10.5) / math.sqrt(2) / math.hypot(0.5, 10.5)))
    half = {**HALF, "on_screen_fraction": 0.5, "coverage": 0.01, "why": 3}
    return {**half, "angle_deg": angle, "screen_angle_deg": 45}


def bad() -> list[tuple[str, dict[str, Any], str]]:
    singular, tilted = np.zeros((4, 4)).tolist(), np.eye(4).tolist()
    singular[3][3], tilted[3] = 1, [0, 0, 1, 1]
    flat_projection = [[1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0], [0, 0, -1, 0]]
    views = {
        "a view without an inverse": camera(camera_from_world=singular),
        "a view whose last row is not 0 0 0 1": camera(camera_from_world=tilted),
        "a projection without an inverse": camera(clip_from_camera=flat_projection),
        "a projection that is not a matrix": camera(clip_from_camera=[1, 2, 3]),
        "a projection beyond all measure": camera(clip_from_camera=[[1e300] * 4] * 4),
        "a viewport without width": camera(viewport_px=[0, 1000]),
        "a negative viewport": camera(viewport_px=[1000, -1]),
        "a viewport of three numbers": camera(viewport_px=[1, 2, 3]),
        "a depth range nobody knows": camera(depth="zero_to_two"),
        "a view of words": camera(camera_from_world=[["a"] * 4] * 4),
    }
    slots = {
        "a board without area": {"corners": [[0, 0, 0]] * 4},
        "a board that is a line": {"corners": [[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]]},
        "a board that is not flat": {"corners": [[-1, -1, 0], [1, -1, 0], [1, 1, 1], [-1, 1, 0]]},
        "a board that is not convex": {"corners": [[-1, -1, 0], [1, -1, 0], [-0.5, -0.5, 0], [-1, 1, 0]]},
        "a board whose sides cross": {"corners": [[-1, -1, 0], [1, 1, 0], [1, -1, 0], [-1, 1, 0]]},
        "a board of three corners": {"corners": BOARD[:3]},
        "a board beyond all measure": {"corners": [[1e300, 0, 0], *BOARD[1:]]},
        "a curved board without triangles": {"vertices": BOARD, "triangles": []},
        "a curved board of triangles without area": {"vertices": BOARD, "triangles": [[0, 0, 1], [2, 2, 2]]},
    }
    things = {
        "an index out of range": wall(-1, 0, triangles=[[0, 1, 4]]),
        "a negative index": wall(-1, 0, triangles=[[0, 1, -1]]),
        "an index that is not whole": wall(-1, 0, triangles=[[0, 1, 1.5]]),
        "triangles of four corners": wall(-1, 0, triangles=[[0, 1, 2, 3]]),
        "vertices of two numbers": wall(-1, 0, vertices=[[0, 0], [1, 0], [0, 1], [1, 1]]),
        "a vertex beyond all measure": wall(-1, 0, vertices=[[1e300, 0, 0]] * 4),
        "one owner for two triangles": wall(-1, 0, owner=[1]),
    }
    torn = {"vertices": BOARD, "triangles": [[0, 1, 9]]}
    return [
        *((name, looks(view=view), "camera.invalid") for name, view in views.items()),
        *((name, looks(slot=slot), "slot.degenerate") for name, slot in slots.items()),
        ("a curved board's index out of range", looks(slot=torn), "geometry.invalid"),
        *((name, looks(thing), "geometry.invalid") for name, thing in things.items()),
        ("no slot", {"camera": camera()}, "wire.invalid"),
        ("a profile nobody knows", looks(profile="iig-9"), "profile.unknown"),
    ]


def sample(t_ms: float, **changes: Any) -> dict[str, Any]:
    line = {"t_ms": t_ms, "visible_fraction": 0.9, "coverage": 0.1, "angle_deg": 10, "screen_angle_deg": 10}
    return {**line, "front_facing": True, "focused": True, "idle": False, **changes}


def samples(begin: int, end: int, step: int = 100, **changes: Any) -> list[dict[str, Any]]:
    return [sample(t, **changes) for t in range(begin, end + 1, step)]


def end(t_ms: int, continuous_ms: int, reason: str) -> dict[str, Any]:
    return {"event": "end", "t_ms": t_ms, "continuous_ms": continuous_ms, "reason": reason}


def summary(viewable: bool, longest_ms: int, cumulative_ms: int) -> dict[str, Any]:
    return {
        "event": "summary",
        "viewable": viewable,
        "longest_continuous_ms": longest_ms,
        "cumulative_ms": cumulative_ms,
    }


Traces = list[tuple[str, str, list[Any], list[dict[str, Any]]]]
SEEN = {"event": "viewable", "t_ms": 1000}
WHOLE = [SEEN, end(1500, 1500, "end_of_trace"), summary(True, 1500, 1500)]
NEVER = [summary(False, 0, 0)]


def timing() -> Traces:
    short = [end(999, 999, "end_of_trace"), summary(False, 999, 999)]
    exact = [SEEN, end(1000, 1000, "end_of_trace"), summary(True, 1000, 1000)]
    two = [end(600, 600, "idle"), end(1400, 600, "end_of_trace"), summary(False, 600, 1200)]
    held = [{"event": "viewable", "t_ms": 1050}, end(1250, 1250, "end_of_trace"), summary(True, 1250, 1250)]
    torn = [end(500, 500, "gap"), end(1251, 500, "end_of_trace"), summary(False, 500, 1000)]
    back = [end(200, 200, "gap"), end(300, 200, "end_of_trace"), summary(False, 200, 400)]
    once = [SEEN, end(1000, 1000, "viewport"), end(2300, 1100, "end_of_trace"), summary(True, 1100, 2100)]
    unseen = sample(1100, visible_fraction=0)
    lines = {
        "a second without a break": (samples(0, 1500), WHOLE),
        "one millisecond short": ([*samples(0, 900), sample(999)], short),
        "exactly a second": ([*samples(0, 900), sample(1000)], exact),
        "short looks do not add up": ([*samples(0, 600), sample(700, idle=True), *samples(800, 1400)], two),
        "a gap of 250 ms holds": ([*samples(0, 500), *samples(750, 1250)], held),
        "a gap of 251 ms breaks": ([*samples(0, 500), *samples(751, 1251)], torn),
        "time that goes back breaks": ([sample(0), sample(200), sample(100), sample(300)], back),
        "viewable once, however often": ([*samples(0, 1000), unseen, *samples(1200, 2300)], once),
        "nothing sampled": ([], NEVER),
    }
    return [(name, "iig-2.0-display", line, events) for name, (line, events) in lines.items()]


def passing() -> Traces:
    display, oblique = "iig-2.0-display", {"screen_angle_deg": 55, "angle_deg": 55}
    broken = [
        *(sample(0), sample(100, front_facing=False)),
        *(sample(200), sample(300, coverage=0.001)),
        *(sample(400), sample(500, visible_fraction=0.2)),
        *(sample(600), sample(700, visible_fraction=0.2, on_screen_fraction=0.3)),
    ]
    reasons = ["back_facing", "too_small", "obstructed", "clipped"]
    ends = [end(200 * k, 0, reason) for k, reason in enumerate(reasons)]
    return [
        ("half is enough", display, samples(0, 1500, visible_fraction=0.5), WHOLE),
        ("less than half is not", display, samples(0, 1500, visible_fraction=0.49), NEVER),
        ("55 degrees fail where the bound is open", display, samples(0, 1500, **oblique), NEVER),
        ("55 degrees pass where it is closed", "roblox-image", samples(0, 1500, **oblique), WHOLE),
        ("1.5 % of the screen is enough", display, samples(0, 1500, coverage=0.015), WHOLE),
        ("without focus nothing counts", display, samples(0, 1500, focused=False), NEVER),
        ("why a run ended", display, broken, [*ends, summary(False, 0, 0)]),
    ]


def playing(first: int, last: int, begins_at: int = 0, **changes: Any) -> list[dict[str, Any]]:
    """Return samples of a video of 2 s in a loop, which stands at `begins_at` at the time 0."""
    times = range(first, last + 1, 100)
    return [sample(t, position_ms=(begins_at + t) % 2000, length_ms=2000, **changes) for t in times]


def videos() -> Traces:
    display = "iig-2.0-display"
    seen = [{"event": name, "t_ms": t} for name, t in (("start", 100), ("first_quartile", 500))]
    rest = [{"event": "midpoint", "t_ms": 1000}, {"event": "third_quartile", "t_ms": 1500}]
    rest.append({"event": "complete", "t_ms": 1800})  # all of it but 250 ms, at the first sample after
    paused = [{"event": "start", "t_ms": 100}, end(300, 300, "idle")]
    paused.append({"event": "pause", "t_ms": 400, "reason": "idle"})
    halves = [*playing(0, 300), *playing(400, 3000, idle=True), *playing(3100, 3300)]
    late = [
        *paused,
        {"event": "first_quartile", "t_ms": 3300},
        end(3300, 200, "end_of_trace"),
        summary(False, 300, 500),
    ]
    stands = [*playing(0, 300), *(sample(t, position_ms=300, length_ms=2000) for t in range(400, 900, 100))]
    still = [{"event": "start", "t_ms": 100}, {"event": "pause", "t_ms": 600, "reason": "counted"}]
    once = [*seen, SEEN, *rest, end(6000, 6000, "end_of_trace"), summary(True, 6000, 6000)]
    jumps = [sample(100 * n, position_ms=1500 * (n % 2), length_ms=2000) for n in range(3)]
    jumped = [{"event": "start", "t_ms": 100}, end(200, 200, "end_of_trace"), summary(False, 200, 200)]
    return [
        ("a video in a loop, each part once", display, playing(0, 6000), once),
        ("from the middle of a loop", display, playing(0, 6000, begins_at=1500), once),
        ("it waits while nobody sees it", display, halves, late),
        ("it stands still", display, stands, [*still, end(800, 800, "end_of_trace"), summary(False, 800, 800)]),
        ("jumps add no more than the time", display, jumps, jumped),
    ]


def bad_videos() -> list[tuple[str, Any, str]]:
    places: dict[str, dict[str, Any]] = {
        "a position of no length": {"position_ms": 0},
        "a length without a position": {"length_ms": 2000},
        "a position beyond the end": {"position_ms": 2001, "length_ms": 2000},
        "a position before the beginning": {"position_ms": -1, "length_ms": 2000},
        "a video of no length": {"position_ms": 0, "length_ms": 0},
        "a video of more than a day": {"position_ms": 0, "length_ms": 86_400_001},
        "a position in words": {"position_ms": "0", "length_ms": 2000},
        "a position that is null": {"position_ms": None, "length_ms": 2000},
    }
    return [
        (name, {"profile": "iig-2.0-display", "lines": [sample(0, **place)]}, "wire.invalid")
        for name, place in places.items()
    ]


def bad_traces() -> list[tuple[str, Any, str]]:
    display = "iig-2.0-display"
    without = {name: value for name, value in sample(0).items() if name != "coverage"}
    lines = {
        "more than all of it": sample(0, visible_fraction=1.01),
        "less than nothing": sample(0, visible_fraction=-0.01),
        "coverage above 1": sample(0, coverage=2),
        "an angle above 180": sample(0, angle_deg=181),
        "a negative angle": sample(0, screen_angle_deg=-1),
        "time before the beginning": sample(-1),
        "time as words": {**sample(0), "t_ms": "0"},
        "no coverage": without,
        "null": sample(0, coverage=None),
        "a flag that is a number": sample(0, focused=1),
        "a field nobody knows": sample(0, colour="red"),
        "not a sample": [0, 0.9],
        "a number": 7,
        "a second line that is bad": sample(100, idle="no"),
    }
    return [
        *((name, {"profile": display, "lines": [sample(0), line]}, "wire.invalid") for name, line in lines.items()),
        ("a profile nobody knows", {"profile": "iig-9", "lines": []}, "profile.unknown"),
        ("no lines", {"profile": display}, "wire.invalid"),
    ]


def documents() -> dict[str, dict[str, Any]]:
    """Return the vector files by their path below spec/vectors."""
    good = [*hiding(), *standing(), *projecting(), *judging()]
    seen = [{"name": name, "input": given, "expect": {"ok": expect}} for name, given, expect in good]
    refused = [{"name": name, "input": given, "expect": {"code": code}} for name, given, code in bad()]
    viewers = [{"name": name, "input": given, "expect": {"ok": expect}} for name, given, expect in pairing()]
    blind = [{"name": name, "input": given, "expect": {"code": code}} for name, given, code in bad_views()]
    runs = [
        {"name": name, "input": {"profile": profile, "lines": lines}, "expect": {"ok": expect}}
        for name, profile, lines, expect in [*timing(), *passing()]
    ]
    broken = [{"name": name, "input": given, "expect": {"code": code}} for name, given, code in bad_traces()]
    played = [
        {"name": name, "input": {"profile": profile, "lines": lines}, "expect": {"ok": expect}}
        for name, profile, lines, expect in videos()
    ]
    unplayed = [{"name": name, "input": given, "expect": {"code": code}} for name, given, code in bad_videos()]
    return {
        "visibility/one_pair.json": {
            "area": "visibility",
            "section": "measurement.md#a-pair",
            "tolerance": 1e-6,
            "cases": [*seen, *refused],
        },
        "visibility/one_viewer.json": {
            "area": "visibility",
            "section": "measurement.md#one-viewer-several-views",
            "tolerance": 1e-6,
            "cases": [*viewers, *blind],
        },
        "exposure/trace.json": {
            "area": "exposure",
            "section": "measurement.md#when-a-view-counts",
            "tolerance": 0,
            "cases": [*runs, *broken],
        },
        "exposure/video.json": {
            "area": "exposure",
            "section": "measurement.md#videos",
            "tolerance": 0,
            "cases": [*played, *unplayed],
        },
    }


def main() -> None:
    """Write the files."""
    for name, document in documents().items():
        path = VECTORS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cases = ",\n".join("    " + json.dumps(case, ensure_ascii=False) for case in document.pop("cases"))
        head = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in document.items())
        path.write_text(f'{{\n{head},\n  "cases": [\n{cases}\n  ]\n}}\n', "utf-8")


if __name__ == "__main__":
    main()
