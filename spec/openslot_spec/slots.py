"""The ad-slot record: where an ad may stand in a world, and what may stand there.

Frame: a slot's face looks along its local +Z, width along +X, height along +Y, its centre at the origin. The canonical
world frame is glTF's: right-handed, +Y up, metres. See `spec/slot.md`.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from openslot_spec.actions import ActionKind
from openslot_spec.profiles import AlsoProfiles, ProfileName
from openslot_spec.records import Id, Money, Quaternion, Record, Vec3

__all__ = [
    "EXTENSION",
    "About",
    "Accepts",
    "Align",
    "BuyerFloor",
    "Buyers",
    "Category",
    "Deal",
    "Pose",
    "Slot",
    "SlotTerms",
]

EXTENSION = "OPENSLOT_ad_slot"
"""The glTF extension's name; it stands on a node and holds `SlotTerms`."""

SlotId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Tag = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Category = Annotated[str, Field(max_length=16)]
Side = Annotated[float, Field(ge=1e-3, le=1e4)]
Align = Literal["centre", "top", "bottom", "left", "right", "top_left", "top_right", "bottom_left", "bottom_right"]
MediaType = Literal["model/gltf-binary", "image/png", "image/jpeg", "image/webp", "video/mp4", "video/webm"]


class Accepts(Record):
    """What a slot lets in."""

    media: Annotated[tuple[MediaType, ...], Field(strict=False, min_length=1, max_length=6)] = ("model/gltf-binary",)
    tier: Literal["S", "M", "L"] = "M"
    animation: bool = True
    actions: Annotated[tuple[ActionKind, ...], Field(strict=False, max_length=4)] | None = None
    """What its world lets viewers do with an ad; left out: `open_url` alone."""


class Pose(Record):
    """Where a slot stands: `world_from_slot` without scale."""

    position: Vec3
    rotation: Quaternion

    @model_validator(mode="after")
    def _unit(self) -> Self:
        if abs(math.hypot(*self.rotation) - 1.0) > 1e-3:
            raise ValueError("rotation is not a unit quaternion (x, y, z, w)")
        return self


class About(Record):
    """What stands around a slot, so that advertisers can choose by context instead of by viewer."""

    kind: Tag | None = None
    """What the slot is in its world, such as `billboard`, `poster`, `screen` or `shopfront`."""
    categories: Annotated[tuple[Category, ...], Field(strict=False, max_length=16)] = ()
    """IAB content taxonomy ids of the surroundings."""
    keywords: Annotated[tuple[Tag, ...], Field(strict=False, max_length=32)] = ()


class BuyerFloor(Record):
    """What one advertiser must pay at least, whatever the slot's floor is."""

    advertiser: Id
    floor_cpm: Money


class Deal(Record):
    """A private agreement: line items that name it compete here, from a floor of its own."""

    id: Id
    floor_cpm: Money


class Buyers(Record):
    """Who may buy a slot, and from what price."""

    allowed: Annotated[tuple[Id, ...], Field(strict=False, max_length=256)] = ()
    """If there are any, these advertisers alone."""
    blocked: Annotated[tuple[Id, ...], Field(strict=False, max_length=256)] = ()
    floors: Annotated[tuple[BuyerFloor, ...], Field(strict=False, max_length=64)] = ()
    deals: Annotated[tuple[Deal, ...], Field(strict=False, max_length=64)] = ()

    @model_validator(mode="after")
    def _once(self) -> Self:
        named = [one.advertiser for one in self.floors], [deal.id for deal in self.deals]
        if any(len(set(names)) != len(names) for names in named):
            raise ValueError("a floor or a deal stands twice")
        return self


class SlotTerms(Record):
    """What is said of a slot apart from where it stands: the body of the glTF extension.

    `size` is in the node's own units; a scene reader multiplies it by the node's world scale.
    """

    id: SlotId
    """Unique within a world."""
    size: Annotated[tuple[Side, Side], Field(strict=False)]
    """Width and height."""
    depth: Annotated[float, Field(ge=0, le=1000)] = 0.5
    """How far a creative may stand out in front of the slot's plane."""
    name: Annotated[str, Field(max_length=120)] = ""
    two_sided: bool = False
    """Whether it may be looked at from behind; a one-sided slot seen from behind is not visible."""
    fit: Literal["contain", "cover", "stretch", "fixed"] = "contain"
    scale: Annotated[float, Field(ge=1e-3, le=1e3)] | None = None
    """With `fixed` alone: how many metres of the slot are one of the creative; 1 if absent, so that sizes are real."""
    align: Align | None = None
    """To which edges of the slot a creative keeps; to none and in the middle if absent."""
    audience: Literal["shared", "per_viewer"] = "shared"
    """One board for all viewers, or an ad of their own for each."""
    accepts: Accepts = Accepts()
    floor_cpm: Money = Money(micros=0)
    """The least that a thousand viewable impressions may bring."""
    profile: ProfileName = "iig-2.0-display"
    """When a view counts: the name of a viewability profile."""
    also_profiles: AlsoProfiles = ()
    """More profiles by which its views are judged and reported, and not billed."""
    categories_blocked: Annotated[tuple[Category, ...], Field(strict=False, max_length=64)] = ()
    """IAB content taxonomy ids that may not stand here."""
    tags: Annotated[tuple[Tag, ...], Field(strict=False, max_length=16)] = ()
    about: About | None = None
    buyers: Buyers | None = None

    @model_validator(mode="after")
    def _scaled_if_fixed(self) -> Self:
        if self.scale is not None and self.fit != "fixed":
            raise ValueError("scale stands with fit `fixed` alone")
        return self


class Slot(SlotTerms):
    """A slot as it stands in a world: terms in metres, and a pose in the canonical frame."""

    pose: Pose

    def revision(self) -> str:
        """Return the first 32 hexadecimal digits of the record's digest; any change makes another."""
        return self.digest()[:32]
