"""Views judged by more profiles than the one that is billed, and videos, as the meter tells them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from openslot_sdk.meter import Look, Meter
from openslot_sdk.views import Playing
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import OWN, VIDEO, EventKind, ExposureColumns, WhyNot
from openslot_spec.profiles import profile
from tests.sdk.test_meter import AWAY, LOOKING, START, board, camera, meter_of, placement, sent, watch

LARGE, FULL = (profile(name).number for name in ("mrc-large", "full-view"))
SIDEWAYS = camera(x=1.4, z=2.0)
LENGTH_MS = 3_000


def judged(*also: str, **terms: Any) -> Meter:
    meter = meter_of(board("east", **terms))
    meter.place(placement("east", viewer=None).model_copy(update={"also_profiles": also}), START)
    return meter


def columns(meter: Meter) -> ExposureColumns:
    (put,) = sent(meter)
    return ExposureColumns.unpack(put.columns, tickets=len(put.tickets))


def told(found: ExposureColumns) -> Counter[tuple[int, EventKind, WhyNot]]:
    rows = zip(found.profile.tolist(), found.kind.tolist(), found.why.tolist(), strict=True)
    return Counter((number, EventKind(kind), WhyNot(why)) for number, kind, why in rows)


def test_a_view_is_judged_by_each_profile_that_its_placement_names() -> None:
    meter = judged("mrc-large", "full-view", "iig-9", "mrc-display")
    watch(meter, 0, 1_500, {"ada": Look(SIDEWAYS)})
    meter.close(START + 1_600)
    found = told(columns(meter))
    assert found == {
        (OWN, EventKind.RENDERED, WhyNot.COUNTED): 1,
        (OWN, EventKind.VIEWABLE, WhyNot.COUNTED): 1,
        (OWN, EventKind.END, WhyNot.COUNTED): 1,
        (LARGE, EventKind.VIEWABLE, WhyNot.COUNTED): 1,
        (LARGE, EventKind.END, WhyNot.COUNTED): 1,
        (FULL, EventKind.END, WhyNot.CLIPPED): 1,
    }
    tally = meter.tallies()["east"]
    assert (tally.rendered, tally.viewable, tally.beside) == (1, 1, {"mrc-large": 1, "full-view": 0})


def test_what_is_seen_is_said_once_a_slot_however_many_profiles_judge_it() -> None:
    meter = judged("mrc-large", "full-view")
    seen = meter.tick(START, {"ada": Look(LOOKING)})
    assert [part.slots for part in seen.parts] == [("east",)]
    assert seen["ada"].keys() == {"east"}


def test_the_next_placement_is_judged_as_it_asks() -> None:
    meter = judged("mrc-large")
    watch(meter, 0, 500, {"ada": Look(LOOKING)})
    meter.place(placement("east", 2), START + 600)
    watch(meter, 600, 2_000, {"ada": Look(LOOKING)})
    meter.close(START + 2_000)
    found = told(columns(meter))
    assert (found[LARGE, EventKind.END, WhyNot.TOO_SHORT], found[LARGE, EventKind.VIEWABLE, WhyNot.COUNTED]) == (1, 0)
    assert sum(count for (number, *_), count in found.items() if number == LARGE) == 1


def test_half_and_all_of_the_surface_are_told_with_the_end() -> None:
    meter = judged()
    watch(meter, 0, 1_000, {"ada": Look(LOOKING)}, step_ms=100)
    watch(meter, 1_100, 1_500, {"ada": Look(camera(z=1.2))}, step_ms=100)
    meter.close(START + 1_500)
    found = columns(meter)
    end = found.kind.tolist().index(EventKind.END)
    assert found.half_cumulative_ms[end] == found.cumulative_ms[end]
    assert 0 < found.full_cumulative_ms[end] < found.half_cumulative_ms[end]


def play(meter: Meter, begin_ms: int, end_ms: int, look: Look, **videos: float) -> frozenset[str]:
    """Let the videos of the slots named go on from these positions, in a loop; return which are watched at the end."""
    watched: frozenset[str] = frozenset()
    for now_ms in range(begin_ms, end_ms + 1, 50):
        playing: dict[Any, Playing] = {
            slot: Playing((first_ms + now_ms - begin_ms) % LENGTH_MS, LENGTH_MS) for slot, first_ms in videos.items()
        }
        watched = meter.tick(START + now_ms, {"ada": look}, playing=playing).watched
    return watched


def kinds(meter: Meter) -> list[EventKind]:
    return [EventKind(kind) for kind in columns(meter).kind.tolist() if kind > EventKind.END]


def test_a_video_that_is_watched_for_its_length_is_complete_and_a_loop_repeats_nothing() -> None:
    meter = judged("mrc-large")
    assert play(meter, 0, 9_500, Look(LOOKING), east=1_700) == {"east"}
    meter.close(START + 9_500)
    assert kinds(meter) == [*VIDEO]
    assert meter.tallies()["east"].video == dict.fromkeys(VIDEO, 1)


def test_a_video_waits_while_nobody_sees_it_and_says_why_it_was_paused() -> None:
    meter = judged()
    play(meter, 0, 1_000, Look(LOOKING), east=0)
    assert play(meter, 1_050, 9_000, Look(AWAY), east=1_050) == frozenset()
    meter.close(START + 9_000)
    found = told(columns(meter))
    assert found[OWN, EventKind.PAUSE, WhyNot.VIEWPORT] == 1
    assert {kind for _, kind, _ in found if kind in VIDEO} == {EventKind.START, EventKind.FIRST_QUARTILE}


def test_a_video_that_the_world_pauses_is_paused_though_it_is_seen() -> None:
    meter = judged()
    play(meter, 0, 1_000, Look(LOOKING), east=0)
    for now_ms in range(1_050, 2_000, 50):
        meter.tick(START + now_ms, {"ada": Look(LOOKING)}, playing={"east": Playing(1_000, LENGTH_MS)})
    assert told(columns(meter))[OWN, EventKind.PAUSE, WhyNot.COUNTED] == 1


def test_each_viewer_of_a_per_viewer_slot_has_a_video_of_their_own() -> None:
    meter = meter_of(board("kiosk", audience="per_viewer"))
    looks = {"ada": Look(LOOKING), "bob": Look(LOOKING)}
    meter.tick(START, looks)
    for number in (0, 1):
        meter.place(placement("kiosk", number, viewer=number), START)
    for now_ms in range(0, 2_001, 50):
        meter.tick(START + now_ms, looks, playing={("kiosk", "ada"): Playing(now_ms, LENGTH_MS)})
    found = columns(meter)
    assert {int(viewer) for viewer in found.viewer[found.kind > EventKind.END]} == {0}


@pytest.mark.parametrize(("position_ms", "length_ms"), [(-1, 10), (11, 10), (0, 0), (float("nan"), 10), (0, 1e12)])
def test_a_place_outside_of_a_video_is_refused(position_ms: float, length_ms: float) -> None:
    with pytest.raises(OpenSlotError) as caught:
        Playing(position_ms, length_ms)
    assert caught.value.code == Code.INVALID


def test_a_video_in_a_slot_that_is_not_there_is_refused() -> None:
    with pytest.raises(OpenSlotError) as caught:
        judged().tick(START, {"ada": Look(LOOKING)}, playing={"west": Playing(0, 10)})
    assert caught.value.code == Code.SLOT_UNKNOWN
