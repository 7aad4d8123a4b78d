import json
import sys
from pathlib import Path

import pytest

from openslot_server.answer import answer
from tests.conformance.drive import AREAS, VECTORS, Vector, drive, vectors


@pytest.mark.parametrize("vector", list(vectors()), ids=lambda vector: f"{vector.area}: {vector.name}")
def test_the_reference_answers_as_the_vector_says(vector: Vector) -> None:
    assert vector.meets(answer(vector.area, vector.given))


def test_a_program_can_be_driven_over_stdin_and_stdout() -> None:
    results = drive([sys.executable, "-m", "openslot_server.answer"])
    assert results
    assert [vector.name for vector, given in results if not vector.meets(given)] == []


def test_a_program_that_says_yes_to_everything_is_found_out() -> None:
    liar = "import sys\nfor line in sys.stdin: print('{\"ok\": {}}', flush=True)"
    assert not any(vector.meets(given) for vector, given in drive([sys.executable, "-c", liar]))


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*/*.json")), ids=lambda path: path.stem)
def test_vectors_have_at_least_as_many_bad_cases_as_good_and_name_a_section(path: Path) -> None:
    document = json.loads(path.read_text("utf-8"))
    bad = sum("code" in case["expect"] for case in document["cases"])
    assert 2 * bad >= len(document["cases"])
    file, _, anchor = document["section"].partition("#")
    headings = [line.lstrip("# ").strip() for line in (VECTORS.parent / file).read_text("utf-8").splitlines()]
    assert anchor in {heading.lower().replace(" ", "-").replace(",", "") for heading in headings}


def test_every_area_of_the_reference_that_has_files_is_driven() -> None:
    assert {path.parent.name for path in VECTORS.glob("*/*.json")} == set(AREAS)
