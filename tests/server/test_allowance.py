from __future__ import annotations

import pytest

from openslot_spec.limits import Limits
from openslot_spec.messages import Error, Message, PlacementsGet, SlotsPut, SlotsRemove
from tests.server.market import Market, exposures

LIMITS = Limits(
    slots_per_message=2, slots_per_request=2, viewers_per_request=5, tickets_per_batch=2, events_per_batch=3
)


@pytest.mark.parametrize(
    ("most", "one_more", "where"),
    [
        (SlotsPut(slots=({},) * 2), SlotsPut(slots=({},) * 3), "slots"),
        (SlotsRemove(ids=("a", "b")), SlotsRemove(ids=("a", "b", "c")), "ids"),
        (PlacementsGet(slots=("a", "b")), PlacementsGet(slots=("a", "b", "c")), "slots"),
        (PlacementsGet(slots=("a",), viewers=5), PlacementsGet(slots=("a",), viewers=6), "viewers"),
        (exposures(Market(), [b"t"] * 2), exposures(Market(), [b"t"] * 3), "tickets"),
        (exposures(Market(), [b"t"], viewer=range(3)), exposures(Market(), [b"t"], viewer=range(4)), "columns"),
    ],
)
def test_a_server_that_announces_less_takes_no_more(most: Message, one_more: Message, where: str) -> None:
    market = Market(limits=LIMITS)
    assert not isinstance(market.say(most), Error)
    error = market.refused(one_more)
    assert (error.code, error.where) == ("wire.invalid", where)
