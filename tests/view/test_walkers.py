import numpy as np
import pytest

from openslot_view.walkers import EYE_M, Sight, Walker, crowd
from openslot_view.walkways import WalkGraph

SQUARE = WalkGraph(
    np.array([(-4.0, 0.0, -4.0), (4.0, 0.0, -4.0), (4.0, 0.0, 4.0), (-4.0, 0.0, 4.0)]),
    np.array([(0, 1), (1, 2), (2, 3), (0, 3)]),
)
LANE = WalkGraph(np.array([(0.0, 0.0, 0.0), (0.0, 0.0, 9.0)]), np.array([(0, 1)]))


def steps(walker: Walker, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Return where the eye was and where it looked, ten times a second."""
    poses = []
    for _ in range(round(seconds * 10)):
        walker.step(0.1)
        poses.append((walker.eye, walker.gaze))
    eyes, gazes = zip(*poses, strict=True)
    return np.array(eyes), np.array(gazes)


@pytest.mark.parametrize("seed", range(4))
def test_people_keep_to_their_ways_at_a_walking_pace(seed: int) -> None:
    (walker,) = crowd(SQUARE, [], 1, seed)
    eyes, gazes = steps(walker, 60)
    assert np.allclose(eyes[:, 1], EYE_M)
    assert np.allclose(np.abs(eyes[:, [0, 2]]).max(axis=1), 4)
    pace = np.linalg.norm(np.diff(eyes, axis=0), axis=1) / 0.1
    assert 0 < pace.max() < 1.31
    assert np.allclose(np.linalg.norm(gazes, axis=1), 1)


def test_who_comes_to_a_dead_end_turns_back() -> None:
    (walker,) = crowd(LANE, [], 1, 0)
    eyes, _ = steps(walker, 40)
    assert eyes[:, 2].min() < 0.5 < 8.5 < eyes[:, 2].max()


@pytest.mark.parametrize(("facing", "looked_at"), [(1.0, True), (-1.0, False)])
def test_people_look_at_boards_that_face_them_and_not_at_backs(facing: float, looked_at: bool) -> None:
    board = Sight(np.array((-3.0, 2.0, 4.5)), np.array((facing, 0.0, 0.0)))
    found = False
    for walker in crowd(LANE, [board], 6, 2):
        eyes, gazes = steps(walker, 40)
        toward = board.position - eyes
        toward /= np.linalg.norm(toward, axis=1, keepdims=True)
        found |= bool((np.einsum("ij,ij->i", toward, gazes) > 0.999).any())
    assert found is looked_at


def test_nobody_turns_faster_than_people_do() -> None:
    boards = [Sight(np.array((x, 1.5, 0.0)), np.array((-x, 0.0, 0.0))) for x in (-6.0, 6.0)]
    for walker in crowd(SQUARE, boards, 3, 1):
        _, gazes = steps(walker, 40)
        turned = np.degrees(np.arccos(np.clip(np.einsum("ij,ij->i", gazes[1:], gazes[:-1]), -1, 1)))
        assert turned.max() < 60
        assert np.median(turned) < 14.1


def test_who_has_nowhere_to_go_stays() -> None:
    (walker,) = crowd(WalkGraph(np.zeros((1, 3)), np.zeros((0, 2), np.int64)), [], 1, 0)
    eyes, gazes = steps(walker, 2)
    assert np.allclose(eyes, (0, EYE_M, 0))
    assert np.isfinite(gazes).all()
