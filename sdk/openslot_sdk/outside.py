"""Everything of the outside that an SDK touches, as values: a socket, HTTP, the disk, the wall clock, randomness.

Passing time is the event loop's, so that a loop with virtual time simulates all of it. websockets and httpx2 are
imported when the first connection needs them.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit, urlunsplit

from openslot_sdk.disk import Disk, FileDisk
from openslot_spec.codec import MSGPACK
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.limits import MAX_FRAME_BYTES

__all__ = ["Dial", "Fetch", "Outside", "Transport", "addresses", "dial_websocket", "fetch_http"]

T = TypeVar("T")
FETCH_TIMEOUT_S = 10.0
_PASSING = (408, 425, 429)
"""Answers that say "not now"."""


class Transport(Protocol):
    """One connection that carries whole messages. A connection that ended raises `ConnectionError`."""

    async def send(self, data: bytes) -> None:
        """Send one message."""

    async def receive(self) -> bytes:
        """Return the next message."""

    async def close(self) -> None:
        """End the connection."""


Dial = Callable[[str], Awaitable[Transport]]
Fetch = Callable[[str], AsyncGenerator[bytes, None]]


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)


def addresses(server: str) -> tuple[str, str]:
    """Return the socket's address and the HTTP root of a server given as ws, wss, http or https.

    Raises:
        OpenSlotError: `CONFIG_INVALID` for anything else.
    """
    parts = urlsplit(server)
    secure = {"ws": "", "http": "", "wss": "s", "https": "s"}.get(parts.scheme)
    if secure is None or not parts.hostname:
        raise OpenSlotError(Code.CONFIG_INVALID, f"{server!r} is not like ws://127.0.0.1:8700", where="server")
    path = parts.path.rstrip("/") or "/v1/socket"
    return urlunsplit(("ws" + secure, parts.netloc, path, "", "")), f"http{secure}://{parts.netloc}"


async def dial_websocket(address: str) -> Transport:
    """Return a connection that speaks the msgpack subprotocol.

    Raises:
        OpenSlotError: `UNSUPPORTED_VERSION` if something else answers there.
        ConnectionError: nobody answers there.
    """
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus, InvalidURI, WebSocketException
    from websockets.typing import Subprotocol

    name = Subprotocol(MSGPACK.name)
    try:
        # deflate halves the throughput and costs 32 KiB a connection; a server that is gone is not waited for
        socket = await connect(
            address, subprotocols=[name], compression=None, max_size=MAX_FRAME_BYTES, max_queue=4, close_timeout=1
        )
    except InvalidURI as error:
        raise OpenSlotError(Code.CONFIG_INVALID, str(error), where="server") from None
    except InvalidStatus as error:
        status = error.response.status_code
        if status in _PASSING or status >= 500:
            raise ConnectionError(str(error)) from error
        detail = f"HTTP {status}: no OpenSlot server that speaks {name}"
        raise OpenSlotError(Code.UNSUPPORTED_VERSION, detail, where=address) from None
    except (WebSocketException, OSError) as error:
        raise ConnectionError(str(error)) from error
    if socket.subprotocol != name:
        await socket.close()
        raise OpenSlotError(Code.UNSUPPORTED_VERSION, f"no {name} here", where=address)
    return _WebSocket(socket)


class _WebSocket:
    def __init__(self, socket: Any) -> None:
        self._socket = socket

    async def send(self, data: bytes) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            await self._socket.send(data)
        except ConnectionClosed as error:
            raise ConnectionError(str(error)) from None

    async def receive(self) -> bytes:
        from websockets.exceptions import ConnectionClosed

        try:
            message = await self._socket.recv()
        except ConnectionClosed as error:
            raise ConnectionError(str(error)) from None
        return message if isinstance(message, bytes) else message.encode()

    async def close(self) -> None:
        await self._socket.close()


async def fetch_http(url: str) -> AsyncGenerator[bytes]:
    """Yield the body at `url` in pieces.

    Raises:
        OpenSlotError: `CREATIVE_UNKNOWN` if the server has nothing there, `SERVER_AWAY` if it does not answer.
    """
    import httpx2

    try:
        async with httpx2.AsyncClient(timeout=FETCH_TIMEOUT_S) as client, client.stream("GET", url) as response:
            if response.status_code != 200:
                code = Code.CREATIVE_UNKNOWN if response.status_code in (404, 410) else Code.SERVER_AWAY
                raise OpenSlotError(code, f"HTTP {response.status_code}", where=url)
            async for piece in response.aiter_bytes():
                yield piece
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise OpenSlotError(Code.SERVER_AWAY, str(error) or type(error).__name__, where=url) from error


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _work_ms() -> float:
    return time.perf_counter_ns() / 1_000_000


@dataclass(frozen=True, slots=True)
class Outside:
    """What a world needs from the outside; the defaults are the real things.

    Args:
        wall_ms: milliseconds since 1970-01-01 UTC; asked once per connection, so a stepped clock does no harm.
        work_ms: milliseconds that pass while work is done; a tick's measuring ends by it.
        entropy: that many random bytes.
        aside: runs blocking work where it does not hold up a tick.
    """

    dial: Dial = dial_websocket
    fetch: Fetch = fetch_http
    disk: Callable[[], Disk] = FileDisk
    wall_ms: Callable[[], int] = _wall_ms
    work_ms: Callable[[], float] = _work_ms
    entropy: Callable[[int], bytes] = os.urandom
    aside: Callable[[Callable[[], Any]], Awaitable[Any]] = _in_thread
