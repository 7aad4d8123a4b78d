"""Worlds that sit at one server, each with its own session, slot and placement, and the frames that they would send."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from openslot_server.config import Settings
from openslot_server.demand.model import CampaignDraft, Creative, LineItemDraft
from openslot_server.keys import Principal
from openslot_server.sessions import Seat
from openslot_server.state import Server
from openslot_server.storage.sqlite import SqliteStore
from openslot_spec.codec import MSGPACK
from openslot_spec.exposures import COLUMNS, EventKind, ExposureColumns
from openslot_spec.ids import make_id
from openslot_spec.messages import (
    ExposuresAck,
    ExposuresPut,
    Hello,
    Message,
    Placements,
    PlacementsGet,
    SlotsPut,
    Welcome,
)
from openslot_spec.records import Money
from openslot_spec.session import Session

__all__ = ["Client", "batch", "crowd", "events", "now_ms"]

OPERATOR = Principal("operator", "operator")
HOUR_MS = 3_600_000
GOOD = {"visible_fraction": 0.9, "coverage": 0.05, "angle_deg": 10.0, "kind": EventKind.VIEWABLE}
"""Figures of an event that counts; the columns of times are a second, all others are zero."""


def now_ms() -> int:
    """Return the wall clock in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def events(count: int, first: int = 0, at_ms: int = 1_790_000_000_000) -> ExposureColumns:
    """Return `count` viewable events of as many viewers, numbered from `first` on."""
    columns: dict[str, Any] = {name: GOOD.get(name, 1_000 if name.endswith("_ms") else 0) for name in COLUMNS}
    columns |= {"viewer": np.arange(first, first + count), "at_ms": at_ms}
    return ExposureColumns.build({name: np.broadcast_to(value, count) for name, value in columns.items()})


def batch(ticket: bytes, columns: ExposureColumns) -> ExposuresPut:
    """Return a new batch of events under one ticket."""
    return ExposuresPut(batch=make_id(now_ms(), secrets.token_bytes(10)), tickets=(ticket,), columns=columns.pack())


@dataclass
class Client:
    """Both ends of one world's connection, without the network between them."""

    server: Server
    seat: Seat
    ticket: bytes = b""
    viewers: int = 0
    """That were there so far."""
    world: Session = field(default_factory=lambda: Session("world", MSGPACK))
    served: Session = field(default_factory=lambda: Session("server", MSGPACK))

    def frames(self, count: int, batches: int) -> list[bytes]:
        """Return the frames of batches of `count` events, all of viewers who are new here."""
        put = (batch(self.ticket, events(count, self.viewers + number * count, now_ms())) for number in range(batches))
        self.viewers += count * batches
        return [self.world.send(message)[1] for message in put]

    async def send(self, frame: bytes) -> Message:
        """Return the answer to a frame once it may leave, as the socket does: decode, judge, encode, wait for the disk.

        The answer's bytes are made too; what they say is returned so that nobody has to read them.
        """
        received = self.served.receive(frame)
        reply, durable = self.server.answer(self.seat, received.body)
        self.served.send(reply, received.id)
        await self.server.awaiting(durable)
        return reply

    async def report(self, frames: Sequence[bytes], count: int) -> list[float]:
        """Send batches of `count` events one after the other; return how long each acknowledgement took, in seconds."""
        taken = []
        for frame in frames:
            start = time.perf_counter()
            ack = await self.send(frame)
            taken.append(time.perf_counter() - start)
            assert isinstance(ack, ExposuresAck), ack  # noqa: S101  what is refused costs less
            assert ack.accepted == count, ack  # noqa: S101
        return taken

    async def take_place(self) -> None:
        """Greet, hang a slot, and get the ticket for it."""
        hello = Hello(versions=("1",), role="world", key="ok_world_bench", world=self.seat.world)
        number = self.served.receive(self.world.send(hello)[1]).id
        limits = self.server.settings.limits
        welcome = Welcome(version="1", session=self.seat.session, resumed=False, server_time_ms=now_ms(), limits=limits)
        self.world.receive(self.served.send(welcome, number)[1])
        pose = {"position": [0, 0, 0], "rotation": [0, 0, 0, 1]}
        await self._ask(SlotsPut(slots=({"id": "wall", "size": [4, 2], "pose": pose},)))
        placements = await self._ask(PlacementsGet(slots=("wall",), viewers=10_000))
        assert isinstance(placements, Placements)  # noqa: S101  a bench on an empty board measures nothing
        self.ticket = placements.placements[0].ticket

    async def _ask(self, message: Message) -> Message:
        received = self.served.receive(self.world.send(message)[1])
        reply, durable = self.server.answer(self.seat, received.body)
        await self.server.awaiting(durable)
        self.world.receive(self.served.send(reply, received.id)[1])
        return reply


@asynccontextmanager
async def crowd(folder: Path, size: int) -> AsyncIterator[list[Client]]:
    """Yield worlds at a new server on a new database in `folder`, each with a ticket for 100,000 viewers."""
    database = folder / "ledger.db"
    with closing(SqliteStore(database)) as store:
        server = Server(Settings(database=database, placement_ms=HOUR_MS), store, now_ms, secrets.token_bytes)
        await _order(server)
        clients = [Client(server, (await server.take_seat(f"world-{number}", None))[0]) for number in range(size)]
        for client in clients:
            await client.take_place()
        yield clients


async def _order(server: Server) -> None:
    creative = Creative(
        sha256="ab" * 32, media_type="model/gltf-binary", size_bytes=1000, advertiser="bench", label="Ad · bench"
    )
    await server.creatives.register(OPERATOR, creative)
    campaign = await server.orders.create_campaign(OPERATOR, CampaignDraft(name="bench", advertiser="bench"))
    draft = LineItemDraft(
        campaign=campaign.id, name="bench", creatives=(creative.sha256,), cpm=Money(micros=5_000_000),
        budget=Money(micros=10**13), from_ms=now_ms(), to_ms=now_ms() + 24 * HOUR_MS,
    )  # fmt: skip
    await server.orders.create_line_item(OPERATOR, draft)
