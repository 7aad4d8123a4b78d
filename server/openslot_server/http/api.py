"""The REST API for people and programs: creatives, campaigns, line items, accounts, slots.

`OPERATIONS` is the whole of it; `/openapi.json` is written from the same table. A creative is uploaded as the plain
bytes of its GLB, with what is said of it in the query string: nothing has to be unpacked before its size is known.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from openslot_server.audit.trust import Standings
from openslot_server.demand.delivery import Delivery
from openslot_server.demand.model import Campaign, CampaignDraft, LineItem, LineItemDraft
from openslot_server.http.creatives import CREATIVE_OPERATIONS, account_of
from openslot_server.http.openapi import document
from openslot_server.http.peers import PEER_OPERATIONS
from openslot_server.http.records import (
    Account,
    AccountPage,
    CampaignPage,
    DeliveryQuery,
    Empty,
    KeyAnswer,
    KeyDraft,
    KeyPage,
    KeyRecord,
    LineItemPage,
    Page,
    ReportQuery,
    SlotPage,
    SlotQuery,
    StatusChange,
)
from openslot_server.http.reviews import REVIEW_OPERATIONS
from openslot_server.http.routes import Call, once, operation, page_of, routes
from openslot_server.http.uploads import UPLOAD_OPERATIONS
from openslot_server.keys import Role
from openslot_server.reports.queries import Report
from openslot_server.reports.tables import csv_rows
from openslot_server.storage.store import KeyRow

__all__ = ["OPERATIONS", "api_routes", "description"]


async def create_campaign(call: Call[Empty, CampaignDraft]) -> Campaign:
    """Create a campaign, which groups line items that run and pause together."""
    return await call.server.orders.create_campaign(call.principal, call.body, call.once)


async def list_campaigns(call: Call[Page, Empty]) -> CampaignPage:
    """List the account's campaigns."""
    items, after = page_of(call.server.orders.campaigns(call.principal), lambda campaign: campaign.id, call.query)
    return CampaignPage(items=items, next=after)


async def set_campaign_status(call: Call[Empty, StatusChange]) -> Campaign:
    """Pause, activate or complete a campaign."""
    return await call.server.orders.set_campaign_status(call.principal, call.path["id"], call.body.status)


async def create_line_item(call: Call[Empty, LineItemDraft]) -> LineItem:
    """Create a line item: creatives, a price, a budget and a flight. Its budget is booked in the ledger."""
    return await call.server.orders.create_line_item(call.principal, call.body, call.once)


async def list_line_items(call: Call[Page, Empty]) -> LineItemPage:
    """List the account's line items."""
    items, after = page_of(call.server.orders.line_items(call.principal), lambda item: item.id, call.query)
    return LineItemPage(items=items, next=after)


async def set_line_item_status(call: Call[Empty, StatusChange]) -> LineItem:
    """Pause, activate or complete a line item."""
    return await call.server.orders.set_line_item_status(call.principal, call.path["id"], call.body.status)


async def show_delivery(call: Call[DeliveryQuery, Empty]) -> Delivery:
    """Say why a line item does or does not deliver: what took how many of the last day's requests."""
    return await call.server.orders.delivery(call.principal, call.path["id"], call.query.world, call.query.slot)


async def list_worlds(call: Call[Page, Empty]) -> AccountPage:
    """List the worlds that have a key or have registered slots; a world sees itself."""
    worlds = {*call.server.reports.worlds(call.principal)}
    if call.principal.role == "operator":
        worlds |= {key.account for key in call.server.keys.all(call.principal) if key.role == "world"}
    return _accounts(worlds, call.query)


async def list_advertisers(call: Call[Page, Empty]) -> AccountPage:
    """List the advertisers that have a key."""
    keys = call.server.keys.all(call.principal)
    return _accounts({key.account for key in keys if key.role == "advertiser"}, call.query)


async def open_world(call: Call[Empty, Account]) -> KeyAnswer:
    """Open a world's account and give its key."""
    return await _new_key(call, "world", call.body.id)


async def open_advertiser(call: Call[Empty, Account]) -> KeyAnswer:
    """Open an advertiser's account and give its key."""
    return await _new_key(call, "advertiser", call.body.id)


async def create_key(call: Call[Empty, KeyDraft]) -> KeyAnswer:
    """Give an account one more key."""
    return await _new_key(call, call.body.role, call.body.account)


async def list_keys(call: Call[Page, Empty]) -> KeyPage:
    """List all keys: whose they are, never what they are."""
    items, after = page_of(map(_key_record, call.server.keys.all(call.principal)), lambda key: key.name, call.query)
    return KeyPage(items=items, next=after)


async def revoke_key(call: Call[Empty, Empty]) -> KeyRecord:
    """Revoke a key for good; its connections are closed."""
    return _key_record(await call.server.keys.revoke(call.principal, call.path["name"]))


async def list_slots(call: Call[SlotQuery, Empty]) -> SlotPage:
    """List a world's slots as registered over the socket."""
    world = account_of(call.principal, "world", call.query.world)
    items, after = page_of(call.server.reports.slots(call.principal, world), lambda slot: slot.id, call.query)
    return SlotPage(items=items, next=after)


async def list_audits(call: Call[Empty, Empty]) -> Standings:
    """Return by world how far its claims held when their evidence was examined."""
    return await call.server.reports.standings(call.principal)


async def make_report(call: Call[ReportQuery, Empty]) -> Report | Response:
    """Recount the ledger and the stored events: an account's own figures, an operator's all of them."""
    by = call.query.by or ("line_item" if call.principal.role == "advertiser" else "slot")
    report = await call.server.reports.report(call.principal, by)
    return _csv(report) if call.query.format == "csv" else report


ADVERTISER: tuple[Role, ...] = ("advertiser",)
WORLD: tuple[Role, ...] = ("world",)
EVERYONE: tuple[Role, ...] = ("world", "advertiser")
OPERATOR: tuple[Role, ...] = ()
OPERATIONS = (
    *CREATIVE_OPERATIONS,
    *UPLOAD_OPERATIONS,
    *REVIEW_OPERATIONS,
    once(operation("POST", "/v1/campaigns", ADVERTISER, create_campaign, status=201)),
    operation("GET", "/v1/campaigns", ADVERTISER, list_campaigns),
    operation("PATCH", "/v1/campaigns/{id}", ADVERTISER, set_campaign_status),
    once(operation("POST", "/v1/line-items", ADVERTISER, create_line_item, status=201)),
    operation("GET", "/v1/line-items", ADVERTISER, list_line_items),
    operation("PATCH", "/v1/line-items/{id}", ADVERTISER, set_line_item_status),
    operation("GET", "/v1/line-items/{id}/delivery", ADVERTISER, show_delivery),
    operation("GET", "/v1/worlds", WORLD, list_worlds),
    operation("POST", "/v1/worlds", OPERATOR, open_world, status=201),
    operation("GET", "/v1/advertisers", OPERATOR, list_advertisers),
    operation("POST", "/v1/advertisers", OPERATOR, open_advertiser, status=201),
    operation("GET", "/v1/keys", OPERATOR, list_keys),
    operation("POST", "/v1/keys", OPERATOR, create_key, status=201),
    operation("DELETE", "/v1/keys/{name}", OPERATOR, revoke_key),
    operation("GET", "/v1/slots", WORLD, list_slots),
    operation("GET", "/v1/reports", EVERYONE, make_report, other_media=("text/csv",)),
    operation("GET", "/v1/audits", OPERATOR, list_audits),
    *PEER_OPERATIONS,
)


def api_routes() -> list[Route]:
    """Return the routes of all operations and of their description.

    The application holds `state.server` and `state.intake`, and `errors.HANDLERS` as its exception handlers.
    """
    return [*routes(OPERATIONS), Route("/openapi.json", _describe, methods=["GET"])]


@cache
def description() -> dict[str, Any]:
    """Return the OpenAPI document; made when it is first asked for."""
    return document(OPERATIONS)


async def _describe(_: Request) -> Response:
    return JSONResponse(description())


async def _new_key(call: Call[Any, Any], role: Role, account: str) -> KeyAnswer:
    key = await call.server.keys.add(call.principal, role, account)
    return KeyAnswer(role=role, account=account, key=key)


def _key_record(row: KeyRow) -> KeyRecord:
    return KeyRecord(name=row.sha256[:16], role=row.role, account=row.account, created_ms=row.created_ms)


def _accounts(names: Iterable[str], page: Page) -> AccountPage:
    items, after = page_of(names, str, page)
    return AccountPage(items=tuple(Account(id=name) for name in items), next=after)


def _csv(report: Report) -> Response:
    text = io.StringIO()
    csv.writer(text).writerows(csv_rows(report))
    return Response(text.getvalue(), media_type="text/csv", headers={"Cache-Control": "no-store"})
