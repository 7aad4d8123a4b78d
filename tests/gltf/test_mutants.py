import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_gltf import add_slot, check, embed, read_document, scene_geometry, scene_slots, write_glb
from openslot_gltf.limits import SCENE, TIERS
from openslot_spec.errors import OpenSlotError
from openslot_spec.slots import SlotTerms
from tests.gltf.build import room
from tests.gltf.khronos import verdicts
from tests.gltf.mutants import SOURCES, mutant, mutants

STAGE = add_slot(read_document(room().glb()), SlotTerms(id="board", size=(2, 1)), (0, 1.5, 0))
MAKERS = {name: make() for name, make in SOURCES.items()}
FILES = [maker.glb() for maker in MAKERS.values()] + [maker.gltf() for maker in MAKERS.values()]


def use(data: bytes) -> None:
    """Do with a file all that anyone does with it; OpenSlotError is the one way to fail."""
    try:
        assert check(data, "M").accepted == bool(read_document(data, TIERS["M"]))
    except OpenSlotError:
        assert not check(data, "M").accepted
    try:
        document = read_document(data, SCENE)
        scene_slots(document)
        scene_geometry(document)
        write_glb(embed(STAGE, "board", document))
    except OpenSlotError:
        pass


@settings(max_examples=150)
@given(st.sampled_from(sorted(MAKERS)), st.integers(0, 2**32))
def test_a_broken_file_fails_in_the_one_way(name: str, seed: int) -> None:
    use(mutant(MAKERS[name], random.Random(seed)))  # noqa: S311 - mutants, not secrets


@settings(max_examples=150)
@given(st.sampled_from(FILES), st.data())
def test_any_bytes_fail_in_the_one_way(file: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(file)))
    cut = data.draw(st.integers(at, min(at + 8, len(file))))
    use(file[:at] + data.draw(st.binary(max_size=8)) + file[cut:])


@given(st.binary(max_size=64))
def test_noise_fails_in_the_one_way(noise: bytes) -> None:
    use(noise)
    use(b"glTF\x02\0\0\0" + (12 + len(noise)).to_bytes(4, "little") + noise)


def accepted_mutants(seed: int, count: int) -> dict[str, bytes]:
    judged = ((name, check(data, "M")) for name, data in mutants(seed, count))
    return {name: write_glb(verdict.document) for name, verdict in judged if verdict.document is not None}


def test_what_the_gate_accepts_has_no_error_in_the_khronos_validator(tmp_path: Path) -> None:
    accepted = accepted_mutants(seed=20, count=600)
    assert len(accepted) > 50
    assert {name: v["errors"] for name, v in verdicts(accepted, tmp_path).items() if v["errors"]} == {}


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_none_of_forty_thousand_more_mutants_has_one(seed: int, tmp_path: Path) -> None:
    accepted = accepted_mutants(seed=1000 + seed, count=4000)
    assert {name: v["errors"] for name, v in verdicts(accepted, tmp_path).items() if v["errors"]} == {}
