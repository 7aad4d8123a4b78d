from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_server.impressions import intake
from openslot_server.storage.store import BatchRow
from openslot_spec.exposures import DURATIONS, EventKind, WhyNot
from openslot_spec.messages import ExposuresAck
from tests.server.market import Market, exposures

GOOD = {"profile": 0, "time_ms": 1_000, "visible_fraction": 0.9, "coverage": 0.1, "angle_deg": 10.0, "why": 0}
FLAWS = st.sampled_from(
    [
        *({} for _ in range(12)), {"profile": 1}, {"profile": 255}, {"time_ms": 999}, {"time_ms": 30_000},
        {"visible_fraction": 0.49}, {"why": WhyNot.TOO_SHORT}, {"ticket": 4},
    ]
)  # fmt: skip
EVENT = st.builds(
    lambda event, flaw: GOOD | event | flaw,
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from([*EventKind, *[EventKind.VIEWABLE] * 6]),
            "ticket": st.integers(0, 3),
            "viewer": st.integers(1, 3),
            "at_ms": st.sampled_from([-9_000, -8_500, -6_000, -3_000, 0]),
        }
    ),
    FLAWS,
)
BATCHES = st.lists(st.lists(EVENT, min_size=1, max_size=8), min_size=1, max_size=12)


def reported(batches: list[list[dict[str, Any]]], few: int) -> tuple[list[ExposuresAck], list[bytes], Any]:
    """Return acknowledgements, verdicts and report after these batches, if so few events are judged one by one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "FEW", few)
        market = Market(skew_ms=5_000, placement_ms=30_000, late_ms=3_600_000)
        market.line_item(impressions=12)
        market.slot("north", profile="mrc-display")
        market.slot("south", audience="per_viewer")
        tickets = [market.place("north", viewers=2).ticket for _ in range(2)]
        tickets += [market.ask("south", viewer=viewer).placements[0].ticket for viewer in (1, 2)]
        tickets.append(b"none")
        market.pass_time(10_000)
        acks = []
        for number, batch in enumerate(batches):
            columns = {name: [event[name] for event in batch] for name in EVENT_COLUMNS}
            columns |= {name: [event["time_ms"] for event in batch] for name in DURATIONS}
            columns["at_ms"] = [market.now_ms + event["at_ms"] for event in batch]
            ack = market.say(exposures(market, tickets, bytes([number]) * 16, **columns))
            assert isinstance(ack, ExposuresAck)
            acks.append(ack)
            if number == 5:
                market.restart()
        return acks, [row.verdicts for row in market.store.load(BatchRow)], market.report()


EVENT_COLUMNS = ("kind", "profile", "ticket", "viewer", "visible_fraction", "coverage", "angle_deg", "why")


@given(batches=BATCHES)
@settings(max_examples=60, deadline=None)
def test_events_judged_one_by_one_have_the_verdicts_that_arrays_give(batches: list[list[dict[str, Any]]]) -> None:
    assert reported(batches, few=8) == reported(batches, few=0)


def test_marks_are_the_same_for_events_judged_one_by_one() -> None:
    looks = [
        [GOOD | {"kind": EventKind.VIEWABLE, "ticket": 0, "viewer": viewer, "at_ms": -9_000 + 200 * viewer}]
        for viewer in range(60)
    ]
    few, many = reported(looks, few=8), reported(looks, few=0)
    assert few == many
    assert few[2].totals.invalid > 0
