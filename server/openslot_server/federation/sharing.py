"""Which slots a server shares with whom, from what price, and for what."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from openslot_spec.feeds import EVERYBODY, Audience
from openslot_spec.records import Id, Money, Record
from openslot_spec.slots import Category, Slot, Tag

__all__ = ["Share", "as_shared"]


class Share(Record):
    """What an audience hears of: everybody, or one peer by its origin."""

    audience: Audience = EVERYBODY
    worlds: Annotated[tuple[Id, ...], Field(strict=False, max_length=1024)] = ()
    """If there are any, slots of these worlds alone."""
    tags: Annotated[tuple[Tag, ...], Field(strict=False, max_length=16)] = ()
    """If there are any, slots that have one of them."""
    floor_cpm: Money | None = None
    """The least that a thousand viewable impressions may bring from there, where the slot itself asks for less."""
    categories_blocked: Annotated[tuple[Category, ...], Field(strict=False, max_length=32)] = ()
    """IAB content taxonomy ids that may not come from there, beside the slot's own."""


def as_shared(share: Share, world: str, slot: Slot) -> Slot | None:
    """Return the slot as this audience hears of it, or None if it does not."""
    if (share.worlds and world not in share.worlds) or (share.tags and not {*share.tags} & {*slot.tags}):
        return None
    blocked = tuple(dict.fromkeys((*slot.categories_blocked, *share.categories_blocked)))[:64]
    floor = slot.floor_cpm
    if share.floor_cpm is not None and share.floor_cpm.micros > floor.micros:
        floor = share.floor_cpm
    return slot.model_copy(update={"categories_blocked": blocked, "floor_cpm": floor})
