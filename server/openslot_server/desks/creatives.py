"""The desk of creatives: registered once they passed the gate, listed, withdrawn for good."""

from __future__ import annotations

from openslot_server.config import MAX_PLACEMENT_MS
from openslot_server.core import Core
from openslot_server.demand.model import Creative
from openslot_server.desks.own import own
from openslot_server.keys import Principal
from openslot_spec.actions import Actions
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.messages import PlacementsRevoked
from openslot_spec.session import Broadcast

__all__ = ["CreativeDesk", "take_down"]


class CreativeDesk:
    """Knows every creative."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def register(self, principal: Principal, creative: Creative) -> Creative:
        """Return the creative as kept; its bytes must be in the library already.

        Raises:
            OpenSlotError: `ROLE_FORBIDDEN`, `CREATIVE_QUOTA`, or `CREATIVE_REFUSED` if it is revoked or another
                advertiser's.
        """
        principal.require_account("advertiser", creative.advertiser)
        self.admit(creative.advertiser, creative.sha256, creative.size_bytes)
        rooms, now_ms = self._core.rooms, self._core.clock()
        known = rooms.orders.creatives.get(creative.sha256)
        if known is not None:
            creative = creative.model_copy(update={"actions": known.actions})
        rows = rooms.reviews.ask([creative], rooms.orders.creatives.values(), now_ms)  # before anybody can show it
        await self._core.commit([rooms.orders.keep_creative(creative, now_ms), *rows])
        return creative

    def admit(self, advertiser: str, sha256: str, size_bytes: int) -> None:
        """Raise `CREATIVE_QUOTA` unless the creative is known already, or one more of this size fits."""
        if sha256 not in self._core.rooms.orders.creatives:
            self.require_room(advertiser, size_bytes)

    def require_room(self, advertiser: str, size_bytes: int, coming: int = 0, coming_bytes: int = 0) -> None:
        """Raise `CREATIVE_QUOTA` unless one creative more fits the quota, beside those that are on their way."""
        settings = self._core.settings
        own = [one for one in self._core.rooms.orders.creatives.values() if one.advertiser == advertiser]
        kept = [one.size_bytes for one in own if not one.revoked]
        count, held = len(kept) + coming, sum(kept) + coming_bytes
        if count >= settings.quota_creatives:
            raise OpenSlotError(Code.CREATIVE_QUOTA, f"{count} creatives, at most {settings.quota_creatives}")
        if held + size_bytes > settings.quota_bytes:
            detail = f"{held} bytes are kept and {size_bytes} would come, at most {settings.quota_bytes}"
            raise OpenSlotError(Code.CREATIVE_QUOTA, detail)

    async def set_actions(self, principal: Principal, sha256: str, actions: Actions | None) -> Creative:
        """Return the creative with what viewers may do with it; whoever approved of it looks again.

        Raises:
            OpenSlotError: `CREATIVE_UNKNOWN`, `ROLE_FORBIDDEN`, or `CREATIVE_REFUSED` if it is revoked.
        """
        rooms, now_ms = self._core.rooms, self._core.clock()
        before = self.get(sha256)
        principal.require_account("advertiser", before.advertiser)
        if before.revoked:
            raise OpenSlotError(Code.CREATIVE_REFUSED, "it was revoked", where="sha256")
        after = before.model_copy(update={"actions": actions})
        rows = [] if after == before else rooms.reviews.reopen(sha256, now_ms)
        await self._core.commit([rooms.orders.keep_creative(after, now_ms), *rows])
        return after

    def get(self, sha256: str) -> Creative:
        """Return a creative; raises `CREATIVE_UNKNOWN`."""
        return self._core.rooms.orders.creative(sha256)

    def asset(self, sha256: str) -> Creative:
        """Return the creative whose file this is, or the poster of a video as if it were one."""
        orders = self._core.rooms.orders
        if sha256 in orders.creatives or sha256 not in orders.posters:
            return orders.creative(sha256)
        video = orders.creative(orders.posters[sha256])
        assert video.video is not None  # noqa: S101  it has a poster
        poster = video.video.poster
        file = {"sha256": sha256, "media_type": poster.media_type, "size_bytes": poster.size_bytes}
        return video.model_copy(update=file)

    def all(self, principal: Principal) -> list[Creative]:
        """Return the principal's creatives; all of them for an operator."""
        return own(principal, self._core.rooms.orders.creatives.values())

    async def revoke(self, principal: Principal, sha256: str, reason: str) -> Creative:
        """Revoke a creative for good and push `placements.revoked` to every connected world."""
        creative = self.get(sha256)
        principal.require_account("advertiser", creative.advertiser)
        revoked = creative.model_copy(update={"revoked": True})
        await self._core.commit([self._core.rooms.orders.keep_creative(revoked, self._core.clock())])
        take_down(self._core, sha256, reason)
        return revoked

    def revocations(self, world: str) -> list[PlacementsRevoked]:
        """Return what a world that comes back must hear: what was taken down within a placement's longest life."""
        rooms, since_ms = self._core.rooms, self._core.clock() - MAX_PLACEMENT_MS
        revoked = [PlacementsRevoked(creative=sha256) for sha256 in rooms.orders.revoked_since(since_ms)]
        refused = rooms.reviews.refused_since(world, since_ms)
        return [*revoked, *(PlacementsRevoked(creative=sha256, final=False) for sha256 in refused)]


def take_down(core: Core, sha256: str, reason: str, world: str | None = None, *, final: bool = True) -> None:
    """Take a creative off the screens of every connected world, or of one; unless it is `final` it may come again."""
    push = Broadcast(PlacementsRevoked(creative=sha256, reason=reason, final=final))
    for listener in tuple(core.listeners):
        if world in (None, listener.world):
            listener.push(push)
