"""The ASGI application: routes, what they find in `app.state`, and what runs beside them. Wiring only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from openslot_server.creatives.collect import Collector
from openslot_server.creatives.intake import Intake
from openslot_server.creatives.library import Library
from openslot_server.creatives.likeness import GATE
from openslot_server.creatives.sandbox import Sandbox
from openslot_server.creatives.uploads import Uploads
from openslot_server.http.api import api_routes
from openslot_server.http.assets import asset_routes
from openslot_server.http.errors import HANDLERS
from openslot_server.http.health import health_routes
from openslot_server.http.pacing import AddressPace
from openslot_server.http.peering import described_at, keep_in_touch, well_known_routes
from openslot_server.http.socket import socket
from openslot_server.http.uploads import upload_routes
from openslot_server.metrics import Metrics
from openslot_server.pace import Buckets
from openslot_server.state import Server
from openslot_spec.errors import OpenSlotError

__all__ = ["build"]

SWEEP_S = 1.0
AUDIT_S = 0.25
COLLECT_S = 3_600.0
COLLECT_AGE_MS = 3_600_000
"""How old a file is at the least before it may be removed: longer than any upload takes to be registered."""

log = structlog.get_logger(__name__)


def build(server: Server) -> Starlette:
    """Return the application around a server."""
    routes = [
        *api_routes(),
        *upload_routes(),
        *asset_routes(),
        *health_routes(),
        *well_known_routes(),
        WebSocketRoute("/v1/socket", socket),
    ]
    app = Starlette(routes=routes, lifespan=_lifespan, exception_handlers=dict(HANDLERS))
    app.router.redirect_slashes = False  # one name for each thing
    app.add_middleware(AddressPace, per_second=server.settings.requests_per_second_of_address, clock=server.clock)
    app.state.server = server
    app.state.described_at = described_at
    app.state.key_pace = Buckets(server.settings.requests_per_second)
    app.state.metrics = Metrics(server.rooms)
    app.state.library = Library(server.settings.library)
    app.state.sandbox = Sandbox()
    app.state.likeness = Sandbox(gate=GATE)
    app.state.intake = Intake(app.state.sandbox, app.state.library, app.state.likeness)
    app.state.uploads = Uploads(server.settings.library / "uploads")
    app.state.collector = Collector(app.state.library)
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    work = [asyncio.create_task(each(app.state.server)) for each in (_sweep, _audit, keep_in_touch)]
    work.append(asyncio.create_task(_collect(app)))
    try:
        yield
    finally:
        for task in work:
            task.cancel()
        for task in work:
            with suppress(asyncio.CancelledError):
                await task
        await app.state.sandbox.close()
        await app.state.likeness.close()


async def _read_keys(server: Server) -> None:
    try:
        await server.keys.read_again()
    except OpenSlotError as error:  # no descriptor left, for example: the keys known hold, the next second tries again
        log.warning("keys cannot be read", code=error.code, detail=error.detail)


async def _sweep(server: Server) -> None:
    """Release expired reservations and read keys from time to time, until the store fails."""
    try:
        while True:
            await asyncio.sleep(SWEEP_S)
            await server.sweep()
            await _read_keys(server)
    except OpenSlotError as error:
        log.error("nothing is acknowledged until a restart", code=error.code, detail=error.detail)


async def _collect(app: Starlette) -> None:
    """Remove the files that nobody names, and uploads that were given up, from time to time."""
    server: Server = app.state.server
    while True:
        await asyncio.sleep(COLLECT_S)
        try:
            app.state.uploads.expire(server.clock())
            await asyncio.to_thread(_collect_now, app.state.collector, server)
        except OpenSlotError as error:  # nothing more is removed than what nobody names; the next run tries again
            log.warning("files cannot be collected", code=error.code, detail=error.detail)


def _collect_now(collector: Collector, server: Server) -> None:
    with server.store.read() as reader:
        removed = collector.collect(reader, server.clock() - COLLECT_AGE_MS)
    if removed:
        log.info("files removed that nobody names", files=len(removed))


async def _audit(server: Server) -> None:
    """Examine what worlds revealed, one case after the other, until the store fails (which the sweeper says)."""
    with suppress(OpenSlotError):
        while True:
            if not await server.audits.examine_next():
                await asyncio.sleep(AUDIT_S)
