"""Refusals over HTTP: one body, `{error: {code, message, where}}`, with the codes of the wire and a fitting status."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from openslot_server.creatives.intake import RefusedCreativeError
from openslot_server.creatives.verdict import Finding
from openslot_spec.errors import SENTENCES, Code, OpenSlotError
from openslot_spec.records import Record

__all__ = ["HANDLERS", "ErrorAnswer", "ErrorDetail", "refusal", "status_of"]

STATUS: Mapping[Code, int] = {
    Code.MALFORMED: 400,
    Code.KEY_UNKNOWN: 401,
    Code.ROLE_FORBIDDEN: 403,
    Code.KEY_NAME_UNKNOWN: 404,
    Code.PATH_UNKNOWN: 404,
    Code.CREATIVE_UNKNOWN: 404,
    Code.CAMPAIGN_UNKNOWN: 404,
    Code.LINE_ITEM_UNKNOWN: 404,
    Code.SLOT_UNKNOWN: 404,
    Code.UPLOAD_UNKNOWN: 404,
    Code.METHOD_UNKNOWN: 405,
    Code.BODY_TIMEOUT: 408,
    Code.UPLOAD_CONFLICT: 409,
    Code.UPLOAD_VERSION: 412,
    Code.FRAME_TOO_LARGE: 413,
    Code.CREATIVE_QUOTA: 413,
    Code.CREATIVE_TOO_LARGE: 413,
    Code.MEDIA_UNKNOWN: 415,
    Code.RATE_LIMITED: 429,
    Code.INTERNAL: 500,
    Code.CREATIVE_HASH_MISMATCH: 500,
    Code.LEDGER_BROKEN: 500,
    Code.STORAGE_DAMAGED: 500,
    Code.STORAGE_FAILED: 503,
    Code.SHUTTING_DOWN: 503,
}
"""What is not here is a request that was understood and cannot be done: 422."""


class ErrorDetail(Record):
    """What went wrong, for programs and for people."""

    code: str
    """Stable; `spec/errors.md` lists them all."""
    message: str
    where: str = ""
    """The field, the JSON pointer into the file, or the header that it is about."""
    retry_after_ms: int | None = None
    findings: tuple[Finding, ...] | None = None
    """All that the gate found in a refused creative."""


class ErrorAnswer(Record):
    """The body of every answer that is not a success."""

    error: ErrorDetail


def status_of(code: Code) -> int:
    """Return the HTTP status of a refusal."""
    return STATUS.get(code, 422)


def refusal(error: OpenSlotError, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer that carries `error`."""
    case = f"{error.detail.rstrip('.')}. " if error.detail else ""
    detail = ErrorDetail(
        code=error.code.value,
        message=case + SENTENCES[error.code],
        where=error.where,
        retry_after_ms=error.retry_after_ms or None,
        findings=error.findings if isinstance(error, RefusedCreativeError) else None,
    )
    return JSONResponse(
        ErrorAnswer(error=detail).plain(), status_of(error.code), {**_headers(error), **(headers or {})}
    )


def _headers(error: OpenSlotError) -> dict[str, str]:
    headers = {"Cache-Control": "no-store"}
    if error.code is Code.KEY_UNKNOWN:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_ms:
        headers["Retry-After"] = str(math.ceil(error.retry_after_ms / 1000))
    return headers


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, OpenSlotError)  # noqa: S101  the table below says so
    return refusal(error)


async def _routing(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  the table below says so
    code = Code.METHOD_UNKNOWN if error.status_code == 405 else Code.PATH_UNKNOWN
    return refusal(OpenSlotError(code, where=f"{request.method} {request.url.path[:200]}"), error.headers)


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


async def _failed(_: Request, __: Exception) -> Response:
    return refusal(OpenSlotError(Code.INTERNAL))


HANDLERS: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
    OpenSlotError: _refused,
    HTTPException: _routing,
    ClientDisconnect: _gone,
    Exception: _failed,
}
"""For Starlette's `exception_handlers`; an unexpected exception is answered, and raised again for the log."""
