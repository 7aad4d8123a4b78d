"""How many requests may come from one address: whatever it asks for, with a key or without."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from openslot_server.http.errors import refusal
from openslot_server.pace import Buckets
from openslot_server.state import Clock
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["AddressPace", "neighbourhood"]

UNPACED = frozenset({"/healthz", "/readyz"})
"""A probe must not be refused because others ask too much."""


class AddressPace:
    """Lets requests and handshakes through to `app`, so many a second from each address."""

    def __init__(self, app: ASGIApp, per_second: int, clock: Clock) -> None:
        self._app = app
        self._buckets = Buckets(per_second)
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it before anything of it is read."""
        wait_ms = 0
        if scope["type"] in ("http", "websocket") and scope["path"] not in UNPACED:
            wait_ms = self._buckets.take(neighbourhood((scope.get("client") or ("",))[0]), self._clock())
        if not wait_ms:
            await self._app(scope, receive, send)
            return
        refused = refusal(
            OpenSlotError(Code.RATE_LIMITED, "too many requests from this address", retry_after_ms=wait_ms)
        )
        if scope["type"] == "http":
            await refused(scope, receive, send)
        else:
            await WebSocket(scope, receive, send).send_denial_response(refused)


def neighbourhood(address: str) -> str:
    """Return what is counted as one: an IPv4 address, or the /64 of an IPv6 one, which one subscriber has to itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address  # a socket without addresses
    return parsed.packed[:8].hex() if isinstance(parsed, IPv6Address) and not parsed.ipv4_mapped else address
