"""The backends agree with each other within what each states of itself, on cases of all families."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from openslot_view.backends import BACKENDS, ERROR_MAX
from openslot_view.cases import answer_cases
from tests.view.families import FAMILIES, case

CASES = Path(__file__).resolve().parents[2].parent / "shared" / "visibility-cases"
PROSE = (Path(__file__).resolve().parents[2] / "spec" / "measurement.md").read_text("utf-8")
EXACT = 1e-6
"""Where both take the exact union they differ by rounding and by growth alone, see `test_frames.HIDDEN`."""


def test_every_backend_states_its_error_and_the_standard_repeats_it() -> None:
    assert ERROR_MAX.keys() == set(BACKENDS)
    for name, (surface, screen) in ERROR_MAX.items():
        row = f"| {name} | {surface:g} | {screen:g} |".replace("0.", ".")
        assert row in PROSE


@pytest.mark.parametrize("family", FAMILIES)
def test_they_agree_on_made_cases(family: str) -> None:
    for seed in range(8):
        made = case(family, seed)
        found = {name: made.measured(seed, name) for name in BACKENDS}
        reference = found.pop("numpy")
        for name, other in found.items():
            surface, screen = ERROR_MAX[name] if name == "embreex" else (EXACT, EXACT)
            note = f"{name}, {family} {seed}"
            np.testing.assert_allclose(
                other.visible_fraction, reference.visible_fraction, atol=surface, rtol=0, err_msg=note
            )
            np.testing.assert_allclose(other.coverage, reference.coverage, atol=screen, rtol=0, err_msg=note)
            np.testing.assert_allclose(other.sight_cosine, reference.sight_cosine, atol=1e-9, err_msg=note)


def test_there_is_something_to_agree_on_in_every_family() -> None:
    for family in FAMILIES:
        shares = [case(family, seed).measured(seed, "numpy").visible_fraction[0, 0] for seed in range(16)]
        assert len({round(share, 6) for share in shares}) > (1 if family == "open" else 3), family


@pytest.mark.parametrize("name", ["numba", "embreex"])
def test_they_agree_on_rendered_cases(name: str) -> None:
    if not CASES.exists():
        return  # made cases of the same families are all that a clone has
    described = json.loads((CASES / "cases.json").read_text("utf-8"))
    arrays = dict(np.load(CASES / "occluders.npz"))
    bounds = np.maximum(ERROR_MAX["numpy"], ERROR_MAX[name])
    answers = (answer_cases(described, arrays, each) for each in ("numpy", name))
    for reference, other in zip(*answers, strict=True):
        for figure, bound in zip(("visible_fraction", "coverage"), bounds.tolist(), strict=True):
            assert abs(other[figure] - reference[figure]) <= bound, other["id"]
