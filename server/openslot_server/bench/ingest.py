"""`openslot bench ingest`: what a durable event costs, against the disk itself and against maps through pydantic.

Everything from a frame's bytes to its acknowledgement's is measured, in the server's process and without sockets: what
clients would do (make frames, read answers) is done before or left out, so that they take none of the server's time.
Neither the disk nor a shared machine is the same from one second to the next, so all is measured in several rounds,
each against the disk in the same round. The limit is one writer's: it appends a batch, waits for the disk, and goes on.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from openslot_server.bench.crowd import Client, crowd, events
from openslot_server.bench.encoding import columns_and_maps_us
from openslot_server.bench.stages import stages
from openslot_server.run import set_up_interpreter

__all__ = ["run"]

Progress = Callable[[str], None]
Row = dict[str, Any]

ROUNDS = 7
"""Each measures the disk, large batches, the disk, small batches and the disk; medians of rounds decide."""
WORLDS, BATCHES = 16, 6
"""Worlds that send batches of 1,000 events, one in flight each, and how many each of them sends in a round."""
CLIENTS, SINGLES = 50, 20
"""Worlds that send batches of one event, and how many each of them sends in a round."""
RATIOS = ("durable_over_fdatasync", "ack_p99_over_fdatasync_p50")
APPENDS = 50
COUNTS = (100, 1_000)


@dataclass(frozen=True)
class _Run:
    """What a run took: by batch, by acknowledgement, and of the processor by batch, in all threads."""

    batch_s: float
    processor_s: float
    acks_s: list[float]

    @property
    def p50_s(self) -> float:
        return median(self.acks_s)

    @property
    def p99_s(self) -> float:
        return quantiles(self.acks_s, n=100)[98]


@dataclass(frozen=True)
class _Round:
    """One time around; the limit is what an append of a large batch and its fdatasync took in the same round."""

    disk_s: list[float]
    thousands: _Run
    ones: _Run

    @property
    def limit_s(self) -> float:
        return median(self.disk_s)

    @property
    def durable_over_fdatasync(self) -> float:
        return self.limit_s / self.thousands.batch_s

    @property
    def ack_p99_over_fdatasync_p50(self) -> float:
        return self.ones.p99_s / self.limit_s


def run(progress: Progress) -> tuple[dict[str, float], list[Row]]:
    """Return figures by name and a table of what was measured."""
    set_up_interpreter()
    with tempfile.TemporaryDirectory(prefix="openslot-bench-", dir=Path.cwd()) as name:
        rounds, parts = asyncio.run(_measure(Path(name), progress))
    progress("columns against maps")
    costs = {count: columns_and_maps_us(count) for count in COUNTS}
    figures = {
        **{ratio: median(getattr(one, ratio) for one in rounds) for ratio in RATIOS},
        **{f"columns_over_maps_{count}": maps / columns for count, (columns, maps) in costs.items()},
    }
    table = [*_of_rounds(rounds), *(_row(f"{part}, a batch of 1 and of 1,000", cost) for part, cost in parts.items())]
    for count, (columns, maps) in costs.items():
        table.append(_row(f"decode and check {count:,} events: columns, maps", f"{columns:.0f}, {maps:.0f} µs"))
    return figures, table


def _of_rounds(rounds: list[_Round]) -> Iterator[Row]:
    """Yield what was measured, as medians over the rounds, and how far the figures of the rounds lie apart."""
    disk_s = [each for one in rounds for each in one.disk_s]
    p50_s, p99_s = median(disk_s), quantiles(disk_s, n=100)[98]
    yield _row("append + fdatasync of 1,000 events, p50, p99", f"{p50_s * 1e6:,.0f}, {p99_s * 1e6:,.0f} µs")
    yield _row("the same, events/s", f"{1_000 / p50_s:,.0f}")
    thousands, ones = [one.thousands for one in rounds], [one.ones for one in rounds]
    rate = 1_000 / median(run.batch_s for run in thousands)
    yield _row(f"durable batches of 1,000, {WORLDS} in flight, events/s", f"{rate:,.0f}")
    for what, runs in (("1,000 events", thousands), (f"1 event of {CLIENTS} clients", ones)):
        batch_us, processor_us = (
            median(run.batch_s for run in runs) * 1e6,
            median(run.processor_s for run in runs) * 1e6,
        )
        yield _row(f"a batch of {what}: time, processor time", f"{batch_us:,.0f}, {processor_us:,.0f} µs")
    p50_ms, p99_ms = median(run.p50_s for run in ones) * 1e3, median(run.p99_s for run in ones) * 1e3
    yield _row(f"acknowledgement, {CLIENTS} clients × 1 event, p50, p99", f"{p50_ms:.1f}, {p99_ms:.1f} ms")
    for ratio in RATIOS:
        found = sorted(getattr(one, ratio) for one in rounds)
        yield _row(f"{ratio}, in {ROUNDS} rounds", f"{found[0]:.2f} – {found[-1]:.2f}")


def _row(what: str, measured: str) -> Row:
    return {"what": what, "measured": measured}


async def _measure(folder: Path, progress: Progress) -> tuple[list[_Round], dict[str, str]]:
    """Return the rounds, and what each stage costs by itself."""
    async with crowd(folder, WORLDS + CLIENTS + 1) as clients:
        large, small, single = clients[:WORLDS], clients[WORLDS:-1], clients[-1]
        progress("each stage by itself")
        parts = await stages(single)
        rounds = []
        for number in range(1, ROUNDS + 1):
            progress(f"round {number} of {ROUNDS}: {WORLDS} batches of 1,000 events in flight, then {CLIENTS} of one")
            disk_s = _fdatasync(folder / "log")
            thousands = await _report(large, 1_000, BATCHES)
            disk_s += _fdatasync(folder / "log")
            ones = await _report(small, 1, SINGLES)
            rounds.append(_Round(disk_s + _fdatasync(folder / "log"), thousands, ones))
    return rounds, parts


async def _report(clients: list[Client], count: int, batches: int) -> _Run:
    """Let each client send so many batches of `count` events, one after the other."""
    frames = [client.frames(count, batches) for client in clients]
    start_s, spent_s = time.perf_counter(), time.process_time()
    acks_s = await asyncio.gather(*(client.report(own, count) for client, own in zip(clients, frames, strict=True)))
    taken_s, spent_s = time.perf_counter() - start_s, time.process_time() - spent_s
    sent = len(clients) * batches
    return _Run(taken_s / sent, spent_s / sent, [each for own in acks_s for each in own])


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
