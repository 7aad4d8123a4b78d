"""What `measure` says of scenes whose answer is known without it."""

import numpy as np
import pytest

from openslot_spec.exposures import WhyNot
from openslot_view import Camera, Cameras, Gates, Occluders, Surfaces, Visibility, measure

SQUARE = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], np.float64)
AHEAD = Camera.perspective((0, 0, 10), viewport_px=(1000, 1000), fov_y_deg=60)


def seen_by(
    camera: Camera,
    *,
    occluders: Occluders | None = None,
    gates: Gates | None = None,
    two_sided: bool = False,
    owner: int = -1,
) -> Visibility:
    surfaces = Surfaces.from_quads([SQUARE], two_sided=two_sided, owner=owner)
    return measure(Cameras.stack([camera]), surfaces, occluders, gates=gates)


def wall(
    low: tuple[float, float], high: tuple[float, float], z: float = 5.0, *, one_sided: bool = False, owner: int = -1
) -> Occluders:
    (x0, y0), (x1, y1) = low, high
    vertices = [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)]
    return Occluders.build(vertices, [(0, 1, 2), (0, 2, 3)], one_sided=one_sided, owner=owner)


def test_a_board_straight_ahead_is_seen_whole_and_covers_what_perspective_says() -> None:
    seen = seen_by(AHEAD)
    assert seen.visible_fraction[0, 0] == 1.0
    assert seen.coverage[0, 0] == pytest.approx((0.1 / np.tan(np.radians(30))) ** 2, abs=1e-12)
    assert seen.angle_deg[0, 0] == pytest.approx(0.0, abs=1e-6)
    assert seen.why[0, 0] == WhyNot.COUNTED


def test_a_wall_halfway_hides_the_part_it_stands_before() -> None:
    # at half the distance, x from -1 to 0 shadows x from -2 to 0
    seen = seen_by(AHEAD, occluders=wall((-1, -1), (0, 1)))
    assert seen.visible_fraction[0, 0] == pytest.approx(0.5, abs=1e-9)
    assert seen.why[0, 0] == WhyNot.OBSTRUCTED


def test_overlapping_walls_count_their_union() -> None:
    vertices = [(-0.4, -1, 5), (0.2, -1, 5), (0.2, 1, 5), (-0.4, 1, 5), (-0.2, -1, 4), (0.2, -1, 4), (0.2, 1, 4)]
    occluders = Occluders.build([*vertices, (-0.2, 1, 4)], [(0, 1, 2), (0, 2, 3), (4, 5, 6), (4, 6, 7)])
    # shadows: x -0.8..0.4 and -0.333..0.333
    assert seen_by(AHEAD, occluders=occluders).visible_fraction[0, 0] == pytest.approx(0.4, abs=1e-9)


def test_a_one_sided_board_from_behind_is_nothing_and_a_two_sided_one_is_all() -> None:
    behind = Camera.perspective((0, 0, -10), target=(0, 0, 0))
    assert seen_by(behind).visible_fraction[0, 0] == 0.0
    assert seen_by(behind).why[0, 0] == WhyNot.BACK_FACING
    assert seen_by(behind, two_sided=True).visible_fraction[0, 0] == 1.0
    assert not seen_by(behind, two_sided=True).front_facing[0, 0]


def test_a_board_edge_on_is_zero_with_its_angle_reported() -> None:
    seen = seen_by(Camera.perspective((10, 0, 0), target=(0, 0, 0)), two_sided=True)
    assert (seen.visible_fraction[0, 0], seen.coverage[0, 0]) == (0.0, 0.0)
    assert seen.angle_deg[0, 0] == pytest.approx(90.0)


def test_a_board_behind_the_camera_is_zero() -> None:
    seen = seen_by(Camera.perspective((0, 0, 10), target=(0, 0, 20)))
    assert (seen.visible_fraction[0, 0], seen.why[0, 0]) == (0.0, WhyNot.VIEWPORT)


def test_a_one_sided_wall_hides_only_from_its_front() -> None:
    assert seen_by(AHEAD, occluders=wall((-2, -2), (2, 2), one_sided=True)).visible_fraction[0, 0] == 0.0
    vertices = [(-2, -2, 5), (2, -2, 5), (2, 2, 5), (-2, 2, 5)]
    turned = Occluders.build(vertices, [(0, 2, 1), (0, 3, 2)], one_sided=True)
    assert seen_by(AHEAD, occluders=turned).visible_fraction[0, 0] == 1.0


def test_a_board_does_not_hide_itself_and_a_wall_it_hangs_on_does_not_either() -> None:
    own = wall((-1, -1), (1, 1), z=0.1, owner=7)
    assert seen_by(AHEAD, occluders=own, owner=7).visible_fraction[0, 0] == 1.0
    assert seen_by(AHEAD, occluders=own, owner=8).visible_fraction[0, 0] == pytest.approx(0.0, abs=0.03)
    assert seen_by(AHEAD, occluders=wall((-9, -9), (9, 9), z=0.0)).visible_fraction[0, 0] == 1.0


def test_what_stands_before_the_near_plane_does_not_hide() -> None:
    assert seen_by(AHEAD, occluders=wall((-2, -2), (2, 2), z=9.95)).visible_fraction[0, 0] == 1.0


@pytest.mark.parametrize(
    ("gates", "why"),
    [
        (Gates(visible_fraction_min=0.5), WhyNot.COUNTED),
        (Gates(coverage_min=0.5), WhyNot.TOO_SMALL),
        (Gates(angle_max_deg=40.0, angle_basis="line_of_sight"), WhyNot.TOO_OBLIQUE),
        (Gates(angle_max_deg=40.0, angle_basis="screen"), WhyNot.TOO_OBLIQUE),
    ],
)
def test_the_first_gate_that_fails_is_named(gates: Gates, why: WhyNot) -> None:
    oblique = Camera.perspective((10, 0, 10), target=(0, 0, 0))
    seen = seen_by(oblique, gates=gates)
    assert seen.why[0, 0] == why
    assert seen.measured[0, 0] == (why == WhyNot.COUNTED)
