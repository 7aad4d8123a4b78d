"""Which accounts each kind of lot moves money between. See the picture in `ledger`."""

from __future__ import annotations

from collections.abc import Iterable

from openslot_server.impressions.ledger import Funded, Posting, Settled
from openslot_spec.tickets import Ticket

__all__ = ["account", "fee_of", "funded", "merge", "released", "reserved", "returned", "settled"]

PPM = 1_000_000


def account(*words: str) -> str:
    """Return the account's name: its kind, whose it is, its currency. Ids and currencies hold no space."""
    return " ".join(words)


def funded(lot: Funded, advertiser: str) -> tuple[Posting, ...]:
    """Return what a budget's growth moves."""
    return (
        (account("funding", advertiser, lot.currency), -lot.micros),
        (account("budget", lot.line_item, lot.currency), lot.micros),
    )


def reserved(line_item: str, currency: str, micros: int) -> tuple[Posting, ...]:
    """Return what a reservation moves."""
    return (
        (account("budget", line_item, currency), -micros),
        (account("reserved", line_item, currency), micros),
    )


def released(line_item: str, currency: str, micros: int) -> tuple[Posting, ...]:
    """Return what a reservation that is let go moves."""
    return reserved(line_item, currency, -micros)


def settled(ticket: Ticket, lot: Settled, platform_fee_ppm: int) -> tuple[Posting, ...]:
    """Return what paid impressions move."""
    paid = lot.from_reserved + lot.from_budget
    price, currency = ticket.price_micros, ticket.currency
    fee = fee_of(price, platform_fee_ppm)
    return (
        (account("reserved", ticket.line_item, currency), -lot.from_reserved * price),
        (account("budget", ticket.line_item, currency), -lot.from_budget * price),
        (account("payable", ticket.world, ticket.slot, ticket.line_item, currency), paid * (price - fee)),
        (account("fee", ticket.world, ticket.slot, ticket.line_item, currency), paid * fee),
    )


def returned(where: tuple[str, str, str], currency: str, price_micros: int, fee_micros: int) -> tuple[Posting, ...]:
    """Return what one paid impression of a world, slot and line item moves back."""
    return (
        (account("payable", *where, currency), fee_micros - price_micros),
        (account("fee", *where, currency), -fee_micros),
        (account("budget", where[2], currency), price_micros),
    )


def fee_of(price_micros: int, platform_fee_ppm: int) -> int:
    """Return the platform's fee: of the price of one, rounded down, so batches do not matter."""
    return price_micros * platform_fee_ppm // PPM


def merge(postings: Iterable[Posting]) -> tuple[Posting, ...]:
    """Return one posting per account, sorted, those of nothing left out."""
    sums: dict[str, int] = {}
    for name, micros in postings:
        if micros:
            sums[name] = sums.get(name, 0) + micros
    return tuple(sorted([posting for posting in sums.items() if posting[1]]))
