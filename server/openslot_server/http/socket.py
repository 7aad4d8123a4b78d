"""`/v1/socket`: one connection of a world, from its handshake to its close.

frame ─▶ codec, session (openslot_spec) ─▶ service ─▶ rooms ─▶ store ─▶ outbound ─▶ frame
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from openslot_server.http.errors import refusal
from openslot_server.http.outbound import Outbound
from openslot_server.http.peering import SUBPROTOCOL, accept
from openslot_server.keys import digest
from openslot_server.metrics import Metrics
from openslot_server.pace import Bucket
from openslot_server.sessions import Seat
from openslot_server.state import Server
from openslot_spec.codec import SUBPROTOCOLS, Codec
from openslot_spec.errors import SENTENCES, Code, OpenSlotError
from openslot_spec.messages import Bye, Error, Hello, Message, Welcome
from openslot_spec.session import Broadcast, InvalidBodyError, Received, Session, State

__all__ = ["CLOSE_CODES", "Connection", "socket"]

CLOSE_CODES: dict[Code, int] = {
    Code.UNEXPECTED: 1002,
    Code.UNSUPPORTED_VERSION: 1002,
    Code.MALFORMED: 1007,
    Code.FRAME_TOO_LARGE: 1009,
    Code.INTERNAL: 1011,
    Code.STORAGE_FAILED: 1011,
    Code.SHUTTING_DOWN: 1012,
    Code.SLOW_CONSUMER: 1013,
    Code.RATE_LIMITED: 1013,
    Code.KEY_UNKNOWN: 4401,
    Code.ROLE_FORBIDDEN: 4403,
    Code.HELLO_TIMEOUT: 4408,
}
"""Why a connection is closed; 1000 after `bye`. The table stands in `spec/protocol.md` too."""
DRAIN_S = 5.0
RETRY_AFTER_MS = 1_000

log = structlog.get_logger(__name__)


async def socket(websocket: WebSocket) -> None:
    """Serve one connection."""
    offered = websocket.scope["subprotocols"]
    if SUBPROTOCOL in offered:
        await accept(websocket)
        return
    codec = next((SUBPROTOCOLS[name] for name in SUBPROTOCOLS if name in offered), None)
    if codec is None:
        error = OpenSlotError(Code.UNSUPPORTED_VERSION, "offer " + " or ".join(SUBPROTOCOLS), where="subprotocol")
        await websocket.send_denial_response(refusal(error))
        return
    state = websocket.app.state
    if len(state.server.listeners) >= state.server.settings.connections:
        await websocket.send_denial_response(refusal(OpenSlotError(Code.RATE_LIMITED, "too many connections")))
        return
    await websocket.accept(subprotocol=codec.name)
    await Connection(websocket, codec, state.server, state.metrics).run()


class Connection:
    """One world's connection; it hears pushes while it is in `server.listeners`."""

    def __init__(self, websocket: WebSocket, codec: Codec, server: Server, metrics: Metrics) -> None:
        self._websocket = websocket
        self._server = server
        self._metrics = metrics
        self._session = Session("server", codec)
        self._limits = server.settings.limits
        self._outbound = Outbound(
            self._send_frame, server.settings.outbound_bytes, self._limits.batches_in_flight, server.awaiting
        )
        self._ending = asyncio.Event()
        self._why = OpenSlotError(Code.SHUTTING_DOWN, retry_after_ms=RETRY_AFTER_MS)
        self.key = ""
        self.world = ""
        self._gone = asyncio.Event()

    def push(self, broadcast: Broadcast) -> None:
        """Send a message that was not asked for; only a greeted world can take it."""
        if self._session.state is State.READY:
            self._metrics.count(broadcast.message)
            self._outbound.put(self._session.pass_on(broadcast))

    def end(self, why: OpenSlotError) -> None:
        """Say why, and close the connection."""
        self._why = why
        self._ending.set()

    async def stop(self) -> None:
        """Say `bye` and return once the connection is closed."""
        self._ending.set()
        await self._gone.wait()

    async def run(self) -> None:
        """Live until either side ends, then say why and close."""
        self._server.listeners.add(self)
        self._metrics.connections.inc()
        writer = asyncio.create_task(self._outbound.run())
        try:
            await self._close(await self._until_end(writer), writer)
        finally:
            writer.cancel()
            self._server.listeners.discard(self)
            self._metrics.connections.dec()
            self._gone.set()

    async def _until_end(self, writer: asyncio.Task[OpenSlotError | None]) -> OpenSlotError | None:
        """Return why the connection ends: None for `bye` and for a world that went away."""
        live = asyncio.create_task(self._live())
        full = asyncio.create_task(self._outbound.overflow.wait())
        ending = asyncio.create_task(self._ending.wait())
        await asyncio.wait({live, writer, full, ending}, return_when=asyncio.FIRST_COMPLETED)
        try:
            if full.done():
                return OpenSlotError(Code.SLOW_CONSUMER, f"{self._server.settings.outbound_bytes} bytes wait unread")
            if ending.done():
                return self._why
            return writer.result() if writer.done() else live.result()
        finally:
            for task in (live, full, ending):
                task.cancel()

    async def _live(self) -> OpenSlotError | None:
        try:
            seat = await self._greet()
            if seat is not None:
                await self._serve(seat)
        except OpenSlotError as error:
            return error
        except Exception:
            log.exception("connection failed")
            return OpenSlotError(Code.INTERNAL)
        return None

    async def _greet(self) -> Seat | None:
        deadline_ms = self._server.settings.hello_deadline_ms
        try:
            async with asyncio.timeout(deadline_ms / 1000):
                received = await self._next()
        except TimeoutError:
            raise OpenSlotError(Code.HELLO_TIMEOUT, f"none within {deadline_ms} ms") from None
        if received is None or not isinstance(received.body, Hello):
            return None
        hello = received.body
        if "1" not in hello.versions:
            raise OpenSlotError(Code.UNSUPPORTED_VERSION, "spoken here: 1", where="versions")
        if hello.role != "world":
            raise OpenSlotError(Code.ROLE_FORBIDDEN, "only worlds are served here", where="role")
        self.key = digest(hello.key)
        principal = await self._server.keys.authenticate(hello.key)
        principal.require_account("world", hello.world)
        self.world = hello.world
        seat, resumed = await self._server.take_seat(hello.world, hello.resume)
        now_ms = self._server.clock()
        welcome = Welcome(
            version="1", session=seat.session, resumed=resumed, server_time_ms=now_ms, limits=self._limits
        )
        self._send(welcome, received.id)
        for revoked in self._server.creatives.revocations(
            hello.world
        ):  # it may show what was withdrawn while it was away
            self._send(revoked)
        return seat

    async def _serve(self, seat: Seat) -> None:
        """The main path: a frame comes in, is answered by one room, and the answer leaves once it is durable."""
        bucket = Bucket(self._limits.messages_per_second, self._server.clock())
        while (received := await self._next()) is not None:
            if isinstance(received.body, Bye):
                return
            if isinstance(received.body, Error):
                log.warning("world reports an error", world=seat.world, code=received.body.code)
                continue
            if wait_ms := bucket.take(self._server.clock()):
                self._send(Error.of(Code.RATE_LIMITED, "too many messages", retry_after_ms=wait_ms), received.id)
                await asyncio.sleep(wait_ms / 1000)  # a flood is read no faster than it is allowed
                continue
            reply, durable = self._server.answer(seat, received.body)
            await self._outbound.put_after(self._encode(reply, received.id), durable)

    async def _next(self) -> Received | None:
        """Return the next message that is legal and valid, or None when the world is gone."""
        while True:
            try:
                data = await self._receive_frame()
                return self._session.receive(data)
            except WebSocketDisconnect:
                return None
            except InvalidBodyError as error:
                self._send(Error.of(error.code, error.detail, error.where), error.request)

    async def _close(self, end: OpenSlotError | None, writer: asyncio.Task[OpenSlotError | None]) -> None:
        code = 1000 if end is None else CLOSE_CODES.get(end.code, 1011)
        self._outbound.close()
        with suppress(WebSocketDisconnect, RuntimeError):  # the world went away first
            if end is None or end.code is not Code.SLOW_CONSUMER:
                await asyncio.wait({writer}, timeout=DRAIN_S)
                await self._say_why(end)
            writer.cancel()
            await self._websocket.close(code, reason="" if end is None else end.code.value)

    async def _say_why(self, end: OpenSlotError | None) -> None:
        if end is None or self._session.state is State.CLOSED:
            return
        if end.code is Code.SHUTTING_DOWN:
            last: Message = Bye(reason=end.code.value, retry_after_ms=end.retry_after_ms)
        else:
            last = Error.of(end.code, end.detail or SENTENCES[end.code], end.where)
        await self._send_frame(self._encode(last, None))

    def _send(self, message: Message, re: int | None = None) -> None:
        self._outbound.put(self._encode(message, re))

    def _encode(self, message: Message, re: int | None) -> bytes:
        self._metrics.count(message)
        _, data = self._session.send(message, re)
        return data

    async def _receive_frame(self) -> bytes:
        text = self._session.codec.text
        event = await self._websocket.receive()
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event.get("code", 1006))
        if text != (event.get("text") is not None):
            raise OpenSlotError(
                Code.MALFORMED, f"{self._session.codec.name} takes {'text' if text else 'binary'} frames"
            )
        data = event["text"].encode() if text else bytes(event["bytes"])
        if len(data) > self._limits.frame_bytes:
            raise OpenSlotError(Code.FRAME_TOO_LARGE, f"{len(data)} bytes, at most {self._limits.frame_bytes}")
        return data

    async def _send_frame(self, data: bytes) -> None:
        with suppress(WebSocketDisconnect):  # the reader notices, and what was not acknowledged is sent again
            if self._session.codec.text:
                await self._websocket.send_text(data.decode())
            else:
                await self._websocket.send_bytes(data)
