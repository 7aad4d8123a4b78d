"""Holes in occluders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openslot_spec.errors import Code, OpenSlotError
from openslot_view import Camera, Cameras, Occluders, Surfaces, cut_out, measure
from openslot_view.cutouts import opaque_rectangles

masks = st.integers(1, 6).flatmap(
    lambda rows: st.integers(1, 6).flatmap(
        lambda columns: st.lists(st.booleans(), min_size=rows * columns, max_size=rows * columns).map(
            lambda bits: np.reshape(bits, (rows, columns))
        )
    )
)
# a wall halfway to the board, its texture upright: v = 0 is its upper edge
WALL = [(-0.5, -0.5, 5), (0.5, -0.5, 5), (0.5, 0.5, 5), (-0.5, 0.5, 5)]
UV = np.array([(0, 1), (1, 1), (1, 0), (0, 0)], np.float64)
FACES = [(0, 1, 2), (0, 2, 3)]


@given(masks)
def test_rectangles_are_the_opaque_texels_none_twice(opaque: np.ndarray) -> None:
    rows, columns = opaque.shape
    painted = np.zeros(opaque.shape, np.int64)
    for left, top, right, bottom in np.rint(opaque_rectangles(opaque) * (columns, rows, columns, rows)).astype(int):
        painted[top:bottom, left:right] += 1
    np.testing.assert_array_equal(painted, opaque)


@given(masks, st.sampled_from([1, 2, 3]))
def test_a_cut_out_wall_hides_the_share_of_its_opaque_texels(opaque: np.ndarray, repeats: int) -> None:
    cut = cut_out(WALL, FACES, UV * repeats, opaque)
    eye = Cameras.stack([Camera.perspective((0, 0, 10), viewport_px=(800, 800))])
    board = Surfaces.from_quads([[(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)]])
    seen = measure(eye, board, Occluders.build(cut.vertices, cut.triangles), backend="numpy")
    assert 1 - seen.visible_fraction[0, 0] == pytest.approx(opaque.mean(), abs=1e-7)


def test_the_texture_stands_upright() -> None:
    cut = cut_out(WALL, FACES, UV, [[True, False], [False, False]])
    used = cut.vertices[np.unique(cut.triangles)]
    assert (used[:, 0] <= 1e-12).all()
    assert (used[:, 1] >= -1e-12).all()


@pytest.mark.parametrize("uv", [UV * np.nan, UV * 1e7])
def test_a_texture_nobody_could_cut_is_refused(uv: np.ndarray) -> None:
    with pytest.raises(OpenSlotError) as caught:
        cut_out(WALL, FACES, uv, np.ones((2, 2)))
    assert caught.value.code == Code.GEOMETRY_INVALID
