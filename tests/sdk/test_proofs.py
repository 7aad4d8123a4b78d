from __future__ import annotations

import pytest

from openslot_sdk.proofs import GONE, MARGIN_MS, Proofs, Secret
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.evidence import KEPT_MS, Evidence
from openslot_spec.ids import make_id
from tests.sdk.scripted_disk import Crash, ScriptedDisk
from tests.server.auditing import seen_from
from tests.view.looks import evidence

NOW_MS = 1_790_000_000_000
FILE = "spool.evidence"


def batch(number: int = 1) -> bytes:
    return make_id(NOW_MS, bytes([number]) * 10)


def secret(viewer: int, salt: int = 7) -> Secret:
    made = evidence(NOW_MS, [(NOW_MS, seen_from((0, 2, 0)))])
    named = {name: getattr(made, name) for name in Evidence.__slots__} | {"viewer": viewer}
    return bytes([salt]) * 16, Evidence(**named).pack()


def proofs(disk: ScriptedDisk, waiting: tuple[bytes, ...] = ()) -> Proofs:
    found = Proofs(disk, FILE)
    found.recover(waiting)
    return found


def on_disk(disk: ScriptedDisk, secret: Secret) -> bool:
    return secret[0] in disk.read(FILE)


def test_nothing_is_on_disk_before_anybody_consented() -> None:
    disk = ScriptedDisk()
    assert proofs(disk).asked() == []
    assert disk.read(FILE) == b""


def test_what_was_not_asked_for_is_gone_once_the_server_has_the_batch() -> None:
    disk = ScriptedDisk()
    kept = proofs(disk)
    kept.keep(batch(), {3: secret(3)})
    assert on_disk(disk, secret(3))
    kept.settle(batch(), ())
    kept.purge(NOW_MS)
    assert not on_disk(disk, secret(3))


def test_what_is_asked_for_stays_until_the_server_has_it() -> None:
    disk = ScriptedDisk()
    kept = proofs(disk)
    kept.keep(batch(), {3: secret(3), 5: secret(5, 9)})
    kept.settle(batch(), (5,))
    assert kept.asked() == [(batch(), 5, secret(5, 9))]
    assert proofs(disk).asked() == kept.asked()
    kept.revealed(batch(), 5)
    kept.purge(NOW_MS)
    assert proofs(disk).asked() == []
    assert not on_disk(disk, secret(5, 9))


def test_evidence_survives_with_its_batch_and_not_without() -> None:
    disk = ScriptedDisk()
    kept = proofs(disk)
    kept.keep(batch(1), {3: secret(3)})
    kept.keep(batch(2), {4: secret(4, 9)})
    again = proofs(disk, (batch(1),))
    again.settle(batch(1), (3,))
    again.settle(batch(2), (4,))
    assert again.asked() == [(batch(1), 3, secret(3)), (batch(2), 4, GONE)]
    assert not on_disk(disk, secret(4, 9))


@pytest.mark.parametrize("asked", [(), (5,)])
def test_after_72_hours_nothing_is_left_asked_for_or_not(asked: tuple[int, ...]) -> None:
    disk = ScriptedDisk()
    kept = proofs(disk)
    kept.keep(batch(), {5: secret(5)})
    if asked:
        kept.settle(batch(), asked)
    kept.purge(NOW_MS + KEPT_MS - MARGIN_MS - 1)
    assert on_disk(disk, secret(5))
    kept.purge(NOW_MS + KEPT_MS - MARGIN_MS)
    assert not on_disk(disk, secret(5))
    assert kept.asked() == []


def test_withdrawn_consent_takes_that_viewers_evidence_and_no_other() -> None:
    disk = ScriptedDisk()
    kept = proofs(disk)
    kept.keep(batch(), {3: secret(3), 5: secret(5, 9)})
    kept.withdraw({3})
    assert not on_disk(disk, secret(3))
    kept.settle(batch(), (3, 5))
    kept.withdraw({3})
    assert kept.asked() == [(batch(), 3, GONE), (batch(), 5, secret(5, 9))]


def test_a_viewers_number_of_an_earlier_run_names_nobody() -> None:
    disk = ScriptedDisk()
    proofs(disk).keep(batch(), {3: secret(3)})
    again = proofs(disk, (batch(),))
    again.withdraw({3})
    assert on_disk(disk, secret(3))


def test_evidence_that_finds_no_room_is_refused() -> None:
    kept = Proofs(ScriptedDisk(), FILE, limit_bytes=300)
    with pytest.raises(OpenSlotError) as refused:
        kept.keep(batch(), {event: secret(event) for event in range(5)})
    assert refused.value.code is Code.SPOOL_FULL


@pytest.mark.parametrize("crash_at", range(4, 24))
def test_a_crash_at_any_operation_keeps_what_was_asked_for_or_its_batch(crash_at: int) -> None:
    disk = ScriptedDisk(crash_at=crash_at)
    spooled: tuple[bytes, ...] = ()
    settled = False
    try:
        kept = proofs(disk)
        kept.keep(batch(), {3: secret(3), 5: secret(5)})
        spooled = (batch(),)
        kept.settle(batch(), (5,))
        settled = True
        kept.purge(NOW_MS)
    except Crash:
        pass
    again = proofs(disk.after_crash(), () if settled else spooled)
    again.settle(batch(), (5,) if spooled and not settled else ())
    assert [each[2] for each in again.asked()] == ([secret(5)] if spooled else [])
