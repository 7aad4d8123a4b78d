"""The server's rooms together: made from what the store holds, and swept as time passes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

from openslot_server.audit.draw import Drawer
from openslot_server.audit.geometries import Geometries
from openslot_server.audit.room import Audits
from openslot_server.catalogue import Catalogue
from openslot_server.config import MAX_PLACEMENT_MS, Settings
from openslot_server.creatives.review import Reviews
from openslot_server.demand.answers import Answers
from openslot_server.demand.budgets import Budgets
from openslot_server.demand.caps import DAY_MS, Counts
from openslot_server.demand.decide import Decider, placements_of, slots_of
from openslot_server.demand.engine import Engine
from openslot_server.demand.orders import OrderBook
from openslot_server.demand.pacing import Pacer
from openslot_server.demand.tides import WEEK_MS, Tides
from openslot_server.federation.identity import Identity, founded
from openslot_server.federation.room import Federation
from openslot_server.impressions.intake import Intake
from openslot_server.impressions.judge import Judge
from openslot_server.impressions.ledger import Entry, Kind, Ledger, Posting, Released
from openslot_server.impressions.postings import merge, released
from openslot_server.impressions.signals import Signals
from openslot_server.impressions.traffic import traffic_rules
from openslot_server.impressions.verify import verify
from openslot_server.keys import TOKEN_ENTROPY_BYTES, Keyring, make_token, new_key
from openslot_server.sessions import Sessions
from openslot_server.storage.store import (
    AnswerRow,
    AuditRow,
    BatchRow,
    CampaignRow,
    CreativeRow,
    DecisionRow,
    DescriptionRow,
    FeedEndRow,
    FeedProofRow,
    FeedRecordRow,
    GeometryRow,
    KeyEndRow,
    KeyRow,
    LineItemRow,
    PeerRow,
    PolicyRow,
    Reader,
    ReviewRow,
    Row,
    ServerKeyRow,
    SessionRow,
    ShareRow,
    SignalRow,
    SlotRow,
    TicketKeyRow,
)
from openslot_server.ticket_keys import TicketKeys, new_ticket_key
from openslot_spec.actions import KINDS_ALLOWED
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.limits import Limits
from openslot_spec.servers import Sealed
from openslot_spec.signing import origin_of
from openslot_spec.tickets import Ticket

__all__ = ["Rooms", "first_rows", "open_rooms", "sweep", "ticket_secrets"]

Entropy = Callable[[int], bytes]
TIDES_WEEKS = 4


@dataclass(frozen=True, slots=True)
class Rooms:
    """Every room's state, and the limits that all of them keep."""

    limits: Limits
    keys: TicketKeys
    sessions: Sessions
    catalogue: Catalogue
    orders: OrderBook
    reviews: Reviews
    budgets: Budgets
    ledger: Ledger
    intake: Intake
    signals: Signals
    decider: Decider
    answers: Answers
    audits: Audits
    federation: Federation


def first_rows(reader: Reader, settings: Settings, now_ms: int, entropy: Entropy) -> tuple[list[Row], str | None]:
    """Return what a new database lacks, and the operator's key if one was made (it is shown once)."""
    rows: list[Row] = []
    if not ticket_secrets(reader):
        rows.append(new_ticket_key(entropy, now_ms))
    if not list(reader.load(ServerKeyRow)):
        rows.append(founded(entropy, now_ms))
    known = Keyring(reader.load(KeyRow), reader.load(KeyEndRow))
    if settings.operator_key:
        if known.has_ended(settings.operator_key):
            raise OpenSlotError(Code.CONFIG_INVALID, "it was revoked", where="operator_key")
        if not known.holds(settings.operator_key):
            rows.append(new_key(settings.operator_key, "operator", "operator", now_ms))
        return rows, None
    if known.has_operator():
        return rows, None
    token = make_token("operator", entropy(TOKEN_ENTROPY_BYTES))
    return [*rows, new_key(token, "operator", "operator", now_ms)], token


def ticket_secrets(reader: Reader) -> dict[bytes, bytes]:
    """Return the secrets that sign tickets, by key id, the newest last."""
    return {row.key_id: row.secret for row in reader.load(TicketKeyRow)}


def open_rooms(reader: Reader, settings: Settings, now_ms: int, entropy: Entropy) -> Rooms:
    """Return the rooms as the last durable rows left them; raises `LEDGER_BROKEN` if the books do not hold."""
    books = verify(reader)
    keys = TicketKeys(reader.load(TicketKeyRow), MAX_PLACEMENT_MS + settings.late_ms)
    engine = Engine(books.budgets.left, settings.auction)
    books.budgets.watch = engine.pay
    reviews = Reviews(reader.load(PolicyRow), reader.load(ReviewRow))
    engine.review(reviews.reviewing)
    orders = OrderBook(settings.currency, engine, reviews.clearance)
    for kind in (CampaignRow, LineItemRow, CreativeRow):
        orders.load(reader.load(kind))
    orders.open(now_ms)
    catalogue = Catalogue(settings.limits.slots_per_world, settings.currency, reader.load(SlotRow))
    judge = Judge(catalogue, books.budgets, traffic_rules(), settings.skew_ms, settings.late_ms)
    rooms = Rooms(
        limits=settings.limits,
        keys=keys,
        sessions=Sessions(reader.load(SessionRow)),
        catalogue=catalogue,
        orders=orders,
        reviews=reviews,
        budgets=books.budgets,
        ledger=books.ledger,
        intake=Intake(books.budgets, books.ledger, judge, keys, settings.platform_fee_ppm),
        signals=Signals(
            judge, books.ledger, keys, orders.creatives.get, partial(_actions_allowed, catalogue), settings.skew_ms
        ),
        decider=Decider(
            catalogue,
            engine,
            books.budgets,
            _counted(reader, orders, now_ms),
            Pacer(books.budgets, _tides(reader, now_ms)),
            books.ledger,
            keys,
            entropy,
            settings.placement_ms,
            settings.settle_grace_ms,
        ),
        answers=Answers(
            (row for row in reader.load(AnswerRow) if row.at_ms > now_ms - settings.placement_ms), settings.placement_ms
        ),
        audits=Audits(
            Drawer(catalogue, keys, settings.audit_ppm, settings.platform_fee_ppm, entropy),
            Geometries((row.world, row.sha256, row.at_ms) for row in reader.load(GeometryRow)),
            books.budgets,
            books.ledger,
            settings.skew_ms,
        ),
        federation=_federation(reader, settings, catalogue),
    )
    for table in (PeerRow, ShareRow, FeedRecordRow, FeedEndRow, FeedProofRow):
        rooms.federation.load(reader.load(table))
    rooms.audits.load(reader.load(AuditRow), now_ms)
    oldest_ms = now_ms - settings.late_ms - settings.settle_grace_ms - MAX_PLACEMENT_MS
    rooms.intake.load(row for row in reader.load(BatchRow) if row.at_ms >= oldest_ms)
    rooms.signals.load(row for row in reader.load(SignalRow) if row.at_ms >= oldest_ms)
    return rooms


def _federation(reader: Reader, settings: Settings, catalogue: Catalogue) -> Federation:
    keys, told = list(reader.load(ServerKeyRow)), list(reader.load(DescriptionRow))
    origin = origin_of(keys[0].public)
    own = next((Sealed.model_validate_json(row.sealed) for row in told if row.origin == origin), None)
    federation = Federation(Identity(keys, own, settings.name, settings.address), catalogue)
    federation.load(told)
    return federation


def sweep(rooms: Rooms, late_ms: int, now_ms: int) -> list[Row]:
    """Release what expired placements still hold, and forget those for which no event is taken any more."""
    rows: list[Row] = [*rooms.orders.turn(now_ms)]
    rooms.decider.pacer.turn(rooms.orders.line_items, now_ms)
    lots = tuple(rooms.budgets.release_due(now_ms))
    if lots:
        postings = merge(posting for lot in lots for posting in _released(rooms.budgets, lot))
        rows += rooms.ledger.append(Entry(Kind.RELEASE, now_ms, "", postings, lots))
    over = tuple(rooms.budgets.forget_due(now_ms - late_ms))
    oldest_ms = now_ms - late_ms - MAX_PLACEMENT_MS  # a batch may hold a ticket that was issued just then
    rooms.intake.forget(over, oldest_ms)
    rooms.signals.forget(over, oldest_ms)
    rooms.catalogue.forget(oldest_ms)
    forgotten = [*rooms.answers.forget(now_ms), *rooms.sessions.forget(now_ms)]
    return [*rows, *forgotten, *rooms.audits.sweep(now_ms)]


def _actions_allowed(catalogue: Catalogue, ticket: Ticket) -> Collection[str]:
    """Return which kinds of actions the slot of a ticket allows; none once the slot is gone."""
    listed = catalogue.find(ticket.world, ticket.slot)
    if listed is None:
        return ()
    allowed = listed.slot.accepts.actions
    return KINDS_ALLOWED if allowed is None else allowed


def _counted(reader: Reader, orders: OrderBook, now_ms: int) -> Counts:
    """Return today's placements of the line items that have caps."""
    counts = Counts()
    counts.turn(now_ms)
    caps = {name: line_item.caps for name, line_item in orders.line_items.items() if line_item.caps}
    for row in reader.load(DecisionRow) if caps else ():
        if row.at_ms // DAY_MS == now_ms // DAY_MS:
            for line_item, where in placements_of(row):
                counts.add(line_item, caps.get(line_item, ()), where)
    return counts


def _tides(reader: Reader, now_ms: int) -> Tides:
    """Return what the last weeks' requests say of when slots are asked for."""
    tides = Tides()
    for row in reader.load(DecisionRow):
        if row.at_ms >= now_ms - TIDES_WEEKS * WEEK_MS:
            tides.count(row.world, slots_of(row), row.at_ms)
    return tides


def _released(budgets: Budgets, lot: Released) -> tuple[Posting, ...]:
    claim = budgets.placements[lot.placement]
    currency = budgets.line_items[claim.line_item].currency
    return released(claim.line_item, currency, lot.viewers * claim.price_micros)
