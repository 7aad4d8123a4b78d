from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openslot_server.audit.cases import AGAINST, State
from openslot_server.audit.room import MAX_WAITING
from openslot_server.reports.queries import Dimension
from openslot_server.storage.sqlite import SqliteStore
from openslot_server.storage.store import AuditRow, VerdictRow
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.evidence import KEPT_MS, REVEAL_MS, Evidence
from openslot_spec.geometry import Geometry
from openslot_spec.messages import AuditAck, AuditReveal, Error
from openslot_view.cameras import Cameras
from openslot_view.coarse import coarsen
from tests.faults import recount
from tests.server.auditing import RUN_MS, WALL, Auditing, field_of
from tests.server.market import Market
from tests.view.looks import evidence, standing

LOOKED = {"viewable", "valid", "undetermined"}


@pytest.fixture
def world() -> Auditing:
    return Auditing()


def test_an_honest_look_is_proven_and_stays_paid(world: Auditing) -> None:
    reveal = world.asked()
    before = world.market.report().totals
    assert world.verdict(reveal) is State.PROVEN
    assert world.market.report().totals == before
    assert world.standing().trust == 1


def test_nothing_is_asked_of_those_who_did_not_consent(world: Auditing) -> None:
    put = world.batch([world.look(each) for each in range(1000)], consented=False)
    assert "evidence" not in put.columns
    assert world.send(put).reveal == ()
    assert world.standing().committed == 0


@pytest.mark.parametrize("ppm", [0, 20_000])
def test_the_share_that_is_asked_is_the_rate(ppm: int) -> None:
    world = Auditing(Market(audit_ppm=ppm, placement_ms=3_600_000))
    count = sum(len(world.crowd(400)[1].reveal) for _ in range(10))
    expected = 4000 * ppm / 1_000_000
    assert abs(count - expected) <= 5 * np.sqrt(expected)  # five standard deviations


def test_whom_it_meets_is_drawn_after_the_batch_is_fixed() -> None:
    first, second = (Auditing(Market(seed, audit_ppm=50_000, placement_ms=3_600_000)) for seed in (1, 2))
    drawn = [{tuple(world.crowd(100)[1].reveal) for _ in range(2)} for world in (first, second)]
    assert drawn[0] != drawn[1]


def test_a_batch_that_comes_again_is_asked_for_the_same(world: Auditing) -> None:
    put, ack = world.crowd(400)
    assert ack.reveal
    assert world.send(put).reveal == ack.reveal
    world.market.restart()
    assert world.send(put).reveal == ack.reveal
    for event in ack.reveal:
        world.reveal(world.evidence_of(put.batch, event))
    assert world.send(put).reveal == ()


def test_refused_events_are_not_asked_for(world: Auditing) -> None:
    world.market.pass_time(5_000)
    put = world.batch([world.look(each) for each in range(400)], visible_fraction=0.1)
    assert world.send(put).reveal == ()


INFLATED: dict[str, dict[str, Any]] = {
    "turned away": {"target": (0, 2, 5)},
    "too far": {"position": (0, 2, 300), "target": (0, 2, 400)},
    "behind the board": {"position": (0, 2, -10)},
}


@pytest.mark.parametrize("name", INFLATED)
def test_an_inflated_claim_is_found_and_taken_back(world: Auditing, name: str) -> None:
    reveal = world.asked(**INFLATED[name])
    paid = world.market.report().totals
    assert world.verdict(reveal) is State.INFLATED
    report = world.market.report().totals
    assert report.invalid_why == {"audit.inflated": 1}
    assert report.gross == paid.gross
    assert report.viewable == paid.viewable - 1
    assert report.spend_micros == paid.spend_micros - 2_000
    assert world.standing().inflated == 1


def test_a_wall_that_is_registered_hides() -> None:
    world = Auditing(geometry=field_of(WALL))
    assert world.verdict(world.asked()) is State.INFLATED


def test_more_dwell_than_the_evidence_has_is_inflated(world: Auditing) -> None:
    while True:
        world.market.pass_time(5_000)
        looks = [world.look(world.viewers + each) for each in range(40)]
        world.viewers += 40
        put = world.batch(looks, continuous_ms=4_000, cumulative_ms=4_000)
        if (ack := world.send(put)).reveal:
            break
    assert world.verdict(world.evidence_of(put.batch, ack.reveal[0])) is State.INFLATED


def test_the_money_that_goes_back_balances_and_can_be_spent_again(world: Auditing) -> None:
    budget = world.market.rooms.budgets.line_items["li-1"]
    reveal = world.asked(target=(0, 2, 5))
    left, spent = budget.left, budget.spent
    world.verdict(reveal)
    assert (budget.left, budget.spent) == (left + 2_000, spent - 2_000)
    assert sum(world.market.books().ledger.balances.values()) == 0
    world.market.restart()
    again = world.market.rooms.budgets.line_items["li-1"]
    assert (again.left, again.spent) == (left + 2_000, spent - 2_000)


def test_a_free_delivery_that_was_inflated_moves_no_money() -> None:
    world = Auditing(Market(audit_ppm=50_000, placement_ms=3_600_000), impressions=1)
    world.crowd(1)
    reveal = world.asked(target=(0, 2, 5))
    before = dict(world.market.books().ledger.balances)
    assert world.verdict(reveal) is State.INFLATED
    assert dict(world.market.books().ledger.balances) == before
    assert world.standing().reversed_micros == 0


def test_evidence_that_was_swapped_after_the_commitment_does_not_match(world: Auditing) -> None:
    reveal = world.asked(target=(0, 2, 5))
    good = world.look(Evidence.unpack(reveal.evidence).viewer)
    assert world.verdict(reveal.model_copy(update={"evidence": good.pack()})) is State.MISMATCH


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_no_byte_of_what_was_committed_to_can_be_changed(place: int) -> None:
    world = Auditing()
    reveal = world.asked()
    secret = bytearray(reveal.salt + reveal.evidence)
    secret[place % len(secret)] ^= 1 + place % 255
    changed = reveal.model_copy(update={"salt": bytes(secret[:16]), "evidence": bytes(secret[16:])})
    assert world.verdict(changed) is State.MISMATCH


@pytest.mark.parametrize("changes", [{"viewer": 1_000_000}, {"placement": bytes(16)}, {"at_ms": 1}])
def test_evidence_of_another_event_does_not_match(world: Auditing, changes: dict[str, Any]) -> None:
    while True:
        world.market.pass_time(5_000)
        put = world.batch([world.look(world.viewers + each) for each in range(40)])
        world.viewers += 40
        others = [replace(world.look(world.viewers), **changes)] * 40
        swapped = world.batch(others)
        put = put.model_copy(update={"columns": put.columns | {"evidence": swapped.columns["evidence"]}})
        if (ack := world.send(put)).reveal:
            break
    reveal = world.evidence_of(swapped.batch, ack.reveal[0]).model_copy(update={"batch": put.batch})
    assert world.verdict(reveal) is State.MISMATCH


def walk(world: Auditing, viewer: int, aside: float = 0.0) -> Evidence:
    """Return evidence of somebody who walks by."""
    at_ms = world.market.now_ms
    steps = range(RUN_MS, -1, -200)
    up = 0.1 * (aside // 1 % 10)  # a way of one's own for each of a hundred
    poses = [(aside % 1 + before_ms / 1000, 2.0 + up, 0.0) for before_ms in steps]
    cameras = [coarsen(Cameras.stack(standing(pose)(0))) for pose in poses]
    made = evidence(at_ms, [(at_ms - before_ms, each) for before_ms, each in zip(steps, cameras, strict=True)])
    return world.about(made, viewer)


def walks(world: Auditing, wanted: int, *, apart: float = 0.0) -> list[State]:
    """Return the verdicts on so many walks of different viewers, `apart` metres from one to the next."""
    found: list[State] = []
    while len(found) < wanted:
        world.market.pass_time(5_000)
        looks = [walk(world, world.viewers + each, apart * (world.viewers + each)) for each in range(40)]
        world.viewers += 40
        put = world.batch(looks)
        found.extend(world.verdict(world.evidence_of(put.batch, event)) for event in world.send(put).reveal)
    return found


def test_one_walk_under_the_looks_of_many_is_a_replay(world: Auditing) -> None:
    found = walks(world, 4)
    assert found[:2] == [State.PROVEN, State.PROVEN]
    assert set(found[2:]) == {State.REPLAYED}
    world.market.restart()
    assert walks(world, 1) == [State.REPLAYED]


def test_walks_that_differ_are_none(world: Auditing) -> None:
    assert set(walks(world, 4, apart=0.1)) == {State.PROVEN}


def test_standing_still_where_others_stood_is_no_replay(world: Auditing) -> None:
    assert {world.verdict(world.asked()) for _ in range(4)} == {State.PROVEN}


def test_what_is_not_shown_in_time_is_not_paid(world: Auditing) -> None:
    reveal = world.asked()
    paid = world.market.report().totals
    world.market.pass_time(REVEAL_MS - 1)
    assert world.state(reveal.batch, reveal.event) is State.ASKED
    world.market.pass_time(1)
    assert world.state(reveal.batch, reveal.event) is State.UNREVEALED
    report = world.market.report().totals
    asked = world.standing().unrevealed
    assert report.spend_micros == paid.spend_micros - 2_000 * asked
    assert report.invalid_why == {"audit.unrevealed": asked}
    assert isinstance(world.reveal(reveal), AuditAck)
    assert world.state(reveal.batch, reveal.event) is State.UNREVEALED


def test_evidence_that_is_gone_is_unrevealed_at_once(world: Auditing) -> None:
    reveal = world.asked()
    assert world.verdict(AuditReveal(batch=reveal.batch, event=reveal.event, salt=b"", evidence=b"")) is (
        State.UNREVEALED
    )


def test_geometry_that_nobody_registered_shows_nothing(world: Auditing) -> None:
    world.geometry = field_of(WALL)
    assert world.verdict(world.asked()) is State.UNREVEALED


def test_geometry_that_came_after_the_look_shows_nothing(world: Auditing) -> None:
    world.geometry = field_of([[x, y, -9] for x, y, _ in WALL])
    reveal = world.asked()
    world.market.pass_time(60_000)
    world.register(world.geometry)
    assert world.verdict(reveal) is State.UNREVEALED


def test_what_was_not_asked_is_refused(world: Auditing) -> None:
    put, ack = world.crowd(40)
    other = next(event for event in range(40) if event not in ack.reveal)
    answer = world.reveal(world.evidence_of(put.batch, other))
    assert isinstance(answer, Error)
    assert answer.code == Code.AUDIT_NOT_ASKED


def test_another_world_cannot_answer(world: Auditing) -> None:
    answer = world.reveal(world.asked(), world="elsewhere")
    assert isinstance(answer, Error)
    assert answer.code == Code.AUDIT_NOT_ASKED


def test_a_flood_of_evidence_waits_outside(world: Auditing) -> None:
    answers: list[AuditAck | Error] = []
    while len(answers) <= MAX_WAITING:
        put, ack = world.crowd(400)
        answers += [world.reveal(world.evidence_of(put.batch, event)) for event in ack.reveal]
    assert all(isinstance(answer, AuditAck) for answer in answers[:MAX_WAITING])
    late = answers[MAX_WAITING]
    assert isinstance(late, Error)
    assert (late.code, late.retry_after_ms > 0) == (Code.RATE_LIMITED, True)


def test_a_restart_between_ask_and_reveal_changes_nothing(world: Auditing) -> None:
    reveal = world.asked()
    world.market.restart()
    assert world.verdict(reveal) is State.PROVEN


def test_a_restart_between_reveal_and_verdict_changes_nothing(world: Auditing) -> None:
    reveal = world.asked(target=(0, 2, 5))
    world.reveal(reveal)
    world.market.restart()
    assert world.examine() == [State.INFLATED]
    world.market.restart()
    assert world.examine() == []
    assert world.market.books().ledger.seq == world.market.rooms.ledger.seq


def test_a_repeated_reveal_is_acknowledged_and_changes_nothing(world: Auditing) -> None:
    reveal = world.asked(target=(0, 2, 5))
    assert world.verdict(reveal) is State.INFLATED
    records = world.market.rooms.ledger.seq
    assert world.verdict(reveal) is State.INFLATED
    assert world.market.rooms.ledger.seq == records


@pytest.mark.parametrize("restart", [False, True])
def test_raw_evidence_is_gone_after_72_hours_and_the_verdict_stays(world: Auditing, restart: bool) -> None:
    reveal = world.asked()
    looked_ms = world.market.now_ms
    world.verdict(reveal)
    world.market.pass_time(looked_ms + KEPT_MS - 1 - world.market.now_ms)
    assert world.row(reveal.batch, reveal.event).evidence
    if restart:
        world.market.restart()
    world.market.pass_time(1)
    kept = world.row(reveal.batch, reveal.event)
    assert kept.evidence == b""
    assert (kept.state, len(kept.record) > 64) == ("proven", True)
    assert all(not row.evidence for row in world.market.store.load(AuditRow))


def test_what_is_still_waiting_after_72_hours_is_deleted_undecided(world: Auditing) -> None:
    reveal = world.asked()
    world.reveal(reveal)
    world.market.pass_time(KEPT_MS)
    assert world.row(reveal.batch, reveal.event).evidence == b""
    assert world.examine() == []


def test_every_verdict_stands_under_the_ledger(world: Auditing) -> None:
    world.verdict(world.asked())
    world.verdict(world.asked(target=(0, 2, 5)))
    world.market.books()
    rows = world.market.store.tables[VerdictRow]
    assert [row.state for row in world.market.store.load(VerdictRow)] == ["proven", "audit.inflated"]
    honest, guilty = world.market.store.load(VerdictRow)
    for altered in ([honest], [guilty, honest], [honest, replace(guilty, state="proven")], [honest, guilty, guilty]):
        rows[:] = altered
        with pytest.raises(OpenSlotError, match=r"ledger\.broken"):
            world.market.books()


def test_trust_is_the_share_that_was_proven_with_how_sure_that_is(world: Auditing) -> None:
    nothing = world.standing() if world.crowd(1) else None
    assert nothing is not None
    assert (nothing.trust, nothing.trust_low, nothing.trust_high) == (0.0, 0.0, 1.0)
    for _ in range(3):
        world.verdict(world.asked())
    world.verdict(world.asked(target=(0, 2, 5)))
    found = world.standing()
    assert (found.proven, found.inflated) == (3, 1)
    assert found.trust == 0.75
    assert 0.3 < found.trust_low < 0.75 < found.trust_high < 0.96
    assert found.reversed_micros == 2_000
    assert found.committed == found.impressions


def test_the_record_of_a_case_says_nothing_of_where_anybody_was(world: Auditing) -> None:
    near, far = (world.row(each.batch, each.event) for each in (world.asked(), world.asked(position=(0, 2, 3))))
    assert near.record.replace(near.batch.hex(), "").count("position") == 1  # the slot's own
    assert far.evidence == b""


def test_every_verdict_against_an_impression_is_a_reason_in_the_report() -> None:
    from openslot_server.impressions.verdicts import REASONS

    assert {state.value for state in AGAINST} <= set(REASONS.values())


def test_geometry_is_named_by_its_bytes(world: Auditing) -> None:
    assert world.register(world.geometry).sha256 == Geometry.digest(world.geometry)


@pytest.mark.parametrize("by", ["slot", "line_item", "profile"])
def test_the_second_recount_finds_the_same_of_what_was_audited(world: Auditing, by: Dimension, tmp_path: Path) -> None:
    for changes in ({}, {"target": (0, 2, 5)}, {}):
        world.verdict(world.asked(**changes))
    world.asked()
    world.market.pass_time(REVEAL_MS)
    path = tmp_path / "audited.sqlite3"
    with closing(SqliteStore(path)) as store:
        store.commit([row for rows in world.market.store.tables.values() for row in rows]).result(10)
    with closing(sqlite3.connect(path)) as database:
        assert recount.report(database, by, 100_000) == world.market.report(by).plain()
