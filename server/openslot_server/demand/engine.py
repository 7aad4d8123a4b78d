"""The decision engine: who gets a slot, and at what price.

It holds an index of the line items that may run and is told of every change as it happens; a decision sees all changes
before it. There is no clock, no randomness and no I/O in it: the same calls give the same decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from openslot_server.demand.chunks import CAPACITY, Chunk
from openslot_server.demand.circumstances import QUARTER_MS, Circumstance, circumstance_of
from openslot_server.demand.entries import MIXED, Entry, entry_of
from openslot_server.demand.flights import Moments
from openslot_server.demand.index import Index
from openslot_server.demand.model import Creative, LineItem, Offer
from openslot_server.demand.places import REACHED, Place, place_of
from openslot_server.demand.ranking import Ranking
from openslot_server.demand.showing import choose, shown
from openslot_spec.messages import Context, NoAd
from openslot_spec.slots import Slot

__all__ = ["Auction", "Engine", "Question", "Win"]

Part = tuple[Chunk, int]
Asked = tuple[Place, Circumstance]
Auction = Literal["first_price", "second_price"]
KEPT = 1 << 12
"""Answers and lists that are remembered at the most; a list may be as long as the index."""
PLACES = 1 << 16
"""Places that are remembered at the most."""


@dataclass(frozen=True, slots=True)
class Question:
    """One slot to fill."""

    world: str
    slot: Slot
    now_ms: int
    draw: bytes
    """What ties are drawn from."""
    revision: str | None = None
    """The slot's, where it is known; it saves working the slot out again."""
    context: Context | None = None
    """For whom."""


@dataclass(frozen=True, slots=True)
class Win:
    """Who has the slot, with what, for how much."""

    line_item: LineItem
    creative: Creative
    price_micros: int
    """Of one viewable impression."""


def nobody(_: Entry) -> bool:
    """Refuse nobody."""
    return False


class Engine:
    """All line items that may run, ready to be asked; `left` says how many micros of its budget one has left."""

    def __init__(
        self, left: Callable[[str], int], auction: Auction = "first_price", *, capacity: int = CAPACITY
    ) -> None:
        self._left = left
        self._auction = auction
        self._now_ms = 0
        self._index = Index(capacity=capacity)
        self._moments = Moments()
        self._stopped: set[str] = set()
        self._broke: set[str] = set()
        self._slots_named: set[str] = set()
        """Slots that some line item asks for by name; all others are alike in that."""
        self._places: dict[tuple[str, str], Place] = {}
        self._alike: dict[tuple[object, ...], Place] = {}
        self._reviewing: frozenset[str] = frozenset()
        """Worlds that show only what they approved."""
        self._time_zones: set[str] = set()
        self._circumstances: dict[Context | None, Circumstance] = {}
        self._latest: tuple[Context | None, Circumstance | None] = (None, None)
        self._quarter = -1
        self._lists: dict[Asked, tuple[int, list[Part], NoAd | None]] = {}
        self._vain: dict[Asked, tuple[int, int, NoAd]] = {}
        self._added = self._raised = self._lowered = 0
        """Counts of changes, for what is kept: somebody has a new place, may serve again, or no more."""

    def fill(self, offers: Iterable[Offer], now_ms: int) -> None:
        """Take many line items at once into an engine that has none; faster than one by one."""
        self._now_ms = now_ms
        self._index = Index(map(entry_of, offers), self._index.capacity)
        self._added += 1
        for entry in self._index.entries.values():
            self._welcome(entry)

    def put(self, offer: Offer) -> None:
        """Let a line item run as it now stands, in its flight and while it has money."""
        entry = entry_of(offer)
        before = self._index.entries.get(entry.id)
        self._stopped.discard(entry.id)
        if before is None or before.offer != offer:
            if before is not None:
                self._index.remove(before.id)
            self._index.add(entry)
            self._added += 1
            self._raised += 1
            self._lowered += 1
            self._welcome(entry)
        else:
            self._refresh(before)

    def stop(self, line_item: str) -> None:
        """Let a line item serve no more until it is put again."""
        if line_item in self._index.entries:
            self._stopped.add(line_item)
            self.look_at(line_item)

    def drop(self, line_item: str) -> None:
        """Forget a line item that never serves again."""
        self.stop(line_item)
        if line_item in self._index.entries:
            self._index.remove(line_item)
        self._stopped.discard(line_item)

    def look_at(self, line_item: str) -> None:
        """Take note that a line item's budget or flight changed."""
        entry = self._index.entries.get(line_item)
        if entry is not None:
            self._refresh(entry)

    def pay(self, line_item: str) -> None:
        """Take note that a line item's budget changed; cheap where it makes no difference."""
        entry = self._index.entries.get(line_item)
        if entry is not None and (self._left(line_item) >= entry.bid_micros) == (line_item in self._broke):
            self._refresh(entry)

    def review(self, worlds: frozenset[str]) -> None:
        """Let only what they approved be shown in these worlds, from now on."""
        if worlds != self._reviewing:
            self._reviewing = worlds
            self._places.clear()

    def entry(self, line_item: str) -> Entry | None:
        """Return a line item as the auction knows it; None if it does not run."""
        return None if line_item in self._stopped else self._index.entries.get(line_item)

    def place(self, question: Question) -> Place:
        """Return a slot as the auction sees it."""
        return self._place(question)

    def decide(self, question: Question, refuses: Callable[[Entry], bool] = nobody) -> Win | NoAd:
        """Return who gets the slot, or why nobody does; `refuses` is asked of each who would have it."""
        self._advance(question.now_ms)
        place = self._place(question)
        asked = place, self._circumstance(question)
        vain = self._vain.get(asked)
        if vain is not None and vain[0] == self._raised and (vain[1] == self._lowered or vain[2] == REACHED[0]):
            return vain[2]
        ranking = Ranking(self._matches(asked), question.draw)
        winner, tried = None, False
        for entry in ranking:
            tried = True
            if not refuses(entry):
                winner = entry
                break
        if winner is None:
            return NoAd.HELD_BACK if tried else self._remember_vain(asked)
        price = self._price(winner, place, ranking, refuses)
        return Win(winner.offer.line_item, _creative(winner, question, place), price)

    def _price(self, winner: Entry, place: Place, ranking: Ranking, refuses: Callable[[Entry], bool]) -> int:
        """Return the winner's bid, or in a second-price auction what the next advertiser bids, or the floor."""
        if self._auction == "first_price" or winner.offer.line_item.tier != "auction":
            return winner.bid_micros
        floor = place.floor_of(winner)
        ranking.drop(("advertiser", winner.advertiser))
        for entry in ranking:
            if entry.rank[0] != winner.rank[0] or entry.bid_micros <= floor:
                break
            if not refuses(entry):
                return entry.bid_micros
        return floor

    def _place(self, question: Question) -> Place:
        revision = question.revision or question.slot.revision()
        known = self._places.get((question.world, revision))
        if known is None:
            named = question.slot.id if question.slot.id in self._slots_named else None
            made = place_of(question.world, question.slot, named, question.world in self._reviewing)
            known = _bounded(self._alike, PLACES).setdefault((made.gates, made.floor_micros, made.floors), made)
            _bounded(self._places, PLACES)[question.world, revision] = known
        return known

    def _circumstance(self, question: Question) -> Circumstance:
        quarter = question.now_ms // QUARTER_MS
        context, known = self._latest
        if context is question.context and quarter == self._quarter and known is not None:
            return known
        if quarter != self._quarter:
            self._quarter = quarter
            self._circumstances.clear()
        known = self._circumstances.get(question.context)
        if known is None:
            known = circumstance_of(question.context, question.now_ms, self._time_zones)
            _bounded(self._circumstances)[question.context] = known
        self._latest = question.context, known
        return known

    def _matches(self, asked: Asked) -> Iterator[Part]:
        """Yield for each chunk who may serve; the sets are remembered once all chunks were asked for."""
        added, parts, _ = self._lists.get(asked, (-1, [], None))
        if added != self._added:
            parts = []
            place, circumstance = asked
            # one look at all numbers together spares most slots that nobody fits the walk
            ceiling = place.ceiling(self._index.span)
            for chunk in () if ceiling else self._index.chunks:
                bits = place.match(chunk)
                bits = bits and bits & circumstance.match(chunk)
                if bits:
                    parts.append((chunk, bits))
                    yield chunk, bits & chunk.running & chunk.funded
            _bounded(self._lists)[asked] = self._added, parts, ceiling
        else:
            for chunk, bits in parts:
                yield chunk, bits & chunk.running & chunk.funded

    def _remember_vain(self, asked: Asked) -> NoAd:
        """Return why nobody serves, once all chunks were searched; nothing is more than to lack money."""
        _, parts, ceiling = self._lists[asked]
        place, circumstance = asked
        reason = NoAd.BUDGET_EXHAUSTED if any(bits & chunk.running for chunk, bits in parts) else NoAd.NO_DEMAND
        most = ceiling or NoAd.FLOOR_NOT_MET
        for chunk in self._index.chunks if reason == NoAd.NO_DEMAND else ():
            if reason == most:
                break
            among = chunk.running & circumstance.match(chunk)
            reason = max(reason, place.furthest(chunk, among), key=REACHED.index)
        _bounded(self._vain)[asked] = self._raised, self._lowered, reason
        return reason

    def _advance(self, now_ms: int) -> None:
        self._now_ms = now_ms
        for line_item in self._moments.due(now_ms):
            self.look_at(line_item)

    def _welcome(self, entry: Entry) -> None:
        line_item = entry.offer.line_item
        for at_ms in (line_item.from_ms, line_item.to_ms):
            if at_ms > self._now_ms:
                self._moments.add(at_ms, entry.id)
        targeting = line_item.targeting
        named = {*targeting.slots, *targeting.slots_excluded}
        if not self._slots_named >= named:
            self._slots_named |= named
            self._places.clear()
        if targeting.dayparts and targeting.time_zone not in self._time_zones:
            self._time_zones.add(targeting.time_zone)
            self._circumstances.clear()
            self._latest = None, None
        self._refresh(entry)

    def _refresh(self, entry: Entry) -> None:
        """Set a line item's bits to what status, flight and budget say."""
        line_item = entry.offer.line_item
        in_flight = line_item.from_ms <= self._now_ms < line_item.to_ms
        runs = in_flight and entry.id not in self._stopped
        is_funded = self._left(entry.id) >= entry.bid_micros
        (self._broke.discard if is_funded else self._broke.add)(entry.id)
        chunk, place = self._index.find(entry.id)
        before = chunk.running, chunk.funded
        chunk.running = _with_bit(chunk.running, place, on=runs)
        chunk.funded = _with_bit(chunk.funded, place, on=is_funded)
        self._raised += chunk.running > before[0] or chunk.funded > before[1]
        self._lowered += chunk.running < before[0]


def _creative(winner: Entry, question: Question, place: Place) -> Creative:
    taken: tuple[Creative, ...] | NoAd = winner.offer.creatives
    if MIXED in winner.features:
        taken = shown(winner.offer, question.slot, question.world, reviews=place.reviews)
    assert not isinstance(taken, NoAd)  # noqa: S101  the index and the slot must agree
    return choose(taken, question.slot, question.draw)


def _with_bit(bits: int, place: int, *, on: bool) -> int:
    return bits | 1 << place if on else bits & ~(1 << place)


def _bounded(kept: dict[Any, Any], most: int = KEPT) -> dict[Any, Any]:
    """Return a dictionary with room for one more: an empty one if it was full."""
    if len(kept) >= most:
        kept.clear()
    return kept
