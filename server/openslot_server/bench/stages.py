"""What each stage of a batch's way through the server costs by itself, one batch at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

from openslot_server.bench.crowd import Client, now_ms
from openslot_server.impressions.intake import FEW
from openslot_server.service import answer
from openslot_spec.exposures import ExposureColumns, batch_digest, read_events
from openslot_spec.messages import ExposuresPut

__all__ = ["stages"]

BATCHES = 60
STAGES = (
    "frame to message",
    "columns checked",
    "content hashed",
    "judged, settled, recorded",
    "answer to frame",
    "to the disk, alone",
)


async def stages(client: Client) -> dict[str, str]:
    """Return the median microseconds of each stage, for a batch of 1 and of 1,000 events."""
    small, large = client.frames(1, BATCHES), client.frames(1_000, BATCHES)
    single, thousand = [[_pass(client, frame) for frame in frames] for frames in (small, large)]
    return {
        name: f"{_median_us(ones)}, {_median_us(thousands)} µs"
        for name, ones, thousands in zip(STAGES, zip(*single, strict=True), zip(*thousand, strict=True), strict=True)
    }


def _pass(client: Client, frame: bytes) -> tuple[int, ...]:
    """Take a batch through the server and return what each stage took, in nanoseconds.

    Checking and hashing are done beforehand a first time, to be told from the rest.
    """
    clock = time.perf_counter_ns
    start = clock()
    received = client.served.receive(frame)
    body = received.body
    assert isinstance(body, ExposuresPut)  # noqa: S101  it was made as one
    read = clock()
    read_batch = read_events if len(body.columns["kind"]) <= FEW else ExposureColumns.unpack
    read_batch(body.columns, tickets=1)
    checked = clock()
    batch_digest(body.tickets, body.columns)
    hashed = clock()
    reply, rows = answer(client.server.rooms, client.seat, body, now_ms())
    judged = clock()
    client.served.send(reply, received.id)
    encoded = clock()
    client.server.store.commit(rows).result()
    durable = clock()
    check, digest = checked - read, hashed - checked
    return read - start, check, digest, judged - hashed - check - digest, encoded - judged, durable - encoded


def _median_us(taken_ns: Sequence[int]) -> str:
    return f"{median(taken_ns) / 1e3:,.0f}"
