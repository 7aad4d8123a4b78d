"""`openslot bench ingest`: what a durable event costs, against the disk itself and against maps through pydantic.

Everything from a frame's bytes to its acknowledgement's is measured, in the server's process and without sockets: what
clients would do (make frames, read answers) is done before or left out, so that they take none of the server's time.
The disk is measured before, between and after, since it is not the same from one second to the next.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from openslot_server.bench.crowd import Client, crowd, events
from openslot_server.bench.encoding import columns_us, maps_us
from openslot_server.bench.stages import stages
from openslot_server.run import set_up_interpreter

__all__ = ["run"]

Progress = Callable[[str], None]
Row = dict[str, Any]

WORLDS, BATCHES = 4, 60
"""Worlds that send batches of 1,000 events, one in flight each, and how many each of them sends."""
CLIENTS, ROUNDS = 50, 40
"""Worlds that send batches of one event, and how many each of them sends."""
APPENDS = 100
COUNTS = (100, 1_000)


def run(progress: Progress) -> tuple[dict[str, float], list[Row]]:
    """Return figures by name and a table of what was measured."""
    set_up_interpreter()
    with tempfile.TemporaryDirectory(prefix="openslot-bench-", dir=Path.cwd()) as name:
        disk_s, batches_per_s, acks_s, parts = asyncio.run(_measure(Path(name), progress))
    progress("columns against maps")
    costs = {count: (columns_us(count), maps_us(count)) for count in COUNTS}
    limit_s, ack_p99_s = median(disk_s), quantiles(acks_s, n=100)[98]
    figures = {
        "durable_over_fdatasync": batches_per_s * limit_s,
        "ack_p99_over_fdatasync_p50": ack_p99_s / limit_s,
        **{f"columns_over_maps_{count}": maps / columns for count, (columns, maps) in costs.items()},
    }
    table = [
        {"what": "append + fdatasync of 1,000 events, p50", "measured": f"{limit_s * 1e6:,.0f} µs"},
        {"what": "the same, events/s", "measured": f"{1_000 / limit_s:,.0f}"},
        {"what": f"durable batches of 1,000, {WORLDS} in flight, events/s", "measured": f"{batches_per_s * 1e3:,.0f}"},
        {"what": f"acknowledgement, {CLIENTS} clients × 1 event, p50", "measured": f"{median(acks_s) * 1e3:.1f} ms"},
        {"what": f"acknowledgement, {CLIENTS} clients × 1 event, p99", "measured": f"{ack_p99_s * 1e3:.1f} ms"},
        *({"what": f"{part}, a batch of 1 and of 1,000", "measured": cost} for part, cost in parts.items()),
    ]
    for count, (columns, maps) in costs.items():
        what = f"decode and check {count:,} events: columns, maps"
        table.append({"what": what, "measured": f"{columns:.0f}, {maps:.0f} µs"})
    return figures, table


async def _measure(folder: Path, progress: Progress) -> tuple[list[float], float, list[float], dict[str, str]]:
    """Return what an append takes, batches of 1,000 a second, what acknowledgements take, and what parts of them cost.

    All in seconds but the last.
    """
    async with crowd(folder, WORLDS + CLIENTS + 1) as clients:
        large, small, single = clients[:WORLDS], clients[WORLDS:-1], clients[-1]
        progress("each stage by itself")
        parts = await stages(single)
        progress("the disk alone")
        disk_s = _fdatasync(folder / "log")
        progress(f"batches of 1,000 events, {WORLDS} in flight")
        thousands = await _report(large, 1_000, BATCHES)
        disk_s += _fdatasync(folder / "log")
        progress(f"{CLIENTS} clients, one event a batch")
        ones = await _report(small, 1, ROUNDS)
        disk_s += _fdatasync(folder / "log")
    parts["processor time, many at once"] = f"{ones.processor_us:,.0f}, {thousands.processor_us:,.0f} µs"
    return disk_s, WORLDS * BATCHES / thousands.taken_s, ones.acks_s, parts


@dataclass(frozen=True)
class _Run:
    """What a run took, in all and per acknowledgement, and its processor time per batch, of all threads."""

    taken_s: float
    acks_s: list[float]
    processor_us: float


async def _report(clients: list[Client], count: int, batches: int) -> _Run:
    """Let each client send so many batches of `count` events, one after the other."""
    frames = [client.frames(count, batches) for client in clients]
    start_s, spent_s = time.perf_counter(), time.process_time()
    acks_s = await asyncio.gather(*(client.report(own, count) for client, own in zip(clients, frames, strict=True)))
    taken_s, spent_s = time.perf_counter() - start_s, time.process_time() - spent_s
    return _Run(taken_s, [each for own in acks_s for each in own], spent_s / (len(clients) * batches) * 1e6)


def _fdatasync(path: Path) -> list[float]:
    """Return how long each append of a batch's bytes and its fdatasync took, in seconds."""
    data = b"".join(events(1_000).pack().values())
    taken = []
    with path.open("ab", buffering=0) as file:
        for _ in range(APPENDS):
            start = time.perf_counter()
            file.write(data)
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - start)
    return taken
