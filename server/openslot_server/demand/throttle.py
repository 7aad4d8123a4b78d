"""Coins: a line item that is throttled takes part in so many of its auctions and no more, drawn for each anew.

A coin is drawn from the decision's name and the line item's, so anyone can draw it again. There is no table of who
takes part that decisions share: such tables are off by up to 19 points, or repeat with the slots of a scene.
"""

from __future__ import annotations

from functools import lru_cache

from openslot_server.demand.draws import mix, seed_of

__all__ = ["WHOLE", "part_of", "takes_part"]

WHOLE = 1 << 32
"""The throttle that lets a line item take part in everything."""


def part_of(share: float) -> int:
    """Return the throttle for a share of all auctions, from 0 to 1."""
    return max(0, min(WHOLE, round(share * WHOLE)))


def takes_part(throttle: int, draw: bytes, line_item: str) -> bool:
    """Return whether a line item takes part in the decision that draws from `draw`."""
    return throttle >= WHOLE or mix(seed_of(draw), _seed(line_item)) >> 32 < throttle


@lru_cache(maxsize=1 << 17)
def _seed(line_item: str) -> int:
    return seed_of(line_item.encode("ascii"))
