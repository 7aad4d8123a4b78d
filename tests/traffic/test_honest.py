from __future__ import annotations

import numpy as np
import pytest

from openslot_server.impressions.verdicts import Verdict
from tests.traffic.plaza import Kind, Plaza
from tests.traffic.town import RENEW_MS, Town, open_market, visits

LENGTH_MS = 12 * 60_000
VISITS = 500
DAYS = 20


def day(seed: int) -> Town:
    chance = np.random.default_rng(seed)
    town = Town(open_market(), Plaza(VISITS, LENGTH_MS, RENEW_MS, chance), chance)
    town.live()
    return town


def suspects(town: Town) -> list[str]:
    """Return who was refused or marked for what."""
    return [
        f"{Kind(town.plaza.kinds[viewer]).name} {viewer}: {verdict.name}"
        for (_, viewer), verdicts in visits(town.market).items()
        for verdict in verdicts
        if verdict is not Verdict.VALID
    ]


@pytest.fixture(scope="module")
def town() -> Town:
    return day(0)


def test_nobody_of_the_plazas_visitors_is_refused_or_marked(town: Town) -> None:
    assert suspects(town) == []


def test_every_kind_of_visitor_was_there_for_long_enough_to_be_suspected(town: Town) -> None:
    looks = {visit: found[Verdict.VALID] for visit, found in visits(town.market).items()}
    many = {Kind(town.plaza.kinds[viewer]) for (_, viewer), count in looks.items() if count >= 30}
    assert many == set(Kind)
    assert len(looks) > 0.95 * VISITS


def test_honest_views_are_valid_once_their_viewer_is_known(town: Town) -> None:
    totals = town.market.report("world").totals
    assert totals.gross == totals.viewable == totals.valid + totals.undetermined
    assert totals.invalid == 0
    assert totals.decision_rate > 0.9


@pytest.mark.soak
def test_of_ten_thousand_visitors_at_most_one_in_a_thousand_is_marked() -> None:
    marked = [suspect for seed in range(1, DAYS + 1) for suspect in suspects(day(seed))]
    assert len(marked) <= DAYS * VISITS // 1_000, marked
