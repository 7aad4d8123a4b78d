"""Coverage-guided fuzzing of the reader by atheris: `python -m tests.gltf.fuzz_reader FOLDER -atheris_runs=N`.

Any exception is a fault: the reader judges any bytes. What libFuzzer makes of them is read as it is; inputs that begin
with m are taken as choices for a mutant of an honest file, so that the rules behind the parser are reached as well.
"""

from __future__ import annotations

import random
import sys

import atheris  # type: ignore[import-untyped]  # it has no stubs

with atheris.instrument_imports(include=["openslot_gltf"], exclude=["openslot_gltf.shapes"]):
    from openslot_gltf import TIERS
    from openslot_gltf.read import examined

from tests.gltf.build import HONEST
from tests.gltf.mutants import SOURCES, mutant

MAKERS = [make() for make in SOURCES.values()]
SEEDS = [make().glb() for make in HONEST.values()] + [make().gltf() for make in HONEST.values()]


def one(data: bytes) -> None:
    """Read one input in the way its first byte asks for."""
    if data[:1] == b"m":
        chance = random.Random(data[1:])  # noqa: S311 - mutants, not secrets
        data = mutant(chance.choice(MAKERS), chance)
    verdict = examined(data, TIERS["M"])
    assert verdict.accepted == (verdict.refusal() is None)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
