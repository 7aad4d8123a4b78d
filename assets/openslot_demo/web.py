"""The demo's own little web server: the live page, the state, the scenes and the creatives."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openslot_demo.live import Live
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["PageServer", "bound", "page_app"]

PAGE = Path(__file__).parent / "page"
UPDATE_S = 0.2
POLICY = "default-src 'self'"


def page_app(live: Live, scenes: Mapping[str, bytes], creatives: Mapping[str, bytes]) -> Starlette:
    """Return the application; `scenes` by world name and `creatives` by sha-256 are GLB bytes."""

    async def state(_request: Request) -> Response:
        return JSONResponse(live.plain())

    async def events(_request: Request) -> Response:
        return StreamingResponse(_stream(live), media_type="text/event-stream", headers={"cache-control": "no-store"})

    async def scene(request: Request) -> Response:
        return _glb(scenes.get(request.path_params["name"]))

    async def creative(request: Request) -> Response:
        return _glb(creatives.get(request.path_params["sha256"]))

    routes = [
        Route("/state", state),
        Route("/events", events),
        Route("/scenes/{name}.glb", scene),
        Route("/creatives/{sha256}.glb", creative),
        Mount("/", StaticFiles(directory=PAGE, html=True)),
    ]
    return Starlette(routes=routes, middleware=[Middleware(GZipMiddleware), Middleware(_Policy)])


class _Policy:
    """Adds the content security policy to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the policy in the headers."""

        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["content-security-policy"] = POLICY
            await send(message)

        await self.app(scope, receive, with_policy)


async def _stream(live: Live) -> AsyncIterator[str]:
    while live.phase != "done":
        yield f"data: {json.dumps(live.plain())}\n\n"
        await asyncio.sleep(UPDATE_S)
    yield f"data: {json.dumps(live.plain())}\n\n"


def _glb(data: bytes | None) -> Response:
    if data is None:
        return Response(status_code=404)
    return Response(data, media_type="model/gltf-binary", headers={"cache-control": "max-age=3600"})


def bound(port: int) -> socket.socket:
    """Return a listening socket on `port` of this machine (0: any); raises `OpenSlotError(PORT_IN_USE)`."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise OpenSlotError(Code.PORT_IN_USE, f"port {port}: {error.strerror}", where="--port") from None
    return listener


class _Guest(uvicorn.Server):
    """A server that leaves the process's signals to its host."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class PageServer:
    """Serves an application on a listening socket beside the rest of the demo."""

    def __init__(self, app: Starlette, listener: socket.socket) -> None:
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        self._listener = listener
        self._server = _Guest(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to serve, in the running loop."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]))

    async def stop(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
