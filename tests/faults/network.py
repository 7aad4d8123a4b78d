"""A network in virtual time: messages take as long as it likes, connections end when it likes, nobody may answer.

As over TCP, one direction of one connection keeps its order and loses nothing but its end. Duplicates and reordering
come from where they come from in life: a connection that the world holds for dead still delivers what was under way,
while the world sends the same again on the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import msgpack

from openslot_spec.codec import MSGPACK

Tap = Callable[["Connection", str, dict[str, Any]], None]
"""Hears of every exposures.put and exposures.ack as it is sent."""
App = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]
TICK_S = 1e-6
DELAY_S = 0.02


class Network:
    """Where worlds dial. `answer` runs one connection of the server that is up, or is None."""

    def __init__(self, chance: Random, tap: Tap) -> None:
        self.answer: Callable[[Connection], None] | None = None
        self.is_away = False
        self.open: list[Connection] = []
        self._chance = chance
        self._tap = tap

    async def dial(self, address: str) -> Connection:
        await asyncio.sleep(self._chance.random() * DELAY_S)
        if self.is_away or self.answer is None:
            raise ConnectionRefusedError(f"nobody at {address}")
        connection = Connection(self)
        self.open.append(connection)
        self.answer(connection)
        await connection.accepted
        return connection

    def cut_all(self) -> None:
        for connection in tuple(self.open):
            connection.cut()

    def some(self, most: float) -> float:
        return self._chance.random() * most

    def hear(self, connection: Connection, data: bytes) -> None:
        if b"exposures." in data[:40]:
            envelope = msgpack.unpackb(data)
            self._tap(connection, envelope["type"], envelope["body"])


class Lane:
    """One direction of a connection; None is its end."""

    def __init__(self) -> None:
        self._inbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._last_s = 0.0
        self._is_cut = False

    def put(self, data: bytes | None, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._last_s = max(self._last_s + TICK_S, loop.time() + delay_s)
        loop.call_at(self._last_s, self._arrive, data)

    def cut(self) -> None:
        """End it now; what is under way is lost."""
        self._is_cut = True
        self._inbox.put_nowait(None)

    async def get(self) -> bytes | None:
        return await self._inbox.get()

    def _arrive(self, data: bytes | None) -> None:
        if not self._is_cut:
            self._inbox.put_nowait(data)


class Connection:
    """A world's end as a `Transport`; the server's end speaks ASGI."""

    def __init__(self, network: Network) -> None:
        self.accepted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sender = ""
        """Who sends on it, for the tap."""
        self.delay_s = DELAY_S
        """The longest that a message takes."""
        self._network = network
        self._to_server, self._to_world = Lane(), Lane()
        self._has_ended = False
        self._greeted = False

    async def send(self, data: bytes) -> None:
        if self._has_ended:
            raise ConnectionError("simulated end")
        self._network.hear(self, data)
        self._to_server.put(data, self._some_delay_s())

    async def receive(self) -> bytes:
        data = None if self._has_ended else await self._to_world.get()
        if data is None:
            await self.close()
            raise ConnectionError("simulated end")
        return data

    async def close(self) -> None:
        self._end(after_s=0.0)

    def cut(self) -> None:
        """The world finds it dead; the server still gets what is under way, and learns of the end later."""
        self._end(after_s=self._network.some(5.0))

    def _end(self, after_s: float) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        self._network.open.remove(self)
        self._to_world.cut()
        self._to_server.put(None, after_s)
        if not self.accepted.done():
            self.accepted.set_exception(ConnectionResetError("simulated end"))

    async def serve(self, app: App) -> None:
        """Be the server's end."""
        scope = {
            "type": "websocket",
            "path": "/v1/socket",
            "headers": [],
            "query_string": b"",
            "subprotocols": [MSGPACK.name],
        }
        await app(scope, self._heard, self._said)

    async def _heard(self) -> dict[str, Any]:
        if not self._greeted:
            self._greeted = True
            return {"type": "websocket.connect"}
        data = await self._to_server.get()
        if data is None:
            return {"type": "websocket.disconnect", "code": 1006}
        return {"type": "websocket.receive", "bytes": data}

    async def _said(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "websocket.accept":
                if not self.accepted.done():
                    self.accepted.set_result(None)
            case "websocket.send":
                self._network.hear(self, event["bytes"])
                self._to_world.put(event["bytes"], self._some_delay_s())
            case _:
                self._to_world.put(None, self._some_delay_s())

    def _some_delay_s(self) -> float:
        return self._network.some(self.delay_s)
