"""`/healthz`: the process runs · `/readyz`: it can make things durable · `/metrics`: its figures for Prometheus."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from openslot_server.http.errors import refusal
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["health_routes"]


def health_routes() -> list[Route]:
    """Return the routes; the application holds `state.server` and `state.metrics`."""
    return [
        Route("/healthz", _alive, methods=["GET"]),
        Route("/readyz", _ready, methods=["GET"]),
        Route("/metrics", _metrics, methods=["GET"]),
    ]


async def _alive(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _ready(request: Request) -> Response:
    if not request.app.state.server.healthy:
        return refusal(OpenSlotError(Code.STORAGE_FAILED, "restart the server"))
    return JSONResponse({"status": "ok"})


async def _metrics(request: Request) -> Response:
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)
