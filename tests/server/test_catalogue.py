from __future__ import annotations

from typing import Any

import pytest

from openslot_server.storage.store import SlotRow
from openslot_spec.limits import Limits
from openslot_spec.messages import SlotsAck, SlotsPut, SlotsRemove
from openslot_spec.slots import Slot
from tests.server.market import Market, pose_of


@pytest.fixture
def market() -> Market:
    return Market(limits=Limits(slots_per_world=3))


def test_a_good_slot_is_kept_with_its_revision(market: Market) -> None:
    ack = market.slot("north")
    slot = Slot.parse({"id": "north", "size": [4, 2], "pose": pose_of("north")})
    assert [(kept.id, kept.revision) for kept in ack.kept] == [("north", slot.revision())]
    assert market.rooms.catalogue.slots("plaza") == [slot]


@pytest.mark.parametrize(
    ("terms", "code", "where"),
    [
        ({"size": [0, 2]}, "slot.degenerate", "size"),
        ({"size": [4, -1]}, "slot.degenerate", "size"),
        ({"size": "wide"}, "slot.invalid", "size"),
        ({"size": [4]}, "slot.invalid", "size"),
        ({"size": [4, 1e9]}, "slot.invalid", "size"),
        ({"pose": {"position": [0, 2, -5], "rotation": [0, 0, 0, 2]}}, "slot.invalid", "pose"),
        ({"profile": "made-up"}, "slot.invalid", "profile"),
        ({"id": "no spaces"}, "slot.invalid", "id"),
        ({"colour": "red"}, "slot.invalid", "colour"),
        ({"floor_cpm": {"micros": 1, "currency": "EUR"}}, "slot.invalid", "floor_cpm/currency"),
    ],
)
def test_a_bad_slot_is_refused_with_its_field_and_the_others_are_kept(
    market: Market, terms: dict[str, Any], code: str, where: str
) -> None:
    good = {"id": "good", "size": [4, 2], "pose": pose_of("north")}
    ack = market.say(SlotsPut(slots=(good | {"id": "bad"} | terms, good)))
    assert isinstance(ack, SlotsAck)
    assert [kept.id for kept in ack.kept] == ["good"]
    (refused,) = ack.refused
    assert (refused.index, refused.code) == (0, code)
    assert where in refused.message


def test_the_second_slot_of_a_name_in_one_message_is_refused(market: Market) -> None:
    slot = {"id": "north", "size": [4, 2], "pose": pose_of("north")}
    ack = market.say(SlotsPut(slots=(slot, slot | {"size": [1, 1]})))
    assert isinstance(ack, SlotsAck)
    assert [refused.code for refused in ack.refused] == ["slot.duplicate"]
    assert market.rooms.catalogue.slots("plaza")[0].size == (4, 2)


def test_one_slot_more_than_the_limit_is_refused_but_a_known_one_may_change(market: Market) -> None:
    acks = [market.slot(name) for name in ("a", "b", "c", "d")]
    assert [refused.code for refused in acks[-1].refused] == ["slot.limit"]
    assert market.slot("a", size=[1, 1]).kept
    assert market.slot("d", world="arcade").kept


def test_putting_a_slot_again_as_it_is_changes_nothing_and_writes_nothing(market: Market) -> None:
    first = market.slot("north")
    rows = list(market.store.load(SlotRow))
    assert market.slot("north") == first
    assert list(market.store.load(SlotRow)) == rows


def test_removed_slots_are_gone_after_a_restart_too_and_unknown_ones_are_named(market: Market) -> None:
    market.slot("north")
    market.slot("south")
    ack = market.say(SlotsRemove(ids=("north", "attic")))
    assert isinstance(ack, SlotsAck)
    assert [(refused.index, refused.code) for refused in ack.refused] == [(1, "slot.unknown")]
    market.restart()
    assert [slot.id for slot in market.rooms.catalogue.slots("plaza")] == ["south"]


def test_worlds_do_not_see_each_others_slots(market: Market) -> None:
    market.slot("north", world="plaza")
    market.slot("north", world="arcade", size=[1, 1])
    assert market.rooms.catalogue.worlds() == ["arcade", "plaza"]
    assert market.rooms.catalogue.slots("plaza")[0].size == (4, 2)
