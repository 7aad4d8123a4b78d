"""Some surfaces of many, measured as if the others were not asked about."""

from __future__ import annotations

from dataclasses import fields
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_spec.profiles import profile
from openslot_view import Cameras, Gates, Occluders, Samples, Surfaces, Visibility, measure
from openslot_view.bench.town import boards, town, walkers

BACKENDS = ["numpy", "numba"] if find_spec("numba") else ["numpy"]


def bent(x: float) -> Surfaces:
    """Return a board folded once, so that its halves may hide each other."""
    vertices = [(x - 2, 0, 1), (x, 0, 0), (x + 2, 0, 1), (x - 2, 4, 1), (x, 4, 0), (x + 2, 4, 1)]
    return Surfaces.from_mesh(vertices, [(0, 1, 4), (0, 4, 3), (1, 2, 5), (1, 5, 4)], two_sided=True)


OCCLUDERS = Occluders.build(*town(2_000))
FLAT = boards(12)
MIXED = Surfaces.join([FLAT, bent(-20.0), bent(20.0)])
CAMERAS: Cameras = walkers(30)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("surfaces", [FLAT, MIXED], ids=["flat", "mixed"])
@given(st.data())
@settings(max_examples=8, deadline=None)
def test_some_surfaces_look_as_they_do_among_all(backend: str, surfaces: Surfaces, data: st.DataObject) -> None:
    gates = data.draw(st.sampled_from([None, Gates.of(profile("iig-2.0-display"))]))
    some = st.lists(st.integers(0, len(surfaces) - 1), unique=True, max_size=len(surfaces))
    only = np.array(data.draw(some), np.int64)
    whole = measure(CAMERAS, surfaces, OCCLUDERS, gates=gates, backend=backend)
    part = measure(CAMERAS, surfaces, OCCLUDERS, gates=gates, only=only, backend=backend)
    for each in fields(Visibility):
        # rounding depends on what is asked together
        expected = getattr(whole, each.name)[:, only].astype(np.float64)
        np.testing.assert_allclose(getattr(part, each.name), expected, rtol=0, atol=1e-12)


def test_samples_of_some_know_which_are_two_sided() -> None:
    both = Surfaces.join([FLAT, bent(0.0)])
    only = np.array([len(FLAT), 0])
    seen = measure(CAMERAS, both, only=only, backend="numpy")
    viewer, column = np.indices(seen.why.shape).reshape(2, -1)
    samples = Samples.of(seen, both, (viewer, column), only=only)
    assert samples.front_facing[column == 0].all()
    assert not samples.front_facing[column == 1].all()
