from __future__ import annotations

import numpy as np
import pytest

from openslot_server.impressions.verdicts import Verdict
from tests.traffic.frauds import HARD, STATISTICAL, Fraud, Stage

SESSIONS, SOAK_SESSIONS = 60, 500


def played(fraud: Fraud, sessions: int) -> Stage:
    stage = Stage(sessions, np.random.default_rng(sessions))
    fraud(stage)
    assert len(stage.found) == sessions
    return stage


def caught_whole(stage: Stage, verdict: Verdict) -> int:
    return sum(set(found) == {verdict} for found in stage.found.values())


def caught(stage: Stage, verdict: Verdict) -> int:
    return sum(verdict in found for found in stage.found.values())


@pytest.mark.parametrize("sessions", [SESSIONS, pytest.param(SOAK_SESSIONS, marks=pytest.mark.soak)])
@pytest.mark.parametrize("fraud", HARD, ids=lambda fraud: fraud.__name__)
def test_what_cannot_be_is_refused_every_time(fraud: Fraud, sessions: int) -> None:
    assert caught_whole(played(fraud, sessions), HARD[fraud]) == sessions


@pytest.mark.parametrize("sessions", [SESSIONS, pytest.param(SOAK_SESSIONS, marks=pytest.mark.soak)])
@pytest.mark.parametrize("fraud", STATISTICAL, ids=lambda fraud: fraud.__name__)
def test_what_people_hardly_do_is_marked(fraud: Fraud, sessions: int) -> None:
    stage = played(fraud, sessions)
    assert caught(stage, STATISTICAL[fraud]) >= 0.95 * sessions
    others = {verdict for found in stage.found.values() for verdict in found}
    assert others <= {STATISTICAL[fraud], Verdict.VALID}
