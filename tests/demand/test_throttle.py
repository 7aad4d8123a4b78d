"""Throttles: the share that is delivered is the share that was asked for, for every line item and every slot alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from openslot_server.demand import throttle
from openslot_server.demand.draws import seed_of
from openslot_server.demand.throttle import WHOLE, part_of, takes_part

REQUESTS, SCENE, ITEMS = 1_500, 16, 12
SHARES = np.linspace(0.02, 0.95, ITEMS)


def draws() -> list[bytes]:
    """Decisions as they come: numbered one after the other, each for the slots of a scene."""
    return [number.to_bytes(4, "big") + b"slot-%d" % slot for number in range(REQUESTS) for slot in range(SCENE)]


def tossed() -> np.ndarray:
    names = [f"li-{number}" for number in range(ITEMS)]
    parts = [part_of(share) for share in SHARES]
    return np.array(
        [[takes_part(part, draw, name) for draw in draws()] for part, name in zip(parts, names, strict=True)]
    )


def problems(taken: np.ndarray) -> list[str]:
    """Return what is wrong with who took part, row by row."""
    found = []
    noise = 5 * np.sqrt(SHARES * (1 - SHARES) / (REQUESTS * SCENE))
    if (abs(taken.mean(axis=1) - SHARES) > noise).any():
        found.append("share")
    by_slot = taken.reshape(ITEMS, REQUESTS, SCENE).mean(axis=1)
    if (abs(by_slot - SHARES[:, None]) > 5 * np.sqrt(SHARES * (1 - SHARES) / REQUESTS)[:, None]).any():
        found.append("slot")
    correlation = np.corrcoef(taken) - np.eye(ITEMS)
    if abs(correlation).max() > 5 / np.sqrt(REQUESTS * SCENE):
        found.append("items")
    steps = taken - SHARES[:, None]
    if abs((steps[:, 1:] * steps[:, :-1]).mean(axis=1) / (SHARES * (1 - SHARES))).max() > 5 / np.sqrt(REQUESTS * SCENE):
        found.append("neighbours")
    return found


def test_each_line_item_gets_its_share_in_every_slot_whoever_else_takes_part() -> None:
    assert problems(tossed()) == []


def masks(draw: bytes, name: str) -> int:
    """A table of 64 rows that slots walk through in turn, as pacing by masks has it."""
    number, slot = int.from_bytes(draw[:4], "big"), int(draw[4:].removeprefix(b"slot-"))
    return seed_of(b"%d" % ((number * SCENE + slot) % 64) + name.encode())


def weak(draw: bytes, name: str) -> int:
    return (int.from_bytes(draw[:4], "big") * 2654435761 + int(name[3:]) * 40503) % 2**32 << 32


FAULTS: dict[str, Callable[[bytes, str], int]] = {
    "a table whose rows alias with the slots of a scene": masks,
    "a weak hash, which lets neighbours win and lose together": weak,
    "one coin for all line items": lambda draw, _: seed_of(draw),
    "one coin for all slots of a request": lambda draw, name: seed_of(draw[:4] + name.encode()),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "takes_part", lambda part, draw, name: FAULTS[fault](draw, name) >> 32 < part)
    assert problems(tossed())


def test_a_throttle_is_a_share_and_its_ends_are_certain() -> None:
    assert (part_of(-1), part_of(0), part_of(1), part_of(7)) == (0, 0, WHOLE, WHOLE)
    assert not any(takes_part(0, draw, "li") for draw in draws()[:100])
    assert all(throttle.takes_part(WHOLE, draw, "li") for draw in draws()[:100])
