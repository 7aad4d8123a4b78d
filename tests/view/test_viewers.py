"""Several views, one viewer: which of them counts."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import WhyNot
from openslot_view import Camera, Cameras, Gates, Surfaces, Visibility, measure
from tests.view.scenes import scene
from tests.view.test_measure import AHEAD, SQUARE, wall

seeds = st.integers(0, 2**32 - 1)


@st.composite
def answers(draw: st.DrawFn) -> tuple[Visibility, list[int]]:
    """What some views see of some slots, full of ties, and whose views they are."""
    viewers = draw(st.lists(st.integers(0, 4), min_size=1, max_size=8))
    rng = np.random.default_rng(draw(seeds))
    shape = len(viewers), draw(st.integers(0, 4))
    share, on_screen, coverage, sight, screen = (rng.integers(0, 3, shape) / 2 for _ in range(5))
    measured, why = rng.random(shape) < 0.5, rng.integers(0, 7, shape).astype(np.uint8)
    return Visibility(share, on_screen, coverage, sight, screen, measured, why), viewers


def rank(seen: Visibility, view: int, surface: int) -> tuple[float, ...]:
    """The rules of the prose, one after another."""
    at = view, surface
    gate = WhyNot.OBSTRUCTED if seen.measured[at] else seen.why[at]
    share, coverage = seen.visible_fraction[at], seen.coverage[at]
    counts = seen.why[at] == WhyNot.COUNTED
    # what counts is compared by its figures alone
    return (counts, share > 0 or counts, int(gate) if not counts else 0, share, coverage, -view)


@given(answers())
@settings(max_examples=150)
def test_the_first_rule_that_tells_views_apart_decides(given_answers: tuple[Visibility, list[int]]) -> None:
    seen, viewers = given_answers
    better, both = seen.better(viewers), seen.by_viewer(viewers)
    for row, viewer in enumerate(sorted(set(viewers))):
        views = [view for view, whose in enumerate(viewers) if whose == viewer]
        for surface in range(seen.why.shape[1]):
            best = max(views, key=lambda view: rank(seen, view, surface))
            assert [view for view in views if better[view, surface]] == [best]
            for each in fields(seen):
                assert getattr(both, each.name)[row, surface] == getattr(seen, each.name)[best, surface]


@given(seeds, st.permutations(range(6)))
@settings(max_examples=15)
def test_more_views_never_show_less(seed: int, order: list[int]) -> None:
    seen = scene(seed, cameras=6).measured()
    viewers = np.array(order) // 2
    both = seen.by_viewer(viewers)
    for view, viewer in enumerate(viewers):
        assert (both.visible_fraction[viewer] >= seen.visible_fraction[view]).all()


def test_an_eye_that_counts_stands_before_one_that_may_see_more() -> None:
    aside = Camera.perspective((8, 0, 2), target=(0, 0, 0), viewport_px=(1000, 1000))
    cameras, board = Cameras.stack([aside, AHEAD]), Surfaces.from_quads([SQUARE])
    gates = Gates(visible_fraction_min=0.5, angle_max_deg=55.0)
    seen = measure(cameras, board, wall((-1, -1), (-0.1, 1)), gates=gates, backend="numpy")
    assert seen.visible_fraction[:, 0].tolist() == [1.0, pytest.approx(0.6)]
    both = seen.by_viewer([0, 0])
    assert both.visible_fraction[0, 0] == pytest.approx(0.6)
    assert both.why[0, 0] == WhyNot.COUNTED


def test_viewers_are_in_the_order_of_their_numbers_whatever_these_are() -> None:
    seen = scene(2, cameras=4).measured()
    sparse, dense = seen.by_viewer([7, -3, 7, 90]), seen.by_viewer([1, 0, 1, 2])
    assert (sparse.visible_fraction == dense.visible_fraction).all()
    assert (sparse.visible_fraction[0] == seen.visible_fraction[1]).all()


@pytest.mark.parametrize("viewers", [[0], [0, 0, 0, 0], [[0, 0, 0]]])
def test_each_view_belongs_to_one_viewer(viewers: list[int]) -> None:
    with pytest.raises(OpenSlotError) as refused:
        scene(1, cameras=3).measured().by_viewer(viewers)
    assert (refused.value.code, refused.value.where) == (Code.CAMERA_INVALID, "viewer_of_view")
