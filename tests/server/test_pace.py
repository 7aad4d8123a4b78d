from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openslot_server.pace import Bucket


@given(st.integers(1, 500), st.lists(st.integers(0, 2_000), max_size=200))
def test_no_span_of_time_lets_more_through_than_its_rate_and_one_burst(per_second: int, pauses: list[int]) -> None:
    now_ms, passed = 0, 0
    bucket = Bucket(per_second, now_ms)
    for pause_ms in pauses:
        now_ms += pause_ms
        passed += bucket.take(now_ms) == 0
    assert passed <= per_second + now_ms * per_second / 1000


@given(st.integers(1, 500), st.integers(0, 10**13))
def test_who_waits_as_long_as_told_gets_through(per_second: int, now_ms: int) -> None:
    bucket = Bucket(per_second, now_ms)
    assert [bucket.take(now_ms) for _ in range(per_second)] == [0] * per_second
    wait_ms = bucket.take(now_ms)
    assert wait_ms > 0
    assert bucket.take(now_ms + wait_ms - 1) == 1
    assert bucket.take(now_ms + wait_ms) == 0


def test_a_clock_that_steps_back_gives_nothing_and_takes_nothing() -> None:
    bucket = Bucket(1, 10_000)
    assert bucket.take(10_000) == 0
    assert bucket.take(5_000) == 1_000
    assert bucket.take(6_000) == 0
