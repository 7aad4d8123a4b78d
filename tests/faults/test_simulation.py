from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from openslot_spec.errors import Code
from tests.faults import recount
from tests.faults.databases import as_database
from tests.faults.judgement import found, judge
from tests.faults.plants import PLANTS
from tests.faults.simulation import Simulation, play
from tests.faults.storm import storm
from tests.faults.swapped import swapped

SEEDS, CHUNK = 1_000, 50
SOAK_SEEDS, SOAK_CHUNK = 50_000, 500
WITHIN = 200


async def fair_weather(_: Simulation) -> None:
    pass


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_nothing_is_lost_or_doubled_in_any_storm(first: int) -> None:
    for seed in range(first, first + CHUNK):
        assert not found(seed), f"play it again: python -m tests.faults {seed}"


@pytest.mark.soak
@pytest.mark.parametrize("first", range(SEEDS, SOAK_SEEDS, SOAK_CHUNK))
def test_nothing_is_lost_or_doubled_in_many_storms(first: int) -> None:
    for seed in range(first, first + SOAK_CHUNK):
        assert not found(seed), f"play it again: python -m tests.faults {seed}"


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_fault_is_found(plant: str) -> None:
    with swapped(PLANTS[plant]):
        assert any(found(seed) for seed in range(WITHIN))


def test_in_fair_weather_everything_counts() -> None:
    viewable = 0
    for seed in range(5):
        after = play(seed, fair_weather)
        assert judge(after) == []
        assert [(walker.kills, len(walker.stats)) for walker in after.walkers] == [(0, 1)] * 2
        lives = [life for walker in after.walkers for life in walker.stats]
        assert not any(life.events.refused or life.events.dropped for life in lives)
        assert all(life.events.accepted == life.events.spooled > 0 for life in lives)
        viewable += sum(life.viewable for life in lives)
    assert viewable


def test_storms_bring_about_everything_that_is_judged() -> None:
    happened: Counter[str] = Counter()
    for seed in range(20):
        after = play(seed, storm)
        happened["kills"] += sum(walker.kills for walker in after.walkers)
        happened.update(problem.code for walker in after.walkers for problem in walker.said)
        with closing(as_database(after.platter)) as database:
            totals = recount.report(database, "world", 0)["totals"]
            happened["conflicts"] += len(database.execute("SELECT * FROM conflicts").fetchall())
        happened.update({name: totals[name] for name in ("rendered", "viewable", "free")})
        happened.update(totals["refused"])
    wanted = {"kills", "conflicts", "rendered", "viewable", "free", Code.STORAGE_FAILED, Code.SPOOL_DAMAGED}
    wanted |= {"event.duplicate", "ticket.invalid", "ticket.expired", "ticket.foreign", "traffic.replayed"}
    assert wanted - set(+happened) == set()


def test_the_same_seed_is_the_same_story_in_every_process() -> None:
    command = [sys.executable, "-m", "tests.faults", "7"]
    root = Path(__file__).parents[2]
    said = [
        subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": number}, cwd=root, check=True, stdout=subprocess.PIPE
        ).stdout
        for number in ("1", "2")
    ]
    assert said[0] == said[1]
    assert play(7, storm).state_hash().encode() in said[0]


def test_another_seed_is_another_story() -> None:
    assert play(7, storm).state_hash() != play(8, storm).state_hash()
