"""The desk of creatives: registered once they passed the gate, listed, withdrawn for good."""

from __future__ import annotations

from openslot_server.config import MAX_PLACEMENT_MS
from openslot_server.core import Core
from openslot_server.demand.model import Creative
from openslot_server.desks.own import own
from openslot_server.keys import Principal
from openslot_spec.messages import PlacementsRevoked
from openslot_spec.session import Broadcast

__all__ = ["CreativeDesk"]


class CreativeDesk:
    """Knows every creative."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def register(self, principal: Principal, creative: Creative) -> Creative:
        """Return the creative as kept; its bytes must be in the library already.

        Raises:
            OpenSlotError: `ROLE_FORBIDDEN`, or `CREATIVE_REFUSED` if it is revoked or another advertiser's.
        """
        principal.require_account("advertiser", creative.advertiser)
        await self._core.commit([self._core.rooms.orders.keep_creative(creative, self._core.clock())])
        return creative

    def get(self, sha256: str) -> Creative:
        """Return a creative; raises `CREATIVE_UNKNOWN`."""
        return self._core.rooms.orders.creative(sha256)

    def all(self, principal: Principal) -> list[Creative]:
        """Return the principal's creatives; all of them for an operator."""
        return own(principal, self._core.rooms.orders.creatives.values())

    async def revoke(self, principal: Principal, sha256: str, reason: str) -> Creative:
        """Revoke a creative for good and push `placements.revoked` to every connected world."""
        creative = self.get(sha256)
        principal.require_account("advertiser", creative.advertiser)
        revoked = creative.model_copy(update={"revoked": True})
        await self._core.commit([self._core.rooms.orders.keep_creative(revoked, self._core.clock())])
        push = Broadcast(PlacementsRevoked(creative=sha256, reason=reason))
        for listener in tuple(self._core.listeners):
            listener.push(push)
        return revoked

    def revocations(self) -> list[PlacementsRevoked]:
        """Return what a world that comes back must hear: the creatives revoked within a placement's longest life."""
        since_ms = self._core.clock() - MAX_PLACEMENT_MS
        return [PlacementsRevoked(creative=sha256) for sha256 in self._core.rooms.orders.revoked_since(since_ms)]
