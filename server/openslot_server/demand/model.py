"""What advertisers say: creatives, campaigns and line items, and the table of what their status may become."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from openslot_server.demand.caps import Cap
from openslot_server.demand.targeting import Targeting
from openslot_spec.actions import KINDS_ALLOWED, ActionKind, Actions
from openslot_spec.creatives import CreativeRef, HttpUrl, Video
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.profiles import AlsoProfiles, profile_names
from openslot_spec.records import Id, Line, Money, Record, Sha256, TimeMs, Vec3
from openslot_spec.slots import MediaType, Tag

__all__ = [
    "JUDGED",
    "PRIORITIES",
    "RATINGS",
    "RUNNING",
    "TRANSITIONS",
    "Campaign",
    "CampaignDraft",
    "Clearance",
    "Creative",
    "Language",
    "LineItem",
    "LineItemDraft",
    "Offer",
    "Rating",
    "Status",
    "check_transition",
]

Status = Literal["draft", "scheduled", "active", "paused", "completed", "refused", "error"]
"""Scheduled and active ones run, in their flight; refused and error are an operator's or the server's word."""

TRANSITIONS: dict[Status, frozenset[Status]] = {
    "draft": frozenset({"scheduled", "active", "completed", "refused"}),
    "scheduled": frozenset({"active", "paused", "completed", "refused", "error"}),
    "active": frozenset({"paused", "completed", "refused", "error"}),
    "paused": frozenset({"scheduled", "active", "completed", "refused"}),
    "error": frozenset({"paused", "completed", "refused"}),
    "refused": frozenset({"draft"}),
    "completed": frozenset(),
}
"""From → to. Completed is the end; a step from a status to itself changes nothing and is always allowed."""
RUNNING: frozenset[Status] = frozenset({"scheduled", "active"})
JUDGED: frozenset[Status] = frozenset({"refused", "error"})
"""What an advertiser can neither say of its own nor take back."""
Tier = Literal["sponsorship", "guaranteed", "auction", "house"]
PRIORITIES: tuple[Tier, ...] = ("sponsorship", "guaranteed", "auction", "house")
"""Each is asked before the next, whatever it bids."""

Rating = Literal["everyone", "teen", "mature"]
RATINGS: tuple[Rating, ...] = ("everyone", "teen", "mature")
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$")]
Likeness = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Pacing = Literal["even", "front_loaded", "as_fast_as_possible"]
Category = Annotated[str, Field(min_length=1, max_length=16)]
ASPECT_RATIO_MAX = 3.0
CPM_STEP_MICROS = 1000
"""Prices are for a thousand; a multiple of this makes the price of one exact."""


def check_transition(before: Status, after: Status) -> None:
    """Raise `OpenSlotError(INVALID)` unless the table has this step."""
    if before != after and after not in TRANSITIONS[before]:
        allowed = ", ".join(sorted(TRANSITIONS[before])) or "nothing"
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
    rating: Rating | None = None
    """For whom it is fit, as its advertiser declares."""
    language: Language | None = None
    """What is written or said in it; left out: nothing, or it is not declared."""
    actions: Actions | None = None
    """What viewers may do with it."""
    likeness: Annotated[tuple[Likeness, ...], Field(strict=False, max_length=16)] = ()
    """What its pictures look like (see `creatives.likeness`)."""
    revoked: bool = False
    video: Video | None = None

    def ref(self, allowed: Collection[ActionKind] = KINDS_ALLOWED) -> CreativeRef:
        """Return what a world is told of it, whose slot allows these kinds of actions."""
        known = self.model_dump(include=set(CreativeRef.model_fields) - {"actions"}, exclude_none=True)
        actions = tuple(action for action in self.actions or () if action.kind in allowed)
        return CreativeRef(**known, url=f"/assets/{self.sha256}", actions=actions or None)

    def aspect(self) -> float | None:
        """Return width ÷ height, or None if they are not known or one is zero."""
        if self.size is None or self.size[0] <= 0 or self.size[1] <= 0:
            return None
        return self.size[0] / self.size[1]


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
    tier: Tier = "auction"
    """Sponsorship, guaranteed and house line items pay what they say; only the auction may have a second price."""
    deal: Id | None = None
    """Competes only where a slot offers this deal, from the deal's floor."""
    caps: Annotated[tuple[Cap, ...], Field(strict=False, max_length=8)] = ()
    separation: Annotated[tuple[Tag, ...], Field(strict=False, max_length=8)] = ()
    """Names of rivalries, such as `soft-drinks`: advertisers that share one never stand in one answer."""
    aspect_ratio_max: Annotated[float, Field(ge=1, le=1000)] = ASPECT_RATIO_MAX
    """How many times wider or taller, for its other side, the creative may be than the slot."""
    pacing: Pacing = "as_fast_as_possible"
    """How its budget is spread over its flight: in step with the traffic of its worlds, half as fast again at first,
    or not at all."""

    @property
    def price_micros(self) -> int:
        """The price of one viewable impression."""
        return self.cpm.micros // CPM_STEP_MICROS

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        if self.cpm.micros <= 0 or self.cpm.micros % CPM_STEP_MICROS:
            nearest = max(1, round(self.cpm.micros / CPM_STEP_MICROS)) * CPM_STEP_MICROS
            raise ValueError(f"cpm must be a positive multiple of {CPM_STEP_MICROS} micros; nearest: {nearest}")
        if self.budget.currency != self.cpm.currency:
            raise ValueError(f"budget and cpm must be in one currency; nearest: {self.cpm.currency}")
        if self.budget.micros < self.price_micros:
            raise ValueError(f"budget buys no impression; one costs {self.price_micros} micros, the nearest budget")
        if self.from_ms >= self.to_ms:
            raise ValueError(f"from_ms must lie before to_ms; nearest: to_ms {self.from_ms + 1}")
        for name, values in (("creative", self.creatives), ("cap", [cap.per for cap in self.caps])):
            if len(set(values)) != len(values):
                raise ValueError(f"a {name} stands twice")
        _check_profiles(self.also_profiles)
        return self


class LineItem(LineItemDraft):
    """A line item as it is kept."""

    id: Id
    advertiser: Id
    status: Status = "active"


@dataclass(frozen=True, slots=True)
class Clearance:
    """In which worlds a creative may be shown: in all, but for those that have a say in it."""

    barred: frozenset[str] = frozenset()
    """Worlds that show what they do not refuse, and refuse this."""
    cleared: frozenset[str] = frozenset()
    """Worlds that show only what they approved, and approved this."""

    def admits(self, world: str, *, reviews: bool) -> bool:
        """Return whether a world shows it; `reviews` if that shows only what it approved."""
        return world in self.cleared if reviews else world not in self.barred


@dataclass(frozen=True, slots=True)
class Offer:
    """A line item that may run, with the creatives it may show."""

    line_item: LineItem
    creatives: tuple[Creative, ...]
    clearances: tuple[Clearance, ...] = ()
    """One for each creative, or none where no world has a say."""
