"""Who hides what, and which of a viewer's eyes counts."""

import numpy as np
import pytest

from openslot_view import Camera, Cameras, Occluders, Surfaces, hiders, measure

BOARD = Surfaces.from_quads([[(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)]])
EYE = Camera.perspective((0, 0, 10), viewport_px=(1000, 1000))


def pillars(*spans: tuple[float, float]) -> Occluders:
    corners = [((a, -2, 5), (b, -2, 5), (b, 2, 5), (a, 2, 5)) for a, b in spans]
    triangles = [
        face for k in range(len(spans)) for face in ((4 * k, 4 * k + 1, 4 * k + 2), (4 * k, 4 * k + 2, 4 * k + 3))
    ]
    names = [f"pillar {k}" for k in range(len(spans))]
    owner = np.repeat(np.arange(len(spans)), 2)
    return Occluders.build(np.reshape(corners, (-1, 3)), triangles, owner=owner, names=names)


def test_the_pillar_that_hides_most_is_named_first() -> None:
    found = hiders(Cameras.stack([EYE]), BOARD, pillars((-0.5, -0.4), (-0.1, 0.3), (3, 4)), [0], [0])[0]
    assert [each.name for each in found] == ["pillar 1", "pillar 0"]
    assert [each.hidden_fraction for each in found] == pytest.approx([0.4, 0.1])


def test_each_thing_is_told_what_it_hides_alone() -> None:
    found = hiders(Cameras.stack([EYE]), BOARD, pillars((-0.5, 0.5), (-0.5, 0.0)), [0], [0])[0]
    assert [round(each.hidden_fraction, 6) for each in found] == [1.0, 0.5]


def test_nothing_hides_what_is_not_on_screen() -> None:
    away = Camera.perspective((0, 0, 10), target=(0, 0, 20))
    assert hiders(Cameras.stack([EYE, away]), BOARD, pillars((-0.5, 0.5)), [1, 0], [0, 0])[0] == []


def test_the_better_eye_counts() -> None:
    # a pillar before the left eye only
    eyes = [Camera.perspective((x, 0, 10), viewport_px=(1000, 1000)) for x in (-1.0, 1.0)]
    seen = measure(Cameras.stack([EYE, *eyes]), BOARD, pillars((-1.2, -0.6)), backend="numpy")
    both = seen.by_viewer([1, 0, 0])
    assert both.visible_fraction.shape == (2, 1)
    assert both.visible_fraction[0, 0] == seen.visible_fraction[1:].max()
    assert seen.visible_fraction[1:].min() < 1.0
    assert both.visible_fraction[1, 0] == seen.visible_fraction[0, 0]
