from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.faults.programs import Program, Town
from tests.faults.witness import Witness, check, stored

CYCLES, SOAK_CYCLES = 50, 500
LOAD_S = 0.3
"""How long both live at the most, after something came through."""


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = Town(tmp_path, tmp_path)
    yield town
    town.close()


def kill(program: Program, witness: Witness) -> None:
    program.end(signal.SIGKILL)
    witness.look()
    program.start()


def play(town: Town, cycles: int, seed: int) -> Witness:
    """Let a crowd walk while the server and the world are killed in turns; then let all come to rest."""
    chance, witness = Random(seed), Witness(town.spool)  # noqa: S311  a story to be told again
    town.server.start()
    town.world.start()
    for cycle in range(cycles):
        town.go_on()
        time.sleep(chance.uniform(0, LOAD_S))
        witness.look()
        kill(town.server if cycle % 2 else town.world, witness)
        assert witness.acknowledged <= stored(town).keys()
    town.come_to_rest()
    witness.look()
    return witness


def test_killing_server_and_world_again_and_again_loses_and_doubles_nothing(town: Town) -> None:
    check(town, play(town, CYCLES, seed=1))


@pytest.mark.soak
def test_killing_them_for_hours_loses_and_doubles_nothing(town: Town) -> None:
    check(town, play(town, SOAK_CYCLES, seed=2))
