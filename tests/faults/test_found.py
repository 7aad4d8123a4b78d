"""What the simulation found, each as small as it can be told."""

from __future__ import annotations

import pytest

from openslot_server.storage.store import BatchRow
from openslot_spec.messages import ExposuresAck
from tests.server.market import Market, exposures

PLACEMENT_MS, GRACE_MS, LATE_MS = 30_000, 60_000, 3_600_000


@pytest.fixture
def market() -> Market:
    market = Market(placement_ms=PLACEMENT_MS, settle_grace_ms=GRACE_MS, late_ms=LATE_MS)
    market.line_item()
    market.slot()
    return market


@pytest.mark.parametrize("after_ms", [LATE_MS, LATE_MS + PLACEMENT_MS - 1, LATE_MS + PLACEMENT_MS + GRACE_MS + 1])
def test_a_batch_keeps_its_first_verdict_for_longer_than_any_of_its_tickets_is_taken(
    market: Market, after_ms: int
) -> None:
    batch = exposures(market, [market.place().ticket], continuous_ms=0, cumulative_ms=0, kind=1)
    first = market.say(batch)
    assert isinstance(first, ExposuresAck)
    market.pass_time(after_ms)
    assert market.say(batch) == first.model_copy(update={"repeated": True})
    assert len(list(market.store.load(BatchRow))) == 1
