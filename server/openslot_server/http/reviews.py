"""The REST API of reviews: the queue of a place, what is decided there, and what the place shows at all."""

from __future__ import annotations

from openslot_server.creatives.review import Decision, Policy, Review
from openslot_server.http.records import Empty, PlaceQuery, ReviewItem, ReviewPage, ReviewQuery, Standings
from openslot_server.http.routes import Call, operation, page_of
from openslot_server.keys import Role

__all__ = ["REVIEW_OPERATIONS"]


async def list_reviews(call: Call[ReviewQuery, Empty]) -> ReviewPage:
    """List the creatives that wait at a place, or those that were approved or refused there, with the reasons."""
    place = call.server.reviews.place(call.principal, call.query.world)
    found = (
        ReviewItem(creative=creative, review=review)
        for creative, review in call.server.reviews.queue(place)
        if review.state == call.query.state
    )
    items, after = page_of(found, lambda item: item.creative.sha256, call.query)
    return ReviewPage(items=items, next=after)


async def decide_review(call: Call[PlaceQuery, Decision]) -> Review:
    """Approve or refuse a creative at a place; what is refused leaves the screens there at once."""
    place = call.server.reviews.place(call.principal, call.query.world)
    return await call.server.reviews.decide(call.principal, place, call.path["sha256"], call.body)


async def show_standings(call: Call[Empty, Empty]) -> Standings:
    """Show where a creative waits or is refused, and why."""
    return Standings(items=tuple(call.server.reviews.standings(call.principal, call.path["sha256"])))


async def show_policy(call: Call[PlaceQuery, Empty]) -> Policy:
    """Show what a place shows: what it blocks, what must be declared, and whether it reviews everything."""
    return call.server.reviews.policy(call.server.reviews.place(call.principal, call.query.world))


async def set_policy(call: Call[PlaceQuery, Policy]) -> Policy:
    """Replace what a place shows; what that shuts out leaves the screens there at once."""
    place = call.server.reviews.place(call.principal, call.query.world)
    return await call.server.reviews.set_policy(place, call.body)


JUDGES: tuple[Role, ...] = ("world", "reviewer")
REVIEW_OPERATIONS = (
    operation("GET", "/v1/reviews", JUDGES, list_reviews),
    operation("PUT", "/v1/reviews/{sha256}", JUDGES, decide_review),
    operation("GET", "/v1/creatives/{sha256}/reviews", ("advertiser",), show_standings),
    operation("GET", "/v1/policy", JUDGES, show_policy),
    operation("PUT", "/v1/policy", JUDGES, set_policy),
)
