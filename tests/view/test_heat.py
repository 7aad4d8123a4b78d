"""Maps of what was seen."""

import numpy as np
import pytest

from openslot_spec.errors import Code, OpenSlotError
from openslot_view import Camera, Cameras, Heat, Occluders, Surfaces, measure
from tests.view.scenes import scene

BOARD = [(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)]


def test_the_hidden_half_stays_cold() -> None:
    vertices = [(-1.0, -2, 5), (0, -2, 5), (0, 2, 5), (-1, 2, 5)]
    wall = Occluders.build(vertices, [(0, 1, 2), (0, 2, 3)])
    eye = Cameras.stack([Camera.perspective((0, 0, 10), viewport_px=(800, 800))])
    heat = Heat(Surfaces.from_quads([BOARD]), rows=2, columns=4)
    for _ in range(3):
        heat.add(eye, wall, ([0], [0]), 100.0, backend="numpy")
    np.testing.assert_allclose(heat.seen_ms[0], [[0, 0, 300, 300]] * 2, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_the_mean_of_the_map_is_the_visible_fraction(seed: int) -> None:
    this = scene(seed)
    cameras = Cameras(this.views, this.projections, np.full((3, 2), 500.0))
    surfaces, occluders = Surfaces.from_quads([this.corners]), Occluders.build(this.vertices, this.triangles)
    heat = Heat(surfaces, rows=3, columns=5)
    heat.add(cameras, occluders, ([0, 1, 2], [0, 0, 0]), 10.0, backend="numpy")
    seen = measure(cameras, surfaces, occluders, backend="numpy")
    assert heat.seen_ms.mean() == pytest.approx(10.0 * seen.visible_fraction.sum(), abs=1e-6)


def test_a_curved_surface_has_no_map() -> None:
    with pytest.raises(OpenSlotError) as caught:
        Heat(Surfaces.from_mesh(BOARD, [(0, 1, 2), (0, 2, 3)]))
    assert caught.value.code == Code.SLOT_DEGENERATE
