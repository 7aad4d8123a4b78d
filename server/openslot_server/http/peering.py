"""Connections between servers: those that dial us at `/v1/socket`, and those that we dial.

frame ─▶ channel (openslot_spec) ─▶ desk of peers ─▶ room ─▶ store ─▶ outbound of each peer ─▶ frame
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

import httpx2
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from openslot_server.federation.room import UnapprovedError
from openslot_server.http.outbound import Outbound
from openslot_server.state import Server
from openslot_server.storage.store import PeerRow
from openslot_spec.errors import SENTENCES, Code, OpenSlotError
from openslot_spec.limits import MAX_FRAME_BYTES
from openslot_spec.messages import Bye, Error, Message
from openslot_spec.peer_channel import PeerChannel
from openslot_spec.servers import MAX_SERVER_BYTES, Sealed

__all__ = ["SUBPROTOCOL", "accept", "described_at", "keep_in_touch", "well_known_routes"]

SUBPROTOCOL = Subprotocol("openslot.v1.peer")
HELLO_S = 5.0
FETCH_S = 10.0
TELL_S = 0.5
"""How long a change of the catalogue waits before peers hear of it."""
COMPARE_S = 15.0
DIAL_S, DIAL_MORE_S = 0.5, 2.0
"""How long a peer that is away is left before it is dialled again: at the least, and at random up to so much more."""
PING_S = 5.0

log = structlog.get_logger(__name__)


class Transport(Protocol):
    """A connection in frames; `ConnectionError` once it is gone."""

    async def receive(self) -> bytes:
        """Return the next frame."""
        ...

    async def send(self, data: bytes) -> None:
        """Send a frame."""
        ...

    async def close(self) -> None:
        """End it."""
        ...


class Connection:
    """One connection with a peer, whoever dialled."""

    def __init__(self, server: Server, transport: Transport, channel: PeerChannel) -> None:
        self._server = server
        self._transport = transport
        self._channel = channel
        self._outbound = Outbound(transport.send, server.settings.outbound_bytes, 1, server.awaiting)
        self._ending = asyncio.Event()

    @property
    def origin(self) -> str:
        """Who the peer is."""
        return self._channel.peer

    def put(self, message: Message) -> None:
        """Send a message in its turn."""
        self._outbound.put(self._channel.send(message, self._server.clock()))

    def end(self, why: OpenSlotError) -> None:
        """Say why, and close the connection."""
        if self._channel.ready:
            self.put(Error.of(why.code, why.detail or SENTENCES[why.code], why.where))
        self._ending.set()

    async def run(self, *, dialled: bool) -> None:
        """Live until either side ends; raises what the peer did wrong."""
        writer = asyncio.create_task(self._outbound.run())
        try:
            await self._greet(dialled=dialled)
            await self._server.peers.opened(self)
            live = asyncio.create_task(self._live())
            waits = [
                live,
                writer,
                *(asyncio.create_task(event.wait()) for event in (self._ending, self._outbound.overflow)),
            ]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                if live.done():
                    live.result()
            finally:
                for task in waits[2:]:
                    task.cancel()
                live.cancel()
        finally:
            self._server.peers.closed(self)
            self._outbound.close()
            await asyncio.wait({writer}, timeout=1.0)
            writer.cancel()
            await self._transport.close()

    async def _greet(self, *, dialled: bool) -> None:
        async with asyncio.timeout(HELLO_S):
            if dialled:
                self._outbound.put(self._channel.hello(self._server.clock()))
            await self._hear_hello(await self._transport.receive())
            if not dialled:
                self._outbound.put(self._channel.hello(self._server.clock()))

    async def _hear_hello(self, data: bytes) -> None:
        try:
            self._channel.receive(data, self._server.clock())
        except UnapprovedError as error:
            await self._server.peers.waits(error.sealed)
            raise

    async def _live(self) -> None:
        while True:
            message = self._channel.receive(await self._transport.receive(), self._server.clock())
            match message:
                case Bye():
                    return
                case Error():
                    log.warning("peer reports an error", peer=self.origin, code=message.code, detail=message.message)
                case _:
                    await self._server.peers.received(self, message)  # type: ignore[arg-type]  # all others are its


async def accept(websocket: WebSocket) -> None:
    """Serve a peer that dialled us."""
    server: Server = websocket.app.state.server
    await websocket.accept(subprotocol=SUBPROTOCOL)
    connection = Connection(server, _Accepted(websocket), server.peers.channel())
    with _told("peer ended"):
        await connection.run(dialled=False)


async def keep_in_touch(server: Server) -> None:
    """Dial the peers that are not connected, tell all what changes, and compare what they have, for ever."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_every(TELL_S, server.peers.tell))
        tasks.create_task(_every(COMPARE_S, server.peers.compare))
        dialling: dict[str, asyncio.Task[None]] = {}
        while True:
            for peer in server.peers.dialled():
                if peer.origin not in dialling or dialling[peer.origin].done():
                    dialling[peer.origin] = tasks.create_task(_dial(server, peer))
            await asyncio.sleep(TELL_S)


async def described_at(url: str) -> Sealed:
    """Return what the server at an address says of itself; raises `PEER_AWAY`."""
    try:
        async with httpx2.AsyncClient(timeout=FETCH_S, follow_redirects=False) as client:
            place = f"{url.rstrip('/')}/.well-known/openslot.json"
            async with client.stream("GET", place) as answer:
                data = b""
                async for part in answer.aiter_bytes():
                    data += part
                    if len(data) > MAX_SERVER_BYTES:
                        raise OpenSlotError(Code.PEER_AWAY, f"more than {MAX_SERVER_BYTES} bytes", where=place)
        if answer.status_code != 200:
            raise OpenSlotError(Code.PEER_AWAY, f"it answers {answer.status_code}", where=place)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise OpenSlotError(Code.PEER_AWAY, str(error)[:200] or type(error).__name__, where=url) from None
    return Sealed.parse(_json(data, url), Code.PEER_AWAY)


def _json(data: bytes, url: str) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise OpenSlotError(Code.PEER_AWAY, "not JSON", where=url) from None


def well_known_routes() -> list[Route]:
    """Return the route of the description; the application holds `state.server`."""
    return [Route("/.well-known/openslot.json", _describe, methods=["GET"])]


async def _describe(request: Request) -> Response:
    server: Server = request.app.state.server
    headers = {"Cache-Control": "max-age=30", "Access-Control-Allow-Origin": "*"}
    return JSONResponse(server.peers.description.plain(), headers=headers)


async def _every(seconds: float, step: Callable[[], Awaitable[None]]) -> None:
    with suppress(OpenSlotError):  # the store failed, which the sweeper says
        while True:
            await asyncio.sleep(seconds)
            await step()


async def _dial(server: Server, peer: PeerRow) -> None:
    """Connect with a peer and live with it, then wait a while."""
    with _told("peer is away", peer=peer.origin):
        url = peer.url.rstrip("/").replace("http", "ws", 1) + "/v1/socket"
        async with connect(
            url,
            subprotocols=[SUBPROTOCOL],
            max_size=MAX_FRAME_BYTES,
            compression=None,
            open_timeout=HELLO_S,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            close_timeout=1.0,
        ) as socket:
            await Connection(server, _Dialled(socket), server.peers.channel(peer.origin)).run(dialled=True)
    wait_s = DIAL_S + int.from_bytes(server.entropy(2), "big") / 65_535 * DIAL_MORE_S
    await asyncio.sleep(wait_s)


@contextmanager
def _told(event: str, **about: str) -> Iterator[None]:
    """Log why a connection ended; that costs nobody else anything."""
    try:
        yield
    except OpenSlotError as error:
        log.warning(event, code=error.code, detail=error.detail, where=error.where, **about)
    except (OSError, TimeoutError, WebSocketException) as error:
        log.info(event, detail=str(error)[:200], **about)


class _Accepted:
    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> bytes:
        try:
            return await self._websocket.receive_bytes()
        except (WebSocketDisconnect, KeyError, RuntimeError) as error:
            raise ConnectionError("the peer went away") from error

    async def send(self, data: bytes) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            await self._websocket.send_bytes(data)

    async def close(self) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            await self._websocket.close()


class _Dialled:
    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def receive(self) -> bytes:
        data = await self._socket.recv()
        if isinstance(data, str):
            raise OpenSlotError(Code.MALFORMED, "servers speak in binary frames")
        return data

    async def send(self, data: bytes) -> None:
        with suppress(WebSocketException):
            await self._socket.send(data)

    async def close(self) -> None:
        await self._socket.close()
