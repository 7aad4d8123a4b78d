from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openslot_server.impressions.stacks import Boards
from openslot_server.impressions.traffic import traffic_rules
from openslot_spec.slots import Slot
from tests.server.market import Market

RULE = traffic_rules().stacked
UPRIGHT = (0.0, 0.0, 0.0, 1.0)
TURNED = (0.0, 1.0, 0.0, 0.0)
TILTED = (0.0, 0.0, float(np.sin(np.pi / 8)), float(np.cos(np.pi / 8)))


def board(name: str, at: tuple[float, float, float] = (0, 0, 0), **terms: Any) -> Slot:
    pose = {"position": at, "rotation": terms.pop("rotation", UPRIGHT)}
    return Slot.model_validate({"id": name, "size": (4.0, 2.0), "pose": pose} | terms)


def stacked(*slots: Slot) -> set[str]:
    boards = Boards(slots, RULE)
    return {slot.id for slot in slots if boards.is_stacked(slot.id)}


@pytest.mark.parametrize(
    ("other", "hidden"),
    [
        (board("b"), {"b"}),
        (board("b", (0, 0, 0.2)), {"a"}),
        (board("b", (0, 0, -0.2)), {"b"}),
        (board("b", (0, 0, 0.26)), set()),
        (board("b", (1.9, 0, 0.2)), {"a"}),
        (board("b", (2.1, 0, 0.2)), set()),
        (board("b", (0, 0, 0.2), size=(1.0, 1.0)), set()),
        (board("b", (0, 0, -0.2), size=(1.0, 1.0)), {"b"}),
        (board("b", rotation=TURNED), set()),
        (board("b", (0, 0, 0.2), rotation=TURNED), set()),
        (board("b", (0, 0, 0.2), rotation=TURNED, two_sided=True), {"a"}),
        (board("b", (0, 0, 0.2), rotation=TILTED, size=(1.9, 1.9)), set()),
        (board("b", (0, 0, 0.2), rotation=TILTED, size=(2.4, 2.4)), {"a"}),
    ],
)
def test_who_hangs_behind_another_is_stacked(other: Slot, hidden: set[str]) -> None:
    assert stacked(board("a"), other) == hidden


def test_a_two_sided_board_is_stacked_only_by_one_in_its_plane() -> None:
    sign = board("sign", two_sided=True)
    assert stacked(sign, board("a", (0, 0, 0.1))) == set()
    assert stacked(sign, board("a")) == {"sign"}


@given(st.floats(-3, 3), st.floats(-1.5, 1.5), st.floats(0.01, 0.24), st.floats(0, 2 * np.pi))
def test_where_the_pair_stands_makes_no_difference(x: float, y: float, z: float, turn: float) -> None:
    cosine, sine = np.cos(turn), np.sin(turn)
    rotation = (0.0, float(np.sin(turn / 2)), 0.0, float(np.cos(turn / 2)))
    front = (float(x * cosine + z * sine) + 90, y, float(z * cosine - x * sine) - 70)
    here = stacked(board("a"), board("b", (x, y, z)))
    there = stacked(board("a", (90, 0, -70), rotation=rotation), board("b", front, rotation=rotation))
    share = max(0, 4 - abs(x)) * max(0, 2 - abs(y)) / 8
    if abs(share - RULE.covered_min) > 1e-6:
        assert here == there == ({"a"} if share > RULE.covered_min else set())


def test_looks_at_a_stacked_board_are_acknowledged_and_marked_until_it_is_moved() -> None:
    market = Market()
    market.line_item()
    front, back = ({"position": [0, 2, depth], "rotation": [0, 0, 0, 1]} for depth in (0.0, -0.1))
    market.slot("front", pose=front)
    market.slot("back", pose=back)
    ticket = market.place("back").ticket
    market.pass_time(5_000)
    assert market.send(ticket).accepted == 1
    market.slot("front", pose=front | {"position": [9, 2, 0]})
    assert market.send(ticket, viewer=2).accepted == 1
    totals = market.report().totals
    assert (totals.viewable, totals.invalid_why, totals.spend_micros) == (1, {"traffic.stacked": 1}, 2_000)
