"""The decision: an auction per slot, the winner's money reserved, a placement with a ticket, and a record of it all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass, field

import msgpack

from openslot_server.catalogue import Catalogue, Listed
from openslot_server.demand.budgets import Budgets
from openslot_server.demand.caps import Counts, Where
from openslot_server.demand.engine import Engine, Question, Win
from openslot_server.demand.model import LineItem
from openslot_server.demand.pacing import Pacer
from openslot_server.impressions.ledger import Entry, Kind, Ledger, Posting, Reserved
from openslot_server.impressions.postings import merge, reserved
from openslot_server.sessions import Seat
from openslot_server.storage.store import DecisionRow, Row, row_digest
from openslot_server.ticket_keys import TicketKeys
from openslot_spec.actions import KINDS_ALLOWED
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.ids import make_id
from openslot_spec.messages import NoAd, NoPlacement, Placement, Placements, PlacementsGet
from openslot_spec.slots import Slot
from openslot_spec.tickets import Ticket, mint

__all__ = ["Decider", "Outcome", "placements_of", "read_outcomes", "slots_of"]

Entropy = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one slot of a request: a placement, or a `NoAd` reason."""

    slot: str
    reason: str = ""
    placement: bytes = b""
    line_item: str = ""
    creative: str = ""
    price_micros: int = 0
    viewers: int = 0
    viewer: int = -1
    """Of a slot that is decided for each viewer."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request as it came, and the rivalries that its answer has taken sides in so far."""

    request: PlacementsGet
    seat: Seat
    now_ms: int
    id: bytes
    sides: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decider:
    """Answers `placements.get`, with the rooms that a decision brings together."""

    catalogue: Catalogue
    engine: Engine
    budgets: Budgets
    counts: Counts
    pacer: Pacer
    ledger: Ledger
    keys: TicketKeys
    entropy: Entropy
    placement_ms: int
    settle_grace_ms: int

    def decide(self, request: PlacementsGet, seat: Seat, now_ms: int) -> tuple[Placements, list[Row]]:
        """Return an answer for every slot asked for, once each, and the rows to keep before it is sent.

        Raises:
            OpenSlotError: `INVALID` if a per-viewer slot is asked for without a viewer.
        """
        asked = _Asked(request, seat, now_ms, self._new_id(now_ms))
        self.counts.turn(now_ms)
        self.pacer.tides.count(seat.world, len(request.slots), now_ms)
        listed = {slot: self.catalogue.find(seat.world, slot) for slot in request.slots}
        _check_viewer(request, listed)
        placements: list[Placement] = []
        outcomes: list[Outcome] = []
        lots: list[Reserved] = []
        for name, slot in listed.items():
            outcome = Outcome(name, NoAd.SLOT_UNKNOWN)
            if slot is not None:
                outcome = self._fill(asked, slot, placements, lots)
            outcomes.append(outcome)
        none = tuple(NoPlacement(slot=one.slot, reason=NoAd(one.reason)) for one in outcomes if one.reason)
        return Placements(placements=tuple(placements), none=none), self._rows(asked, outcomes, lots)

    def _fill(self, asked: _Asked, listed: Listed, placements: list[Placement], lots: list[Reserved]) -> Outcome:
        slot, now_ms = listed.slot, asked.now_ms
        viewer = asked.request.viewer if slot.audience == "per_viewer" else None
        where = Where(asked.seat.world, asked.seat.session, slot.id, viewer)
        draw, context = asked.id + slot.id.encode("ascii"), asked.request.context
        question = Question(where.world, slot, now_ms, draw, listed.revision, context)
        paced: list[str] = []
        won = self.engine.decide(
            question, lambda entry: self._refuses(asked, where, draw, entry.offer.line_item, paced)
        )
        for name in paced[: paced.index("")] if "" in paced else paced:
            self.pacer.note(name, where, now_ms)
        if isinstance(won, NoAd):
            return Outcome(slot.id, won)
        viewers = asked.request.viewers if slot.audience == "shared" else 1
        until_ms = now_ms + self.placement_ms + self.settle_grace_ms
        wanted = Reserved(self._new_id(now_ms).hex(), won.line_item.id, won.price_micros, viewers, until_ms)
        lot = self.budgets.reserve(wanted)
        assert lot is not None, f"{won.line_item.id} won without money"  # noqa: S101  the engine knows every budget
        asked.sides.update(dict.fromkeys(won.line_item.separation, won.line_item.advertiser))
        self.counts.add(won.line_item.id, won.line_item.caps, where)
        placement, outcome = self._place(asked, listed, won, lot)
        placements.append(placement)
        lots.append(lot)
        return outcome

    def _refuses(self, asked: _Asked, where: Where, draw: bytes, line_item: LineItem, paced: list[str]) -> bool:
        """Return whether a line item stays out; `paced` is who does for its pacing, and empty for the first who not."""
        if self._holds_back(asked, where, line_item):
            return True
        stays = self.pacer.holds_back(line_item, draw)
        paced.append(line_item.id if stays else "")
        return stays

    def _holds_back(self, asked: _Asked, where: Where, line_item: LineItem) -> bool:
        if any(asked.sides.get(name, line_item.advertiser) != line_item.advertiser for name in line_item.separation):
            return True
        return self.counts.full(line_item.id, line_item.caps, where)

    def _place(self, asked: _Asked, listed: Listed, won: Win, lot: Reserved) -> tuple[Placement, Outcome]:
        slot, creative, line_item = listed.slot, won.creative, won.line_item
        ticket = Ticket(
            placement=bytes.fromhex(lot.placement),
            world=asked.seat.world,
            session=asked.seat.session,
            slot=slot.id,
            slot_revision=listed.revision,
            creative=creative.sha256,
            line_item=line_item.id,
            price_micros=lot.price_micros,
            currency=line_item.cpm.currency,
            audience=slot.audience,
            viewers=lot.viewers,
            viewer=asked.request.viewer if slot.audience == "per_viewer" else None,
            profile=slot.profile,
            issued_ms=asked.now_ms,
            expires_ms=asked.now_ms + self.placement_ms,
        )
        placement = Placement(
            id=ticket.placement,
            slot=slot.id,
            creative=creative.ref(KINDS_ALLOWED if slot.accepts.actions is None else slot.accepts.actions),
            profile=slot.profile,
            also_profiles=_also(slot, line_item),
            ticket=mint(ticket, self.keys.secrets, self.keys.newest),
            expires_ms=ticket.expires_ms,
            viewer=ticket.viewer,
        )
        paid = line_item.id, creative.sha256, lot.price_micros, lot.viewers
        viewer = -1 if placement.viewer is None else placement.viewer
        return placement, Outcome(slot.id, "", ticket.placement, *paid, viewer)

    def _rows(self, asked: _Asked, outcomes: list[Outcome], lots: list[Reserved]) -> list[Row]:
        packed = bytes(msgpack.packb([astuple(outcome) for outcome in outcomes]))
        row = DecisionRow(asked.id, asked.seat.world, asked.seat.session, asked.now_ms, packed)
        postings = merge(posting for lot in lots for posting in self._postings(lot))
        entry = Entry(Kind.RESERVE, asked.now_ms, asked.id.hex(), postings, tuple(lots), row_digest(row).hex())
        return [row, *self.ledger.append(entry)]

    def _postings(self, lot: Reserved) -> tuple[Posting, ...]:
        currency = self.budgets.line_items[lot.line_item].currency
        return reserved(lot.line_item, currency, lot.price_micros * lot.viewers)

    def _new_id(self, now_ms: int) -> bytes:
        return make_id(now_ms, self.entropy(10))


def read_outcomes(row: DecisionRow) -> list[Outcome]:
    """Return what a decision row says of each slot."""
    return [Outcome(*values) for values in msgpack.unpackb(row.outcomes)]


def slots_of(row: DecisionRow) -> int:
    """Return of how many slots a decision row tells, without reading what."""
    unpacker = msgpack.Unpacker()
    unpacker.feed(row.outcomes)
    return int(unpacker.read_array_header())


def _also(slot: Slot, line_item: LineItem) -> tuple[str, ...]:
    """Return the profiles that either asks for, the billed one apart."""
    asked = dict.fromkeys((*slot.also_profiles, *line_item.also_profiles))
    return tuple(name for name in asked if name != slot.profile)


def placements_of(row: DecisionRow) -> Iterator[tuple[str, Where]]:
    """Yield whom a decision row placed, and what the placement counts for."""
    for outcome in read_outcomes(row):
        if outcome.placement:
            viewer = None if outcome.viewer < 0 else outcome.viewer
            yield outcome.line_item, Where(row.world, row.session, outcome.slot, viewer)


def _check_viewer(request: PlacementsGet, listed: Mapping[str, Listed | None]) -> None:
    for name, found in listed.items():
        if found is not None and found.slot.audience == "per_viewer" and request.viewer is None:
            raise OpenSlotError(Code.INVALID, f"{name} is per viewer; say for whom", where="viewer")
