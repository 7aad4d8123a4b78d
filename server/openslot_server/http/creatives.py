"""The REST API of creatives: sent as the plain bytes of a file, with what is said of it in the query string.

Nothing has to be unpacked before its size is known.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.requests import Request

from openslot_server.creatives.intake import Approved, limit_bytes
from openslot_server.creatives.verdict import Tier
from openslot_server.demand.model import Creative
from openslot_server.http.bodies import read_body
from openslot_server.http.records import (
    CREATIVE_MEDIA,
    ActionsDraft,
    CreativePage,
    Empty,
    Page,
    RevokeQuery,
    Upload,
    UploadAnswer,
    UploadQuery,
)
from openslot_server.http.routes import Call, operation, page_of
from openslot_server.keys import Principal, Role
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["CREATIVE_OPERATIONS", "account_of", "registered"]


async def upload_creative(call: Call[UploadQuery, Upload]) -> UploadAnswer:
    """Upload a creative: the bytes of a GLB, PNG, JPEG, WebP, MP4 or WebM.

    They are taken for what they are, whatever Content-Type says. They are examined in a sandbox and kept by their
    sha-256; the same bytes again are the same creative. What the gate repaired is kept repaired, under the sha-256 of
    that. A refused file is answered with `creative.refused` and all findings, and nothing is kept.
    """
    said = call.query
    advertiser = account_of(call.principal, "advertiser", said.advertiser)
    with call.intake.place(advertiser):
        data = await read_body(call.request, CREATIVE_MEDIA, _limit(call.request, said.tier), Code.CREATIVE_TOO_LARGE)
        return await registered(call, data, said, advertiser)


async def list_creatives(call: Call[Page, Empty]) -> CreativePage:
    """List the account's creatives, revoked ones too."""
    items, after = page_of(call.server.creatives.all(call.principal), lambda creative: creative.sha256, call.query)
    return CreativePage(items=items, next=after)


async def show_creative(call: Call[Empty, Empty]) -> Creative:
    """Show one creative."""
    creative = call.server.creatives.get(call.path["sha256"])
    call.principal.require_account("advertiser", creative.advertiser)
    return creative


async def revoke_creative(call: Call[RevokeQuery, Empty]) -> Creative:
    """Withdraw a creative for good: it is taken off every connected world's screens and no longer served."""
    return await call.server.creatives.revoke(call.principal, call.path["sha256"], call.query.reason)


async def set_actions(call: Call[Empty, ActionsDraft]) -> Creative:
    """Say what viewers may do with a creative; places that approved of it look again."""
    return await call.server.creatives.set_actions(call.principal, call.path["sha256"], call.body.actions)


CREATIVE_OPERATIONS = (
    operation("POST", "/v1/creatives", ("advertiser",), upload_creative, status=201),
    operation("GET", "/v1/creatives", ("advertiser",), list_creatives),
    operation("GET", "/v1/creatives/{sha256}", ("advertiser",), show_creative),
    operation("PUT", "/v1/creatives/{sha256}/actions", ("advertiser",), set_actions),
    operation("DELETE", "/v1/creatives/{sha256}", ("advertiser",), revoke_creative),
)


async def registered(call: Call[Any, Any], data: bytes, said: UploadQuery, advertiser: str) -> UploadAnswer:
    """Return the creative in `data` once it has passed the gate and is kept."""
    admit = partial(call.server.creatives.admit, advertiser)
    approved = await call.intake.take(data, said.tier, admit)
    creative = await call.server.creatives.register(call.principal, _creative(approved, said, advertiser))
    return UploadAnswer(
        creative=creative,
        url=creative.ref().url,
        triangles=approved.stats.triangles,
        draws=approved.stats.draws,
        findings=approved.findings,
    )


def account_of(principal: Principal, role: Role, named: str | None) -> str:
    """Return the account that a request is about: the key's own, unless an operator names another."""
    if named is None and principal.role == "operator":
        raise OpenSlotError(Code.INVALID, f"an operator names the {role}", where=f"?{role}")
    account = named or principal.account
    principal.require_account(role, account)
    return account


def _creative(approved: Approved, said: UploadQuery, advertiser: str) -> Creative:
    return Creative(
        sha256=approved.sha256,
        media_type=approved.media_type,
        size_bytes=approved.size_bytes,
        advertiser=advertiser,
        label=said.label,
        landing_url=said.landing_url,
        tier=approved.stats.tier,
        size=approved.stats.size,
        animated=approved.stats.animated,
        categories=said.categories,
        video=approved.video,
        rating=said.rating,
        language=said.language,
        likeness=approved.stats.likeness or (),
    )


def _limit(request: Request, tier: Tier) -> int:
    return limit_bytes(tier, video=request.headers.get("content-type", "").startswith("video/"))
