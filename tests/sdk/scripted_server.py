"""A placement server that follows a script: enough of the protocol for a world, over any transport."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from openslot_sdk.outside import Transport
from openslot_spec.actions import Action
from openslot_spec.codec import MSGPACK
from openslot_spec.creatives import CreativeRef
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import EventKind, ExposureColumns, batch_digest
from openslot_spec.limits import Limits
from openslot_spec.messages import (
    Error,
    ExposuresAck,
    ExposuresPut,
    Feedback,
    FeedbackAck,
    FeedbackPut,
    Hello,
    Interaction,
    InteractionsAck,
    InteractionsPut,
    Message,
    NoAd,
    NoPlacement,
    Placement,
    Placements,
    PlacementsGet,
    PlacementsRevoked,
    SlotRevision,
    SlotsAck,
    SlotsPut,
    SlotsRemove,
    Welcome,
)
from openslot_spec.session import Session
from openslot_spec.slots import MediaType, Slot
from tests.sdk.scenes import creative

KEY = "world-key-0001"
CREATIVE = creative()
EPOCH_MS = 1_790_000_000_000


class Pipe:
    """One end of a connection in memory."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.other = self
        self.ended = False

    @classmethod
    def pair(cls) -> tuple[Pipe, Pipe]:
        one, two = cls(), cls()
        one.other, two.other = two, one
        return one, two

    async def send(self, data: bytes) -> None:
        if self.ended or self.other.ended:
            raise ConnectionError("scripted end")
        self.other.inbox.put_nowait(data)

    async def receive(self) -> bytes:
        data = None if self.ended else await self.inbox.get()
        if data is None:
            raise ConnectionError("scripted end")
        return data

    async def close(self) -> None:
        for end in (self, self.other):
            if not end.ended:
                end.ended = True
                end.inbox.put_nowait(None)


@dataclass
class ScriptedServer:
    """Drops the connection at the messages in `drop_at`, counted over all connections, in and out."""

    drop_at: frozenset[int] = frozenset()
    limits: Limits = field(default_factory=Limits)
    placement_ms: int = 600_000
    media_type: MediaType = "model/gltf-binary"
    url: str = "/assets/creative.glb"
    now_ms: Callable[[], int] = lambda: EPOCH_MS
    away: bool = False
    refuse: Code | None = None
    """Answer to every batch, instead of an acknowledgement."""
    messages: int = 0
    connections: int = 0
    slots: dict[str, Slot] = field(default_factory=dict)
    unwanted: set[str] = field(default_factory=set)
    """Slots that nobody wants to fill."""
    fetched: list[str] = field(default_factory=list)
    fetch_fails: int = 0
    fetch_s: float = 0.0
    offered: bytes = CREATIVE
    content: bytes = CREATIVE
    asked: list[PlacementsGet] = field(default_factory=list)
    placements: dict[bytes, Placement] = field(default_factory=dict)
    batches: dict[bytes, bytes] = field(default_factory=dict)
    events: list[tuple[EventKind, bytes, int, int, int]] = field(default_factory=list)
    """(kind, ticket, viewer, at_ms, why), each counted batch's once."""
    signals: list[Interaction | Feedback] = field(default_factory=list)
    """Each counted batch's once."""
    actions: tuple[Action, ...] | None = None
    repeated: int = 0
    _sessions: list[tuple[Session, Transport]] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def dial(self, address: str) -> Transport:
        if self.away:
            raise ConnectionRefusedError(f"nobody at {address}")
        ours, theirs = Pipe.pair()
        task = asyncio.create_task(self.serve(ours))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return theirs

    async def fetch(self, url: str) -> AsyncGenerator[bytes, None]:
        self.fetched.append(url)
        if self.fetch_fails:
            self.fetch_fails -= 1
            raise OpenSlotError(Code.SERVER_AWAY, "scripted", where=url)
        await asyncio.sleep(self.fetch_s)
        for start in range(0, len(self.content), 64):
            yield self.content[start : start + 64]

    async def serve(self, transport: Transport) -> None:
        self.connections += 1
        session = Session("server", MSGPACK)
        here = (session, transport)
        self._sessions.append(here)
        with suppress(ConnectionError):
            while True:
                got = session.receive(await transport.receive())
                self._maybe_drop()
                answer = self._answer(got.body)
                if answer is None:
                    break
                _, data = session.send(answer, re=got.id)
                self._maybe_drop()
                await transport.send(data)
        self._sessions.remove(here)
        await transport.close()

    async def revoke(self, sha256: str, *, final: bool = True) -> None:
        """Revoke a creative, and offer another one from then on; unless it is `final` the same again."""
        if final:
            self.offered = self.content = self.content + b"\0"
        for session, transport in self._sessions:
            revoked = PlacementsRevoked(creative=sha256, reason="scripted", final=final)
            await transport.send(session.send(revoked)[1])

    async def drop_all(self) -> None:
        for _, transport in tuple(self._sessions):
            await transport.close()

    def count(self, kind: EventKind) -> int:
        return sum(event[0] == kind for event in self.events)

    def _maybe_drop(self) -> None:
        now, self.messages = self.messages, self.messages + 1
        if now in self.drop_at:
            raise ConnectionError("scripted drop")

    def _answer(self, body: Message) -> Message | None:
        match body:
            case Hello():
                return self._greet(body)
            case SlotsPut():
                return self._register(body)
            case SlotsRemove():
                return SlotsAck()
            case PlacementsGet():
                return self._fill(body)
            case ExposuresPut() | InteractionsPut() | FeedbackPut():
                return self._take(body) if isinstance(body, ExposuresPut) else self._hear(body)
            case _:
                return None

    def _greet(self, hello: Hello) -> Message:
        if hello.key != KEY:
            return Error.of(Code.KEY_UNKNOWN, "no such key")
        return Welcome(
            version="1",
            session=hello.resume or f"s{self.connections}",
            resumed=hello.resume is not None,
            server_time_ms=self.now_ms(),
            limits=self.limits,
        )

    def _register(self, body: SlotsPut) -> SlotsAck:
        slots = [Slot.parse(record) for record in body.slots]
        self.slots |= {slot.id: slot for slot in slots}
        return SlotsAck(kept=tuple(SlotRevision(id=slot.id, revision=slot.revision()) for slot in slots))

    def _fill(self, body: PlacementsGet) -> Placements:
        self.asked.append(body)
        filled = [self._place(slot, body.viewer) for slot in body.slots if slot not in self.unwanted]
        empty = [NoPlacement(slot=slot, reason=NoAd.NO_DEMAND) for slot in body.slots if slot in self.unwanted]
        return Placements(placements=tuple(filled), none=tuple(empty))

    def _place(self, slot: str, viewer: int | None) -> Placement:
        number = len(self.placements) + 1
        placement = Placement(
            id=number.to_bytes(16, "big"),
            slot=slot,
            creative=CreativeRef(
                sha256=hashlib.sha256(self.offered).hexdigest(),
                media_type=self.media_type,
                size_bytes=len(self.offered),
                url=self.url,
                advertiser="acme",
                label="Ad by Acme",
                actions=self.actions,
            ),
            profile=self.slots[slot].profile,
            ticket=b"ticket %d for " % number + slot.encode(),
            expires_ms=self.now_ms() + self.placement_ms,
            viewer=viewer,
        )
        self.placements[placement.id] = placement
        return placement

    def _hear(self, body: InteractionsPut | FeedbackPut) -> Message:
        content = repr((body.tickets, body.events)).encode()
        repeated = body.batch in self.batches
        if self.batches.setdefault(body.batch, content) != content:
            raise AssertionError("a batch came again with other content")
        self.signals += [] if repeated else body.events
        ack = InteractionsAck if isinstance(body, InteractionsPut) else FeedbackAck
        return ack(batch=body.batch, accepted=len(body.events), repeated=repeated)

    def _take(self, body: ExposuresPut) -> Message:
        if self.refuse is not None:
            return Error.of(self.refuse, "scripted")
        columns = ExposureColumns.unpack(body.columns, tickets=len(body.tickets))
        digest = batch_digest(body.tickets, body.columns)
        repeated = body.batch in self.batches
        if self.batches.setdefault(body.batch, digest) != digest:
            raise AssertionError("a batch came again with other content")
        self.repeated += repeated
        for row in range(0 if repeated else len(columns)):
            ticket = body.tickets[int(columns.ticket[row])]
            viewer, at_ms, why = int(columns.viewer[row]), int(columns.at_ms[row]), int(columns.why[row])
            self.events.append((EventKind(int(columns.kind[row])), ticket, viewer, at_ms, why))
        return ExposuresAck(batch=body.batch, accepted=len(columns), repeated=repeated)
