from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openslot_sdk.wants import EMPTY_MS, FAILED_MS, RENEW_MS, Wants

EAST, WEST, OWN = ("east", None), ("west", None), ("east", 3)


def test_a_new_place_is_asked_for_once() -> None:
    wants = Wants()
    wants.add([EAST, OWN], 0)
    assert wants.due(0) == {None: ["east"], 3: ["east"]}
    wants.add([EAST], 1)
    assert wants.due(1) == {}


def test_an_answer_that_does_not_come_is_asked_for_later_or_on_the_next_connection() -> None:
    wants = Wants()
    wants.add([EAST, WEST], 0)
    wants.due(0)
    wants.empty(WEST, 10)
    assert wants.due(FAILED_MS) == {None: ["east"]}
    wants.again(FAILED_MS + 1)
    assert wants.due(FAILED_MS + 1) == {None: ["east"]}


def test_each_answer_has_its_time() -> None:
    wants = Wants()
    wants.add([EAST, WEST], 0)
    wants.due(0)
    wants.empty(EAST, 0)
    wants.filled(WEST, 600_000, 0)
    assert wants.due(EMPTY_MS - 1) == {}
    assert wants.due(EMPTY_MS) == {None: ["east"]}
    wants.forget([EAST])
    assert wants.due(600_000 - RENEW_MS - 1) == {}
    assert wants.due(600_000 - RENEW_MS) == {None: ["west"]}
    wants.lost(WEST, 600_000)
    assert wants.due(600_000) == {None: ["west"]}


def test_what_is_forgotten_stays_so() -> None:
    wants = Wants()
    wants.add([EAST], 0)
    wants.forget([EAST])
    wants.filled(EAST, 100, 0)
    assert wants.due(10**9) == {}


@given(st.integers(-(10**6), 10**7), st.integers(0, 10**6))
def test_a_placement_of_any_length_is_not_asked_for_again_at_once(life_ms: int, now_ms: int) -> None:
    wants = Wants()
    wants.add([EAST], now_ms)
    wants.due(now_ms)
    wants.filled(EAST, now_ms + life_ms, now_ms)
    assert wants.due(now_ms + FAILED_MS - 1) == {}
    assert wants.due(max(now_ms + FAILED_MS, now_ms + life_ms)) == {None: ["east"]}
