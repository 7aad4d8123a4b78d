"""What files that mean harm cost the server: its memory, and how long past its limit a worker lives that hangs."""

from __future__ import annotations

import asyncio
import gc
import struct
import time
from pathlib import Path
from typing import Any

from openslot_server.creatives.sandbox import Sandbox, SandboxLimits

__all__ = ["hanging", "hostile_jobs"]

JOBS, HANGS, LIMIT_S = 1_000, 5, 0.5


def hostile_jobs() -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Return figures by name and a table: a thousand hostile files through one sandbox, then a gate that hangs."""
    grown_mb, per_job_ms = asyncio.run(_thousand())
    late_ms = asyncio.run(_hangs())
    figures = {"hostile_1000_memory_mb": grown_mb, "hang_past_limit_ms": max(late_ms)}
    return figures, [
        {
            "what": f"{JOBS:,} hostile jobs: server memory, a job",
            "measured": f"{grown_mb:+.1f} MB, {per_job_ms:.1f} ms",
        },
        {"what": f"a hang of {LIMIT_S:g} s: ended after its limit, worst", "measured": f"{max(late_ms):.0f} ms"},
    ]


async def _thousand() -> tuple[float, float]:
    sandbox, files = Sandbox(), _files()
    try:
        for data in files:
            await sandbox.check(data, "M")
        before, start = _memory_mb(), time.perf_counter()
        for number in range(JOBS):
            await sandbox.check(files[number % len(files)], "M")
        gc.collect()
        return _memory_mb() - before, (time.perf_counter() - start) / JOBS * 1e3
    finally:
        await sandbox.close()


async def _hangs() -> list[float]:
    """Return by how many milliseconds each hang outlived its limit, the worker's end included."""
    sandbox = Sandbox(SandboxLimits(wall_s=LIMIT_S), f"{__name__}:hanging")
    taken = []
    try:
        await sandbox.check(b"", "M")  # starts it
        for _ in range(HANGS):
            start = time.perf_counter()
            await sandbox.check(b"", "M")
            taken.append((time.perf_counter() - start - LIMIT_S) * 1e3)
    finally:
        await sandbox.close()
    return taken


def hanging(_: bytes, __: str) -> bytes:
    """Be a gate that never answers."""
    while True:
        pass


def _files() -> list[bytes]:
    """Return bytes that each strain another part of the reader."""
    count = b'{"componentType":5126,"count":1000000000,"type":"MAT4"}'
    texts = (
        b'"extras":' + b"[" * 200_000 + b"]" * 200_000,
        b'"accessors":[' + count + b"]",
        b'"nodes":[' + b",".join([b"{}"] * 100_000) + b"]",
        b'"nodes":[{"children":[1]},{"children":[0]}]',
        b'"extras":"' + b"x" * 400_000 + b'"',
        b'"extras":' + b"9" * 10_000,
        b'"buffers":[{"byteLength":4,"uri":"http://169.254.169.254/"}]',
        b'"accessors":[{"componentType":5126,"count":1900000,"type":"MAT4"}]',
    )
    return [_glb(b'{"asset":{"version":"2.0"},' + text + b"}") for text in texts] + [
        b"\x89PNG" * 1000,
        b"",
        b"{" * 5000,
    ]


def _glb(text: bytes) -> bytes:
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sIIII", b"glTF", 2, 20 + len(text), len(text), 0x4E4F534A) + text


def _memory_mb() -> float:
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1e3
