"""The way of a batch: handed in by a tick, into the spool, to the server, out of the spool.

    put ──▶ queue ──(store)──▶ spool ──(deliver, while there is a connection)──▶ server ──ack──▶ out of the spool

`put` never waits. A batch that the server refuses for good leaves the spool as well and is counted under its code;
everything else stays until a server takes it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

import msgpack

from openslot_sdk.outside import Outside
from openslot_sdk.proofs import Secret, without
from openslot_sdk.spool import Spool
from openslot_sdk.witness import Witness
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import COLUMNS, EVIDENCE
from openslot_spec.limits import Limits
from openslot_spec.messages import BatchAck, ExposuresAck, ExposuresPut, FeedbackPut, InteractionsPut, Message

__all__ = ["Batch", "Counts", "Outbox"]

Batch = ExposuresPut | InteractionsPut | FeedbackPut
KINDS: dict[str, type[InteractionsPut | FeedbackPut]] = {kind.TYPE: kind for kind in (InteractionsPut, FeedbackPut)}
"""What is spooled under its type; what has none is of exposures."""
MAX_HANDED_IN = 1_000
"""Batches that wait for the disk, at the most (about as much as a spool holds); then they are dropped and counted."""
TRY_AGAIN_S = 1.0
FOR_GOOD = frozenset(
    {
        Code.BATCH_CONFLICT,
        Code.BATCH_INVALID,
        Code.EVENT_OUT_OF_RANGE,
        Code.FRAME_TOO_LARGE,
        Code.INVALID,
        Code.TICKET_INVALID,
        Code.TICKET_FOREIGN,
        Code.TICKET_EXPIRED,
    }
)
"""Refusals of a whole batch that sending it again cannot change."""


@dataclass(slots=True)
class Counts:
    """What became of events, in events."""

    spooled: int = 0
    """Durable on this disk; those an earlier run left are in it."""
    acknowledged: int = 0
    """Durable at the server; accepted or refused, each with its verdict."""
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """By code."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Never durable anywhere, by code: the spool was full or the disk failed for too long."""


class Outbox:
    """The batches of one world, from the tick to the acknowledgement.

    All but `store` runs on the event loop and never waits for the disk; `store` is the only one that touches the spool.
    """

    def __init__(self, spool: Spool, outside: Outside, say: Callable[[OpenSlotError], None], witness: Witness) -> None:
        self.counts = Counts()
        self._spool = spool
        self._outside = outside
        self._say = say
        self._witness = witness
        self._secrets: dict[bytes, dict[int, Secret]] = {}
        """Evidence of batches that wait for the disk."""
        self._reveal: dict[bytes, tuple[int, ...]] = {}
        """Of acknowledged batches: what the server wants to see."""
        self._work: asyncio.Queue[Batch | bytes] = asyncio.Queue()
        self._durable: dict[bytes, Batch] = {}
        self._unsent: deque[bytes] = deque()
        self._more = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        if spool.unreadable_bytes:
            say(OpenSlotError(Code.SPOOL_DAMAGED, f"{spool.unreadable_bytes} bytes could not be read"))
        for batch, payload in spool.waiting():
            self._recover(batch, payload)

    def put(self, batch: Batch, secrets: dict[int, Secret] | None = None) -> None:
        """Take a batch, and the evidence that it commits to, without waiting."""
        if self._work.qsize() < MAX_HANDED_IN:
            if secrets:
                self._secrets[batch.batch] = secrets
            self._work.put_nowait(batch)
        else:
            self._drop(batch, OpenSlotError(Code.STORAGE_FAILED, f"{MAX_HANDED_IN} batches wait for the disk"))

    def withdraw(self, viewers: Collection[int]) -> None:
        """Forget the evidence of viewers who no longer consent, where it waits for the disk."""
        self._secrets = {batch: without(secrets, viewers) for batch, secrets in self._secrets.items()}

    async def store(self) -> None:
        """Bring the spool up to date with what was handed in and what was acknowledged, for ever."""
        while True:
            match await self._work.get():
                case bytes() as batch:
                    await self._forget(batch)
                case batch:
                    await self._append(await self._with_evidence(batch))
            self._work.task_done()

    async def stored(self) -> None:
        """Return when everything handed in so far is durable or dropped."""
        await self._work.join()

    async def delivered(self) -> None:
        """Return when the server has everything that is durable."""
        await self._empty.wait()

    def close(self) -> None:
        """Count what never came to the disk; call when `store` has been stopped."""
        while not self._work.empty():
            batch = self._work.get_nowait()
            if not isinstance(batch, bytes):
                self._drop(batch, OpenSlotError(Code.STORAGE_FAILED, "closed before it was durable"))

    async def deliver(self, request: Callable[[Message], Awaitable[Message]], limits: Limits) -> None:
        """Send what is durable and what becomes so, oldest first, for as long as one connection stands."""
        self._unsent = deque(self._durable)
        free = asyncio.Semaphore(limits.batches_in_flight)

        async def send(batch: Batch) -> None:
            try:
                await self._send(batch, request)
            finally:
                free.release()

        async with asyncio.TaskGroup() as sending:
            while True:
                await free.acquire()
                sending.create_task(send(await self._next()))

    def _recover(self, batch: bytes, payload: bytes) -> None:
        try:
            self._keep(_unpack(batch, payload))
        except OpenSlotError as error:
            self._say(error)
            self._work.put_nowait(batch)

    async def _with_evidence(self, batch: Batch) -> Batch:
        """Return the batch once its evidence is durable; without commitments if it cannot be."""
        secrets = self._secrets.pop(batch.batch, None)
        if secrets is None:
            return batch
        try:
            await self._witness.keep(batch.batch, secrets)
        except OpenSlotError as error:
            self._say(error)
            assert isinstance(batch, ExposuresPut)  # noqa: S101  no other commits to evidence
            columns = {name: column for name, column in batch.columns.items() if name != EVIDENCE}
            return batch.model_copy(update={"columns": columns})
        return batch

    async def _forget(self, batch: bytes) -> None:
        """Drop a batch that the server has, its evidence first: what was asked for must survive."""
        try:
            await self._witness.settle(batch, self._reveal.pop(batch, ()))
        except OpenSlotError as error:
            self._say(error)
        await self._outside.aside(partial(self._spool.acknowledge, batch))

    async def _append(self, batch: Batch) -> None:
        while True:
            try:
                await self._outside.aside(partial(self._spool.append, batch.batch, _pack(batch)))
                return self._keep(batch)
            except OpenSlotError as error:
                if error.code is not Code.STORAGE_FAILED:
                    await self._forget(batch.batch)
                    return self._drop(batch, error)
                self._say(error)
            try:
                await asyncio.sleep(TRY_AGAIN_S)
                await self._forget_acknowledged()
            except asyncio.CancelledError:
                self._work.put_nowait(batch)
                raise

    async def _forget_acknowledged(self) -> None:
        """Let acknowledged batches go before those that wait for the disk: they may be what fills it."""
        work = [self._work.get_nowait() for _ in range(self._work.qsize())]
        for batch in work:
            if not isinstance(batch, bytes):
                self._work.put_nowait(batch)
        for batch in work:
            if isinstance(batch, bytes):
                await self._forget(batch)
            self._work.task_done()

    def _keep(self, batch: Batch) -> None:
        self.counts.spooled += _events(batch)
        self._durable[batch.batch] = batch
        self._empty.clear()
        self._send_later(batch)

    def _send_later(self, batch: Batch) -> None:
        self._unsent.append(batch.batch)
        self._more.set()

    async def _next(self) -> Batch:
        while not self._unsent:
            self._more.clear()
            await self._more.wait()
        return self._durable[self._unsent.popleft()]

    async def _send(self, batch: Batch, request: Callable[[Message], Awaitable[Message]]) -> None:
        try:
            answer = await request(batch)
        except OpenSlotError as error:
            await self._refused(batch, error)
        else:
            if isinstance(answer, BatchAck) and answer.batch == batch.batch:
                self.counts.accepted += answer.accepted
                if isinstance(answer, ExposuresAck) and answer.reveal:
                    self._reveal[batch.batch] = answer.reveal
                self._settle(batch, {refused.code: refused.events for refused in answer.refused})
            else:  # then the next connection sends it again
                self._say(OpenSlotError(Code.UNEXPECTED, "an acknowledgement of another batch"))

    async def _refused(self, batch: Batch, error: OpenSlotError) -> None:
        if error.code in FOR_GOOD:
            self._say(error)
            self._settle(batch, {error.code: _events(batch)})
        elif error.code is not Code.SERVER_AWAY:  # then the next connection sends it again
            await asyncio.sleep(max(TRY_AGAIN_S, error.retry_after_ms / 1000))
            self._send_later(batch)

    def _settle(self, batch: Batch, refused: Mapping[str, int]) -> None:
        self.counts.acknowledged += _events(batch)
        self.counts.refused.update(refused)
        del self._durable[batch.batch]
        self._work.put_nowait(batch.batch)
        if not self._durable:
            self._empty.set()

    def _drop(self, batch: Batch, why: OpenSlotError) -> None:
        self.counts.dropped[why.code] += _events(batch)
        self._say(why)


def _pack(batch: Batch) -> bytes:
    plain = batch.model_dump(exclude={"batch"}, exclude_none=True)
    return bytes(msgpack.packb(plain if isinstance(batch, ExposuresPut) else {"type": batch.TYPE, **plain}))


def _unpack(batch: bytes, payload: bytes) -> Batch:
    try:
        body = msgpack.unpackb(payload)
    except (ValueError, msgpack.UnpackException):
        body = {}
    if not isinstance(body, dict):
        body = {}
    kind = KINDS.get(str(body.pop("type", "")), ExposuresPut)
    return kind.parse({"batch": batch, **body}, Code.SPOOL_DAMAGED)


def _events(batch: Batch) -> int:
    if isinstance(batch, ExposuresPut):
        return len(batch.columns["kind"]) // int(COLUMNS["kind"][-1])
    return len(batch.events)
