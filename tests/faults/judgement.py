"""What must hold at the end of a play, once everything is healed and every reservation is over."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any, get_args

import msgpack

from openslot_server.reports.queries import Dimension
from openslot_server.reports.queries import recount as product_recount
from openslot_spec.errors import OpenSlotError
from tests.faults import recount
from tests.faults.audit import Terms, complaints
from tests.faults.databases import as_database
from tests.faults.recount import Event
from tests.faults.simulation import Simulation, play
from tests.faults.storm import storm
from tests.faults.walkers import Walker

EXPIRED = 4
BY = get_args(Dimension)


def judge(play: Simulation) -> list[str]:
    """Return every complaint about a play; an empty list is what is wanted."""
    with closing(as_database(play.platter)) as database:
        terms = Terms(play.settings.skew_ms, play.settings.late_ms)
        stored = Stored(database)
        return [
            *play.foul,
            *complaints(database, terms, at_rest=True),
            *_reports_agree(play, database),
            *(each for walker in play.walkers for each in _kept_is_counted(walker, stored, terms)),
            *(each for walker in play.walkers for each in _counts_agree(walker, stored)),
            *_promises_are_kept(play, stored),
        ]


class Stored:
    """The stored events by batch, each as often as it was stored."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.rows: dict[tuple[str, bytes], list[tuple[list[bytes], dict[str, bytes]]]] = {}
        self.events: dict[tuple[str, bytes], list[Event]] = {}
        for world, batch, tickets, columns in database.execute("SELECT world, id, tickets, columns FROM batches"):
            row = (msgpack.unpackb(tickets), msgpack.unpackb(columns))
            self.rows.setdefault((world, batch), []).append(row)
        for event in recount.events(database):
            self.events.setdefault((event.world, event.batch), []).append(event)

    def first(self, world: str, batch: bytes) -> list[Event]:
        """Return the batch's events as they were judged the first time."""
        events = self.events.get((world, batch), [])
        return events[: len(events) // max(len(self.rows.get((world, batch), [])), 1)]


def _kept_is_counted(walker: Walker, stored: Stored, terms: Terms) -> Iterator[str]:
    """What the world made durable is stored once, as it was, and counts, or came too late and says so."""
    for batch, body in walker.kept.items():
        rows = stored.rows.get((walker.name, batch), [])
        if len(rows) != 1:
            yield f"{walker.name}'s batch {batch.hex()} is stored {len(rows)} times"
        elif rows[0] != (body["tickets"], body["columns"]):
            yield f"{walker.name}'s batch {batch.hex()} is stored with other content"
        for event in stored.first(walker.name, batch):
            late = event.ticket is not None and event.came_ms > event.ticket.expires_ms + terms.late_ms
            if event.verdict > recount.FREE and not (late and event.verdict == EXPIRED):
                yield f"{walker.name}'s honest event is {(recount.REFUSED | recount.MARKED)[event.verdict]}"


def _counts_agree(walker: Walker, stored: Stored) -> Iterator[str]:
    """What a world that was never killed has counted itself is what is stored of it."""
    if walker.kills:
        return
    kinds: Counter[int] = Counter()
    accepted = 0
    for batch in walker.kept:
        events = stored.first(walker.name, batch)
        kinds.update(event.kind for event in events if not event.profile)
        accepted += sum(event.verdict not in recount.REFUSED for event in events)
    lives = walker.stats
    dropped = sum(sum(life.events.dropped.values()) for life in lives)
    seen = {
        "rendered": (sum(life.rendered for life in lives), kinds[recount.RENDERED]),
        "viewable": (sum(life.viewable for life in lives), kinds[recount.VIEWABLE]),
        "accepted": (sum(life.events.accepted for life in lives), accepted),
    }
    for name, (own, recounted) in seen.items():
        if own != recounted and not dropped:
            yield f"{walker.name} counted {own} {name}, the recount {recounted}"


def _promises_are_kept(play: Simulation, stored: Stored) -> Iterator[str]:
    """Whatever was acknowledged is stored, with the verdict that was given."""
    worlds = {batch: world for world, batch in stored.rows}
    for ack in play.acks:
        events = stored.first(worlds.get(ack.batch, ""), ack.batch)
        verdicts = Counter(event.verdict for event in events)
        refused = {recount.REFUSED[verdict]: count for verdict, count in verdicts.items() if verdict in recount.REFUSED}
        if (ack.accepted, dict(ack.refused)) != (verdicts.total() - sum(refused.values()), refused):
            yield f"batch {ack.batch.hex()} was acknowledged as {ack}, stored as {dict(verdicts)}"


def _reports_agree(play: Simulation, database: sqlite3.Connection) -> Iterator[str]:
    with play.platter.read() as reader:
        try:
            by: Dimension = BY[play.seed % len(BY)]
            theirs: dict[str, Any] = product_recount(reader, play.settings.currency, by).plain()
        except OpenSlotError as error:
            yield str(error)
            return
    if theirs != recount.report(database, by, play.settings.platform_fee_ppm, play.settings.currency):
        yield f"the report by {by} is not what is recounted"


def found(seed: int) -> list[str]:
    """Play a seed and return every complaint; a play that breaks or never comes to rest is one."""
    try:
        return judge(play(seed, storm))
    except Exception as error:  # whatever a fault brings about here, it was found
        return [f"{type(error).__name__}: {error}"]
