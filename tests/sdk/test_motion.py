from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from openslot_sdk.audience import Member
from openslot_sdk.meter import Look, Meter
from openslot_sdk.motion import Motion, motion_rules
from openslot_spec.errors import Code
from openslot_spec.exposures import EventKind
from openslot_view import Camera, Cameras
from tests.sdk.test_meter import EXPIRES, START, board, camera, events_of, hung, placement

RULES = motion_rules()
EYE = (0.0, 1.6, 3.0)


def ahead(yaw_deg: float = 0.0, x: float = 0.0) -> Camera:
    turn = np.radians(yaw_deg)
    eye = np.add(EYE, (x, 0, 0))
    return Camera.perspective(eye, target=np.add(eye, (np.sin(turn), 0, -np.cos(turn))))


def faults(
    path: Callable[[float], Camera], step_ms: int = 100, samples: int = 20, speed_max_mps: float | None = 10.0
) -> list[bool]:
    """Return for each sample of a camera on its path (from seconds) whether it is implausible."""
    motion, member = Motion(RULES, speed_max_mps), [Member(0, 0)]
    times = [step_ms * sample for sample in range(samples)]
    return [bool(motion.judge(t_ms, member, Cameras.stack([path(t_ms / 1000)]))) for t_ms in times]


@pytest.mark.parametrize(
    ("turn_deg_per_s", "step_ms", "first"), [(990, 100, None), (1_010, 100, 2), (1_010, 16, 7), (3_000, 50, 2)]
)
def test_a_head_that_turns_too_fast_is_not_measured_once_it_lasts(
    turn_deg_per_s: float, step_ms: int, first: int | None
) -> None:
    found = faults(lambda t: ahead(turn_deg_per_s * t), step_ms)
    assert found == [first is not None and sample >= first for sample in range(20)]


@pytest.mark.parametrize("turn_deg", [30, 90, 180])
def test_a_snap_turn_or_a_flick_of_the_mouse_passes(turn_deg: float) -> None:
    assert not any(faults(lambda t: ahead(turn_deg * (t > 0.5))))
    assert not any(faults(lambda t: ahead(turn_deg * (t // 0.7 % 2))))


@pytest.mark.parametrize(("speed_mps", "is_fast"), [(14.9, False), (15.1, True), (400.0, True)])
def test_who_travels_half_as_fast_again_as_the_world_allows_is_not_measured(speed_mps: float, is_fast: bool) -> None:
    assert faults(lambda t: ahead(x=speed_mps * t))[2:] == [is_fast] * 18
    assert not any(faults(lambda t: ahead(x=speed_mps * t), speed_max_mps=None))


def test_a_teleport_now_and_then_passes_and_one_at_every_sample_does_not() -> None:
    assert not any(faults(lambda t: ahead(x=50.0 * (t // 0.3)), step_ms=100))
    assert all(faults(lambda t: ahead(x=500.0 * t))[2:])


def test_who_comes_back_after_a_while_or_takes_anothers_seat_has_not_moved() -> None:
    motion = Motion(RULES, 1.0)
    for turn in range(4):
        newcomer = [Member(turn, 0)]
        assert not motion.judge(100 * turn, newcomer, Cameras.stack([ahead(150 * turn, x=40 * turn)]))
        assert not motion.judge(100_000 + 100 * turn, newcomer, Cameras.stack([ahead(10 * turn, x=-40 * turn)]))


@pytest.mark.parametrize(
    ("odd", "is_odd"),
    [
        (Camera.perspective(EYE, viewport_px=(31.0, 1000.0)), True),
        (Camera.perspective(EYE, viewport_px=(32.0, 40.0)), False),
        (Camera.perspective(EYE, viewport_px=(1000.0, 40_000.0)), True),
        (Camera.perspective(EYE, fov_y_deg=0.9), True),
        (Camera.perspective(EYE, fov_y_deg=1.1), False),
        (Camera(np.eye(4), np.diag([9.0, 900.0, -0.01, 1.0]), (800.0, 600.0)), False),
    ],
)
def test_a_screen_or_lens_that_shows_nothing_is_not_measured(odd: Camera, is_odd: bool) -> None:
    assert any(faults(lambda _: odd)) is is_odd


def test_the_rest_are_measured_and_the_world_hears_who_was_not() -> None:
    meter = hung(board("east"))
    for step in range(20):
        looks = {"steady": Look(camera()), "spun": Look(ahead(170.0 * step))}
        seen = meter.tick(START + 100 * step, looks)
    assert {name: error.code for name, error in seen.refused.items()} == {"spun": Code.CAMERA_IMPLAUSIBLE}
    assert "viewers/spun" in str(seen.refused["spun"])
    assert [(event[0], event[2]) for event in events_of(meter) if event[0] == "VIEWABLE"] == [("VIEWABLE", 0)]


def bot(kind: str, chance: np.random.Generator) -> Callable[[int], Camera]:
    """Return a camera by the number of its sample that is driven to see several boards at once, or for nobody."""
    spin, leap, side = chance.uniform(101, 180), chance.uniform(1.0, 3.0), chance.uniform(1, 31)
    drives: dict[str, Callable[[int], Camera]] = {
        "spins": lambda sample: ahead(spin * sample),
        "leaps": lambda sample: ahead(x=leap * (sample % 2)),
        "peeps": lambda _: Camera.perspective(EYE, viewport_px=(side, side)),
    }
    return drives[kind]


def count_viewable(kind: str, bots: int, speed_max_mps: float | None) -> int:
    chance = np.random.default_rng(bots)
    drives = {str(number): bot(kind, chance) for number in range(bots)}
    meter = Meter(speed_max_mps=speed_max_mps)
    meter.add_slots([board("east"), board("west", x=4.0)], [-1, -1])
    for number, name in enumerate(("east", "west")):
        meter.place(placement(name, number, expires=EXPIRES), START)
    for step in range(20):
        meter.tick(START + 100 * step, {name: Look(drive(step)) for name, drive in drives.items()})
    return sum(int((taken.recorded.events.kind == EventKind.VIEWABLE).sum()) for taken in meter.take())


@pytest.mark.parametrize("kind", ["spins", "leaps", "peeps"])
def test_five_hundred_bots_of_each_kind_see_nothing_that_counts(kind: str) -> None:
    assert count_viewable(kind, 500, speed_max_mps=5.0) == 0


def test_where_no_speed_is_declared_those_who_leap_do_count() -> None:
    assert count_viewable("leaps", 20, speed_max_mps=None) == 20
