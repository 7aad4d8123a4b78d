"""The rooms that a simulation drives: those of a server, without disk, clock or network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from openslot_server.catalogue import Catalogue
from openslot_server.demand.budgets import Budgets
from openslot_server.demand.caps import Counts
from openslot_server.demand.decide import Decider, Outcome
from openslot_server.demand.engine import Auction, Engine
from openslot_server.demand.model import Campaign, Creative, LineItem
from openslot_server.demand.orders import OrderBook
from openslot_server.demand.pacing import Pacer
from openslot_server.demand.tides import Tides
from openslot_server.impressions.ledger import Entry, Kind, Ledger, Posting
from openslot_server.impressions.postings import account, fee_of, funded, merge, released
from openslot_server.ticket_keys import TicketKeys, new_ticket_key

__all__ = ["CURRENCY", "Stage", "Viewed"]

CURRENCY = "USD"
PLACEMENT_MS, GRACE_MS = 30_000, 60_000
FEE_PPM = 100_000
SLOTS = 10_000


@dataclass(frozen=True, slots=True)
class Viewed:
    """A placement that was seen."""

    world: str
    outcome: Outcome


class Stage:
    """A market of line items, and the words for what happens to it."""

    def __init__(self, entropy: Callable[[int], bytes], auction: Auction, start_ms: int) -> None:
        self.budgets, self.ledger = Budgets(), Ledger()
        self.engine = Engine(self.budgets.left, auction)
        self.budgets.watch = self.engine.pay
        self.orders = OrderBook(CURRENCY, self.engine)
        self.catalogue = Catalogue(SLOTS, CURRENCY)
        self.pacer = Pacer(self.budgets, Tides())
        self.decider = Decider(
            self.catalogue,
            self.engine,
            self.budgets,
            Counts(),
            self.pacer,
            self.ledger,
            TicketKeys([new_ticket_key(entropy, start_ms)], PLACEMENT_MS),
            entropy,
            PLACEMENT_MS,
            GRACE_MS,
        )

    def book(self, line_items: Iterable[tuple[LineItem, Creative]], now_ms: int) -> None:
        """Take orders, and fund them."""
        for line_item, creative in line_items:
            self.orders.keep_creative(creative, now_ms)
            campaign = Campaign(id=line_item.campaign, advertiser=line_item.advertiser, name="Campaign")
            self.orders.keep_campaign(campaign, now_ms)
            lot = self.budgets.fund(line_item.id, line_item.budget.currency, line_item.budget.micros)
            postings = funded(lot, line_item.advertiser)
            self.ledger.append(Entry(Kind.FUND, now_ms, line_item.id, postings, (lot,)))
            self.orders.keep_line_item(line_item, now_ms)

    def settle(self, viewed: Sequence[Viewed], now_ms: int) -> int:
        """Pay for what was seen, as one batch; return how many impressions were free, for want of money."""
        lots = [self.budgets.settle(one.outcome.placement.hex(), 1) for one in viewed]
        paid = [one for one, lot in zip(viewed, lots, strict=True) for _ in range(lot.from_reserved)]
        late = [one for one, lot in zip(viewed, lots, strict=True) for _ in range(lot.from_budget)]
        moved = [*(_paid(one, "reserved") for one in paid), *(_paid(one, "budget") for one in late)]
        if lots:
            postings = merge(posting for some in moved for posting in some)
            self.ledger.append(Entry(Kind.SETTLE, now_ms, "", postings, tuple(lots)))
        return sum(lot.free for lot in lots)

    def sweep(self, now_ms: int) -> None:
        """Let time pass."""
        for _ in self.orders.turn(now_ms):
            pass
        lots = tuple(self.budgets.release_due(now_ms))
        if lots:
            self.ledger.append(Entry(Kind.RELEASE, now_ms, "", merge(self._let_go(lots)), lots))
        for _ in self.budgets.forget_due(now_ms):
            pass
        self.pacer.turn(self.orders.line_items, now_ms)

    def _let_go(self, lots: Iterable[object]) -> list[Posting]:
        found: list[Posting] = []
        for lot in lots:
            claim = self.budgets.placements[lot.placement]  # type: ignore[attr-defined]  # a lot that releases
            found += released(claim.line_item, CURRENCY, lot.viewers * claim.price_micros)  # type: ignore[attr-defined]
        return found


def _paid(one: Viewed, source: str) -> tuple[Posting, ...]:
    outcome, price = one.outcome, one.outcome.price_micros
    fee = fee_of(price, FEE_PPM)
    whose = one.world, outcome.slot, outcome.line_item, CURRENCY
    return (
        (account(source, outcome.line_item, CURRENCY), -price),
        (account("payable", *whose), price - fee),
        (account("fee", *whose), fee),
    )
