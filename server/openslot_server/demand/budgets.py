"""Budgets: what each line item has left, what its placements hold, and the rule that neither is ever below zero.

Every change is a lot (see `impressions.ledger`): an operation works out the lot and applies it, and a restart applies
the same lots again, so the state after a restart is the state before it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from openslot_server.impressions.ledger import Funded, Lot, Released, Reserved, Reversed, Settled

__all__ = ["Budget", "Budgets", "Reservation"]


@dataclass(slots=True)
class Budget:
    """A line item's money, in micros."""

    currency: str
    left: int = 0
    reserved: int = 0
    spent: int = 0
    granted: int = 0
    """All that placements ever held; it never falls."""


@dataclass(slots=True)
class Reservation:
    """A placement's claim."""

    line_item: str
    price_micros: int
    held: int
    """Impressions whose price is set aside."""
    billable: int
    """Impressions that may still be paid for at all."""
    until_ms: int


class Budgets:
    """All line items' budgets and all open placements' reservations."""

    def __init__(self) -> None:
        self.line_items: dict[str, Budget] = {}
        self.placements: dict[str, Reservation] = {}
        self._due: list[tuple[int, str]] = []
        """A heap of what is held, by the time until which it is."""
        self._over: deque[tuple[int, str]] = deque()
        """Placements whose time is over, in that order."""
        self.watch: Callable[[str], None] = _nobody
        """Told of each line item whose budget changed."""

    def fund(self, line_item: str, currency: str, micros: int) -> Funded:
        """Add to a line item's budget."""
        lot = Funded(line_item, currency, micros)
        self.apply(lot)
        return lot

    def left(self, line_item: str) -> int:
        """Return how many micros are neither spent nor reserved; 0 for a line item that was never funded."""
        budget = self.line_items.get(line_item)
        return budget.left if budget else 0

    def affordable(self, line_item: str, price_micros: int) -> int:
        """Return how many impressions at this price can be reserved now."""
        return self.line_items[line_item].left // price_micros

    def reserve(self, lot: Reserved) -> Reserved | None:
        """Hold money for the lot's viewers, or for as many as the budget allows; None if it allows none."""
        viewers = min(lot.viewers, self.affordable(lot.line_item, lot.price_micros))
        if viewers <= 0:
            return None
        granted = Reserved(lot.placement, lot.line_item, lot.price_micros, viewers, lot.until_ms)
        self.apply(granted)
        return granted

    def settle(self, placement: str, impressions: int) -> Settled:
        """Pay for impressions: from what the placement holds, then from what is left, the rest free."""
        claim = self.placements[placement]
        payable = min(impressions, claim.billable)
        from_reserved = min(payable, claim.held)
        from_budget = min(payable - from_reserved, self.affordable(claim.line_item, claim.price_micros))
        lot = Settled(placement, from_reserved, from_budget, impressions - from_reserved - from_budget)
        self.apply(lot)
        return lot

    def release_due(self, now_ms: int) -> Iterator[Released]:
        """Let go of what placements hold whose time is over."""
        while self._due and self._due[0][0] <= now_ms:
            due = heapq.heappop(self._due)
            self._over.append(due)
            held = self.placements[due[1]].held
            if held:
                lot = Released(due[1], held)
                self.apply(lot)
                yield lot

    def forget_due(self, before_ms: int) -> Iterator[str]:
        """Drop the released placements whose time was over at `before_ms`: no event is taken for them any more."""
        while self._over and self._over[0][0] <= before_ms:
            _, placement = self._over.popleft()
            del self.placements[placement]
            yield placement

    def apply(self, lot: Lot) -> None:
        """Change the state as the lot says; an `AssertionError` means that lots were lost or made up."""
        match lot:
            case Funded():
                budget = self.line_items.setdefault(lot.line_item, Budget(lot.currency))
                budget.left += lot.micros
            case Reserved():
                budget = self._apply_reserved(lot)
            case Settled():
                budget = self._apply_settled(lot)
            case Reversed():
                budget = self.line_items[lot.line_item]
                budget.left += lot.price_micros
                budget.spent -= lot.price_micros
            case Released():
                claim = self.placements[lot.placement]
                claim.held -= lot.viewers
                budget = self._move(claim, left=lot.viewers, reserved=-lot.viewers)
        self.watch(lot.line_item if isinstance(lot, Funded | Reversed) else self.placements[lot.placement].line_item)
        assert min(budget.left, budget.reserved, budget.spent) >= 0, f"overdrawn by {lot}"  # noqa: S101  kept on purpose

    def _apply_reserved(self, lot: Reserved) -> Budget:
        assert lot.placement not in self.placements, f"{lot.placement} reserves twice"  # noqa: S101  kept on purpose
        claim = Reservation(lot.line_item, lot.price_micros, lot.viewers, lot.viewers, lot.until_ms)
        self.placements[lot.placement] = claim
        heapq.heappush(self._due, (lot.until_ms, lot.placement))
        self.line_items[lot.line_item].granted += lot.viewers * lot.price_micros
        return self._move(claim, left=-lot.viewers, reserved=lot.viewers)

    def _apply_settled(self, lot: Settled) -> Budget:
        claim = self.placements[lot.placement]
        paid = lot.from_reserved + lot.from_budget
        claim.held -= lot.from_reserved
        claim.billable -= paid
        assert claim.held >= 0 and claim.billable >= 0, f"more paid than reserved: {lot}"  # noqa: S101, PT018  kept
        return self._move(claim, left=-lot.from_budget, reserved=-lot.from_reserved, spent=paid)

    def _move(self, claim: Reservation, *, left: int = 0, reserved: int = 0, spent: int = 0) -> Budget:
        budget = self.line_items[claim.line_item]
        budget.left += left * claim.price_micros
        budget.reserved += reserved * claim.price_micros
        budget.spent += spent * claim.price_micros
        return budget


def _nobody(_: str) -> None:
    """Tell nobody."""
