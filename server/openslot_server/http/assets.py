"""`/assets/{sha256}`: approved bytes, for ever the same under their name, readable by any page and runnable by none."""

from __future__ import annotations

import asyncio
import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from openslot_server.creatives.library import Library
from openslot_server.demand.model import Creative
from openslot_server.http.errors import refusal
from openslot_server.state import Server
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["asset_routes"]

OPEN_TO_ALL = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Content-Length, Content-Range, Accept-Ranges",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
}
FOR_EVER = "public, max-age=31536000, immutable"
PACKED = frozenset({"model/gltf-binary"})
"""What is sent in gzip to whoever takes that; images and videos are packed by themselves."""
NOT_AT_ALL = re.compile(r"q=0(\.0{0,3})?")
RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


def asset_routes() -> list[Route]:
    """Return the route of the assets; the application holds `state.server` and `state.library`."""
    return [Route("/assets/{sha256}", _asset, methods=["GET"])]


async def _asset(request: Request) -> Response:
    server: Server = request.app.state.server
    library: Library = request.app.state.library
    try:
        creative = server.creatives.asset(request.path_params["sha256"])
        if creative.revoked:
            raise OpenSlotError(Code.CREATIVE_UNKNOWN, "it was revoked", where=creative.sha256)
        return await _serve(request, creative, library)
    except OpenSlotError as error:
        return refusal(error, OPEN_TO_ALL)


async def _serve(request: Request, creative: Creative, library: Library) -> Response:
    etag = f'"{creative.sha256}"'
    headers = {**OPEN_TO_ALL, "Cache-Control": FOR_EVER, "ETag": etag, "Accept-Ranges": "bytes"}
    if creative.media_type in PACKED:
        headers["Vary"] = "Accept-Encoding"
        if "range" not in request.headers and _takes_gzip(request.headers.get("accept-encoding", "")):
            packed = await asyncio.to_thread(library.read_packed, creative.sha256, creative.size_bytes)
            if packed is not None:
                return _packed(request, creative, packed, headers)
    if _names(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    start, end = 0, creative.size_bytes
    status = 200
    if wanted := _range(request, etag, creative.size_bytes):
        start, end = wanted
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{creative.size_bytes}"
    if start >= end:
        return Response(status_code=416, headers=OPEN_TO_ALL | {"Content-Range": f"bytes */{creative.size_bytes}"})
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        return Response(None, status, headers, creative.media_type)
    data = await asyncio.to_thread(library.read, creative.sha256)
    return Response(data[start:end], status, headers, creative.media_type)


def _packed(request: Request, creative: Creative, packed: bytes, headers: dict[str, str]) -> Response:
    """Return the whole creative in gzip: bytes of their own, so they have an ETag of their own."""
    headers |= {"ETag": f'"{creative.sha256}-gzip"', "Accept-Ranges": "none"}
    if _names(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    headers |= {"Content-Encoding": "gzip", "Content-Length": str(len(packed))}
    return Response(None if request.method == "HEAD" else packed, 200, headers, creative.media_type)


def _takes_gzip(field: str) -> bool:
    """Return whether an `Accept-Encoding` takes gzip (RFC 9110, 12.5.3)."""
    parts = (one.partition(";") for one in field.lower().split(","))
    asked = {name.strip(): weight.replace(" ", "") for name, _, weight in parts}
    weight = asked.get("gzip", asked.get("*", "q=0"))
    return NOT_AT_ALL.fullmatch(weight) is None


def _names(field: str, etag: str) -> bool:
    return any(tag.strip().removeprefix("W/") in (etag, "*") for tag in field.split(","))


def _range(request: Request, etag: str, size: int) -> tuple[int, int] | None:
    """Return start and end of the one range asked for, empty if none of it exists; None for the whole (RFC 9110)."""
    asked = RANGE.fullmatch(request.headers.get("range", ""))
    if asked is None or request.method != "GET" or request.headers.get("if-range", etag) != etag:
        return None
    first, last = asked.groups()
    if not first:  # the last so many bytes
        return (max(size - int(last), 0), size) if last else None
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, size) if last else size
