"""The scripted server on a real socket, in a thread of its own; creatives over HTTP on the same port."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from openslot_spec.codec import MSGPACK
from tests.sdk.scripted_server import ScriptedServer


class Socket:
    """A websockets connection as a transport."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    async def send(self, data: bytes) -> None:
        try:
            await self._connection.send(data)
        except ConnectionClosed as error:
            raise ConnectionError from error

    async def receive(self) -> bytes:
        try:
            data = await self._connection.recv()
        except ConnectionClosed as error:
            raise ConnectionError from error
        assert isinstance(data, bytes)
        return data

    async def close(self) -> None:
        await self._connection.close()


class RealServer:
    """Answers worlds and serves the creative until it is stopped; may be started again on its port."""

    def __init__(self, script: ScriptedServer, subprotocol: str = MSGPACK.name) -> None:
        self.script = script
        self.port = 0
        self._subprotocol = Subprotocol(subprotocol)
        self._stop: asyncio.Event | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread()

    @property
    def address(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def start(self) -> None:
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run(started)))
        self._thread.start()
        assert started.wait(10)

    def stop(self) -> None:
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def close(self) -> None:
        if self._thread.is_alive():
            self.stop()
        self._loop.close()

    async def _run(self, started: threading.Event) -> None:
        self._stop = asyncio.Event()
        serving = serve(
            self._live, "127.0.0.1", self.port, subprotocols=[self._subprotocol], process_request=self._http
        )
        async with serving as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            started.set()
            await self._stop.wait()

    async def _live(self, connection: ServerConnection) -> None:
        await self.script.serve(Socket(connection))

    def _http(self, connection: ServerConnection, request: Request) -> Response | None:
        if not request.path.startswith("/assets/"):
            return None if request.path == "/v1/socket" else connection.respond(404, "not here\n")
        return Response(200, "OK", Headers({"Content-Length": str(len(self.script.content))}), self.script.content)


@contextmanager
def running(script: ScriptedServer, subprotocol: str = MSGPACK.name) -> Iterator[RealServer]:
    server = RealServer(script, subprotocol)
    server.start()
    try:
        yield server
    finally:
        server.close()
