"""uvicorn's two protocols with the bounds that they lack: a peer that says or reads nothing, or never ends, is cut."""

from __future__ import annotations

from asyncio import BaseTransport, TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = ["HttpProtocol", "SocketProtocol"]

HEADER_DEADLINE_S = 10.0
MAX_HEAD_BYTES = 64 * 1024
"""Of a request's head, beyond what came with its first or last piece."""
CLOSE_DEADLINE_S = 5.0


class HttpProtocol(HttpToolsProtocol):
    """HTTP in which a request's head must come within `HEADER_DEADLINE_S` and `MAX_HEAD_BYTES`."""

    _deadline: TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: BaseTransport) -> None:
        """Start the deadline of the first request."""
        super().connection_made(transport)  # type: ignore[arg-type]  # as above
        self._restart()

    def data_received(self, data: bytes) -> None:
        """Take a piece; the parser keeps a head until it is whole, so one that does not end is cut."""
        is_head = self._deadline is not None
        super().data_received(data)
        self._head_bytes = self._head_bytes + len(data) if is_head and self._deadline is not None else 0
        if self._head_bytes > MAX_HEAD_BYTES:
            self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        """Start the deadline of this request."""
        super().on_message_begin()
        self._restart()

    def on_headers_complete(self) -> None:
        """End the deadline."""
        self._cancel()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the deadline."""
        self._cancel()
        super().connection_lost(exc)

    def _restart(self) -> None:
        self._cancel()
        self._deadline = self.loop.call_later(HEADER_DEADLINE_S, self.transport.close)

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class SocketProtocol(WebSocketsSansIOProtocol):
    """WebSocket whose close does not wait for a reader that stopped reading."""

    async def send(self, message: Any) -> None:
        """Send; a close goes behind what the transport holds already, however much that is.

        A refusal that was sent whole ends the handshake: uvicorn 0.54 takes it for a failure of ours otherwise.
        """
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True

    async def run_asgi(self) -> None:
        """Serve the connection, and cut it if its end is not read within `CLOSE_DEADLINE_S`."""
        await super().run_asgi()
        self.loop.call_later(CLOSE_DEADLINE_S, self.transport.abort)
