import random
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_gltf import add_slot, check, embed, read_document, scene_geometry, scene_slots, write_glb
from openslot_gltf.limits import SCENE, TIERS, Limits
from openslot_gltf.read import examined
from openslot_spec.errors import OpenSlotError
from openslot_spec.slots import SlotTerms
from tests.gltf.build import room
from tests.gltf.khronos import verdicts
from tests.gltf.mutants import SOURCES, mutant, mutants, mutants_of
from tests.gltf.test_compressed import COMPRESSED
from tests.gltf.test_honest import MODELS, WIDE

DECODING = replace(TIERS["L"], decodes=True)
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


EXPLAINED: dict[str, str] = {}
"""By the Khronos validator's code, why our gate accepts a file that it finds in error: nothing, so far."""
MOST_IN_ERROR = 0.02


def accepted(files: Iterable[tuple[str, bytes]], limits: Limits) -> dict[str, bytes]:
    """Return those that the gate accepts, as they would be served."""
    judged = ((name, examined(data, limits)) for name, data in files)
    return {name: write_glb(verdict.document) for name, verdict in judged if verdict.document is not None}


def hold(files: dict[str, bytes], folder: Path) -> None:
    """Hold the validator's errors on accepted files to the list of those explained, and to their share."""
    errors = {name: said["errors"] for name, said in verdicts(files, folder).items() if said["errors"]}
    unexplained = {
        name: [error for error in found if error.split()[0] not in EXPLAINED] for name, found in errors.items()
    }
    assert {name: found for name, found in unexplained.items() if found} == {}
    assert len(errors) <= MOST_IN_ERROR * len(files)


def test_what_the_gate_accepts_has_no_error_in_the_khronos_validator(tmp_path: Path) -> None:
    files = accepted(mutants(seed=20, count=600), TIERS["M"])
    assert len(files) > 50
    hold(files, tmp_path)


def test_nor_has_what_it_decodes(tmp_path: Path) -> None:
    files = accepted(mutants_of(COMPRESSED.items(), seed=21, count=300), DECODING)
    assert len(files) > 30
    hold(files, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_none_of_forty_thousand_more_mutants_has_one(seed: int, tmp_path: Path) -> None:
    hold(accepted(mutants(seed=1000 + seed, count=4000), TIERS["M"]), tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4))
def test_none_of_four_thousand_mutants_of_real_models_has_one(seed: int, tmp_path: Path) -> None:
    files = [(name, path.read_bytes) for name, path in MODELS.items() if path.stat().st_size < 900_000]
    hold(accepted(mutants_of(files, seed=2000 + seed, count=1000), WIDE), tmp_path)
