"""The desk of orders: campaigns and line items, made once, moved through their statuses, explained."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from typing import TypeVar

from openslot_server.core import Core
from openslot_server.demand.caps import DAY_MS
from openslot_server.demand.delivery import Delivery, Told, delivery_of, tell
from openslot_server.demand.model import JUDGED, Campaign, CampaignDraft, LineItem, LineItemDraft, Status
from openslot_server.desks.own import own
from openslot_server.impressions.ledger import Entry, Kind
from openslot_server.impressions.postings import funded
from openslot_server.keys import Principal
from openslot_server.storage.store import DecisionRow
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.ids import make_id

__all__ = ["OrderDesk"]

Order = TypeVar("Order", Campaign, LineItem)


class OrderDesk:
    """Takes advertisers' orders."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def create_campaign(self, principal: Principal, draft: CampaignDraft, once: str | None = None) -> Campaign:
        """Return the new campaign, or the one made with the same `once`; raises `ONCE_REUSED` if that differs."""
        advertiser = draft.advertiser or principal.account
        if draft.advertiser is None and principal.role == "operator":
            raise OpenSlotError(Code.INVALID, "an operator must name one", where="advertiser")
        principal.require_account("advertiser", advertiser)
        campaign = Campaign(id=self._name("cmp", advertiser, once), advertiser=advertiser, name=draft.name)
        if campaign.id in self._core.rooms.orders.campaigns:
            return await self._repeated(self._core.rooms.orders.campaigns[campaign.id], campaign)
        await self._core.commit([self._core.rooms.orders.keep_campaign(campaign, self._core.clock())])
        return campaign

    def campaigns(self, principal: Principal) -> list[Campaign]:
        """Return the principal's campaigns; all of them for an operator."""
        return own(principal, self._core.rooms.orders.campaigns.values())

    async def set_campaign_status(self, principal: Principal, campaign: str, status: Status) -> Campaign:
        """Return the campaign after the step; raises `CAMPAIGN_UNKNOWN`, or `INVALID` for a step the table lacks."""
        orders = self._core.rooms.orders
        before = orders.campaign(campaign)
        principal.require_account("advertiser", before.advertiser)
        if JUDGED.intersection((before.status, status)):
            principal.require("operator")
        after = orders.step(before, status)
        await self._core.commit([orders.keep_campaign(after, self._core.clock())])
        return after

    async def create_line_item(self, principal: Principal, draft: LineItemDraft, once: str | None = None) -> LineItem:
        """Return the new line item, its budget funded in the ledger, or the one made with the same `once`.

        Raises:
            OpenSlotError: `CAMPAIGN_UNKNOWN`, `LINE_ITEM_INVALID` naming the field, or `ONCE_REUSED`.
        """
        rooms, now_ms = self._core.rooms, self._core.clock()
        advertiser = rooms.orders.campaign(draft.campaign).advertiser
        principal.require_account("advertiser", advertiser)
        name = self._name("li", advertiser, once)
        if name in rooms.orders.line_items:
            made = LineItem(**dict(draft), id=name, advertiser=advertiser)
            return await self._repeated(rooms.orders.line_items[name], made)
        line_item = rooms.orders.admit(draft, name, now_ms)
        lot = rooms.budgets.fund(line_item.id, line_item.budget.currency, line_item.budget.micros)
        entry = Entry(Kind.FUND, now_ms, line_item.id, funded(lot, line_item.advertiser), (lot,))
        await self._core.commit([rooms.orders.keep_line_item(line_item, now_ms), *rooms.ledger.append(entry)])
        return line_item

    def line_items(self, principal: Principal) -> list[LineItem]:
        """Return the principal's line items; all of them for an operator."""
        return own(principal, self._core.rooms.orders.line_items.values())

    async def set_line_item_status(self, principal: Principal, line_item: str, status: Status) -> LineItem:
        """Return the line item after the step; raises `LINE_ITEM_UNKNOWN`, or `INVALID`."""
        orders = self._core.rooms.orders
        before = orders.line_item(line_item)
        principal.require_account("advertiser", before.advertiser)
        if JUDGED.intersection((before.status, status)):
            principal.require("operator")
        after = orders.step(before, status)
        await self._core.commit([orders.keep_line_item(after, self._core.clock())])
        return after

    async def delivery(self, principal: Principal, line_item: str, world: str | None, slot: str | None) -> Delivery:
        """Return what became of the last day's requests for a line item, in one world or slot if named."""
        kept = self._core.rooms.orders.line_item(line_item)
        principal.require_account("advertiser", kept.advertiser)
        since_ms = max(0, self._core.clock() - DAY_MS)
        told = await asyncio.to_thread(self._tell, kept, since_ms)
        chosen = Counter(
            {one: count for one, count in told.items() if world in (None, one.world) and slot in (None, one.slot)}
        )
        return delivery_of(chosen, kept, self._core.rooms.decider, since_ms)

    def _tell(self, line_item: LineItem, since_ms: int) -> Counter[Told]:
        with self._core.store.read() as reader:
            flight = line_item.from_ms, line_item.to_ms
            return tell(reader.load(DecisionRow), line_item.id, flight, since_ms)

    async def _repeated(self, known: Order, made: Order) -> Order:
        """Return what is known under this name, once it is durable; raises `ONCE_REUSED` if other things were said."""
        if made.model_copy(update={"status": known.status}) != known:
            raise OpenSlotError(Code.ONCE_REUSED, known.id, where="Idempotency-Key")
        await self._core.commit([])
        return known

    def _name(self, prefix: str, account: str, once: str | None) -> str:
        """Return a new name, or the one that `account` and `once` always make."""
        if once is None:
            return f"{prefix}-{make_id(self._core.clock(), self._core.entropy(10)).hex()}"
        return f"{prefix}-{hashlib.sha256(f'{account} {once}'.encode()).hexdigest()[:32]}"
