from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_sdk.meter import Look, Meter, Taken
from openslot_sdk.scenes import Triangles
from openslot_sdk.traces import Draft
from openslot_sdk.witness import Ground
from openslot_spec.evidence import MAX_EVIDENCE_BYTES, SAMPLE_MS, WINDOW_MS, Evidence
from openslot_view.cameras import Camera
from tests.sdk.test_meter import placement
from tests.view.looks import BOARD, standing, wandering
from tests.view.scenes import box_mesh

START = 1_790_000_000_000
NORTH = BOARD.model_copy(update={"profile": "mrc-display"})
AT_IT = standing((0, 2, 0))(0)[0]


@dataclass
class Visit:
    """One world with one board, and whoever looks at it."""

    stands: Triangles = field(default_factory=lambda: Triangles.of(np.zeros((0, 3)), np.zeros((0, 3))))
    now_ms: float = START

    def __post_init__(self) -> None:
        self.ground = Ground.of(self.stands.mesh(), {})
        self.meter = Meter()
        self.meter.add_slots([NORTH], [-1])
        self.meter.set_occluders(self.stands.occluders())
        self.meter.geometry = self.ground.sha256
        self.meter.place(placement("north"), START)

    def tick(self, ms: float, **looks: Look) -> None:
        self.now_ms += ms
        self.meter.tick(self.now_ms, looks)

    def look(self, ms: int = 1500, **looks: Look) -> None:
        for _ in range(ms // 100):
            self.tick(100, **looks)

    def taken(self) -> list[Taken]:
        return self.meter.take()

    def drafts(self) -> list[Draft]:
        return [draft for taken in self.taken() for draft in taken.drafts.values()]


def test_who_consented_leaves_evidence_of_an_impression_and_nobody_else_does() -> None:
    visit = Visit()
    visit.look(you=Look(AT_IT, consented=True), other=Look(AT_IT))
    (draft,) = visit.drafts()
    assert draft.evidence.viewer == 0
    assert 1 not in visit.meter.traces
    assert visit.ground.proves(draft)


def test_without_registered_geometry_there_is_no_evidence() -> None:
    visit = Visit()
    visit.meter.geometry = None
    visit.look(you=Look(AT_IT, consented=True))
    assert visit.drafts() == []


def test_evidence_is_of_the_event_it_comes_with_and_coarse() -> None:
    visit = Visit()
    visit.look(you=Look(AT_IT, consented=True))
    (taken,) = [each for each in visit.taken() if each.drafts]
    ((row, draft),) = taken.drafts.items()
    evidence = Evidence.unpack(draft.evidence.pack())
    assert evidence.at_ms == taken.recorded.events.at_ms[row]
    assert evidence.placement == placement("north").id
    assert (np.diff(evidence.before_ms.astype(int)) <= -SAMPLE_MS).all()
    assert evidence.before_ms.max() <= draft.claim.continuous_ms


def test_two_eyes_are_in_it() -> None:
    visit = Visit()
    left, right = (Camera.perspective((x, 2, 0), target=(x, 2, -5)) for x in (-0.03, 0.03))
    visit.look(you=Look(left, right, consented=True))
    (draft,) = visit.drafts()
    assert np.unique(draft.evidence.before_ms, return_counts=True)[1].tolist() == [2] * (len(draft.evidence) // 2)


def test_a_long_look_fits_and_is_cut_to_its_last_ten_seconds() -> None:
    visit = Visit()
    visit.meter.traces.forget(0)
    four = [Camera.perspective((x / 7, 2, 0), target=(0, 2, -5)) for x in range(4)]
    for tick in range(150):
        drift = [Camera.perspective((x / 7 + tick / 99, 2, 0), target=(0, 2, -5)) for x in range(4)]
        visit.tick(100, you=Look(*(drift if tick else four), focused=tick > 130, consented=True))
    (draft,) = visit.drafts()
    assert draft.evidence.before_ms.max() <= WINDOW_MS
    assert len(draft.evidence.pack()) <= MAX_EVIDENCE_BYTES


def test_consent_that_is_withdrawn_leaves_nothing_and_is_said_once() -> None:
    visit = Visit()
    visit.look(500, you=Look(AT_IT, consented=True))
    assert 0 in visit.meter.traces
    visit.tick(100, you=Look(AT_IT))
    assert 0 not in visit.meter.traces
    assert visit.meter.traces.take_withdrawn() == {0}
    assert visit.meter.traces.take_withdrawn() == set()
    visit.look(you=Look(AT_IT))
    assert visit.drafts() == []


def test_a_camera_that_numbers_cannot_describe_leaves_none() -> None:
    mirrored = Camera(np.diag([-1.0, 1, 1, 1]) @ AT_IT.camera_from_world, AT_IT.clip_from_camera, AT_IT.viewport_px)
    visit = Visit()
    visit.look(you=Look(mirrored, consented=True))
    assert visit.drafts() == []
    assert visit.meter.tallies()["north"].viewable == 1


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 2**32))
def test_whoever_walks_turns_or_jumps_with_things_about_is_proven(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wall, things = box_mesh(rng.uniform((-4, 0, -4), (4, 3, 2)), rng.uniform(0.2, 1.2, 3))
    visit = Visit(Triangles.of(wall, things))
    paths = {f"viewer-{number}": wandering(rng) for number in range(3)}
    for tick in range(45):
        looks = {name: Look(*path(tick * 130.0), consented=True) for name, path in paths.items()}
        somebody = box_mesh(np.array([tick / 20 - 1.5, 1.0, -3]), np.array([0.3, 0.9, 0.2]))
        visit.now_ms += rng.uniform(100, 200)
        visit.meter.tick(visit.now_ms, looks, somebody)
    for draft in visit.drafts():
        assert visit.ground.proves(draft)


@pytest.mark.parametrize("boast", ["turned", "through a wall"])
def test_what_cannot_be_is_not_committed_to(boast: str) -> None:
    visit = Visit()
    visit.look(you=Look(AT_IT, consented=True))
    (draft,) = visit.drafts()
    if boast == "turned":
        away = draft.evidence.turn + np.array([36, 0, 0])
        claimed = Draft(
            Evidence(**{name: getattr(draft.evidence, name) for name in Evidence.__slots__} | {"turn": away}),
            draft.claim,
            draft.slot,
        )
        assert not visit.ground.proves(claimed)
    else:
        wall = Triangles.of([[-4, 0, -3], [4, 0, -3], [4, 5, -3], [-4, 5, -3]], [[0, 1, 2], [0, 2, 3]])
        assert not Ground.of(wall.mesh(), {}).proves(draft)
