"""The desk of reviews: what waits where and why, what somebody decides of it, and what each place shows at all."""

from __future__ import annotations

from openslot_server.core import Core
from openslot_server.creatives.review import PLATFORM, Decision, Policy, Review, Why
from openslot_server.demand.model import Creative
from openslot_server.desks.creatives import take_down
from openslot_server.keys import Principal
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["ReviewDesk"]


class ReviewDesk:
    """Judges creatives for the platform and for each world."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def place(self, principal: Principal, world: str | None) -> str:
        """Return the place that somebody may judge for: a world for itself, all others for the platform if unnamed.

        Raises:
            OpenSlotError: `ROLE_FORBIDDEN` for any other.
        """
        if world is None:
            world = principal.account if principal.role == "world" else PLATFORM
        if world == PLATFORM:
            principal.require("reviewer")
        else:
            principal.require_account("world", world)
        return world

    def queue(self, place: str) -> list[tuple[Creative, Review]]:
        """Return how every creative stands there that could be shown: for a world those the platform lets through."""
        reviews = self._core.rooms.reviews
        shown = (one for one in self._core.rooms.orders.creatives.values() if not one.revoked)
        if place != PLATFORM:
            shown = (one for one in shown if reviews.standing(one, PLATFORM).state == "approved")
        return [(one, reviews.standing(one, place)) for one in shown]

    def standings(self, principal: Principal, sha256: str) -> list[Review]:
        """Return where a creative of the principal's does not stand approved; the platform first."""
        rooms = self._core.rooms
        creative = rooms.orders.creative(sha256)
        principal.require_account("advertiser", creative.advertiser)
        places = (PLATFORM, *rooms.reviews.places())
        found = (rooms.reviews.standing(creative, place) for place in places)
        return [one for one in found if one.state != "approved"]

    async def decide(self, principal: Principal, place: str, sha256: str, decision: Decision) -> Review:
        """Return the review once it is durable; what is refused leaves the screens there at once.

        Raises:
            OpenSlotError: `CREATIVE_UNKNOWN`, or `INVALID` for a refusal without a reason.
        """
        if decision.state == "refused" and not decision.reasons:
            raise OpenSlotError(Code.INVALID, f"say why: {', '.join(Why)}", where="reasons")
        rooms, now_ms = self._core.rooms, self._core.clock()
        creative = rooms.orders.creative(sha256)
        made = Review(
            sha256=sha256,
            world=place,
            state=decision.state,
            reasons=decision.reasons,
            note=decision.note,
            by=f"{principal.role} {principal.account}",
            at_ms=now_ms,
        )
        rows = [rooms.reviews.decide(made)]
        changed = [creative]
        if place == PLATFORM and made.state == "refused":
            others = [one for one in rooms.orders.creatives.values() if not one.revoked]
            asked = rooms.reviews.ask(others, [creative], now_ms)
            changed += [rooms.orders.creatives[row.sha256] for row in asked]
            rows += asked
        rooms.orders.clear_again(one.sha256 for one in changed)
        await self._core.commit(rows)
        if made.state == "refused":
            take_down(self._core, sha256, made.reasons[0], place or None, final=False)
        return rooms.reviews.standing(creative, place)

    def policy(self, place: str) -> Policy:
        """Return what a place shows."""
        return self._core.rooms.reviews.policy(place)

    async def set_policy(self, place: str, policy: Policy) -> Policy:
        """Return the policy once it is durable; what it shuts out leaves the screens there at once."""
        rooms = self._core.rooms
        creatives = [*rooms.orders.creatives.values()]
        before = {one.sha256 for one in creatives if rooms.reviews.standing(one, place).state == "approved"}
        row = rooms.reviews.set_policy(place, policy, self._core.clock())
        after = {one.sha256 for one in creatives if rooms.reviews.standing(one, place).state == "approved"}
        rooms.decider.engine.review(rooms.reviews.reviewing)
        rooms.orders.clear_again(rooms.orders.creatives)
        await self._core.commit([row])
        for sha256 in sorted(before - after):
            take_down(self._core, sha256, "policy", place or None, final=False)
        return policy
