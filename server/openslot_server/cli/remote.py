"""What commands ask of a running server."""

from __future__ import annotations

from typing import Any

import httpx2

from openslot_spec.errors import Code, OpenSlotError

__all__ = ["fetch"]

TIMEOUT_S = 60.0


def fetch(server: str, path: str, key: str, **query: str) -> Any:
    """Return the JSON at a path; raises `SERVER_AWAY`, or what the server refused with."""
    try:
        url, headers = f"{server.rstrip('/')}{path}", {"Authorization": f"Bearer {key}"}
        answer = httpx2.get(url, params=query, headers=headers, timeout=TIMEOUT_S)
        body = answer.json()
    except (httpx2.HTTPError, ValueError) as error:
        raise OpenSlotError(Code.SERVER_AWAY, str(error), where=server) from None
    if answer.status_code != 200:
        raise OpenSlotError(Code(body["error"]["code"]), body["error"]["message"], where=server)
    return body
