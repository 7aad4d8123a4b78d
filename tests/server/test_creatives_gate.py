import asyncio
import base64
import json
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from openslot_server.creatives import codes
from openslot_server.creatives.gate import examine
from openslot_server.creatives.sandbox import Sandbox
from openslot_server.creatives.verdict import Stats, Verdict
from tests.gltf.test_compressed import COMPRESSED
from tests.server.glbs import board, glb, hostile, parts, turning

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "gltf"


def shared_hostile_files() -> Iterator[Any]:
    if (SHARED / "hostile.zip").exists():
        with zipfile.ZipFile(SHARED / "hostile.zip") as archive:
            for member in archive.namelist():
                yield pytest.param(archive.read(member), id=member)


def honest_files() -> Iterator[Any]:
    yield pytest.param(board(), id="board")
    yield pytest.param(turning(), id="turning")
    for name, make in COMPRESSED.items():
        yield pytest.param(make(), id=name)
    for path in sorted(SHARED.glob("*.glb")):
        yield pytest.param(path.read_bytes(), id=path.stem)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox()
    yield sandbox
    await sandbox.close()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", hostile())
async def test_a_hostile_file_is_refused_by_a_rule_and_the_next_one_is_judged(sandbox: Sandbox, name: str) -> None:
    verdict = await sandbox.check(hostile()[name], "M")
    assert not verdict.accepted
    assert not verdict.first_error().code.startswith("sandbox."), verdict.first_error()
    assert (await sandbox.check(board(), "M")).accepted


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("data", list(shared_hostile_files()))
async def test_a_shared_hostile_file_is_judged_by_rules_not_by_force(sandbox: Sandbox, data: bytes) -> None:
    verdict = await sandbox.check(data, "M")
    assert verdict.accepted or not verdict.first_error().code.startswith("sandbox.")
    assert (await sandbox.check(board(), "M")).accepted


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("data", list(honest_files()))
async def test_the_sandbox_says_what_the_gate_says(sandbox: Sandbox, data: bytes) -> None:
    verdict = await sandbox.check(data, "L")
    assert verdict == Verdict.model_validate_json(examine(data, "L"))
    assert verdict.accepted


@pytest.mark.asyncio(loop_scope="module")
async def test_many_files_at_once_are_each_judged_alone(sandbox: Sandbox) -> None:
    verdicts = await asyncio.gather(*(sandbox.check(board(width), "S") for width in range(1, 30)))
    assert [verdict.stats.size[0] for verdict in verdicts if verdict.stats] == list(range(1, 30))


def without_bounds(data: bytes) -> bytes:
    document, binary = parts(data)
    del document["accessors"][0]["min"], document["accessors"][0]["max"]
    return glb(document, binary)


def with_a_camera(data: bytes) -> bytes:
    document, binary = parts(data)
    return glb(document | {"cameras": [{"type": "perspective", "perspective": {"yfov": 1, "znear": 0.1}}]}, binary)


def with_a_lamp(data: bytes) -> bytes:
    document, binary = parts(data)
    document["nodes"][0]["extensions"] = {"KHR_lights_punctual": {"light": 0}}
    lamp = {"extensions": {"KHR_lights_punctual": {"lights": [{"type": "point"}]}}}
    return glb(document | lamp | {"extensionsUsed": ["KHR_lights_punctual"]}, binary)


def as_text(data: bytes) -> bytes:
    document, binary = parts(data)
    document["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    return json.dumps(document).encode()


@pytest.mark.parametrize("harmed", [without_bounds, with_a_camera, with_a_lamp, as_text])
def test_what_was_repaired_is_a_sound_file_of_its_own(harmed: Callable[[bytes], bytes]) -> None:
    verdict = Verdict.model_validate_json(examine(harmed(board(3, 2)), "M"))
    assert verdict.accepted
    assert verdict.repaired.startswith(b"glTF")
    again = Verdict.model_validate_json(examine(verdict.repaired, "M"))
    assert (again.accepted, again.repaired, again.findings, again.stats) == (True, b"", (), verdict.stats)


def test_a_sound_file_is_served_as_it_came() -> None:
    assert Verdict.model_validate_json(examine(board(), "M")).repaired == b""


def test_a_board_is_measured() -> None:
    stats = Verdict.model_validate_json(examine(board(3, 2), "L")).stats
    assert stats == Stats(tier="S", triangles=2, draws=1, animated=False, size=(3, 2, 0))


@pytest.mark.parametrize("tier", ["S", "M", "L"])
def test_the_smallest_tier_that_takes_it_is_named(tier: str) -> None:
    stats = Verdict.model_validate_json(examine(turning(), tier)).stats
    assert stats is not None
    assert (stats.tier, stats.animated) == ("S", True)


def test_a_file_for_a_larger_tier_is_refused_in_a_smaller_one() -> None:
    padded = board(name="x" * 300_000)
    said = {tier: Verdict.model_validate_json(examine(padded, tier)) for tier in ("S", "M", "L")}
    assert said["S"].first_error().code == "file.size"
    assert said["M"] == said["L"]
    assert said["L"].stats is not None
    assert said["L"].stats.tier == "M"


def test_the_table_of_codes_is_what_the_rules_say() -> None:
    assert (Path(__file__).resolve().parents[2] / "spec" / codes.NAME).read_text("utf-8") == codes.table()
