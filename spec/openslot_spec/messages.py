"""The messages on the socket, one class each, and the table of who may send what.

`spec/protocol.md` gives their meaning; `spec/schema/messages.json` is generated from these classes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from openslot_spec.actions import ActionId
from openslot_spec.creatives import CreativeRef
from openslot_spec.errors import Code
from openslot_spec.evidence import DIGEST_BYTES, MAX_EVIDENCE_BYTES, SALT_BYTES
from openslot_spec.exposures import COLUMNS, MAX_EVENTS
from openslot_spec.geometry import MAX_GEOMETRY_BYTES
from openslot_spec.ids import Id128
from openslot_spec.limits import Limits
from openslot_spec.profiles import ProfileName
from openslot_spec.records import Id, Record, Sha256, TimeMs
from openslot_spec.slots import SlotId, Tag
from openslot_spec.tickets import MAX_TICKET_BYTES

__all__ = [
    "MAX_PART_BYTES",
    "MESSAGES",
    "REPORT_REASONS",
    "VERSION",
    "AuditAck",
    "AuditReveal",
    "BatchAck",
    "Bye",
    "Context",
    "Envelope",
    "Error",
    "ExposuresAck",
    "ExposuresPut",
    "Feedback",
    "FeedbackAck",
    "FeedbackPut",
    "GeometryAck",
    "GeometryPut",
    "Hello",
    "Interaction",
    "InteractionsAck",
    "InteractionsPut",
    "Message",
    "NoAd",
    "NoPlacement",
    "Placement",
    "Placements",
    "PlacementsGet",
    "PlacementsRevoked",
    "RefusedEvents",
    "RefusedSlot",
    "ReportReason",
    "SlotRevision",
    "SlotsAck",
    "SlotsPut",
    "SlotsRemove",
    "Welcome",
]

VERSION = "1"

RequestId = Annotated[int, Field(ge=1, le=2**53)]
CodeName = Annotated[str, Field(pattern=r"^[a-z_]+\.[a-z_]+$", max_length=64)]
Text = Annotated[str, Field(max_length=1000)]
EventIndex = Annotated[int, Field(ge=0, lt=MAX_EVENTS)]
"""An event's place in its batch."""
MAX_PART_BYTES = 512 * 1024
"""Of geometry, in one message."""
MAX_SIGNALS = 256
"""Interactions, or words of feedback, in one batch; and its tickets."""
ReportReason = Literal["offensive", "misleading", "annoying", "broken", "other"]
REPORT_REASONS: tuple[ReportReason, ...] = get_args(ReportReason)
SignalTicket = Annotated[int, Field(ge=0, lt=MAX_SIGNALS)]
"""A ticket's place in its batch."""
SignalTickets = Annotated[
    tuple[Annotated[bytes, Field(max_length=MAX_TICKET_BYTES)], ...],
    Field(strict=False, min_length=1, max_length=MAX_SIGNALS),
]
Viewer = Annotated[int, Field(ge=0, le=2**32 - 1)]
"""A viewer's number within one session; it names nobody outside of it."""


class Message(Record):
    """The body of an envelope."""

    TYPE: ClassVar[str]
    REPLY_TO: ClassVar[frozenset[str]] = frozenset()
    """Types of which this is the answer; empty for a message that stands alone."""


class Envelope(Record):
    """What every frame holds: `{type, id, re?, body}`."""

    type: Annotated[str, Field(max_length=32)]
    id: RequestId
    """Counts up from 1 on each side of a connection."""
    re: RequestId | None = None
    """The id of the request that this answers."""
    body: dict[str, Any]


class Hello(Message):
    """World → server: who connects, and which session it goes on with."""

    TYPE = "hello"
    versions: Annotated[
        tuple[Annotated[str, Field(max_length=8)], ...], Field(strict=False, min_length=1, max_length=8)
    ]
    role: Literal["world", "peer"]
    key: Annotated[str, Field(min_length=8, max_length=200)]
    world: Id
    sdk: Annotated[str, Field(max_length=64)] = ""
    resume: Id | None = None
    """The session of an earlier connection."""


class Welcome(Message):
    """Server → world: the session, the clock and the limits."""

    TYPE = "welcome"
    REPLY_TO = frozenset({"hello"})
    version: Literal["1"]
    session: Id
    resumed: bool
    server_time_ms: TimeMs
    limits: Limits


class SlotsPut(Message):
    """World → server: add or replace slots. Each is judged alone."""

    TYPE = "slots.put"
    slots: Annotated[tuple[dict[str, Any], ...], Field(strict=False, min_length=1, max_length=256)]


class SlotsRemove(Message):
    """World → server: these slots are gone."""

    TYPE = "slots.remove"
    ids: Annotated[tuple[SlotId, ...], Field(strict=False, min_length=1, max_length=256)]


class SlotRevision(Record):
    """A slot that is kept, and the revision its placements will name."""

    id: SlotId
    revision: str


class RefusedSlot(Record):
    """A slot that is not kept, and why."""

    index: Annotated[int, Field(ge=0)]
    """Place in the request."""
    code: CodeName
    message: Text


class SlotsAck(Message):
    """Server → world: what became of each slot."""

    TYPE = "slots.ack"
    REPLY_TO = frozenset({"slots.put", "slots.remove"})
    kept: Annotated[tuple[SlotRevision, ...], Field(strict=False)] = ()
    refused: Annotated[tuple[RefusedSlot, ...], Field(strict=False)] = ()


class NoAd(StrEnum):
    """Why a slot stays empty. An answer, not an error."""

    NO_DEMAND = "no_demand"
    FLOOR_NOT_MET = "floor_not_met"
    BUDGET_EXHAUSTED = "budget_exhausted"
    MEDIA_MISMATCH = "media_mismatch"
    CATEGORY_BLOCKED = "category_blocked"
    SLOT_UNKNOWN = "slot_unknown"
    HELD_BACK = "held_back"


class Context(Record):
    """What a world says of those for whom it asks, coarsely; nothing in it may be about one person.

    For a shared board it is said of the crowd, and left out where the crowd is mixed.
    """

    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$")] | None = None
    """BCP 47: a language, or one of a region; `de-AT` is `de` too."""
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")] | None = None
    """ISO 3166: a country or one of its divisions, nothing finer; `DE-BE` is `DE` too."""
    device: Literal["desktop", "mobile", "headset", "console", "tv"] | None = None
    cohorts: Annotated[tuple[Tag, ...], Field(strict=False, max_length=16)] = ()
    """The world's own groups, only of viewers who consented to be counted in them."""


class PlacementsGet(Message):
    """World → server: fill these slots.

    For shared slots `viewers` is how many viewers the world expects before the placement expires; that many impressions
    are reserved. For per-viewer slots `viewer` says for whom.
    """

    TYPE = "placements.get"
    slots: Annotated[tuple[SlotId, ...], Field(strict=False, min_length=1, max_length=256)]
    viewers: Annotated[int, Field(ge=1, le=10_000)] = 1
    viewer: Viewer | None = None
    context: Context | None = None
    request: Id128 | None = None
    """The world's own id of this request: sent again in the same session it gets the same answer."""


class Placement(Record):
    """One creative for one slot until `expires_ms`, and the ticket to report it with."""

    id: Id128
    slot: SlotId
    creative: CreativeRef
    profile: Annotated[str, Field(max_length=64)]
    also_profiles: Annotated[tuple[ProfileName, ...], Field(strict=False, max_length=8)] = ()
    """More profiles to judge its views by; a world passes over those it does not know."""
    ticket: Annotated[bytes, Field(max_length=MAX_TICKET_BYTES)]
    expires_ms: TimeMs
    viewer: Viewer | None = None


class NoPlacement(Record):
    """A slot without an ad."""

    slot: SlotId
    reason: NoAd = Field(strict=False)


class Placements(Message):
    """Server → world: one entry for each slot asked for, in `placements` or in `none`."""

    TYPE = "placements"
    REPLY_TO = frozenset({"placements.get"})
    placements: Annotated[tuple[Placement, ...], Field(strict=False)] = ()
    none: Annotated[tuple[NoPlacement, ...], Field(strict=False)] = ()


class PlacementsRevoked(Message):
    """Server → world: take this creative off every screen now."""

    TYPE = "placements.revoked"
    creative: Sha256
    reason: Text = ""
    final: bool = True
    """Whether it is revoked for good; if not, a later answer may bring it again."""


class ExposuresPut(Message):
    """World → server: a batch of events. The id and the content of a batch never change once it is in the spool."""

    TYPE = "exposures.put"
    batch: Id128
    tickets: Annotated[
        tuple[Annotated[bytes, Field(max_length=MAX_TICKET_BYTES)], ...],
        Field(strict=False, min_length=1, max_length=1024),
    ]
    columns: Annotated[dict[str, bytes], Field(min_length=len(COLUMNS), max_length=len(COLUMNS) + 1)]


class RefusedEvents(Record):
    """How many events of a batch do not count, for one reason."""

    code: CodeName
    events: Annotated[int, Field(ge=1)]


class BatchAck(Message):
    """What became of a batch: it is durable; drop it from the spool."""

    batch: Id128
    accepted: Annotated[int, Field(ge=0)]
    refused: Annotated[tuple[RefusedEvents, ...], Field(strict=False)] = ()
    repeated: bool = False
    """The batch was here before; its first verdict is given again."""


class ExposuresAck(BatchAck):
    """Server → world: the batch is durable; drop it from the spool."""

    TYPE = "exposures.ack"
    REPLY_TO = frozenset({"exposures.put"})
    reveal: Annotated[tuple[EventIndex, ...], Field(strict=False, max_length=MAX_EVENTS)] = ()
    """Events whose evidence the server wants to see; the world deletes all other evidence of this batch."""


class Interaction(Record):
    """A viewer used an action of an ad."""

    ticket: SignalTicket
    viewer: Viewer
    at_ms: TimeMs
    action: ActionId


class Feedback(Record):
    """Somebody said what they think of an ad, of their own will; nothing says who."""

    ticket: SignalTicket
    at_ms: TimeMs
    kind: Literal["like", "not_for_me", "report"]
    reason: ReportReason | None = None
    """Of a report."""


class InteractionsPut(Message):
    """World → server: what viewers did with ads. Id and content never change once they are in the spool."""

    TYPE = "interactions.put"
    batch: Id128
    tickets: SignalTickets
    events: Annotated[tuple[Interaction, ...], Field(strict=False, min_length=1, max_length=MAX_SIGNALS)]


class InteractionsAck(BatchAck):
    """Server → world: the batch is durable; drop it from the spool."""

    TYPE = "interactions.ack"
    REPLY_TO = frozenset({"interactions.put"})


class FeedbackPut(Message):
    """World → server: what viewers think of ads. Id and content never change once they are in the spool."""

    TYPE = "feedback.put"
    batch: Id128
    tickets: SignalTickets
    events: Annotated[tuple[Feedback, ...], Field(strict=False, min_length=1, max_length=MAX_SIGNALS)]


class FeedbackAck(BatchAck):
    """Server → world: the batch is durable; drop it from the spool."""

    TYPE = "feedback.ack"
    REPLY_TO = frozenset({"feedback.put"})


class AuditReveal(Message):
    """World → server: the evidence of one event, as it was committed to; both empty if it is gone."""

    TYPE = "audit.reveal"
    batch: Id128
    event: EventIndex
    salt: Annotated[bytes, Field(max_length=SALT_BYTES)]
    evidence: Annotated[bytes, Field(max_length=MAX_EVIDENCE_BYTES)]


class AuditAck(Message):
    """Server → world: the evidence is durable; delete it."""

    TYPE = "audit.ack"
    REPLY_TO = frozenset({"audit.reveal"})
    batch: Id128
    event: EventIndex


class GeometryPut(Message):
    """World → server: a part of what stands in the scene and does not move; without data, a question."""

    TYPE = "geometry.put"
    sha256: Annotated[bytes, Field(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]
    """Of the whole."""
    size_bytes: Annotated[int, Field(ge=1, le=MAX_GEOMETRY_BYTES)]
    offset: Annotated[int, Field(ge=0, le=MAX_GEOMETRY_BYTES)]
    data: Annotated[bytes, Field(max_length=MAX_PART_BYTES)]


class GeometryAck(Message):
    """Server → world: how much of it is here; once that is all of it, it is registered and durable."""

    TYPE = "geometry.ack"
    REPLY_TO = frozenset({"geometry.put"})
    sha256: Annotated[bytes, Field(min_length=DIGEST_BYTES, max_length=DIGEST_BYTES)]
    have_bytes: Annotated[int, Field(ge=0, le=MAX_GEOMETRY_BYTES)]


class Error(Message):
    """Either side: a request was refused, or (without `re`) the connection is about to close."""

    TYPE = "error"
    code: CodeName
    message: Text
    where: Text = ""
    retry_after_ms: Annotated[int, Field(ge=0, le=3_600_000)] = 0

    @classmethod
    def of(cls, code: Code, message: str, where: str = "", retry_after_ms: int = 0) -> Error:
        """Return the message for a refusal, cut to the wire's lengths."""
        return cls(code=code.value, message=message[:1000], where=where[:1000], retry_after_ms=retry_after_ms)


class Bye(Message):
    """Either side: an orderly end; nothing follows."""

    TYPE = "bye"
    reason: Text = ""
    retry_after_ms: Annotated[int, Field(ge=0, le=3_600_000)] = 0


WORLD: tuple[type[Message], ...] = (
    Hello,
    SlotsPut,
    SlotsRemove,
    PlacementsGet,
    ExposuresPut,
    InteractionsPut,
    FeedbackPut,
    AuditReveal,
    GeometryPut,
)
SERVER: tuple[type[Message], ...] = (
    Welcome,
    SlotsAck,
    Placements,
    PlacementsRevoked,
    ExposuresAck,
    InteractionsAck,
    FeedbackAck,
    AuditAck,
    GeometryAck,
)
BOTH: tuple[type[Message], ...] = (Error, Bye)

MESSAGES: dict[str, type[Message]] = {message.TYPE: message for message in (*WORLD, *SERVER, *BOTH)}
"""Type name to class."""
