"""Faults of our own making, one each: what a mistake in the product would look like. The simulation must find them all.

Each is what to put in the place of what (see `swapped`); none of them crashes or is wrong in fair weather.
"""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from openslot_sdk.outbox import Batch, Outbox
from openslot_sdk.spool import Spool
from openslot_server.core import Core
from openslot_server.demand.budgets import Budgets
from openslot_server.impressions.figures import rules
from openslot_server.impressions.intake import Intake
from openslot_server.impressions.invalid import Seen
from openslot_server.impressions.ledger import Released, Settled
from openslot_server.impressions.times import MISSING, Times
from openslot_server.impressions.traffic import TrafficRules
from openslot_server.impressions.verdicts import Verdict, Verdicts
from openslot_server.sessions import Seat
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import Event, EventKind
from openslot_spec.messages import ExposuresPut, Message
from openslot_spec.tickets import Ticket


class UnsyncedSpool(Spool):
    """Says that a batch is durable once it is written."""

    def _write(self, record: bytes) -> None:
        try:
            self._disk.append(self._name, record)
        except OSError as error:
            raise OpenSlotError(Code.STORAGE_FAILED, str(error)) from error


class TrustingSpool(Spool):
    """Takes a second fsync for an answer after the first one failed."""

    def _write(self, record: bytes) -> None:
        self._doubtful = False
        super()._write(record)


class CarelessOutbox(Outbox):
    """Takes a batch out of the spool when it is sent, not when it is acknowledged."""

    async def _send(self, batch: Batch, request: Callable[[Message], Awaitable[Message]]) -> None:
        self._work.put_nowait(batch.batch)
        await super()._send(batch, request)


class ForgetfulIntake(Intake):
    """Does not know a batch again."""

    def put(self, message: ExposuresPut, seat: Seat, now_ms: int) -> Any:
        self._batches.clear()
        return super().put(message, seat, now_ms)


class FreshIntake(Intake):
    """Knows nothing after a restart of what was counted before."""

    def load(self, rows: Any) -> None:
        del rows


class OrderlySeen(Seen):
    """Takes a viewable event only after the rendered one."""

    __slots__ = ()

    def take(self, columns: Any, events: Any, ticket: Ticket, rules: TrafficRules) -> Verdicts:
        verdicts = super().take(columns, events, ticket, rules)
        for place, event in enumerate(events.tolist()):
            rendered = EventKind.RENDERED << 32 | int(columns.viewer[event])
            if columns.kind[event] == EventKind.VIEWABLE and self._times_ms.get(rendered) == MISSING:
                verdicts[place] = Verdict.OUT_OF_RANGE
        return verdicts

    def take_one(self, event: Event, ticket: Ticket, rules: TrafficRules) -> Verdict:
        verdict = super().take_one(event, ticket, rules)
        rendered = EventKind.RENDERED << 32 | event.viewer
        is_early = event.kind == EventKind.VIEWABLE and self._times_ms.get(rendered) == MISSING
        return Verdict.OUT_OF_RANGE if is_early else verdict

    def take_few(self, events: Sequence[Event], ticket: Ticket, rules: TrafficRules) -> list[Verdict]:
        verdicts = super().take_few(events, ticket, rules)
        for place, event in enumerate(events):
            rendered = EventKind.RENDERED << 32 | event.viewer
            if event.kind == EventKind.VIEWABLE and self._times_ms.get(rendered) == MISSING:
                verdicts[place] = Verdict.OUT_OF_RANGE
        return verdicts


def _count_again(times_ms: Times, keys: Any, values: Any) -> list[int]:
    for key, value in zip(keys.tolist(), values.tolist(), strict=True):
        _count_one_again(times_ms, key, value)
    return []


def _count_one_again(times_ms: Times, key: int, value: int) -> bool:
    if not _add(times_ms, key, value):
        times_ms.remove(key)
        _add(times_ms, key, value)
    return True


def _forget_expiry(*asked: Any) -> Iterator[tuple[Verdict, Any]]:
    return (rule for rule in rules(*asked) if rule[0] is not Verdict.TICKET_EXPIRED)


def _answer_at_once(core: Core, seat: Seat, message: Message) -> tuple[Message, Future[None]]:
    reply, _ = _answer(core, seat, message)
    done: Future[None] = Future()
    done.set_result(None)
    return reply, done


def _settle_twice(budgets: Budgets, placement: str, impressions: int) -> Settled:
    one = _settle(budgets, placement, impressions)
    two = _settle(budgets, placement, min(one.from_reserved, budgets.placements[placement].held))
    return Settled(placement, one.from_reserved + two.from_reserved, one.from_budget, one.free)


def _release_all_but_one(budgets: Budgets, now_ms: int) -> Iterator[Released]:
    due = budgets._due
    while due and due[0][0] <= now_ms:
        placement = heapq.heappop(due)[1]
        held = budgets.placements[placement].held
        if held > 1:
            lot = Released(placement, held - 1)
            budgets.apply(lot)
            yield lot


_answer, _settle, _add = Core.answer, Budgets.settle, Times.add

PLANTS: dict[str, dict[str, object]] = {
    "a view counts twice": {
        "openslot_server.impressions.times.Times.add_all": _count_again,
        "openslot_server.impressions.times.Times.add": _count_one_again,
    },
    "a batch is taken as new when it comes again": {"openslot_server.rooms.Intake": ForgetfulIntake},
    "a restart forgets what was counted": {"openslot_server.rooms.Intake": FreshIntake},
    "the order of events matters": {"openslot_server.impressions.judge.Seen": OrderlySeen},
    "an expired ticket is billed": {"openslot_server.impressions.figures.rules": _forget_expiry},
    "an answer leaves before its rows are durable": {"openslot_server.core.Core.answer": _answer_at_once},
    "an impression is settled twice": {"openslot_server.demand.budgets.Budgets.settle": _settle_twice},
    "a reservation leaks": {"openslot_server.demand.budgets.Budgets.release_due": _release_all_but_one},
    "a spool's tail is lost": {"openslot_sdk.world.Spool": UnsyncedSpool},
    "a failed fsync is forgiven": {"openslot_sdk.world.Spool": TrustingSpool},
    "a batch leaves the spool when it is sent": {"openslot_sdk.world.Outbox": CarelessOutbox},
}
