from __future__ import annotations

import pytest

from openslot_server.storage.store import TicketKeyRow
from openslot_server.ticket_keys import OVERLAP_MS, TicketKeys, new_ticket_key
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.messages import ExposuresAck
from tests.server.market import Market, exposures

LIFE_MS = 1_000


def key(number: int) -> bytes:
    return bytes([number]) * 4


def keys_of(*created_ms: int) -> TicketKeys:
    rows = [TicketKeyRow(key(number), bytes(32), at_ms) for number, at_ms in enumerate(created_ms)]
    return TicketKeys(rows, LIFE_MS)


def test_the_newest_signs_and_the_others_end_one_after_the_other() -> None:
    keys = keys_of(0, 100, 5_000)
    assert keys.newest == key(2)
    ends = [100 + OVERLAP_MS + LIFE_MS, 5_000 + OVERLAP_MS + LIFE_MS]
    for now_ms, usable in (
        (0, {0, 1, 2}),
        (ends[0], {0, 1, 2}),
        (ends[0] + 1, {1, 2}),
        (ends[1] + 1, {2}),
        (2**50, {2}),
    ):
        assert {name[0] for name in keys.usable(now_ms)} == usable
    assert len(keys.secrets) == 3  # what is stored is read with all of them


def test_a_secret_that_is_read_twice_is_one() -> None:
    keys = keys_of(0, 100)
    keys.add(TicketKeyRow(key(0), bytes(32), 0))
    assert (keys.newest, len(keys.secrets)) == (key(1), 2)


def test_without_a_secret_nothing_is_signed() -> None:
    with pytest.raises(OpenSlotError) as refused:
        TicketKeys([], LIFE_MS)
    assert refused.value.code is Code.STORAGE_FAILED


def test_a_ticket_outlives_the_key_that_signed_it_by_its_own_life_and_no_more() -> None:
    market = Market(late_ms=2 * OVERLAP_MS)
    market.slot()
    market.line_item()
    before = market.place().ticket
    market.store.commit([new_ticket_key(market.entropy, market.now_ms)])
    market.restart()
    after = market.place().ticket
    assert before[:4] != after[:4]
    at_ms = market.now_ms + 1_000
    market.pass_time(10_000)
    assert market.send(before, at_ms=at_ms).accepted == 1
    assert market.send(after, at_ms=at_ms, viewer=2).accepted == 1
    market.pass_time(2 * 3_600_000)
    reply = market.say(exposures(market, [before], at_ms=at_ms))
    assert isinstance(reply, ExposuresAck)
    assert [refused.code for refused in reply.refused] == ["ticket.invalid"]  # who has the old secret signs nothing
