"""`openslot bench ingest`: what a durable event costs, against the disk itself and against maps through pydantic."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import msgpack
import numpy as np

from openslot_server.config import Settings
from openslot_server.demand.model import CampaignDraft, Creative, LineItemDraft
from openslot_server.keys import Principal
from openslot_server.sessions import Seat
from openslot_server.state import Server
from openslot_server.storage.sqlite import SqliteStore
from openslot_spec.codec import MSGPACK
from openslot_spec.exposures import COLUMNS, RANGES, EventKind, ExposureColumns
from openslot_spec.ids import make_id
from openslot_spec.limits import MAX_FRAME_BYTES
from openslot_spec.messages import Envelope, ExposuresAck, ExposuresPut, Placements, PlacementsGet, SlotsPut
from openslot_spec.records import Money, Record

__all__ = ["run"]

Progress = Callable[[str], None]
Row = dict[str, Any]

OPERATOR = Principal("operator", "operator")
HOUR_MS = 3_600_000
BATCHES = 90
"""As many as one placement's crowd may send before it is refused."""
IN_FLIGHT = 4
"""Batches on their way, as one world may have."""
CLIENTS = 50
ROUNDS = 20


def run(progress: Progress) -> tuple[dict[str, float], list[Row]]:
    """Return figures by name and a table of what was measured."""
    with tempfile.TemporaryDirectory(prefix="openslot-bench-", dir=Path.cwd()) as name:
        progress("the disk alone")
        disk = _fdatasync(Path(name) / "log")
        progress("batches of 1,000 events through the server's rooms")
        with _server(Path(name)) as (server, seat, ticket):
            events_per_s = asyncio.run(_batches(server, seat, ticket))
            progress(f"{CLIENTS} clients, one event a batch")
            acks = asyncio.run(_clients(server, seat, ticket))
    progress("columns against maps")
    costs = {count: (_columns_us(count), _maps_us(count)) for count in (100, 1_000)}
    limit = 1_000 / median(disk)
    ack_p99 = quantiles(acks, n=100)[98]
    figures = {
        "durable_over_fdatasync": events_per_s / limit,
        "ack_p99_over_fdatasync_p50": ack_p99 / median(disk),
        **{f"columns_over_maps_{count}": maps / columns for count, (columns, maps) in costs.items()},
    }
    table = [
        {"what": "append + fdatasync, 1,000 events", "figure": f"{limit:,.0f} events/s"},
        {"what": f"durable batches of 1,000, {IN_FLIGHT} in flight", "figure": f"{events_per_s:,.0f} events/s"},
        {"what": f"acknowledgement, {CLIENTS} clients × 1 event, p50", "figure": f"{median(acks) * 1e3:.1f} ms"},
        {"what": f"acknowledgement, {CLIENTS} clients × 1 event, p99", "figure": f"{ack_p99 * 1e3:.1f} ms"},
    ]
    for count, (columns, maps) in costs.items():
        table.append(
            {"what": f"decode and check {count} events: columns, maps", "figure": f"{columns:.0f}, {maps:.0f} µs"}
        )
    return figures, table


def _fdatasync(path: Path) -> list[float]:
    """Return how long each append of a batch's bytes and its fdatasync took, in seconds."""
    data = b"".join(_events(1_000).pack().values())
    taken = []
    with path.open("wb", buffering=0) as file:
        for _ in range(BATCHES):
            start = time.perf_counter()
            file.write(data)
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - start)
    return taken


@contextmanager
def _server(folder: Path) -> Iterator[tuple[Server, Seat, bytes]]:
    """Yield a server on a database in `folder`, a world's seat at it, and the ticket of its one placement."""
    with closing(SqliteStore(folder / "ledger.db")) as store:
        settings = Settings(database=folder / "ledger.db", placement_ms=HOUR_MS)
        server = Server(settings, store, lambda: time.time_ns() // 1_000_000, secrets.token_bytes)
        yield (server, *asyncio.run(_placed(server)))


async def _placed(server: Server) -> tuple[Seat, bytes]:
    now_ms = server.clock()
    size = Creative(
        sha256="ab" * 32, media_type="model/gltf-binary", size_bytes=1000, advertiser="bench", label="Ad · bench"
    )
    await server.register_creative(OPERATOR, size)
    campaign = await server.create_campaign(OPERATOR, CampaignDraft(name="bench", advertiser="bench"))
    draft = LineItemDraft(
        campaign=campaign.id, name="bench", creatives=(size.sha256,), cpm=Money(micros=5_000_000),
        budget=Money(micros=10**12), from_ms=now_ms, to_ms=now_ms + 24 * HOUR_MS,
    )  # fmt: skip
    await server.create_line_item(OPERATOR, draft)
    seat, _ = await server.take_seat("bench", None)
    pose = {"position": [0, 0, 0], "rotation": [0, 0, 0, 1]}
    await _durable(server, seat, SlotsPut(slots=({"id": "wall", "size": [4, 2], "pose": pose},)))
    placements = await _durable(server, seat, PlacementsGet(slots=("wall",), viewers=10_000))
    assert isinstance(placements, Placements)  # noqa: S101  a bench on an empty board measures nothing
    return seat, placements.placements[0].ticket


async def _durable(server: Server, seat: Seat, message: Any) -> Any:
    reply, done = server.answer(seat, message)
    await asyncio.wrap_future(done)
    return reply


async def _batches(server: Server, seat: Seat, ticket: bytes) -> float:
    """Return events a second, `IN_FLIGHT` batches of 1,000 at a time on their way."""
    batches = [_batch(ticket, _events(1_000, first=number * 1_000, at_ms=server.clock())) for number in range(BATCHES)]
    places = asyncio.Semaphore(IN_FLIGHT)

    async def one(batch: ExposuresPut) -> None:
        async with places:
            ack = await _durable(server, seat, batch)
            assert isinstance(ack, ExposuresAck)  # noqa: S101  what is refused costs less
            assert ack.accepted == 1_000, ack  # noqa: S101

    start = time.perf_counter()
    await asyncio.gather(*(one(batch) for batch in batches))
    return BATCHES * 1_000 / (time.perf_counter() - start)


async def _clients(server: Server, seat: Seat, ticket: bytes) -> list[float]:
    """Return how long each acknowledgement took, in seconds: `CLIENTS` wait for one each, `ROUNDS` times."""
    taken: list[float] = []

    async def client(number: int) -> None:
        for turn in range(ROUNDS):
            first = 10**6 + number * ROUNDS + turn
            batch = _batch(ticket, _events(1, first=first, at_ms=server.clock()))
            start = time.perf_counter()
            await _durable(server, seat, batch)
            taken.append(time.perf_counter() - start)

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return taken


def _events(count: int, first: int = 0, at_ms: int = 1_790_000_000_000) -> ExposureColumns:
    """Return `count` viewable events of as many viewers."""
    ones = np.ones(count)
    return ExposureColumns.build(
        {
            "kind": ones * EventKind.VIEWABLE, "profile": ones * 0, "ticket": ones * 0,
            "viewer": np.arange(first, first + count),
            "at_ms": np.full(count, at_ms), "continuous_ms": ones * 1000, "cumulative_ms": ones * 1000,
            "half_continuous_ms": ones * 1000, "half_cumulative_ms": ones * 1000,
            "full_continuous_ms": ones * 1000, "full_cumulative_ms": ones * 1000,
            "visible_fraction": ones, "coverage": ones * 0.05, "angle_deg": ones * 10, "why": ones * 0,
        }
    )  # fmt: skip


def _batch(ticket: bytes, events: ExposureColumns) -> ExposuresPut:
    identifier = make_id(time.time_ns() // 1_000_000, secrets.token_bytes(10))
    return ExposuresPut(batch=identifier, tickets=(ticket,), columns=events.pack())


class _Event(Record):
    """One event as a map, for comparison."""

    kind: int
    profile: int
    ticket: int
    viewer: int
    at_ms: int
    continuous_ms: int
    cumulative_ms: int
    half_continuous_ms: int
    half_cumulative_ms: int
    full_continuous_ms: int
    full_cumulative_ms: int
    visible_fraction: float
    coverage: float
    angle_deg: float
    why: int


class _Maps(Record):
    events: list[_Event]


def _columns_us(count: int) -> float:
    body = _batch(b"ticket", _events(count)).model_dump()
    frame = MSGPACK.encode(Envelope(type=ExposuresPut.TYPE, id=1, body=body))

    def work() -> None:
        put = ExposuresPut.parse(MSGPACK.decode(frame, MAX_FRAME_BYTES).body)
        ExposureColumns.unpack(put.columns, tickets=1)

    return _least_us(work)


def _maps_us(count: int) -> float:
    events = _events(count)
    columns = {name: getattr(events, name).tolist() for name in COLUMNS}
    maps = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    frame = msgpack.packb({"events": maps})

    def work() -> None:
        for event in _Maps.model_validate(msgpack.unpackb(frame)).events:
            for name, (low, high) in RANGES.items():
                assert low <= getattr(event, name) <= high  # noqa: S101  the check that columns get too

    return _least_us(work)


def _least_us(work: Callable[[], None], repeats: int = 30) -> float:
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken) * 1e6
