import asyncio
import gc
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from openslot_server.bench.hostile import hostile_jobs
from openslot_server.creatives import sandbox as module
from openslot_server.creatives.sandbox import Sandbox, SandboxLimits
from openslot_server.creatives.verdict import Verdict
from openslot_spec.errors import Code, OpenSlotError

GATE = "tests.server.scripted_gates:by_order"
LIMITS = SandboxLimits(wall_s=1.0, memory_bytes=512 << 20, result_bytes=10_000, workers=2, waiting=2)


@pytest.fixture
async def sandbox(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    sandbox = Sandbox(LIMITS, GATE)
    yield sandbox
    await sandbox.close()


@pytest.fixture
def writable(tmp_path: Path) -> Path:
    tmp_path.chmod(0o777)
    return tmp_path


def code_of(verdict: Verdict) -> str:
    assert not verdict.accepted
    return verdict.first_error().code


async def test_the_gate_gets_the_bytes_and_the_tier(sandbox: Sandbox) -> None:
    verdict = await sandbox.check(b"echo " + bytes(3_000_000), "L")
    assert verdict.first_error().message.split()[:2] == ["L", "3000000"]


async def test_each_file_has_a_process_of_its_own(sandbox: Sandbox) -> None:
    pids = {(await sandbox.check(b"echo ", "M")).first_error().message.split()[2] for _ in range(3)}
    assert len(pids) == 3
    assert str(os.getpid()) not in pids


@pytest.mark.parametrize(
    ("order", "fault"),
    [
        (b"hang", "sandbox.time"),
        (b"hog 2000000000", "sandbox.memory"),
        (b"abort", "sandbox.crash"),
        (b"exit", "sandbox.crash"),
        (b"fault", "sandbox.crash"),
        (b"flood 10001", "sandbox.result"),
        (b"flood 100000000", "sandbox.result"),
        (b"half", "sandbox.crash"),
        (b"lie", "sandbox.crash"),
        (b"contradict", "sandbox.crash"),
    ],
)
async def test_a_gate_that_goes_wrong_is_a_refusal_and_the_next_file_is_judged(
    sandbox: Sandbox, order: bytes, fault: str
) -> None:
    assert code_of(await sandbox.check(order, "M")) == fault
    assert (await sandbox.check(b"accept", "M")).accepted


async def test_a_failure_of_the_gate_names_its_kind(sandbox: Sandbox) -> None:
    assert "ZeroDivisionError" in (await sandbox.check(b"fault", "M")).first_error().message


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ("read", "PermissionError"),
        ("write {folder}/new", "PermissionError"),
        ("connect", "PermissionError"),
        ("fork", "PermissionError"),
        ("execute", "PermissionError"),
        ("pipe", "OSError"),
    ],
)
async def test_a_worker_opens_nothing_and_starts_nothing(
    sandbox: Sandbox, order: str, error: str, writable: Path
) -> None:
    verdict = await sandbox.check(order.format(folder=writable).encode(), "M")
    assert verdict.first_error().message == error
    assert _files(writable) == []


async def test_a_worker_stands_under_a_filter_of_system_calls(sandbox: Sandbox) -> None:
    assert (await sandbox.check(b"filter", "M")).first_error().message == "mode 2"


async def test_a_worker_sees_nothing_of_the_servers_environment(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENSLOT_TEST_SERVER", str(os.getpid()))
    assert "KeyError" in (await sandbox.check(b"kill_parent", "M")).first_error().message


async def test_files_beyond_the_waiting_line_are_refused(sandbox: Sandbox) -> None:
    checks = [asyncio.create_task(sandbox.check(b"hang", "M")) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(OpenSlotError) as refused:
        await sandbox.check(b"accept", "M")
    for check in checks:
        check.cancel()
    await asyncio.gather(*checks, return_exceptions=True)
    assert refused.value.code is Code.RATE_LIMITED
    assert (await sandbox.check(b"accept", "M")).accepted


async def test_a_lost_zygote_is_replaced(sandbox: Sandbox) -> None:
    await sandbox.check(b"accept", "M")
    assert sandbox._zygote is not None
    sandbox._zygote._process.kill()
    sandbox._zygote._process.wait()
    assert (await sandbox.check(b"accept", "M")).accepted


async def test_closing_ends_every_process(sandbox: Sandbox) -> None:
    hanging = asyncio.create_task(sandbox.check(b"hang", "M"))
    echo = (await sandbox.check(b"echo ", "M")).first_error().message
    assert sandbox._zygote is not None
    pid = sandbox._zygote._process.pid
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    await sandbox.close()
    await _all_gone(pid, int(echo.split()[2]))


async def test_a_gate_that_cannot_be_loaded_is_the_servers_fault() -> None:
    broken = Sandbox(LIMITS, "openslot_server.nowhere:gate")
    with pytest.raises(OpenSlotError) as failed:
        await broken.check(b"", "M")
    await broken.close()
    assert failed.value.code is Code.INTERNAL


async def test_the_servers_memory_and_descriptors_do_not_grow_with_hostile_files(sandbox: Sandbox) -> None:
    orders = [b"abort", b"hog 2000000000", b"flood 1000000", b"echo " + bytes(1_000_000)]
    for order in orders:
        await sandbox.check(order, "M")
    before = _memory_kb(), _descriptors()
    for _ in range(10):
        for order in orders:
            await sandbox.check(order, "M")
    gc.collect()
    assert _memory_kb() - before[0] < 10_000
    assert _descriptors() == before[1]


def _memory_kb() -> int:
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.split("VmRSS:")[1].split()[0])


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def _lives(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text("ascii")


async def _all_gone(*pids: int) -> None:
    for _ in range(500):  # a killed process lives on for a moment
        if not any(_lives(pid) for pid in pids):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"one of {pids} still runs")


def _bwrap(folder: Path, script: str) -> None:
    program = folder / "bwrap"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


async def test_bubblewrap_is_built_round_it_where_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _bwrap(tmp_path, f'echo "$*" >> {tmp_path}/asked\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    module._walls.cache_clear()
    sandbox = Sandbox(LIMITS, GATE)
    try:
        assert (await sandbox.check(b"accept", "M")).accepted
    finally:
        await sandbox.close()
        module._walls.cache_clear()
    tried, asked = (tmp_path / "asked").read_text().splitlines()
    assert tried.endswith("-- true")
    assert "--ro-bind / / --unshare-net" in asked
    assert "openslot_server.creatives.zygote" in asked


def test_bubblewrap_that_may_not_work_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _bwrap(tmp_path, "echo bwrap: No permissions to create a new namespace >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    module._walls.cache_clear()
    assert module._walls() == ()
    module._walls.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert module._walls() == ()
    module._walls.cache_clear()


@pytest.mark.soak
def test_a_thousand_hostile_jobs_leave_the_servers_memory_as_it_was() -> None:
    figures, _ = hostile_jobs()
    assert figures["hostile_1000_memory_mb"] <= 10
