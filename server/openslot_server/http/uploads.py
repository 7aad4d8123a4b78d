"""`/v1/uploads`: a creative sent in parts, by the tus protocol 1.0.0, for which there are clients in most languages.

POST /v1/uploads (Upload-Length) ─▶ PATCH /v1/uploads/ID (Upload-Offset) … ─▶ POST /v1/uploads/ID/creative
▲ HEAD /v1/uploads/ID: where to go on after a lost connection
"""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from openslot_gltf import TIERS
from openslot_server.creatives.kinds import VIDEO_TIERS
from openslot_server.creatives.uploads import ID_BYTES, Upload
from openslot_server.http.bodies import BODY_DEADLINE_S
from openslot_server.http.creatives import account_of, registered
from openslot_server.http.records import BYTES, Empty, Part, UploadAnswer, UploadDraft, UploadQuery, UploadState
from openslot_server.http.routes import Call, operation
from openslot_server.keys import Role
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["UPLOAD_OPERATIONS", "upload_routes"]

VERSION = "1.0.0"
LONGEST_BYTES = max(TIERS["L"].file_bytes, VIDEO_TIERS["L"].file_bytes)
TUS = {"Tus-Resumable": VERSION, "Cache-Control": "no-store"}


async def begin_upload(call: Call[UploadDraft, Empty]) -> UploadState | Response:
    """Begin an upload in parts, as tus 1.0.0 has it: `Upload-Length` says how long it will be.

    The answer names its place in `Location`. It is given up a day after its last part.
    """
    _require_version(call.request)
    advertiser = account_of(call.principal, "advertiser", call.query.advertiser)
    length_bytes = _count(call.request, "Upload-Length")
    if not 0 < length_bytes <= LONGEST_BYTES:
        raise OpenSlotError(Code.CREATIVE_TOO_LARGE, f"1 to {LONGEST_BYTES} bytes", where="Upload-Length")
    call.server.creatives.require_room(advertiser, length_bytes, *call.uploads.held(advertiser))
    now_ms, randomness = call.server.clock(), call.server.entropy(ID_BYTES)
    upload = await asyncio.to_thread(call.uploads.begin, advertiser, length_bytes, randomness, now_ms)
    return _answer(call, upload, 201, {"Location": f"/v1/uploads/{upload.id}"})


async def show_upload(call: Call[Empty, Empty]) -> UploadState | Response:
    """Show how far an upload is; the next part begins at its `Upload-Offset`. HEAD gives the headers alone."""
    return _answer(call, _own(call), 200, {})


async def append_to_upload(call: Call[Empty, Part]) -> Empty | Response:
    """Send the next part of an upload, from `Upload-Offset` on; what came before the connection was lost is kept."""
    _require_version(call.request)
    stated = call.request.headers.get("content-type", "")
    if stated not in BYTES[Part]:
        raise OpenSlotError(Code.MEDIA_UNKNOWN, f"send {BYTES[Part][0]}", where="Content-Type")
    upload = _own(call)
    with call.uploads.part(upload.id, _count(call.request, "Upload-Offset")) as left:
        data, trouble = await _read(call.request, left)
        await asyncio.to_thread(call.uploads.append, upload.id, data, call.server.clock())
    if trouble is not None:
        raise trouble
    return Response(status_code=204, headers=_headers(call, upload))


async def end_upload(call: Call[Empty, Empty]) -> Empty | Response:
    """Give an upload up; its bytes are removed."""
    _require_version(call.request)
    upload = _own(call)
    with call.uploads.part(upload.id, call.uploads.offset(upload.id)):
        await asyncio.to_thread(call.uploads.end, upload.id)
    return Response(status_code=204, headers=TUS)


async def finish_upload(call: Call[UploadQuery, Empty]) -> UploadAnswer:
    """Make a creative of an upload that is whole, as if its bytes had been sent at once; the upload is over then."""
    upload = _own(call)
    if call.query.advertiser not in (None, upload.account):
        raise OpenSlotError(Code.INVALID, f"it is {upload.account}'s upload", where="?advertiser")
    with call.intake.place(upload.account), call.uploads.part(upload.id, upload.length_bytes):
        data = await asyncio.to_thread(call.uploads.read, upload.id)
        answer = await registered(call, data, call.query, upload.account)
        await asyncio.to_thread(call.uploads.end, upload.id)
    return answer


ROLES: tuple[Role, ...] = ("advertiser",)
UPLOAD_OPERATIONS = (
    operation("POST", "/v1/uploads", ROLES, begin_upload, status=201),
    operation("GET", "/v1/uploads/{upload}", ROLES, show_upload),
    operation("PATCH", "/v1/uploads/{upload}", ROLES, append_to_upload, status=204),
    operation("DELETE", "/v1/uploads/{upload}", ROLES, end_upload, status=204),
    operation("POST", "/v1/uploads/{upload}/creative", ROLES, finish_upload, status=201),
)


def upload_routes() -> list[Route]:
    """Return what a tus client asks first, without a key: what is spoken here."""
    return [Route("/v1/uploads", _spoken, methods=["OPTIONS"])]


async def _spoken(_: Request) -> Response:
    said = {
        "Tus-Version": VERSION,
        "Tus-Max-Size": str(LONGEST_BYTES),
        "Tus-Extension": "creation,expiration,termination",
    }
    return Response(status_code=204, headers=TUS | said)


async def _read(request: Request, left: int) -> tuple[bytes, OpenSlotError | None]:
    """Return what came of a part, and why not all of it did; a part that is too long is none."""
    data, trouble = bytearray(), None
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            async for chunk in request.stream():
                data += chunk
                if len(data) > left:
                    raise OpenSlotError(Code.CREATIVE_TOO_LARGE, f"{left} bytes are still to come", where="body")
    except TimeoutError:
        trouble = OpenSlotError(Code.BODY_TIMEOUT, f"{len(data)} bytes in {BODY_DEADLINE_S:g} s; they are kept")
    except ClientDisconnect:
        trouble = OpenSlotError(Code.BODY_TIMEOUT, "the connection was lost")  # nobody reads it
    return bytes(data), trouble


def _own(call: Call[Any, Any]) -> Upload:
    upload = call.uploads.find(call.path["upload"])
    call.principal.require_account("advertiser", upload.account)
    return upload


def _answer(call: Call[Any, Any], upload: Upload, status: int, headers: dict[str, str]) -> Response:
    state = UploadState(
        id=upload.id,
        length_bytes=upload.length_bytes,
        offset_bytes=call.uploads.offset(upload.id),
        expires_ms=call.uploads.expires_ms(upload.id),
    )
    return JSONResponse(state.plain(), status, _headers(call, upload) | headers)


def _headers(call: Call[Any, Any], upload: Upload) -> dict[str, str]:
    return TUS | {
        "Upload-Offset": str(call.uploads.offset(upload.id)),
        "Upload-Length": str(upload.length_bytes),
        "Upload-Expires": formatdate(call.uploads.expires_ms(upload.id) / 1000, usegmt=True),
    }


def _require_version(request: Request) -> None:
    if request.headers.get("tus-resumable") != VERSION:
        raise OpenSlotError(Code.UPLOAD_VERSION, where="Tus-Resumable")


def _count(request: Request, name: str) -> int:
    said = request.headers.get(name, "")
    if not said.isascii() or not said.isdigit() or len(said) > 15:
        raise OpenSlotError(Code.INVALID, "a whole number of bytes", where=name)
    return int(said)
