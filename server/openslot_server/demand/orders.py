"""The order book: campaigns, line items and creatives as they stand, and what may become of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from openslot_server.demand.engine import Engine
from openslot_server.demand.flights import Moments
from openslot_server.demand.model import (
    RUNNING,
    TRANSITIONS,
    Campaign,
    Clearance,
    Creative,
    LineItem,
    LineItemDraft,
    Offer,
    Status,
    check_transition,
)
from openslot_server.storage.store import CampaignRow, CreativeRow, LineItemRow
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.records import Record

__all__ = ["OrderBook"]

NOBODY_OBJECTS = Clearance()
SomeRecord = TypeVar("SomeRecord", bound=Record)


def everywhere(_: Creative) -> Clearance:
    """Let a creative be shown in every world."""
    return NOBODY_OBJECTS


class OrderBook:
    """All advertisers' orders. Changes return the row that makes them durable, and are told to the engine."""

    def __init__(
        self, currency: str, engine: Engine, clear: Callable[[Creative], Clearance | None] = everywhere
    ) -> None:
        self._currency = currency
        self._engine = engine
        self._clear = clear
        self.campaigns: dict[str, Campaign] = {}
        self.line_items: dict[str, LineItem] = {}
        self.creatives: dict[str, Creative] = {}
        self.posters: dict[str, str] = {}
        """The video of each poster."""
        self._revoked_ms: dict[str, int] = {}
        self._concerned: defaultdict[str, set[str]] = defaultdict(set)
        """Which line items a campaign or a creative stands in."""
        self._moments = Moments()

    def load(self, rows: Iterable[CampaignRow | LineItemRow | CreativeRow]) -> None:
        """Take rows back as they were kept."""
        for row in rows:
            match row:
                case CampaignRow():
                    self.campaigns[row.id] = Campaign.model_validate_json(row.record)
                case LineItemRow():
                    self._keep(LineItem.model_validate_json(row.record))
                case CreativeRow():
                    self._know(Creative.model_validate_json(row.record), row.at_ms)

    def open(self, now_ms: int) -> None:
        """Tell the engine of all that was loaded."""
        self._engine.fill(self.offers(), now_ms)

    def offers(self) -> Iterator[Offer]:
        """Yield what may run now, flights and budgets apart.

        These are the active line items of active campaigns that have a creative to show.
        """
        found = (self._offer(line_item) for line_item in self.line_items.values())
        return (offer for offer in found if offer is not None)

    def turn(self, now_ms: int) -> Iterator[LineItemRow]:
        """Yield the line items that begin or end by themselves, in their next status."""
        for name in self._moments.due(now_ms):
            before = self.line_items[name]
            after: Status = "completed" if before.to_ms <= now_ms else "active"
            if before.status == "scheduled" or (after == "completed" and before.status in ("active", "paused")):
                yield self.keep_line_item(before.model_copy(update={"status": after}), now_ms)

    def keep_campaign(self, campaign: Campaign, now_ms: int) -> CampaignRow:
        """Add or replace a campaign."""
        self.campaigns[campaign.id] = campaign
        self._tell(self._concerned[campaign.id])
        return CampaignRow(campaign.id, campaign.advertiser, campaign.model_dump_json(exclude_none=True), now_ms)

    def keep_line_item(self, line_item: LineItem, now_ms: int) -> LineItemRow:
        """Add or replace a line item."""
        self._keep(line_item)
        self._tell([line_item.id])
        return LineItemRow(line_item.id, line_item.advertiser, line_item.model_dump_json(exclude_none=True), now_ms)

    def keep_creative(self, creative: Creative, now_ms: int) -> CreativeRow:
        """Add or replace a creative.

        Raises:
            OpenSlotError: `CREATIVE_REFUSED` if these bytes are another advertiser's or were revoked.
        """
        before = self.creatives.get(creative.sha256, creative)
        if before.advertiser != creative.advertiser:
            raise OpenSlotError(Code.CREATIVE_REFUSED, "these bytes belong to another advertiser", where="sha256")
        if before.revoked and not creative.revoked:
            raise OpenSlotError(Code.CREATIVE_REFUSED, "it was revoked", where="sha256")
        self._know(creative, now_ms)
        self._tell(self._concerned[creative.sha256])
        return CreativeRow(creative.sha256, creative.advertiser, creative.model_dump_json(exclude_none=True), now_ms)

    def clear_again(self, creatives: Iterable[str]) -> None:
        """Take note that the worlds in which these may be shown changed."""
        self._tell({name for sha256 in creatives for name in self._concerned[sha256]})

    def campaign(self, campaign: str) -> Campaign:
        """Return a campaign; raises `CAMPAIGN_UNKNOWN`."""
        return _find(self.campaigns, campaign, Code.CAMPAIGN_UNKNOWN)

    def line_item(self, line_item: str) -> LineItem:
        """Return a line item; raises `LINE_ITEM_UNKNOWN`."""
        return _find(self.line_items, line_item, Code.LINE_ITEM_UNKNOWN)

    def revoked_since(self, since_ms: int) -> list[str]:
        """Return the creatives that were revoked at `since_ms` or later."""
        return [sha256 for sha256, at_ms in self._revoked_ms.items() if at_ms >= since_ms]

    def creative(self, sha256: str) -> Creative:
        """Return a creative; raises `CREATIVE_UNKNOWN`."""
        return _find(self.creatives, sha256, Code.CREATIVE_UNKNOWN)

    def admit(self, draft: LineItemDraft, line_item: str, now_ms: int) -> LineItem:
        """Return the line item that `draft` makes.

        Raises:
            OpenSlotError: `CAMPAIGN_UNKNOWN`, or `LINE_ITEM_INVALID` naming the field.
        """
        campaign = self.campaign(draft.campaign)
        for index, sha256 in enumerate(draft.creatives):
            creative = self.creatives.get(sha256)
            if creative is None or creative.advertiser != campaign.advertiser or creative.revoked:
                detail = "no creative of this advertiser that may be shown has this hash"
                raise OpenSlotError(Code.LINE_ITEM_INVALID, detail, where=f"creatives/{index}")
        if draft.cpm.currency != self._currency:
            raise OpenSlotError(
                Code.LINE_ITEM_INVALID, f"prices are in {self._currency} here, the nearest", where="cpm/currency"
            )
        if draft.to_ms <= now_ms:
            raise OpenSlotError(
                Code.LINE_ITEM_INVALID, f"the flight is already over; nearest: {now_ms + 1}", where="to_ms"
            )
        status: Status = "scheduled" if now_ms < draft.from_ms else "active"
        return LineItem(**dict(draft), id=line_item, advertiser=campaign.advertiser, status=status)

    def step(self, record: SomeRecord, status: Status) -> SomeRecord:
        """Return a campaign or line item in its next status; raises `INVALID` for a step the table lacks."""
        check_transition(getattr(record, "status"), status)  # noqa: B009  both kinds have one
        return record.model_copy(update={"status": status})

    def _keep(self, line_item: LineItem) -> None:
        self.line_items[line_item.id] = line_item
        for at_ms in (line_item.from_ms, line_item.to_ms):
            if TRANSITIONS[line_item.status]:
                self._moments.add(at_ms, line_item.id)
        for name in (line_item.campaign, *line_item.creatives):
            self._concerned[name].add(line_item.id)

    def _tell(self, line_items: Iterable[str]) -> None:
        for name in line_items:
            offer = self._offer(self.line_items[name])
            if offer is not None:
                self._engine.put(offer)
            elif self.line_items[name].status == "completed":
                self._engine.drop(name)
            else:
                self._engine.stop(name)

    def _know(self, creative: Creative, at_ms: int) -> None:
        self.creatives[creative.sha256] = creative
        if creative.video is not None:
            self.posters[creative.video.poster.sha256] = creative.sha256
        if creative.revoked:
            self._revoked_ms.setdefault(creative.sha256, at_ms)

    def _offer(self, line_item: LineItem) -> Offer | None:
        if not RUNNING.issuperset((line_item.status, self.campaigns[line_item.campaign].status)):
            return None
        shown: list[Creative] = []
        clearances: list[Clearance] = []
        for creative in (self.creatives[sha256] for sha256 in line_item.creatives):
            clearance = None if creative.revoked else self._clear(creative)
            if clearance is not None:
                shown.append(creative)
                clearances.append(clearance)
        says = any(one != NOBODY_OBJECTS for one in clearances)
        return Offer(line_item, tuple(shown), tuple(clearances) if says else ()) if shown else None


def _find(records: dict[str, SomeRecord], name: str, code: Code) -> SomeRecord:
    try:
        return records[name]
    except KeyError:
        raise OpenSlotError(code, name) from None
