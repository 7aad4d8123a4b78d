from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openslot_server.impressions import times
from openslot_server.impressions.times import MISSING, PAGE, Counts, Times

KEYS = st.one_of(
    st.integers(0, 2**44),
    st.integers(0, 2 * PAGE),
    st.integers(0, 9).map(lambda key: (7 << 32) + key),
)
BATCHES = st.lists(
    st.one_of(
        st.lists(KEYS, max_size=12),
        st.builds(lambda first, count: list(range(first, first + count)), st.integers(0, 2 * PAGE), st.integers(1, 60)),
    ),
    max_size=8,
)


def reference(known: dict[int, int], keys: list[int], at_ms: list[int]) -> list[int]:
    """Add the keys that are not there, the first of each, and return the places of those that were."""
    repeats = []
    for place, (key, time) in enumerate(zip(keys, at_ms, strict=True)):
        if key in known:
            repeats.append(place)
        else:
            known[key] = time
    return repeats


@given(batches=BATCHES, removed=st.lists(st.integers(0, 5)), many=st.sampled_from([1, 8, 256]))
def test_pages_hold_what_a_dictionary_holds(batches: list[list[int]], removed: list[int], many: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(times, "MANY", many)
        held, known = Times(), dict[int, int]()
        for number, keys in enumerate(batches):
            at_ms = list(range(number, number + len(keys)))
            found = held.add_all(np.array(keys, np.int64), np.array(at_ms, np.int64))
            assert found == reference(known, keys, at_ms)
            for key in keys[:2]:
                assert not held.add(key + 1, 5) or reference(known, [key + 1], [5]) == []
            for key in (keys[place] for place in removed if place < len(keys)):
                if known.pop(key, None) is not None:
                    held.remove(key)
        asked = [*known, 3, PAGE, 2**40]
        assert held.get_all(np.array(asked, np.int64)).tolist() == [known.get(key, MISSING) for key in asked]
        assert [held.get(key) for key in asked] == [known.get(key, MISSING) for key in asked]


@given(batches=BATCHES, many=st.sampled_from([1, 8, 256]))
def test_counts_are_those_of_a_counter(batches: list[list[int]], many: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(times, "MANY", many)
        held, known = Counts(), Counter[int]()
        for keys in batches:
            known.update(keys)
            assert held.count_all(np.array(keys, np.int64)).tolist() == [known[key] for key in keys]
            for key in keys[:2]:
                known[key] += 1
                assert held.count(key) == known[key]


def test_viewers_far_apart_take_no_pages() -> None:
    held = Times()
    keys = np.arange(10_000, dtype=np.int64) * PAGE
    assert held.add_all(keys, keys) == []
    assert not held._pages


def test_a_key_that_came_alone_moves_into_its_page() -> None:
    held = Times()
    assert held.add(5, 77)
    keys = np.arange(1_000, dtype=np.int64)
    assert held.add_all(keys, keys) == [5]
    assert held._pages
    assert (held.get(5), held.get(6), held.get(1_000)) == (77, 6, MISSING)
    assert not held.add(6, 1)
