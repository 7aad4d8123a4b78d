"""A market in which everything happens that a report tells."""

from __future__ import annotations

from openslot_spec.exposures import EventKind, WhyNot
from tests.server.market import Market


def busy_market() -> Market:
    """Return two worlds; money for some of the views, duplicates, a forged ticket, a foreign one, no ad, odd fees."""
    market = Market(platform_fee_ppm=333_333, late_ms=3_600_000)
    for world, slot in (("plaza", "north"), ("plaza", "south"), ("arcade", "north")):
        market.slot(slot, world=world)
    market.line_item(price=1_999, impressions=3)
    market.line_item(price=7, impressions=50, advertiser="boreal")
    ours, theirs = market.place(viewers=2).ticket, market.ask(world="arcade", viewers=9).placements[0].ticket
    market.ask("south", "attic")
    market.pass_time(10_000)
    market.send(
        ours, kind=EventKind.RENDERED, viewer=range(6), at_ms=market.now_ms - 5_000, continuous_ms=0, cumulative_ms=0
    )
    market.send(ours, viewer=[1, 2, 3, 3])
    market.send(ours, kind=EventKind.END, viewer=range(11), why=list(WhyNot), cumulative_ms=1_001, continuous_ms=1_000)
    market.send(ours, viewer=[1, 2, 20], profile=[4, 4, 9])
    market.send(ours, kind=EventKind.END, viewer=[1, 2], profile=4, why=[0, 7], cumulative_ms=1_003)
    market.send(ours, kind=range(4, 10), viewer=2, at_ms=market.now_ms - 1_000)
    market.send(theirs, b"forged", ours, ticket=[0, 1, 2], viewer=[1, 1, 5], world="arcade")
    market.pass_time(100_000)
    market.send(theirs, viewer=[7, 8], world="arcade")
    return market
