"""What the REST API takes and gives, beside the records of the rooms themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field, field_validator

from openslot_server.creatives.review import Review, State
from openslot_server.creatives.verdict import Finding, Tier
from openslot_server.demand.model import Campaign, Creative, Language, LineItem, Rating, Status
from openslot_server.demand.targeting import KnownCategory
from openslot_server.keys import Role
from openslot_server.reports.queries import Dimension
from openslot_spec.actions import Actions
from openslot_spec.creatives import HttpUrl
from openslot_spec.records import Id, Line, Record, TimeMs
from openslot_spec.slots import MediaType, Slot, SlotId

__all__ = [
    "BYTES",
    "CREATIVE_MEDIA",
    "Account",
    "AccountPage",
    "ActionsDraft",
    "CampaignPage",
    "CreativePage",
    "DeliveryQuery",
    "Empty",
    "KeyAnswer",
    "KeyDraft",
    "KeyPage",
    "KeyRecord",
    "LineItemPage",
    "Page",
    "Part",
    "PlaceQuery",
    "ReportQuery",
    "ReviewItem",
    "ReviewPage",
    "ReviewQuery",
    "RevokeQuery",
    "SlotPage",
    "SlotQuery",
    "Standings",
    "StatusChange",
    "Upload",
    "UploadAnswer",
    "UploadDraft",
    "UploadQuery",
    "UploadState",
]

CREATIVE_MEDIA: Final[tuple[MediaType, ...]] = get_args(MediaType)
"""What may be uploaded as a creative."""


class Empty(Record):
    """No field at all."""


class Upload(Record):
    """Stands for a body of bytes, which its handler reads for itself."""


class Part(Record):
    """Stands for a part of an upload, which its handler reads for itself."""


BYTES: Final[Mapping[type[Record], tuple[str, ...]]] = {
    Upload: CREATIVE_MEDIA,
    Part: ("application/offset+octet-stream",),
}
"""Bodies that are bytes, and their media types."""


class Page(Record):
    """Which part of a list: sorted by name, `limit` items after the one called `after`."""

    after: Annotated[str, Field(max_length=128)] = ""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class UploadQuery(Record):
    """What is said of a creative beside its bytes."""

    label: Line
    """The disclosure that is always shown with it, such as `Ad · Aurora Coffee`."""
    landing_url: HttpUrl | None = None
    tier: Tier = "M"
    """The budget it must keep; `L` reaches only slots that accept it."""
    categories: Annotated[tuple[KnownCategory, ...], Field(strict=False, max_length=16)] = ()
    """IAB content categories, separated by commas."""
    rating: Rating | None = None
    """For whom it is fit; some worlds show only what is rated."""
    language: Language | None = None
    """BCP 47: what is written or said in it."""
    advertiser: Id | None = None
    """Left out: the one whose key it is; an operator must name one."""

    @field_validator("categories", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(value.split(",")) if isinstance(value, str) else value


class UploadAnswer(Record):
    """An approved creative, what it costs to draw, and what the gate repaired or advises."""

    creative: Creative
    url: str
    """Where its bytes are served from now on, never changed."""
    triangles: int
    draws: int
    findings: tuple[Finding, ...]


class UploadDraft(Record):
    """For whom an upload in parts is begun."""

    advertiser: Id | None = None
    """Left out: the one whose key it is; an operator must name one."""


class UploadState(Record):
    """How far an upload in parts is."""

    id: str
    length_bytes: int
    offset_bytes: int
    """How many bytes are durable; the next part begins there."""
    expires_ms: TimeMs
    """When it is given up unless more of it comes."""


class ActionsDraft(Record):
    """What viewers may do with a creative; left out: nothing."""

    actions: Actions | None = None


class CreativePage(Record):
    """Creatives by sha-256."""

    items: tuple[Creative, ...]
    next: str | None = None
    """Give it as `after` to go on."""


class PlaceQuery(Record):
    """For which world something is judged."""

    world: Id | None = None
    """Left out: the world whose key it is; for all others the platform."""


class ReviewQuery(Page):
    """Which creatives, of which place."""

    world: Id | None = None
    """Left out: the world whose key it is; for all others the platform."""
    state: State = "pending"


class ReviewItem(Record):
    """A creative, and how it stands."""

    creative: Creative
    review: Review


class ReviewPage(Record):
    """Creatives by sha-256."""

    items: tuple[ReviewItem, ...]
    next: str | None = None


class Standings(Record):
    """The places in which a creative does not stand approved; no world is the platform."""

    items: tuple[Review, ...]


class RevokeQuery(Record):
    """Why a creative is withdrawn; worlds are told."""

    reason: Annotated[str, Field(max_length=1000)] = ""


class CampaignPage(Record):
    """Campaigns by id."""

    items: tuple[Campaign, ...]
    next: str | None = None


class LineItemPage(Record):
    """Line items by id."""

    items: tuple[LineItem, ...]
    next: str | None = None


class DeliveryQuery(Record):
    """Of which requests; left out: all of the last day."""

    world: Id | None = None
    slot: SlotId | None = None


class StatusChange(Record):
    """The status asked for; completed is the end."""

    status: Status


class Account(Record):
    """A world or an advertiser, by the name its records carry."""

    id: Id


class AccountPage(Record):
    """Accounts by name."""

    items: tuple[Account, ...]
    next: str | None = None


class KeyDraft(Record):
    """For whom a key is asked."""

    role: Role
    account: Id


class KeyAnswer(Record):
    """A new API key. It is shown this once."""

    role: Role
    account: Id
    key: str


class KeyRecord(Record):
    """A key that is known here."""

    name: str
    """The first 16 digits of its sha-256."""
    role: str
    account: Id
    created_ms: TimeMs


class KeyPage(Record):
    """Keys by name."""

    items: tuple[KeyRecord, ...]
    next: str | None = None


class SlotQuery(Page):
    """Whose slots."""

    world: Id | None = None
    """Left out: the world whose key it is; an operator must name one."""


class SlotPage(Record):
    """Slots by id."""

    items: tuple[Slot, ...]
    next: str | None = None


class ReportQuery(Record):
    """Which report, and how it is written."""

    by: Dimension | None = None
    """A world's are by slot or world, an advertiser's by line item or advertiser; the first of them if left out."""
    format: Literal["json", "csv"] = "json"
