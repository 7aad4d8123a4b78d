"""Why a line item does not deliver: which of its wishes, or whose, took how many of a day's requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from openslot_server.demand.decide import Decider, read_outcomes
from openslot_server.demand.engine import Question
from openslot_server.demand.entries import Entry
from openslot_server.demand.model import LineItem
from openslot_server.demand.places import Place
from openslot_server.storage.store import DecisionRow
from openslot_spec.messages import NoAd
from openslot_spec.records import Id, Record, TimeMs

__all__ = ["Delivery", "Stop", "Told", "delivery_of", "tell"]

WON = "won"
VIEWERS = frozenset({("language",), ("region",), ("device",), ("cohort",), ("hour",)})


@dataclass(frozen=True, slots=True)
class Told:
    """What a decision says of one slot, seen by one line item."""

    world: str
    slot: str
    outcome: str
    """`won`, `filled` by somebody else, or the reason why the slot stayed empty."""
    in_flight: bool


class Stop(Record):
    """What took some of the requests."""

    by: str
    """`flight`, the name of a wish or bound that the slot does not meet, a bar of the slot's, `floor`, `budget`,
    `pacing`, where its own throttle kept it out, `held_back`, `outbid`; or `viewers`, where the slot would do: whom or
    when it asks for, or a better bid."""
    requests: Annotated[int, Field(ge=1)]


class Delivery(Record):
    """What became of a day's requests for a line item, as it and the slots stand now."""

    line_item: Id
    since_ms: TimeMs
    requests: int
    won: int
    stops: tuple[Stop, ...]
    """The most first."""


def tell(rows: Iterable[DecisionRow], line_item: str, flight: tuple[int, int], since_ms: int) -> Counter[Told]:
    """Return how often each thing was decided since then."""
    told: Counter[Told] = Counter()
    for row in rows:
        if row.at_ms >= since_ms:
            in_flight = flight[0] <= row.at_ms < flight[1]
            for one in read_outcomes(row):
                outcome = WON if one.line_item == line_item else one.reason or "filled"
                told[Told(row.world, one.slot, outcome, in_flight)] += 1
    return told


def delivery_of(told: Counter[Told], line_item: LineItem, decider: Decider, since_ms: int) -> Delivery:
    """Return the account of what was told."""
    entry = decider.engine.entry(line_item.id)
    is_broke = decider.budgets.left(line_item.id) < line_item.price_micros
    found: Counter[str] = Counter()
    for one, requests in told.items():
        found[_stop(one, entry, _place(decider, one), is_broke=is_broke)] += requests
    won = found.pop(WON, 0)
    _tell_pacing(found, told, decider.pacer.held(line_item.id, since_ms))
    stops = tuple(Stop(by=by, requests=requests) for by, requests in found.most_common())
    return Delivery(line_item=line_item.id, since_ms=since_ms, requests=told.total(), won=won, stops=stops)


def _tell_pacing(found: Counter[str], told: Counter[Told], held: Counter[tuple[str, str]]) -> None:
    """Take what pacing held back from what others seem to have won."""
    places = {(one.world, one.slot) for one in told}
    paced = sum(count for where, count in held.items() if where in places)
    for name in ("outbid", "viewers", NoAd.HELD_BACK):
        moved = min(paced, found[name])
        found["pacing"] += moved
        found[name] -= moved
        paced -= moved
    for name in [name for name, count in found.items() if not count]:
        del found[name]


def _place(decider: Decider, one: Told) -> Place | None:
    listed = decider.catalogue.find(one.world, one.slot)
    if listed is None:
        return None
    return decider.engine.place(Question(one.world, listed.slot, 0, b"", listed.revision))


def _stop(one: Told, entry: Entry | None, place: Place | None, *, is_broke: bool) -> str:
    stopped = place.stop(entry) if place and entry else None
    asks_for_viewers = entry is not None and not VIEWERS.isdisjoint(entry.features)
    for holds, name in (
        (one.outcome == WON, WON),
        (not one.in_flight, "flight"),
        (entry is None, "status"),
        (place is None, NoAd.SLOT_UNKNOWN),
        (stopped is not None, stopped),
        (is_broke or one.outcome == NoAd.BUDGET_EXHAUSTED, "budget"),
        (one.outcome == NoAd.HELD_BACK, NoAd.HELD_BACK),
        (asks_for_viewers, "viewers"),
    ):
        if holds and name:
            return name
    return "outbid"
