"""What a viewer may do with an ad: open a page, go to another world, look at a product, wish for it.

A creative carries actions, a slot says which kinds its world allows, and each use is one interaction event.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from openslot_spec.records import Line, Record

__all__ = ["KINDS_ALLOWED", "LEAVING", "Action", "ActionId", "ActionKind", "Actions", "Product"]

ActionKind = Literal["open_url", "portal", "product", "wish"]
KINDS_ALLOWED: tuple[ActionKind, ...] = ("open_url",)
"""What a slot allows that does not say."""
LEAVING: frozenset[ActionKind] = frozenset({"open_url", "portal"})
"""These lead out of the world, so the viewer is asked first."""
ActionId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
SecureUrl = Annotated[str, Field(pattern=r"^https://[^\s]{1,1990}$")]
Amount = Annotated[str, Field(pattern=r"^\d{1,12}(\.\d{1,4})?$")]


class Product(Record):
    """A product card, in fields of schema.org's Product and Offer."""

    name: Line
    description: Annotated[str, Field(max_length=1000)] = ""
    brand: Annotated[str, Field(max_length=120)] = ""
    sku: Annotated[str, Field(max_length=64)] = ""
    gtin: Annotated[str, Field(pattern=r"^(\d{8}|\d{12,14})$")] | None = None
    image: SecureUrl | None = None
    url: SecureUrl | None = None
    price: Amount | None = None
    """A decimal number, without its currency."""
    price_currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    """ISO 4217."""
    availability: Literal["in_stock", "out_of_stock", "pre_order", "discontinued"] | None = None

    @model_validator(mode="after")
    def _priced(self) -> Self:
        if (self.price is None) != (self.price_currency is None):
            raise ValueError("price and price_currency stand together")
        return self


class Action(Record):
    """One thing that a viewer may do with the ad."""

    id: ActionId
    """Unique within the creative; interaction events name it."""
    kind: ActionKind
    title: Line
    """What stands on the button."""
    url: SecureUrl | None = None
    """Of `open_url` the page, of `portal` the portal of another world."""
    product: Product | None = None
    """Of `product` the card, of `wish` what is wished for."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        leaves = self.kind in LEAVING
        if (self.url is not None) != leaves or (self.product is not None) == leaves:
            raise ValueError(f"{self.kind} has {'a url and no product' if leaves else 'a product and no url'}")
        return self


def _distinct(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    if len({action.id for action in actions}) != len(actions):
        raise ValueError("an action's id stands twice")
    return actions


Actions = Annotated[tuple[Action, ...], Field(strict=False, min_length=1, max_length=8), AfterValidator(_distinct)]
"""Of one creative."""
