from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_sdk.link import LONGEST_BACKOFF_MS, Caller, Link, Listener, backoff_ms
from openslot_sdk.outbox import MAX_HANDED_IN, Outbox
from openslot_sdk.outside import Outside, Transport
from openslot_sdk.proofs import Proofs
from openslot_sdk.spool import Spool
from openslot_sdk.wire import Pace, refusal
from openslot_sdk.witness import Witness
from openslot_spec.errors import SENTENCES, Code, OpenSlotError
from openslot_spec.exposures import COLUMNS, ExposureColumns
from openslot_spec.limits import Limits
from openslot_spec.messages import Error, ExposuresPut, Message, PlacementsRevoked, SlotsAck, SlotsRemove, Welcome
from tests.sdk.scripted_disk import ScriptedDisk
from tests.sdk.scripted_server import EPOCH_MS, KEY, Pipe, ScriptedServer
from tests.sdk.simulated import at_once, outcome, simulate, until


def batch(number: int, events: int = 3) -> ExposuresPut:
    columns = {name: np.zeros(events) for name in COLUMNS} | {
        "kind": np.ones(events),
        "viewer": np.full(events, number),
    }
    return ExposuresPut(
        batch=number.to_bytes(16, "big"), tickets=(b"t%d" % number,), columns=ExposureColumns.build(columns).pack()
    )


@dataclass
class Sender:
    """A link and an outbox, and nothing of a world round them."""

    server: ScriptedServer
    disk: ScriptedDisk = field(default_factory=ScriptedDisk)
    key: str = KEY
    limit_bytes: int = 1_000_000
    said: list[OpenSlotError] = field(default_factory=list)
    pushed: list[Message] = field(default_factory=list)

    async def __aenter__(self) -> Sender:
        outside = Outside(dial=self.server.dial, wall_ms=lambda: EPOCH_MS, entropy=lambda n: bytes(n), aside=at_once)
        witness = Witness(Proofs(self.disk, "spool.evidence"), outside, self.said.append)
        self.outbox = Outbox(Spool(self.disk, "spool", self.limit_bytes), outside, self.said.append, witness)
        listener = Listener((self._deliver,), self.pushed.append, self.said.append)
        self.link = Link(Caller("ws://test", self.key, "plaza"), outside, listener)
        self._tasks = [asyncio.create_task(self.link.run()), asyncio.create_task(self.outbox.store())]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deliver(self, welcome: Welcome) -> None:
        await self.outbox.deliver(self.link.request, welcome.limits)

    async def finish(self) -> None:
        await self.outbox.stored()
        await self.outbox.delivered()


async def send_all(server: ScriptedServer, batches: int) -> Sender:
    async with Sender(server) as sender:
        for number in range(batches):
            sender.outbox.put(batch(number))
            await asyncio.sleep(0.05)
        await sender.finish()
        await sender.outbox.stored()
    return sender


def check_all_arrived_once(server: ScriptedServer, sender: Sender, batches: int) -> None:
    assert sorted(server.batches) == [number.to_bytes(16, "big") for number in range(batches)]
    assert len(server.events) == 3 * batches
    counts = sender.outbox.counts
    assert counts.spooled == counts.acknowledged == counts.accepted == 3 * batches
    assert not counts.dropped
    assert not counts.refused
    assert len(Spool(sender.disk, "spool")) == 0


def test_a_drop_at_any_message_loses_and_doubles_nothing() -> None:
    clean = ScriptedServer()
    check_all_arrived_once(clean, simulate(send_all(clean, 6)), 6)
    for drop in range(clean.messages):
        server = ScriptedServer(drop_at=frozenset({drop}))
        check_all_arrived_once(server, simulate(send_all(server, 6)), 6)
        assert server.connections == 2


@settings(max_examples=30, deadline=None)
@given(st.frozensets(st.integers(0, 60), max_size=25))
def test_many_drops_lose_and_double_nothing(drops: frozenset[int]) -> None:
    server = ScriptedServer(drop_at=drops)
    check_all_arrived_once(server, simulate(send_all(server, 6)), 6)


def test_events_wait_for_a_server_that_is_away() -> None:
    async def story() -> None:
        server = ScriptedServer(away=True)
        async with Sender(server) as sender:
            sender.outbox.put(batch(0))
            await sender.link.first_try()
            assert not sender.link.ready
            assert sender.link.trouble is not None
            assert sender.link.trouble.code is Code.SERVER_AWAY
            await asyncio.sleep(3 * 3600)
            assert sender.outbox.counts.spooled == 3
            assert [problem.code for problem in sender.said] == [Code.SERVER_AWAY]  # once, however long it takes
            server.away = False
            await sender.finish()
            assert len(server.events) == 3

    simulate(story(), 5 * 3600)


def test_a_spool_of_an_earlier_run_is_sent() -> None:
    async def story() -> None:
        server = ScriptedServer(away=True)
        async with Sender(server) as first:
            first.outbox.put(batch(0))
            first.outbox.put(batch(1))
            await first.outbox.stored()
        server.away = False
        async with Sender(server, first.disk.after_crash()) as second:
            await second.finish()
            assert second.outbox.counts.spooled == second.outbox.counts.acknowledged == 6
        assert len(server.events) == 6

    simulate(story())


def test_a_wrong_key_ends_the_matter_at_once() -> None:
    async def story() -> None:
        server = ScriptedServer()
        async with Sender(server, key="not-the-key") as sender:
            await sender.link.first_try()
            await asyncio.sleep(3600)
            assert sender.link.refusal is not None
            assert sender.link.refusal.code is Code.KEY_UNKNOWN
            assert server.connections == 1

    simulate(story(), 7200)


def test_a_refusal_is_read_once_and_an_unknown_one_by_its_name() -> None:
    known = refusal(Error.of(Code.KEY_UNKNOWN, SENTENCES[Code.KEY_UNKNOWN]))
    assert str(known).count("check the key") == 1
    unknown = refusal(Error(code="wire.from_the_future", message="too new"))
    assert (unknown.code, unknown.detail) == (Code.INTERNAL, "wire.from_the_future: too new")


@pytest.mark.parametrize("known", [False, True])
def test_something_else_at_the_address_is_final_only_if_it_was_never_a_server(known: bool) -> None:
    async def story() -> None:
        server = ScriptedServer()
        here, stranger = server.dial, OpenSlotError(Code.UNSUPPORTED_VERSION)

        async def dial(address: str) -> Transport:
            if other:
                raise stranger
            return await here(address)

        other = not known
        server.dial = dial  # type: ignore[method-assign]  # somebody else answers there
        async with Sender(server) as sender:
            await sender.link.first_try()
            other = True
            await server.drop_all()
            await asyncio.sleep(60)
            other = False
            await asyncio.sleep(60)
            assert sender.link.ready == known
            assert sender.link.refusal is (None if known else stranger)

    simulate(story())


@pytest.mark.parametrize("code", [Code.BATCH_INVALID, Code.BATCH_CONFLICT, Code.EVENT_OUT_OF_RANGE])
def test_a_batch_refused_for_good_is_counted_and_let_go(code: Code) -> None:
    async def story() -> None:
        async with Sender(ScriptedServer(refuse=code)) as sender:
            sender.outbox.put(batch(0))
            await sender.finish()
            assert sender.outbox.counts.refused == {code: 3}
            assert [error.code for error in sender.said] == [code]

    simulate(story())


@pytest.mark.parametrize("code", [Code.INTERNAL, Code.STORAGE_FAILED, Code.RATE_LIMITED, Code.SLOW_CONSUMER])
def test_a_batch_that_a_server_cannot_take_now_is_sent_again(code: Code) -> None:
    async def story() -> None:
        server = ScriptedServer(refuse=code)
        async with Sender(server) as sender:
            sender.outbox.put(batch(0))
            sender.outbox.put(batch(1))
            await asyncio.sleep(30)
            assert sender.outbox.counts.acknowledged == 0
            server.refuse = None
            await sender.finish()
            assert len(server.events) == 6

    simulate(story())


def test_no_more_batches_are_under_way_than_the_server_takes() -> None:
    asked: list[Message] = []

    async def slow(body: Message) -> Message:
        asked.append(body)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        return await answer

    async def story() -> None:
        async with Sender(ScriptedServer(away=True)) as sender:
            for number in range(9):
                sender.outbox.put(batch(number))
            await sender.outbox.stored()
            delivering = asyncio.create_task(sender.outbox.deliver(slow, Limits(batches_in_flight=3)))
            await asyncio.sleep(60)
            assert len(asked) == 3
            delivering.cancel()

    simulate(story())


def test_a_full_spool_drops_and_says_so() -> None:
    async def story() -> None:
        server = ScriptedServer(away=True)
        async with Sender(server, limit_bytes=600) as sender:
            for number in range(5):
                sender.outbox.put(batch(number))
            await sender.outbox.stored()
            counts = sender.outbox.counts
            assert counts.dropped[Code.SPOOL_FULL] > 0
            assert counts.spooled + counts.dropped.total() == 15
            server.away = False
            await sender.finish()
            assert len(server.events) == counts.spooled

    simulate(story())


def test_a_disk_that_fails_for_a_while_loses_nothing() -> None:
    async def story() -> None:
        server = ScriptedServer()
        async with Sender(server, ScriptedDisk(fail_at=frozenset(range(5, 13)))) as sender:
            for number in range(3):
                sender.outbox.put(batch(number))
            await sender.finish()
            assert len(server.events) == 9
            assert {error.code for error in sender.said} == {Code.STORAGE_FAILED}

    simulate(story())


def test_a_disk_that_fails_for_too_long_drops_what_it_cannot_hold() -> None:
    async def story() -> None:
        disk = ScriptedDisk(fail_at=frozenset(range(5, 10_000)))
        async with Sender(ScriptedServer(), disk) as sender:
            for number in range(MAX_HANDED_IN + 5):
                sender.outbox.put(batch(number))
            await asyncio.sleep(0)
            assert sender.outbox.counts.dropped == {Code.STORAGE_FAILED: 15}

    simulate(story())


def test_an_answer_that_does_not_come_ends_the_connection() -> None:
    async def story() -> None:
        server = ScriptedServer()
        async with Sender(server) as sender:
            await sender.link.first_try()
            server._answer = lambda body: SlotsAck() if not isinstance(body, SlotsRemove) else None  # type: ignore[method-assign]  # the script says nothing
            error = await outcome(sender.link.request(SlotsRemove(ids=("a",))))
            assert isinstance(error, OpenSlotError)
            assert error.code is Code.SERVER_AWAY

    simulate(story())


def test_a_push_reaches_its_listener_and_the_connection_stays() -> None:
    async def story() -> None:
        server = ScriptedServer()
        async with Sender(server) as sender:
            await sender.link.first_try()
            await server.revoke("a" * 64)
            await until(lambda: bool(sender.pushed))
            assert isinstance(sender.pushed[0], PlacementsRevoked)
            assert isinstance(await sender.link.request(SlotsRemove(ids=("a",))), SlotsAck)
            assert server.connections == 1

    simulate(story())


def test_requests_without_a_connection_fail_at_once() -> None:
    async def story() -> None:
        async with Sender(ScriptedServer(away=True)) as sender:
            error = await outcome(sender.link.request(SlotsRemove(ids=("a",))))
            assert isinstance(error, OpenSlotError)
            assert error.code is Code.SERVER_AWAY

    simulate(story())


Behaviour = Callable[[Pipe], Coroutine[None, None, None]]


async def silence(server: Pipe) -> None:
    await server.receive()


async def nonsense(server: Pipe) -> None:
    await server.receive()
    await server.send(b"\xc1 this is not msgpack")


async def farewell(server: Pipe) -> None:
    await server.close()


@pytest.mark.parametrize("behaviour", [silence, nonsense, farewell])
def test_a_server_that_misbehaves_is_tried_again_later(behaviour: Behaviour) -> None:
    async def story() -> None:
        server, misbehaving = ScriptedServer(), [Pipe.pair() for _ in range(3)]
        good_dial, left = server.dial, list(misbehaving)

        async def dial(address: str) -> Transport:
            return left.pop()[0] if left else await good_dial(address)

        server.dial = dial  # type: ignore[method-assign]  # the first three are bad
        behaving = [asyncio.create_task(behaviour(pipe)) for _, pipe in misbehaving]
        async with Sender(server) as sender:
            sender.outbox.put(batch(0))
            await sender.finish()
        await asyncio.gather(*behaving)
        assert not left

    simulate(story())


@given(st.integers(0, 100), st.binary(min_size=2, max_size=2))
def test_pauses_grow_to_a_bound_and_never_vanish(failures: int, randomness: bytes) -> None:
    assert 125 <= backoff_ms(failures, randomness) <= LONGEST_BACKOFF_MS


@given(st.integers(1, 50), st.lists(st.floats(0, 0.2), min_size=60, max_size=120))
def test_no_more_messages_go_than_the_server_takes(per_second: int, gaps: list[float]) -> None:
    pace, now = Pace(per_second), 0.0
    sent: list[float] = []
    for gap in gaps:
        now = max(now + gap, sent[-1] if sent else 0.0)
        sent.append(now + pace.wait_s(now))
    for start in sent:
        in_a_second = sum(start <= moment < start + 1 for moment in sent)
        assert in_a_second <= per_second * 1.5 + 2
