"""A real server: uvicorn on a port of its own, and worlds that speak over the `websockets` client."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from openslot_server.config import Settings
from openslot_server.demand.model import CampaignDraft, Creative, LineItemDraft
from openslot_server.keys import Principal
from openslot_server.run import Process, bind, now_ms
from openslot_server.state import Server
from openslot_server.storage.sqlite import SqliteStore
from openslot_server.storage.store import Store
from openslot_spec.codec import MSGPACK, Codec
from openslot_spec.messages import Error, Hello, Message, SlotsPut, Welcome
from openslot_spec.records import Money
from openslot_spec.session import Session

OPERATOR = Principal("operator", "operator")
SLOT: dict[str, Any] = {"id": "north", "size": [4, 2], "pose": {"position": [0, 2, -5], "rotation": [0, 0, 0, 1]}}
CREATIVE = "a" * 64
PATIENCE_S = 10.0


@dataclass
class World:
    """A world's end of one connection, which does only what it is told."""

    address: str
    key: str
    name: str = "plaza"
    codec: Codec = MSGPACK
    connection: ClientConnection = field(init=False)
    session: Session = field(init=False)

    async def __aenter__(self) -> Self:
        self.session = Session("world", self.codec)
        self.connection = await connect(
            self.address.replace("http:", "ws:") + "/v1/socket",
            subprotocols=[Subprotocol(self.codec.name)],
            compression=None,
            max_queue=1,
            close_timeout=0.1,
        )
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.connection.close()

    async def say(self, message: Message) -> int:
        number, data = self.session.send(message)
        await self.send(data)
        return number

    async def send(self, data: bytes) -> None:
        await self.connection.send(data.decode() if self.codec.text else data)

    async def hear(self) -> Message:
        async with asyncio.timeout(PATIENCE_S):
            data = await self.connection.recv()
        return self.session.receive(data.encode() if isinstance(data, str) else data).body

    async def ask(self, message: Message) -> Any:
        await self.say(message)
        return await self.hear()

    async def hello(self, **changes: Any) -> Any:
        said: dict[str, Any] = {"versions": ["1"], "role": "world", "key": self.key, "world": self.name}
        return await self.ask(Hello.parse(said | changes))

    async def ready(self, **changes: Any) -> Welcome:
        welcome = await self.hello(**changes)
        assert isinstance(welcome, Welcome), welcome
        return welcome

    async def with_slot(self) -> None:
        await self.ready()
        await self.ask(SlotsPut(slots=(SLOT,)))

    async def close_code(self) -> int:
        """Read to the end and return how the server closed."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    await self.connection.recv()
        except ConnectionClosed as closed:
            assert closed.rcvd is not None, closed
            return closed.rcvd.code

    async def refusal(self) -> tuple[str, int]:
        """Return the error that comes, and the close after it."""
        error = await self.hear()
        assert isinstance(error, Error), error
        return error.code, await self.close_code()


@dataclass
class Live:
    server: Server
    process: Process
    address: str
    key: str
    running: asyncio.Task[None]

    def world(self, codec: Codec = MSGPACK, key: str = "", name: str = "plaza") -> World:
        return World(self.address, key or self.key, name, codec)

    async def line_item(self, price: int = 2_000, impressions: int = 1_000) -> str:
        creative = Creative(
            sha256=CREATIVE, media_type="model/gltf-binary", size_bytes=10, advertiser="aurora", label="Ad · Aurora"
        )
        await self.server.creatives.register(OPERATOR, creative)
        campaign = await self.server.orders.create_campaign(OPERATOR, CampaignDraft(name="Spring", advertiser="aurora"))
        draft = LineItemDraft(
            campaign=campaign.id,
            name="Posters",
            creatives=(CREATIVE,),
            cpm=Money(micros=price * 1000),
            budget=Money(micros=price * impressions),
            from_ms=0,
            to_ms=now_ms() + 10**9,
        )
        return (await self.server.orders.create_line_item(OPERATOR, draft)).id


@asynccontextmanager
async def live(folder: Path, store: Store | None = None, **settings: Any) -> AsyncIterator[Live]:
    """Yield a server that runs in this loop, with the key of the world `plaza`."""
    known = Settings(database=folder / "live.sqlite3", assets=folder / "assets", **settings)
    with closing(bind("127.0.0.1", 0)) as listener, closing(store or SqliteStore(known.database)) as kept:
        started = asyncio.Event()
        server = Server(known, kept, now_ms, secrets.token_bytes)
        key = await server.keys.add(OPERATOR, "world", "plaza")
        process = Process(server, started.set)
        running = asyncio.create_task(process.serve(sockets=[listener]))
        address = "http://{}:{}".format(*listener.getsockname())
        await started.wait()
        try:
            yield Live(server, process, address, key, running)
        finally:
            process.should_exit = True
            await running


async def until(condition: Any) -> None:
    """Wait until `condition()` holds."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s, "it never came to be"
        await asyncio.sleep(0.01)
