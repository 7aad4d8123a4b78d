"""The store's seam: a frozen row class per table, and protocols to read rows and to make new ones durable.

Rows are facts. Rows of `LatestRow` classes replace the row with the same key; all others are only ever added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, ClassVar, Protocol, TypeVar

__all__ = [
    "FORGETTABLE",
    "FORGOTTEN_MOST",
    "ROWS",
    "VALUES",
    "AnswerRow",
    "AuditRow",
    "BatchRow",
    "CampaignRow",
    "ConflictRow",
    "CreativeRow",
    "DecisionRow",
    "DescriptionRow",
    "FeedEndRow",
    "FeedProofRow",
    "FeedRecordRow",
    "Forgotten",
    "GeometryRow",
    "HeadRow",
    "KeyEndRow",
    "KeyRow",
    "LatestRow",
    "LedgerRow",
    "LineItemRow",
    "PeerRow",
    "PolicyRow",
    "Reader",
    "ReviewRow",
    "Row",
    "ServerKeyRow",
    "SessionRow",
    "ShareRow",
    "SignalRow",
    "SlotRow",
    "Store",
    "TicketKeyRow",
    "VerdictRow",
    "batch_evidence",
    "row_digest",
]


FORGOTTEN_MOST = 10_000
"""Rows that one `Forgotten` drops: so many that a commit does not wait long for it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table `TABLE`; its fields are the table's columns, in order."""

    TABLE: ClassVar[str]
    CHAINED: ClassVar[bool] = False
    """Whether it stands under the ledger's chain; all others are kept with a digest of their own."""


@dataclass(frozen=True, slots=True)
class LatestRow(Row):
    """A row that replaces the one with the same key: its first `KEY` fields."""

    KEY: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Forgotten(Row):
    """No row, but word that a table's rows from before a moment are needed no more: `FORGOTTEN_MOST` at once."""

    TABLE = ""
    table: str
    """Of a class in `FORGETTABLE`."""
    before_ms: int


@dataclass(frozen=True, slots=True)
class KeyRow(Row):
    """An API key, known by its digest."""

    TABLE = "keys"
    sha256: str
    role: str
    account: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class KeyEndRow(Row):
    """An API key that was revoked, for good."""

    TABLE = "key_ends"
    sha256: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class TicketKeyRow(Row):
    """A secret that signs tickets; the newest signs, all of them verify."""

    TABLE = "ticket_keys"
    key_id: bytes
    secret: bytes
    created_ms: int


@dataclass(frozen=True, slots=True)
class SessionRow(Row):
    """A world's session, so that it can be resumed."""

    TABLE = "sessions"
    id: str
    world: str
    opened_ms: int


@dataclass(frozen=True, slots=True)
class SlotRow(LatestRow):
    """A slot of a world; `record` is its JSON, empty once it is removed."""

    TABLE = "slots"
    KEY = 2
    world: str
    id: str
    revision: str
    record: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class CreativeRow(LatestRow):
    """A creative; `record` is the JSON of `demand.model.Creative`."""

    TABLE = "creatives"
    sha256: str
    advertiser: str
    record: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class PolicyRow(LatestRow):
    """What a world shows, or the platform (empty); `record` is the JSON of `creatives.review.Policy`."""

    TABLE = "policies"
    world: str
    record: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class ReviewRow(LatestRow):
    """What was decided of a creative in a world, or on the platform; `record` is `creatives.review.Review` in JSON."""

    TABLE = "reviews"
    KEY = 2
    world: str
    sha256: str
    record: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class CampaignRow(LatestRow):
    """A campaign; `record` is the JSON of `demand.model.Campaign`."""

    TABLE = "campaigns"
    id: str
    advertiser: str
    record: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class LineItemRow(LatestRow):
    """A line item; `record` is the JSON of `demand.model.LineItem`."""

    TABLE = "line_items"
    id: str
    advertiser: str
    record: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class DecisionRow(Row):
    """One `placements.get`, with what became of each slot in `outcomes` (see `demand.decide`)."""

    TABLE = "decisions"
    CHAINED = True
    id: bytes
    world: str
    session: str
    at_ms: int
    outcomes: bytes


@dataclass(frozen=True, slots=True)
class AnswerRow(LatestRow):
    """The answer to a `placements.get` that has an id, as msgpack (see `demand.answers`)."""

    TABLE = "answers"
    KEY = 2
    session: str
    request: bytes
    at_ms: int
    asked: bytes
    answer: bytes


@dataclass(frozen=True, slots=True)
class BatchRow(Row):
    """One `exposures.put`: tickets and columns as they came, and a verdict per event (see `impressions.intake`)."""

    TABLE = "batches"
    CHAINED = True
    id: bytes
    world: str
    at_ms: int
    digest: bytes
    tickets: bytes
    columns: bytes
    verdicts: bytes


@dataclass(frozen=True, slots=True)
class SignalRow(Row):
    """One `interactions.put` or `feedback.put`, with a verdict and a name per event (see `impressions.signals`)."""

    TABLE = "signals"
    CHAINED = True
    kind: str
    id: bytes
    world: str
    at_ms: int
    digest: bytes
    tickets: bytes
    events: bytes
    verdicts: bytes
    names: bytes


@dataclass(frozen=True, slots=True)
class ConflictRow(Row):
    """A batch whose id was used before with other content: evidence, never counted."""

    TABLE = "conflicts"
    id: bytes
    world: str
    at_ms: int
    digest: bytes
    tickets: bytes
    columns: bytes


@dataclass(frozen=True, slots=True)
class LedgerRow(Row):
    """One record of the ledger: canonical JSON, and the chain's hash up to and with it."""

    TABLE = "ledger"
    CHAINED = True
    seq: int
    record: str
    sha256: str


@dataclass(frozen=True, slots=True)
class HeadRow(LatestRow):
    """Where the ledger ends; `one` is always 1. A cut tail does not agree with it."""

    TABLE = "ledger_head"
    CHAINED = True
    one: int
    seq: int
    sha256: str


@dataclass(frozen=True, slots=True)
class GeometryRow(Row):
    """What a world registered as standing in its scene (see `openslot_spec.geometry`)."""

    TABLE = "geometries"
    world: str
    sha256: bytes
    at_ms: int
    data: bytes


@dataclass(frozen=True, slots=True)
class AuditRow(LatestRow):
    """One impression whose evidence was asked for (see `audit.cases`), salt before evidence, empty once deleted."""

    TABLE = "audits"
    KEY = 3
    world: str
    batch: bytes
    event: int
    state: str
    record: str
    evidence: bytes


@dataclass(frozen=True, slots=True)
class VerdictRow(Row):
    """What an audit found: it stays when the evidence is gone, and stands under the ledger's chain."""

    TABLE = "verdicts"
    world: str
    batch: bytes
    event: int
    at_ms: int
    state: str
    why: str
    record: str


@dataclass(frozen=True, slots=True)
class ServerKeyRow(Row):
    """A private key of this server; the newest signs."""

    TABLE = "server_keys"
    public: bytes
    secret: bytes
    created_ms: int


@dataclass(frozen=True, slots=True)
class DescriptionRow(LatestRow):
    """What a server says of itself, as it was sealed; ours among them."""

    TABLE = "descriptions"
    origin: str
    sealed: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class PeerRow(LatestRow):
    """A server that an operator knows: waiting, approved or revoked, and where it is dialled (empty: it dials us)."""

    TABLE = "peers"
    origin: str
    state: str
    url: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class ShareRow(LatestRow):
    """Which slots an audience hears of; `record` is the JSON of `federation.sharing.Share`."""

    TABLE = "shares"
    audience: str
    record: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class FeedRecordRow(Row):
    """A signed record of a feed, ours or another's, as it came."""

    TABLE = "feed_records"
    origin: str
    audience: str
    payload: bytes
    key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class FeedEndRow(LatestRow):
    """How far a feed is held, the way it came, and its last head (empty: none)."""

    TABLE = "feed_ends"
    KEY = 2
    origin: str
    audience: str
    through: int
    path: str
    payload: bytes
    key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class FeedProofRow(LatestRow):
    """Two things that an origin signed and that cannot both be, each as JSON."""

    TABLE = "feed_proofs"
    origin: str
    first: str
    second: str
    at_ms: int


ROWS: tuple[type[Row], ...] = (
    KeyRow,
    KeyEndRow,
    TicketKeyRow,
    SessionRow,
    SlotRow,
    CreativeRow,
    PolicyRow,
    ReviewRow,
    CampaignRow,
    LineItemRow,
    DecisionRow,
    AnswerRow,
    BatchRow,
    SignalRow,
    ConflictRow,
    LedgerRow,
    HeadRow,
    GeometryRow,
    AuditRow,
    VerdictRow,
    ServerKeyRow,
    DescriptionRow,
    PeerRow,
    ShareRow,
    FeedRecordRow,
    FeedEndRow,
    FeedProofRow,
)

SomeRow = TypeVar("SomeRow", bound=Row)


VALUES: dict[type[Row], Callable[[Row], tuple[Any, ...]]] = {
    kind: attrgetter(*(column.name for column in fields(kind))) for kind in ROWS
}
"""What a row's fields hold, in their order."""


def row_digest(row: Row) -> bytes:
    """Return the sha-256 of a row: of its table's name and each of its fields, with type and length before it."""
    return _digest((row.TABLE, *VALUES[type(row)](row)))


def batch_evidence(row: BatchRow) -> bytes:
    """Return the sha-256 of a batch with its digest for its content, so that this need not be hashed twice."""
    return _digest((row.TABLE, row.id, row.world, row.at_ms, row.digest, row.verdicts))


def _digest(values: Iterable[object]) -> bytes:
    parts = [_bytes_of(value) for value in values]
    return hashlib.sha256(b"".join([len(part).to_bytes(4, "big") + part for part in parts])).digest()


def _bytes_of(value: object) -> bytes:
    match value:
        case int():
            return b"i" + value.to_bytes(8, "big", signed=True)
        case str():
            return b"s" + value.encode()
        case bytes():
            return b"b" + value
    return b"?"  # nothing that we wrote: whatever is compared with this is damaged


FORGETTABLE: dict[type[Row], str] = {AnswerRow: "at_ms", SessionRow: "opened_ms"}
"""The rows that nothing stands on once they are old, and the column that says how old."""


class Reader(Protocol):
    """The rows as they were at one moment."""

    def load(self, kind: type[SomeRow], after: int = 0) -> Iterator[SomeRow]:
        """Yield the table's rows in the order in which they were added; `after` leaves out the first so many.

        Only tables to which rows are only ever added can leave out any.
        """
        ...

    def find(self, kind: type[SomeRow], **columns: Any) -> SomeRow | None:
        """Return a row whose columns have these values, or None."""
        ...


class Store(Protocol):
    """Where rows are kept."""

    def read(self) -> AbstractContextManager[Reader]:
        """Return a view of the rows that are durable now, whatever is added meanwhile; for one thread, any thread."""
        ...

    def commit(self, rows: Sequence[Row]) -> Future[None]:
        """Return a future that is done once the rows, and all committed before them, are durable; others may share it.

        All rows of one call become durable together or not at all. The future raises `OpenSlotError(STORAGE_FAILED)`
        if they could not be, and so does every later one: what is in memory and what is on disk no longer agree.
        """
        ...

    @property
    def failed(self) -> bool:
        """Whether a commit has failed; only a restart helps."""
        ...

    def close(self) -> None:
        """Make what was committed durable and let go of the files."""
        ...
