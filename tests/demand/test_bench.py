from __future__ import annotations

import pytest

from openslot_server.bench import decisions
from openslot_server.bench.demand_market import NOW_MS, asked, offers
from openslot_server.bench.demand_peers import PEERS
from openslot_server.demand.engine import Engine
from openslot_server.demand.model import Offer


def found(items: list[Offer], one_world: bool) -> list[int]:
    engine = Engine(lambda _: 10**9, capacity=256)
    engine.fill(items, NOW_MS)
    return decisions._ask(engine, decisions._drawn(asked(60, 2, one_world=one_world)))


@pytest.mark.parametrize("targeting", ["mixed", "selective"])
@pytest.mark.parametrize("name", PEERS)
def test_every_peer_of_the_bench_finds_the_same_bids(name: str, targeting: str) -> None:
    items = offers(1_500, targeting)
    one_world = name == "numpy batch"
    bids = found(items, one_world)
    make, _ = PEERS[name]
    assert list(make(items)(asked(60, 2, one_world=one_world))) == bids
    assert any(bids)


def test_a_ribbon_is_filled_by_nobody_and_each_round_has_ribbons_of_its_own() -> None:
    ribbons = [decisions._never_seen(asked(5, 2), number) for number in range(3)]
    engine = Engine(lambda _: 10**9)
    engine.fill(offers(200, "mixed"), NOW_MS)
    assert not any(decisions._ask(engine, decisions._drawn([one for ribbon in ribbons for one in ribbon])))
    assert len({one.question.revision for ribbon in ribbons for one in ribbon}) == 15
