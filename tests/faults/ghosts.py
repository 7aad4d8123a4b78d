"""Batches that come from nobody's spool: replays by whatever sits between, and what a dishonest world would send.

All are sent under a world's own key and none may change what honest worlds are counted for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgpack
import numpy as np

from openslot_spec.codec import MSGPACK
from openslot_spec.errors import OpenSlotError
from openslot_spec.exposures import COLUMNS, EventKind, ExposureColumns
from openslot_spec.messages import ExposuresPut, Hello
from openslot_spec.session import Session
from openslot_spec.tickets import MAC_BYTES, Ticket
from tests.faults.network import DELAY_S
from tests.faults.simulation import Simulation
from tests.faults.stage import KEYS

PATIENCE_S = 5.0
FIELDS = [*Ticket.model_fields]
"""What stands in a ticket's array, in order."""


async def replay(play: Simulation) -> None:
    """Send a batch a second time, on another connection."""
    if play.sent:
        world, body = play.chance.choice([*play.sent.values()])
        await _say(play, world, [ExposuresPut.parse(body)])


async def overtake(play: Simulation) -> None:
    """Slow one connection down, and bring the last batch that is under way on it before all others."""
    if play.network.open:
        connection = play.chance.choice(play.network.open)
        connection.delay_s = 12.0
        await asyncio.sleep(play.chance.uniform(2, 3))
        under_way = [sent for sent in play.sent.values() if sent[0] == connection.sender]
        for world, body in under_way[-1:]:
            await _say(play, world, [ExposuresPut.parse(body)])
        connection.delay_s = DELAY_S


async def disown(play: Simulation) -> None:
    """Send other content under the id of a batch that was acknowledged, and its content and events under other ids."""
    known = [play.sent[ack.batch] for ack in play.acks if ack.batch in play.sent]
    if known:
        world, body = play.chance.choice(known)
        put = ExposuresPut.parse(body)
        other = put.model_copy(update={"columns": put.columns | {"viewer": bytes(len(put.columns["viewer"]))}})
        retold = put.model_copy(update={"columns": put.columns | {"coverage": _halved(put.columns["coverage"])}})
        copies = [each.model_copy(update={"batch": play.chance.randbytes(16)}) for each in (put, retold)]
        await _say(play, world, [other, *copies])


async def cheat(play: Simulation) -> None:
    """Claim views under a ticket that is over, another world's, or altered."""
    if play.sent:
        world, body = play.chance.choice([*play.sent.values()])
        ticket = play.chance.choice(body["tickets"])
        expires_ms = _field(ticket, "expires_ms")
        after_ms = expires_ms + play.settings.skew_ms + 1
        other = next(name for name in KEYS if name != world)
        await _say(play, other, [_claim(play, ticket, expires_ms - 1_000)])
        await _say(play, world, [_claim(play, _altered(play, ticket), expires_ms - 1_000)])
        await asyncio.sleep(max(0, after_ms - play.clock()) / 1000)
        await _say(play, world, [_claim(play, ticket, after_ms)])


def _field(ticket: bytes, name: str) -> Any:
    return msgpack.unpackb(ticket[4:-MAC_BYTES])[FIELDS.index(name)]


def _claim(play: Simulation, ticket: bytes, at_ms: int) -> ExposuresPut:
    viewer: Any = None
    with suppress(ValueError, IndexError):  # an altered one may be none
        viewer = _field(ticket, "viewer")
    viewer = 1_000 + play.chance.randrange(1_000_000) if viewer is None else viewer
    figures: dict[str, Any] = {
        "kind": EventKind.VIEWABLE,
        "profile": 0,
        "ticket": 0,
        "viewer": viewer,
        "at_ms": at_ms,
        "continuous_ms": 1_000,
        "cumulative_ms": 1_000,
        "half_continuous_ms": 1_000,
        "half_cumulative_ms": 1_000,
        "full_continuous_ms": 0,
        "full_cumulative_ms": 0,
        "visible_fraction": 1.0,
        "coverage": 0.5,
        "angle_deg": 0.0,
        "why": 0,
    }
    columns = ExposureColumns.build({name: np.atleast_1d(figures[name]) for name in COLUMNS})
    return ExposuresPut(batch=play.chance.randbytes(16), tickets=(ticket,), columns=columns.pack())


def _halved(column: bytes) -> bytes:
    return (np.frombuffer(column, "<f4") / 2).astype("<f4").tobytes()


def _turned(put: ExposuresPut) -> dict[str, bytes]:
    """Return the same events, the last first: other content for the digest, the same views."""
    columns = ExposureColumns.unpack(put.columns, tickets=len(put.tickets))
    return ExposureColumns.build({name: getattr(columns, name)[::-1] for name in COLUMNS}).pack()


def _altered(play: Simulation, ticket: bytes) -> bytes:
    place = play.chance.randrange(len(ticket))
    return ticket[:place] + bytes([ticket[place] ^ 1 << play.chance.randrange(8)]) + ticket[place + 1 :]


async def _say(play: Simulation, world: str, batches: Sequence[ExposuresPut]) -> None:
    """Send the batches on a connection of their own; answers are heard by the network's tap."""
    session = Session("world", MSGPACK)
    with suppress(ConnectionError, TimeoutError, OpenSlotError):
        async with asyncio.timeout(PATIENCE_S):
            connection = await play.network.dial("ws://ads.test")
            hello = Hello(versions=("1",), role="world", key=KEYS[world], world=world)
            for message in (hello, *batches):
                await connection.send(session.send(message)[1])
                session.receive(await connection.receive())
            await connection.close()
