from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_sdk.audience import Audience
from openslot_sdk.batches import batches, events_per_batch
from openslot_sdk.meter import Look, Meter, Taken
from openslot_sdk.views import Recorded
from openslot_spec.creatives import CreativeRef
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import DURATIONS, EventKind, ExposureColumns, WhyNot
from openslot_spec.limits import Limits
from openslot_spec.messages import ExposuresPut, Placement
from openslot_spec.slots import Pose, Slot
from openslot_view import Camera, Occluders
from openslot_view.exposure import Events

START = 1_790_000_000_000
EXPIRES = START + 600_000

Event = tuple[str, str, int, int, str]
"""kind, ticket, viewer, ms since START, why"""


def board(name: str, x: float = 0.0, **terms: object) -> Slot:
    pose = Pose(position=(x, 1.6, 0.0), rotation=(0.0, 0.0, 0.0, 1.0))
    return Slot.model_validate({"id": name, "size": (3.0, 2.0), "pose": pose, "profile": "mrc-display", **terms})


def placement(
    slot: str, number: int = 1, viewer: int | None = None, sha: str = "a" * 64, expires: int = EXPIRES
) -> Placement:
    creative = CreativeRef(
        sha256=sha, media_type="image/png", size_bytes=9, url="/a", advertiser="acme", label="Ad by Acme"
    )
    return Placement(
        id=number.to_bytes(16, "big"),
        slot=slot,
        creative=creative,
        profile="mrc-display",
        ticket=b"%s#%d" % (slot.encode(), number),
        expires_ms=expires,
        viewer=viewer,
    )


def camera(x: float = 0.0, z: float = 3.0, *, away: bool = False) -> Camera:
    return Camera.perspective((x, 1.6, z), target=(x, 1.6, 2 * z if away else 0.0))


LOOKING, AWAY, BEHIND = camera(), camera(away=True), camera(z=-3.0)
BROKEN = Camera(np.full((4, 4), math.nan), np.eye(4), (100.0, 100.0))


def meter_of(*slots: Slot) -> Meter:
    meter = Meter()
    meter.add_slots(slots, [-1] * len(slots))
    return meter


def hung(*slots: Slot) -> Meter:
    meter = meter_of(*slots)
    for number, slot in enumerate(slots):
        meter.place(placement(slot.id, number), START)
    return meter


def watch(meter: Meter, begin_ms: int, end_ms: int, looks: dict[str, Look], step_ms: int = 50) -> None:
    for now in range(START + begin_ms, START + end_ms + 1, step_ms):
        meter.tick(now, looks)


def sent(meter: Meter, size: int = 1000) -> list[ExposuresPut]:
    return list(batches(meter.take(), size, START, lambda n: bytes(n)))


def read(puts: Sequence[ExposuresPut]) -> list[Event]:
    return [event for put in puts for event in rows(put)]


def rows(put: ExposuresPut) -> list[Event]:
    columns = ExposureColumns.unpack(put.columns, tickets=len(put.tickets))
    return [
        (
            EventKind(int(columns.kind[row])).name,
            put.tickets[int(columns.ticket[row])].decode(),
            int(columns.viewer[row]),
            int(columns.at_ms[row]) - START,
            WhyNot(int(columns.why[row])).name,
        )
        for row in range(len(columns))
    ]


def events_of(meter: Meter) -> list[Event]:
    return read(sent(meter))


def test_a_look_of_a_second_counts_once() -> None:
    meter = hung(board("east"))
    watch(meter, 0, 3000, {"you": Look(LOOKING)})
    meter.close(START + 3050)
    assert events_of(meter) == [
        ("RENDERED", "east#0", 0, 0, "COUNTED"),
        ("VIEWABLE", "east#0", 0, 1000, "COUNTED"),
        ("END", "east#0", 0, 3050, "COUNTED"),
    ]
    tally = meter.tallies()["east"]
    assert (tally.rendered, tally.viewable, dict(tally.why)) == (1, 1, {WhyNot.COUNTED: 1})


@pytest.mark.parametrize(
    ("look", "why"),
    [
        (Look(AWAY), "VIEWPORT"),
        (Look(BEHIND), "BACK_FACING"),
        (Look(LOOKING, focused=False), "NO_WINDOW_FOCUS"),
        (Look(LOOKING, idle_ms=30_000), "IDLE"),
        (Look(BROKEN), "UNMEASURABLE"),
    ],
)
def test_a_view_that_does_not_count_says_why(look: Look, why: str) -> None:
    meter = hung(board("east"))
    watch(meter, 0, 3000, {"you": look})
    meter.close(START + 3000)
    assert events_of(meter)[-1] == ("END", "east#0", 0, 3000, why)
    assert meter.tallies()["east"].viewable == 0


def test_now_one_eye_and_now_the_other_is_one_long_look() -> None:
    left, right, both = (hung(board("east")) for _ in range(3))
    for now in range(0, 3000, 50):
        first, second = (LOOKING, AWAY) if now // 400 % 2 else (AWAY, LOOKING)
        left.tick(START + now, {"you": Look(first)})
        right.tick(START + now, {"you": Look(second)})
        both.tick(START + now, {"you": Look(first, second)})
    for meter in (left, right, both):
        meter.close(START + 3000)
    assert [events_of(meter)[-1][-1] for meter in (left, right)] == ["TOO_SHORT", "TOO_SHORT"]
    assert [event[0] for event in events_of(both)] == ["RENDERED", "VIEWABLE", "END"]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from([LOOKING, AWAY, BEHIND]), min_size=1, max_size=6), st.integers(0, 3))
def test_a_blind_eye_more_changes_nothing_for_anybody(poses: list[Camera], blind: int) -> None:
    one, more = hung(board("east"), board("west", 4.0)), hung(board("east"), board("west", 4.0))
    for index, pose in enumerate(poses):
        for now in range(START + 400 * index, START + 400 * (index + 1), 100):
            one.tick(now, {"a": Look(pose), "b": Look(LOOKING, idle_ms=5)})
            eyes = [AWAY] * blind
            seen = more.tick(now, {"a": Look(*eyes, pose), "b": Look(LOOKING, *eyes, idle_ms=5)})
            assert seen["b"].keys() == {"east", "west"}
    for meter in (one, more):
        meter.close(START + 9000)
    assert events_of(one) == events_of(more)


@pytest.mark.parametrize(
    ("look", "where"),
    [
        (Look(), "viewers/you"),
        (Look(BROKEN), "viewers/you/camera_from_world/0"),
        (Look(LOOKING, BROKEN), "viewers/you/camera_from_world/1"),
        (Look(LOOKING, Camera(np.eye(3), np.eye(4), (9.0, 9.0))), "viewers/you/camera_from_world/1"),
    ],
)
def test_a_viewer_with_a_camera_that_makes_no_sense_is_refused_whole(look: Look, where: str) -> None:
    meter = hung(board("east"))
    seen = meter.tick(START, {"you": look, "they": Look(LOOKING, LOOKING)})
    assert {name: (error.code, error.where) for name, error in seen.refused.items()} == {
        "you": (Code.CAMERA_INVALID, where)
    }
    assert not seen["you"]
    assert seen["they"].keys() == {"east"}


def test_a_wall_before_the_board_obstructs_it_and_an_avatar_too() -> None:
    wall = np.array([(-9, -9, 1), (9, -9, 1), (9, 9, 1), (-9, 9, 1)], np.float64)
    faces = np.array([(0, 1, 2), (0, 2, 3)])
    behind_wall, behind_avatar = hung(board("east")), hung(board("east"))
    behind_wall.set_occluders(Occluders.build(wall, faces))
    for now in range(START, START + 2000, 50):
        behind_wall.tick(now, {"you": Look(LOOKING)})
        behind_avatar.tick(now, {"you": Look(LOOKING)}, (wall, faces))
    for meter in (behind_wall, behind_avatar):
        meter.close(START + 2000)
        assert events_of(meter)[-1][-1] == "OBSTRUCTED"


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(1, 99), max_size=30))
def test_ticks_between_samples_change_nothing(offsets: list[int]) -> None:
    few, many = hung(board("east")), hung(board("east"))
    looks = {"you": Look(LOOKING)}
    extra = sorted({START + 100 * index + offset for index, offset in enumerate(offsets)})
    for now in range(START, START + 3000, 100):
        few.tick(now, looks)
        many.tick(now, looks)
        for between in [moment for moment in extra if now < moment < now + 100]:
            many.tick(between, {"you": Look(AWAY)})
    few.close(START + 3000)
    many.close(START + 3000)
    assert events_of(few) == events_of(many)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from([LOOKING, AWAY, BEHIND]), min_size=1, max_size=8), st.integers(0, 2))
def test_a_viewer_with_a_bad_camera_disturbs_nobody(poses: list[Camera], place: int) -> None:
    alone, together = hung(board("east"), board("west", 4.0)), hung(board("east"), board("west", 4.0))
    for index, pose in enumerate(poses):
        for now in range(START + 400 * index, START + 400 * (index + 1), 100):
            good = {"a": Look(pose), "b": Look(LOOKING)}
            names = [*good]
            names.insert(place, "broken")
            alone.tick(now, good)
            seen = together.tick(now, {name: good.get(name, Look(BROKEN)) for name in names})
            assert seen.refused["broken"].code is Code.CAMERA_INVALID
            assert "broken" in seen.refused["broken"].where
            assert not seen["broken"]
    for meter in (alone, together):
        meter.close(START + 9000)
    number = {name: member.number for name, member in together.audience.present.items()}
    back = {number["a"]: 0, number["b"]: 1}
    others = [(*event[:2], back[event[2]], *event[3:]) for event in events_of(together) if event[2] in back]
    assert Counter(others) == Counter(events_of(alone))


@given(st.lists(st.sets(st.sampled_from("abcd")), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_however_viewers_come_and_go_each_event_happens_once(presence: list[set[str]]) -> None:
    meter = hung(board("east"), board("west", 4.0))
    now = 0
    for names in presence:
        watch(meter, now, now + 1200, {name: Look(LOOKING) for name in sorted(names)}, 100)
        now += 1300
    meter.close(START + now)
    counts = Counter(event[:3] for event in events_of(meter))
    assert all(count == 1 for count in counts.values())
    everybody = len(set().union(*presence))
    for slot in ("east#0", "west#1"):
        assert sum(kind == "END" and ticket == slot for kind, ticket, _ in counts) == everybody
    assert sum(kind == "VIEWABLE" and ticket == "east#0" for kind, ticket, _ in counts) == everybody


def test_leaving_breaks_a_look_and_coming_back_goes_on_with_the_view() -> None:
    meter = hung(board("east"))
    looks = {"you": Look(LOOKING)}
    watch(meter, 0, 900, looks)
    meter.tick(START + 950, {})
    watch(meter, 1300, 2200, looks)
    meter.tick(START + 2250, {})
    watch(meter, 5000, 6000, looks)
    meter.close(START + 6000)
    kinds = [(kind, at) for kind, _, _, at, _ in events_of(meter)]
    assert kinds == [("RENDERED", 0), ("VIEWABLE", 6000), ("END", 6000)]


def test_who_was_away_for_too_long_is_forgotten_and_their_views_end() -> None:
    meter = hung(board("east"))
    meter.audience = Audience(max_away=1)
    meter.tick(START, {"a": Look(AWAY), "b": Look(AWAY), "c": Look(AWAY)})
    meter.tick(START + 100, {"c": Look(AWAY)})
    meter.tick(START + 200, {})
    ends = [event for event in events_of(meter) if event[0] == "END"]
    assert len(ends) == 2
    meter.tick(START + 300, {"a": Look(LOOKING), "d": Look(LOOKING)})
    assert {event[2] for event in events_of(meter)} == {3, 4}
    meter.close(START + 400)
    assert len(events_of(meter)) == 3


def test_a_new_placement_ends_the_views_of_the_old_one() -> None:
    meter = hung(board("east"))
    watch(meter, 0, 600, {"you": Look(LOOKING)})
    meter.place(placement("east", 7), START + 650)
    watch(meter, 700, 1800, {"you": Look(LOOKING)})
    meter.close(START + 1800)
    assert events_of(meter) == [
        ("RENDERED", "east#0", 0, 0, "COUNTED"),
        ("END", "east#0", 0, 650, "TOO_SHORT"),
        ("RENDERED", "east#7", 0, 700, "COUNTED"),
        ("VIEWABLE", "east#7", 0, 1700, "COUNTED"),
        ("END", "east#7", 0, 1800, "COUNTED"),
    ]


def test_the_tables_do_not_grow_with_every_placement() -> None:
    meter = hung(board("east"))
    for number in range(1, 300):
        meter.place(placement("east", number), START + number)
        meter.tick(START + number, {"you": Look(AWAY)})
        meter.take()
    (views,) = meter._views.values()
    assert len(views._viewer) == 64
    assert len(meter._placements) == 1


def test_an_expired_placement_ends_at_its_expiry() -> None:
    meter = meter_of(board("east"))
    meter.place(placement("east", expires=START + 500), START)
    watch(meter, 0, 400, {"you": Look(LOOKING)})
    assert meter.expire(START + 499) == []
    assert [each.slot for each in meter.expire(START + 900)] == ["east"]
    watch(meter, 1000, 3000, {"you": Look(LOOKING)})
    assert [event[:1] + event[3:] for event in events_of(meter)] == [
        ("RENDERED", 0, "COUNTED"),
        ("END", 500, "TOO_SHORT"),
    ]


def test_a_withdrawn_creative_leaves_every_slot_and_no_other() -> None:
    meter = meter_of(board("east"), board("west", 4.0), board("north", 8.0))
    for number, (slot, sha) in enumerate([("east", "a"), ("west", "b"), ("north", "a")]):
        meter.place(placement(slot, number, sha=sha * 64), START)
    meter.tick(START, {"you": Look(LOOKING)})
    assert [each.slot for each in meter.withdraw("a" * 64, START + 100)] == ["east", "north"]
    assert [slot for slot, _ in meter.hanging] == ["west"]
    ends = [event[1] for event in events_of(meter) if event[0] == "END"]
    assert sorted(ends) == ["east#0", "north#2"]


def test_a_slot_may_show_each_viewer_something_else() -> None:
    meter = meter_of(board("east", audience="per_viewer"))
    looks = {"a": Look(LOOKING), "b": Look(LOOKING), "c": Look(LOOKING)}
    meter.tick(START, looks)
    numbers = [member.number for member in meter.audience.present.values()]
    for number in numbers[:2]:
        meter.place(placement("east", 10 + number, viewer=number), START)
    watch(meter, 100, 1300, looks)
    meter.remove(("east", numbers[0]), START + 1300)
    watch(meter, 1400, 1500, looks)
    meter.close(START + 1500)
    per_viewer = Counter((kind, ticket, viewer) for kind, ticket, viewer, _, _ in events_of(meter))
    expected = {(kind, f"east#{10 + n}", n) for kind in ("RENDERED", "VIEWABLE", "END") for n in numbers[:2]}
    assert per_viewer == Counter(expected)


def test_each_profile_keeps_its_own_time() -> None:
    meter = hung(board("east", profile="mrc-display"), board("west", profile="mrc-video"))
    watch(meter, 0, 2500, {"you": Look(LOOKING)})
    viewable = {event[1]: event[3] for event in events_of(meter) if event[0] == "VIEWABLE"}
    assert viewable == {"east#0": 1000, "west#1": 2000}


def test_what_is_seen_comes_back_by_viewer_and_slot() -> None:
    meter = hung(board("east"), board("west", 40.0))
    seen = meter.tick(START, {"you": Look(LOOKING), "they": Look(camera(40.0))})
    assert seen["you"].keys() == {"east"}
    assert seen["they"].keys() == {"west"}
    assert seen["you"]["east"].visible_fraction == 1.0
    assert seen["you"]["east"].why is WhyNot.COUNTED
    assert not seen["nobody"]


def test_a_world_without_viewers_or_without_slots_ticks_on() -> None:
    assert not hung(board("east")).tick(START, {}).refused
    assert not Meter().tick(START, {"you": Look(LOOKING)})["you"]


@pytest.mark.parametrize(
    ("slots", "code"),
    [
        ([board("east"), board("east")], Code.SLOT_DUPLICATE),
        ([board("new"), board("other", profile="no-such-profile")], Code.PROFILE_UNKNOWN),
    ],
)
def test_slots_that_cannot_be_measured_are_refused_together(slots: list[Slot], code: Code) -> None:
    meter = meter_of(board("first"))
    with pytest.raises(OpenSlotError) as refused:
        meter.add_slots(slots, [-1] * len(slots))
    assert refused.value.code is code
    assert meter.tallies().keys() == {"first"}


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 7))
def test_batches_hold_all_events_in_order_and_no_more_than_allowed(viewers: int, size: int) -> None:
    meter = hung(board("east"), board("west", 4.0))
    meter.tick(START, {f"v{n}": Look(LOOKING) for n in range(viewers)})
    meter.close(START + 100)
    taken = meter.take()
    counter = iter(range(10_000))
    parts = list(batches(taken, size, START, lambda n: next(counter).to_bytes(n, "big")))
    whole = list(batches(taken, 100_000, START, lambda n: bytes(n)))
    assert read(parts) == read(whole)
    assert all(len(part.columns["kind"]) <= size for part in parts)
    assert len({part.batch for part in parts}) == len(parts)


def test_a_view_of_days_is_reported_as_long_as_the_wire_can_say() -> None:
    number, share = np.array([3]), np.array([0.5])
    days = [number * 10**9] * len(DURATIONS)
    events = Events(number, number, number + START, *days, share, share, share, number)  # type: ignore[call-arg]  # six
    (put,) = batches([Taken(Recorded(events, number, number, number), (b"t",))], 10, START, lambda n: bytes(n))
    columns = ExposureColumns.unpack(put.columns, tickets=1)
    assert columns.continuous_ms == columns.cumulative_ms == 24 * 3600 * 1000


def test_a_batch_of_the_longest_tickets_fits_the_frame() -> None:
    assert events_per_batch(Limits()) == 1000
    assert 1 <= events_per_batch(Limits(frame_bytes=64 * 1024)) <= 64 * 1024 // 768
    assert events_per_batch(Limits(tickets_per_batch=7)) == 7


def test_heat_is_kept_where_time_counts_also_of_slots_that_came_later() -> None:
    meter = Meter(heat_cells=4)
    meter.set_occluders(Occluders.build([(-9, 0, 1), (0, 0, 1), (0, 9, 1), (-9, 9, 1)], [(0, 1, 2), (0, 2, 3)]))
    for number, each in enumerate((board("east"), board("west"))):
        meter.add_slots([each], [-1])
        meter.place(placement(each.id, number), START)
        watch(meter, 1000 * number, 1000 * number + 900, {"you": Look(LOOKING), "me": Look(LOOKING, focused=False)})
    assert (meter.heat("east")[:, :2] == 0).all()
    np.testing.assert_allclose(meter.heat("east")[:, 2:], 1900.0)
    np.testing.assert_allclose(meter.heat("west")[:, 2:], 900.0)
    with pytest.raises(OpenSlotError, match="nowhere"):
        meter.heat("nowhere")
    with pytest.raises(OpenSlotError, match="no heat"):
        hung(board("east")).heat("east")
