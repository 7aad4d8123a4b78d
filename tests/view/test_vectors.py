"""The conformance vectors of this room, answered by every backend that is here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openslot_view.answer import answer
from tests.conformance.drive import close
from tests.view.make_vectors import VECTORS, documents

BACKENDS = ["numpy", "numba"]
CASES = [
    pytest.param(document["area"], case, document["tolerance"], id=f"{document['area']}: {case['name']}")
    for document in documents().values()
    for case in document["cases"]
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("area", "case", "tolerance"), CASES)
def test_the_core_answers_as_the_vector_says(area: str, case: dict[str, Any], tolerance: float, backend: str) -> None:
    found = answer(area, case["input"], backend)
    assert close(found, case["expect"], tolerance), found


@pytest.mark.parametrize("name", sorted(documents()))
def test_the_files_are_what_the_maker_writes(name: str) -> None:
    expected = json.loads(json.dumps(documents()[name]))
    assert json.loads((VECTORS / name).read_text("utf-8")) == expected
