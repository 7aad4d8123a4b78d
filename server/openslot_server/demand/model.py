"""What advertisers say: creatives, campaigns and line items, and the table of what their status may become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from openslot_spec.creatives import CreativeRef, HttpUrl
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.profiles import AlsoProfiles, profile_names
from openslot_spec.records import Id, Line, Money, Record, Sha256, TimeMs, Vec3
from openslot_spec.slots import MediaType, SlotId, Tag

__all__ = [
    "Campaign",
    "CampaignDraft",
    "Creative",
    "LineItem",
    "LineItemDraft",
    "Offer",
    "Status",
    "Targeting",
    "check_transition",
]

Status = Literal["draft", "active", "paused", "completed"]

TRANSITIONS: frozenset[tuple[Status, Status]] = frozenset(
    {
        ("draft", "active"),
        ("active", "paused"),
        ("paused", "active"),
        ("draft", "completed"),
        ("active", "completed"),
        ("paused", "completed"),
    }
)
"""From → to. Completed is the end; a step from a status to itself changes nothing and is always allowed."""

Category = Annotated[str, Field(min_length=1, max_length=16)]
ASPECT_RATIO_MAX = 3.0
CPM_STEP_MICROS = 1000
"""Prices are for a thousand; a multiple of this makes the price of one exact."""


def check_transition(before: Status, after: Status) -> None:
    """Raise `OpenSlotError(INVALID)` unless the table has this step."""
    if before != after and (before, after) not in TRANSITIONS:
        allowed = ", ".join(sorted(to for at, to in TRANSITIONS if at == before)) or "nothing"
        raise OpenSlotError(Code.INVALID, f"{before} may become {allowed}, not {after}", where="status")


class Creative(Record):
    """A creative that passed the gate, with what the auction must know of it."""

    sha256: Sha256
    media_type: MediaType
    size_bytes: Annotated[int, Field(ge=1, le=64 * 1024 * 1024)]
    advertiser: Id
    label: Line
    landing_url: HttpUrl | None = None
    tier: Literal["S", "M", "L"] = "M"
    """The smallest tier whose budget it keeps."""
    size: Vec3 | None = None
    """Width, height and depth of its box, in metres; absent where only the aspect is known or nothing is."""
    animated: bool = False
    categories: Annotated[tuple[Category, ...], Field(strict=False, max_length=16)] = ()
    revoked: bool = False

    def ref(self) -> CreativeRef:
        """Return what a world is told of it."""
        known = self.model_dump(include=set(CreativeRef.model_fields), exclude_none=True)
        return CreativeRef(**known, url=f"/assets/{self.sha256}")

    def aspect(self) -> float | None:
        """Return width ÷ height, or None if they are not known or one is zero."""
        if self.size is None or self.size[0] <= 0 or self.size[1] <= 0:
            return None
        return self.size[0] / self.size[1]


class Targeting(Record):
    """Where a line item may run; an empty field asks for nothing, each other one must match."""

    worlds: Annotated[tuple[Id, ...], Field(strict=False, max_length=1000)] = ()
    slots: Annotated[tuple[SlotId, ...], Field(strict=False, max_length=1000)] = ()
    tags: Annotated[tuple[Tag, ...], Field(strict=False, max_length=64)] = ()
    """At least one of them stands on the slot."""


class CampaignDraft(Record):
    """A campaign as an advertiser writes it."""

    name: Line
    advertiser: Id | None = None
    """Left out: the one whose key it is; an operator must name one."""


class Campaign(Record):
    """A group of line items that run and pause together."""

    id: Id
    advertiser: Id
    name: Line
    status: Status = "active"


def _check_profiles(names: tuple[str, ...]) -> None:
    unknown = sorted({*names} - {*profile_names()})
    if unknown:
        raise ValueError(f"no profile is called {unknown[0]}; there are {', '.join(profile_names())}")


class LineItemDraft(Record):
    """A line item as an advertiser writes it."""

    campaign: Id
    name: Line
    creatives: Annotated[tuple[Sha256, ...], Field(strict=False, min_length=1, max_length=16)]
    cpm: Money
    """For a thousand viewable impressions; a multiple of 1000 micros."""
    budget: Money
    """For the whole flight."""
    from_ms: TimeMs
    to_ms: TimeMs
    """The flight's end, exclusive."""
    targeting: Targeting = Targeting()
    also_profiles: AlsoProfiles = ()
    """More viewability profiles by which its views are judged and reported; billed is by the slot's alone."""
    aspect_ratio_max: Annotated[float, Field(ge=1, le=1000)] = ASPECT_RATIO_MAX
    """How many times wider or taller, for its other side, the creative may be than the slot."""

    @property
    def price_micros(self) -> int:
        """The price of one viewable impression."""
        return self.cpm.micros // CPM_STEP_MICROS

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        if self.cpm.micros <= 0 or self.cpm.micros % CPM_STEP_MICROS:
            raise ValueError(f"cpm must be a positive multiple of {CPM_STEP_MICROS} micros")
        if self.budget.currency != self.cpm.currency:
            raise ValueError("budget and cpm must be in one currency")
        if self.budget.micros < self.price_micros:
            raise ValueError(f"budget buys no impression; one costs {self.price_micros} micros")
        if self.from_ms >= self.to_ms:
            raise ValueError("from_ms must lie before to_ms")
        if len(set(self.creatives)) != len(self.creatives):
            raise ValueError("a creative stands twice")
        _check_profiles(self.also_profiles)
        return self


class LineItem(LineItemDraft):
    """A line item as it is kept."""

    id: Id
    advertiser: Id
    status: Status = "active"


@dataclass(frozen=True, slots=True)
class Offer:
    """A line item that may run, with the creatives it may show."""

    line_item: LineItem
    creatives: tuple[Creative, ...]
