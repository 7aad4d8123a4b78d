"""What commands ask of a running server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2

from openslot_spec.errors import Code, OpenSlotError

__all__ = ["ask", "fetch"]

TIMEOUT_S = 60.0


def fetch(server: str, path: str, key: str, **query: str) -> Any:
    """Return the JSON at a path; raises `SERVER_AWAY`, or what the server refused with."""
    return ask(server, "GET", path, key, query=query)


def ask(
    server: str, method: str, path: str, key: str, *, query: Mapping[str, str] | None = None, body: Any = None
) -> Any:
    """Return the JSON that answers a request; raises `SERVER_AWAY`, or what the server refused with."""
    try:
        url, headers = f"{server.rstrip('/')}{path}", {"Authorization": f"Bearer {key}"}
        answer = httpx2.request(method, url, params=query, json=body, headers=headers, timeout=TIMEOUT_S)
        found = answer.json()
    except (httpx2.HTTPError, ValueError) as error:
        raise OpenSlotError(Code.SERVER_AWAY, str(error), where=server) from None
    if not answer.is_success:
        raise OpenSlotError(Code(found["error"]["code"]), found["error"]["message"], where=server)
    return found
