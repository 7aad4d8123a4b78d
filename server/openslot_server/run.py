"""The process: a port, a database, a clock, randomness, and uvicorn around the application."""

from __future__ import annotations

import errno
import gc
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import uvicorn

from openslot_server.app import build
from openslot_server.config import Settings
from openslot_server.http.protocols import HttpProtocol, SocketProtocol
from openslot_server.state import Server
from openslot_server.storage.sqlite import SqliteStore, exclusive
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.limits import MAX_FRAME_BYTES

__all__ = ["Process", "Ready", "bind", "now_ms", "serve", "set_up_interpreter"]

BACKLOG = 2_048
SWITCH_S = 0.000_5
"""How long the event loop keeps the interpreter from the store's thread, which asks for it with each statement."""
GRACE_S = 5

Ready = Callable[[str, str | None], None]
"""Called once, with the server's address and the operator's key if one was made."""


def now_ms() -> int:
    """Return the wall clock in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def serve(settings: Settings, ready: Ready) -> None:
    """Serve until SIGINT or SIGTERM, or until only a restart helps: then whoever started it may start it again.

    Worlds get `bye` either way, keep what was not acknowledged, and resume. Answers on their way are sent.

    Raises:
        OpenSlotError: `PORT_IN_USE`, `CONFIG_INVALID` for a host that is not this machine's, `STORAGE_FAILED`,
            `STORAGE_DAMAGED`, `LEDGER_BROKEN`; `INTERNAL` if an answer failed in a way nobody foresaw.
    """
    with (
        closing(bind(settings.host, settings.port)) as listener,
        exclusive(settings.database),
        closing(SqliteStore(settings.database)) as store,
    ):
        server = Server(settings, store, now_ms, secrets.token_bytes)
        host, port = listener.getsockname()[:2]
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        set_up_interpreter()
        process = Process(server, lambda: ready(address, server.operator_key))
        process.run(sockets=[listener])
        server.require_sound()


def set_up_interpreter() -> None:
    """Let the store's thread in soon, and never search for garbage in what was there at the start: that takes long."""
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise OpenSlotError(Code.PORT_IN_USE, f"{host}:{port}", where="port") from None
        raise OpenSlotError(Code.CONFIG_INVALID, f"{host}:{port}: {error.strerror}", where="host") from None


class Process(uvicorn.Server):
    """uvicorn's server, which says when it is ready, says `bye` before it closes sockets, and ends with success."""

    def __init__(self, server: Server, ready: Callable[[], None]) -> None:
        super().__init__(_config(server))
        self._openslot = server
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop: when told to, and when only a restart helps."""
        return await super().on_tick(counter) or not self._openslot.healthy

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say `bye` to every world, then stop."""
        await self._openslot.stop()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop in good order on SIGINT and SIGTERM; uvicorn's own raises the signal again afterwards."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _config(server: Server) -> uvicorn.Config:
    return uvicorn.Config(
        build(server),
        http=HttpProtocol,
        ws=SocketProtocol,
        ws_max_size=MAX_FRAME_BYTES,
        ws_per_message_deflate=False,
        limit_concurrency=server.settings.connections,
        timeout_graceful_shutdown=GRACE_S,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
    )
