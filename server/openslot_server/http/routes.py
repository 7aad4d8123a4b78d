"""Operations of the REST API as data: one table wires the routes and is written out as `/openapi.json`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from openslot_server.creatives.intake import Intake
from openslot_server.creatives.uploads import Uploads
from openslot_server.http.bodies import ONCE, bearer_key, json_record, once_key, query_record
from openslot_server.http.records import BYTES, Empty, Page
from openslot_server.keys import Principal, Role, digest
from openslot_server.state import Server
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.records import Record

__all__ = ["Call", "Operation", "once", "operation", "page_of", "routes"]

QueryRecord = TypeVar("QueryRecord", bound=Record)
BodyRecord = TypeVar("BodyRecord", bound=Record)
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Call(Generic[QueryRecord, BodyRecord]):
    """A request whose key, role, query and body hold."""

    server: Server
    intake: Intake
    uploads: Uploads
    principal: Principal
    path: Mapping[str, str]
    query: QueryRecord
    body: BodyRecord
    request: Request
    """For bodies of bytes alone."""
    once: str | None = None
    """The same request again, if it has the same."""


Handler = Callable[[Call[Any, Any]], Awaitable[Record | Response]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path.

    Args:
        roles: who may; an operator always may, so none means operators only.
        handler: its docstring describes the operation.
        query: the record in the query string.
        body: a JSON record, one of `BYTES` for bytes, `Empty` for none.
        is_once: whether an `Idempotency-Key` makes it happen once; reads, changes and uploads are so by nature.
        answer: the record that comes back with `status`.
        other_media: what the answer may be instead of JSON.
    """

    method: str
    path: str
    roles: tuple[Role, ...]
    handler: Handler
    status: int
    query: type[Record]
    body: type[Record]
    answer: type[Record]
    other_media: tuple[str, ...]
    is_once: bool = False

    async def answer_to(self, request: Request) -> Response:
        """Return what the handler answers; raises `OpenSlotError` for whatever does not hold before it."""
        server: Server = request.app.state.server
        key = bearer_key(request)
        principal = await server.keys.authenticate(key)
        if wait_ms := request.app.state.key_pace.take(digest(key), server.clock()):
            raise OpenSlotError(Code.RATE_LIMITED, "too many requests with this key", retry_after_ms=wait_ms)
        principal.require(*(self.roles or ("operator",)))
        call = Call(
            server=server,
            intake=request.app.state.intake,
            uploads=request.app.state.uploads,
            principal=principal,
            path=request.path_params,
            query=query_record(request, self.query),
            body=self.body() if self.body is Empty or self.body in BYTES else await json_record(request, self.body),
            request=request,
            once=self._once(request),
        )
        answer = await self.handler(call)
        if isinstance(answer, Response):
            return answer
        return JSONResponse(answer.plain(), self.status, {"Cache-Control": "no-store"})

    def _once(self, request: Request) -> str | None:
        once = once_key(request)
        if once is not None and self.method == "POST" and not self.is_once and self.body not in BYTES:
            raise OpenSlotError(Code.INVALID, "not taken here: each request makes one more", where=ONCE)
        return once


def operation(
    method: str,
    path: str,
    roles: tuple[Role, ...],
    handler: Handler,
    *,
    status: int = 200,
    other_media: tuple[str, ...] = (),
) -> Operation:
    """Return the operation that `handler` does; its records are those of the handler's signature."""
    hints = get_type_hints(handler)
    query, body = get_args(hints["call"])
    answer = next(kind for kind in get_args(hints["return"]) or [hints["return"]] if issubclass(kind, Record))
    return Operation(method, path, roles, handler, status, query, body, answer, other_media)


def once(made: Operation) -> Operation:
    """Return the operation, which an `Idempotency-Key` makes happen once."""
    return replace(made, is_once=True)


def routes(operations: Iterable[Operation]) -> list[Route]:
    """Return one route for each path, which knows all its methods."""
    by_path: defaultdict[str, dict[str, Operation]] = defaultdict(dict)
    for operation in operations:
        by_path[operation.path][operation.method] = operation
    return [_route(path, methods) for path, methods in by_path.items()]


def page_of(items: Iterable[Item], name: Callable[[Item], str], page: Page) -> tuple[tuple[Item, ...], str | None]:
    """Return the items of a page and, where more follow, the name to go on after."""
    rest = sorted((item for item in items if name(item) > page.after), key=name)
    shown = tuple(rest[: page.limit])
    return shown, name(shown[-1]) if len(rest) > len(shown) else None


def _route(path: str, methods: Mapping[str, Operation]) -> Route:
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await methods[method].answer_to(request)

    return Route(path, endpoint, methods=list(methods))
