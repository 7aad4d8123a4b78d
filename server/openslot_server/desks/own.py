"""Which records a key may see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from openslot_server.keys import Principal

__all__ = ["own"]


def own(principal: Principal, records: Iterable[Any]) -> list[Any]:
    """Return the advertiser's own records; all of them for an operator."""
    principal.require("advertiser")
    return [one for one in records if principal.role == "operator" or one.advertiser == principal.account]
