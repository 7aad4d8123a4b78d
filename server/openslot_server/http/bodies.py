"""Requests to values, bounded and strict: bodies in bytes and JSON, query strings, the bearer key."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.requests import Request

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.limits import MAX_DEPTH
from openslot_spec.records import Record

__all__ = ["MAX_JSON_BYTES", "ONCE", "bearer_key", "json_record", "once_key", "query_record", "read_body"]

MAX_JSON_BYTES = 256 * 1024
MAX_QUERY_FIELDS = 32
BODY_DEADLINE_S = 30.0
ONCE = "Idempotency-Key"
VISIBLE = re.compile(r"[!-~]{1,255}")

SomeRecord = TypeVar("SomeRecord", bound=Record)


def bearer_key(request: Request) -> str:
    """Return the key in `Authorization: Bearer …`; raises `KEY_UNKNOWN` without one."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise OpenSlotError(Code.KEY_UNKNOWN, "no `Authorization: Bearer KEY`", where="Authorization")
    return key.strip()


def once_key(request: Request) -> str | None:
    """Return the `Idempotency-Key`, 1 to 255 visible characters of ASCII; None without one, raises `INVALID`."""
    once = request.headers.get(ONCE)
    if once is not None and not VISIBLE.fullmatch(once):
        raise OpenSlotError(Code.INVALID, "1 to 255 visible characters", where=ONCE)
    return once


async def read_body(request: Request, media: tuple[str, ...], limit_bytes: int, too_large: Code) -> bytes:
    """Return the body, of one of these media types, at most `limit_bytes` long and within the deadline.

    Raises:
        OpenSlotError: `MEDIA_UNKNOWN`, `too_large` (at once if Content-Length says so), `BODY_TIMEOUT`.
    """
    stated = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if stated not in media:
        raise OpenSlotError(Code.MEDIA_UNKNOWN, f"send {' or '.join(media)}", where="Content-Type")
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:20]) > limit_bytes:
        raise OpenSlotError(too_large, f"at most {limit_bytes} bytes", where="Content-Length")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit_bytes:
                    raise OpenSlotError(too_large, f"at most {limit_bytes} bytes")
    except TimeoutError:
        raise OpenSlotError(Code.BODY_TIMEOUT, f"{len(body)} bytes in {BODY_DEADLINE_S:g} s") from None
    return bytes(body)


async def json_record(request: Request, model: type[SomeRecord]) -> SomeRecord:
    """Return the record in a JSON body: no duplicate keys, no NaN, no lone surrogates, no unknown fields."""
    body = await read_body(request, ("application/json",), MAX_JSON_BYTES, Code.FRAME_TOO_LARGE)
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant)
        _check_depth(value)
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate raises
    except (ValueError, RecursionError) as error:
        raise OpenSlotError(Code.MALFORMED, f"not strict JSON: {str(error)[:200]}") from None
    return model.parse(value)


def query_record(request: Request, model: type[SomeRecord]) -> SomeRecord:
    """Return the record in the query string; each field at most once, none unknown."""
    try:
        text = request.scope["query_string"].decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_QUERY_FIELDS)
        fields = _object(pairs)
    except ValueError as error:
        raise OpenSlotError(Code.MALFORMED, f"query string: {str(error)[:200]}") from None
    try:
        return model.model_validate_strings(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = "/".join(str(part) for part in first["loc"])
        raise OpenSlotError(Code.INVALID, first["msg"], where=f"?{where}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) != len(pairs):
        raise ValueError("a name stands twice")
    return built


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        containers = [item for item in level if isinstance(item, dict | list)]
        level = [child for item in containers for child in (item.values() if isinstance(item, dict) else item)]
    if level:
        raise ValueError(f"more than {MAX_DEPTH} levels")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
