from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_spec.evidence import Evidence
from openslot_spec.geometry import Geometry
from openslot_spec.profiles import profile
from openslot_view.cameras import Camera, Cameras
from openslot_view.coarse import coarsen
from openslot_view.occluders import Occluders
from openslot_view.proof import Claim, bounds, impossible, occluders_of
from openslot_view.visibility import measure
from tests.view.looks import SURFACE, Shown, evidence, look, standing, walls, wandering

NOTHING = Occluders.none()
WALL = Occluders.build([[-4, 0, -3], [4, 0, -3], [4, 5, -3], [-4, 5, -3]], [[0, 1, 2], [0, 2, 3]])
PROFILES = ["iig-2.0-display", "mrc-display", "full-view", "roblox-video", "ias-gaming"]


def honest(position: tuple[float, float, float] = (0, 2, 0), name: str = "mrc-display") -> Shown:
    return next(look(standing(position), NOTHING, name))


def why(shown: Shown, stands: Occluders = NOTHING, **claim: object) -> str:
    return impossible(shown.evidence, replace(shown.claim, **claim), SURFACE, stands)  # type: ignore[arg-type]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32), st.sampled_from(PROFILES))
def test_whoever_really_looked_is_believed(seed: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    stands = walls(rng)
    for shown in look(wandering(rng), stands, name, seed):
        assert not why(shown, stands), shown.claim


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32))
def test_an_open_view_is_never_better_than_its_cells_bounds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cameras = Cameras.stack([wandering(rng)(0.0)[0] for _ in range(8)])
    seen = measure(cameras, SURFACE, NOTHING, backend="numpy")
    coarse = coarsen(cameras)
    for row in range(8):
        one = evidence(0, [(0, coarsen(cameras.take(np.array([row]))))])
        best = bounds(one, np.array([0]), SURFACE, NOTHING, profile("mrc-display"))
        assert seen.visible_fraction[row, 0] <= best.visible_fraction[0] + 1e-9
        assert seen.coverage[row, 0] <= best.coverage[0] * (1 + 1e-9)
        assert seen.screen_angle_deg[row, 0] >= best.angle_deg[0] - 1e-9
        assert best.front_facing[0] or not seen.front_facing[row, 0]
    assert coarse.described.all()


def test_what_moved_before_the_board_only_makes_a_claim_smaller() -> None:
    shown = honest()
    assert not why(shown, visible_fraction=shown.claim.visible_fraction / 2, coverage=shown.claim.coverage / 2)


def test_a_look_through_a_wall_is_impossible() -> None:
    assert why(honest(), WALL) == "gate"


def test_a_look_at_what_lies_behind_is_impossible() -> None:
    away = list(zip(range(0, 1200, 200), [standing((0, 2, 0), target=(0, 2, 5))(0)] * 6, strict=True))
    trace = [(t_ms, coarsen(Cameras.stack(cameras))) for t_ms, cameras in away]
    claim = Claim(profile("mrc-display"), 1000, 1000, 0.9, 0.1, 10)
    assert impossible(evidence(1000, trace), claim, SURFACE, NOTHING) == "gate"


def test_a_look_from_behind_the_board_is_impossible() -> None:
    trace = [(t_ms, coarsen(Cameras.stack(standing((0, 2, -10))(0)))) for t_ms in range(0, 1200, 200)]
    claim = Claim(profile("mrc-display"), 1000, 1000, 0.9, 0.1, 10)
    assert impossible(evidence(1000, trace), claim, SURFACE, NOTHING) == "gate"


def test_a_board_too_far_away_to_fill_its_share_of_the_screen_is_impossible() -> None:
    near, far = (honest((0, 2, z)) for z in (0, 60))
    assert not impossible(near.evidence, replace(near.claim, profile=profile("iig-2.0-display")), SURFACE, NOTHING)
    assert why(far, profile=profile("iig-2.0-display"), coverage=0.02) == "gate"


@pytest.mark.parametrize("longer", [500, 1000, 9000, 60_000])
def test_more_time_than_the_evidence_spans_is_impossible(longer: int) -> None:
    shown = honest()
    time_ms = shown.claim.continuous_ms + longer
    assert why(shown, continuous_ms=time_ms, cumulative_ms=time_ms) == "dwell"


def test_a_hole_in_the_evidence_is_no_dwell() -> None:
    shown = next(look(standing((0, 2, 0)), NOTHING, "mrc-video"))
    times = shown.evidence.before_ms
    kept = (times < 500) | (times > 1200)
    holed = replace(
        shown.evidence,
        **{name: getattr(shown.evidence, name)[kept] for name in ("before_ms", "frustum", "position", "turn")},
    )
    assert impossible(holed, shown.claim, SURFACE, NOTHING) == "dwell"


def test_means_that_no_sample_can_make_up_for_are_impossible() -> None:
    shown = honest((0, 2, 12))
    assert why(shown, coverage=0.9) == "means"
    assert not why(shown)


@pytest.mark.parametrize("basis", ["screen", "line_of_sight"])
def test_a_look_from_too_far_aside_is_impossible(basis: str) -> None:
    aside = next(look(standing((12, 2, -2)), NOTHING))
    oblique = profile("mrc-display").model_copy(update={"angle_max_deg": 55.0, "angle_basis": basis})
    assert why(aside, profile=oblique) == "gate"
    assert not why(aside)


def test_a_cumulative_profile_has_no_run_to_show() -> None:
    cumulative = profile("mrc-display").model_copy(update={"cumulative": True})
    assert why(honest(), profile=cumulative) == "dwell"


def test_one_of_two_eyes_is_enough() -> None:
    left, right = standing((0, 2, 0))(0)[0], standing((0, 2, 0), target=(0, 2, 5))(0)[0]
    trace = [(t_ms, coarsen(Cameras.stack([left, right]))) for t_ms in range(0, 1200, 200)]
    claim = Claim(profile("mrc-display"), 1000, 1000, 0.9, 0.1, 10)
    assert not impossible(evidence(1000, trace), claim, SURFACE, NOTHING)


def test_a_near_plane_sees_past_what_is_before_it() -> None:
    thin = Occluders.build([[-9, -9, -0.3], [9, -9, -0.3], [9, 9, -0.3], [-9, 9, -0.3]], [[0, 1, 2], [0, 2, 3]])
    for near, verdict in ((0.1, "gate"), (0.9, "")):
        camera = Camera.perspective((0, 2, 0), target=(0, 2, -5), near=near)
        trace = [(t_ms, coarsen(Cameras.stack([camera]))) for t_ms in range(0, 1200, 200)]
        claim = Claim(profile("mrc-display"), 1000, 1000, 0.9, 0.1, 10)
        assert impossible(evidence(1000, trace), claim, SURFACE, thin) == verdict


def test_registered_geometry_hides_like_what_it_was_made_from() -> None:
    far = np.array([1e5, 0, 1e5])
    corners = np.array([[-4, 0, -3], [4, 0, -3], [4, 5, -3], [-4, 5, -3]]) + far
    made = Geometry.of(corners, np.array([[0, 1, 2], [0, 2, 3]]), np.array([True, False]), np.array([4, -1]), {"a": 4})
    stands = occluders_of(Geometry.unpack(made.pack())).static
    assert np.abs(stands.corners - corners[[[0, 1, 2], [0, 2, 3]]]).max() < 1e-6
    assert stands.one_sided.tolist() == [True, False]
    assert stands.owner.tolist() == [4, -1]


def test_evidence_reads_back_as_it_was_written() -> None:
    shown = honest()
    again = Evidence.unpack(shown.evidence.pack())
    assert again.pack() == shown.evidence.pack()
