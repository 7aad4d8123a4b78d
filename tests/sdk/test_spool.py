from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openslot_sdk.disk import FileDisk
from openslot_sdk.spool import GARBAGE_BYTES, MAX_PAYLOAD_BYTES, Spool, scan
from openslot_spec.errors import Code, OpenSlotError
from tests.sdk.scripted_disk import Crash, File, ScriptedDisk

NAME = "plaza.spool"
BIG = GARBAGE_BYTES // 3


def batch_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def content(number: int, size: int = 40) -> bytes:
    return bytes([number % 251 + 1]) * size


def filled(disk: ScriptedDisk, count: int) -> Spool:
    spool = Spool(disk, NAME)
    for number in range(count):
        spool.append(batch_id(number), content(number))
    return spool


@dataclass
class Ledger:
    """What the spool promised, as its user saw it."""

    tried: dict[bytes, bytes] = field(default_factory=dict)
    kept: list[bytes] = field(default_factory=list)
    forgotten: set[bytes] = field(default_factory=set)
    durably_forgotten: set[bytes] = field(default_factory=set)


def play(disk: ScriptedDisk, actions: list[tuple[str, int]]) -> Ledger:
    ledger = Ledger()
    with contextlib.suppress(Crash):
        try:
            spool = Spool(disk, NAME)
        except OpenSlotError as error:
            assert error.code is Code.STORAGE_FAILED
            return ledger
        for number, (action, value) in enumerate(actions):
            if action == "append":
                batch, payload = batch_id(number), content(number, value)
                ledger.tried[batch] = payload
                try:
                    spool.append(batch, payload)
                except OpenSlotError as error:
                    assert error.code is Code.STORAGE_FAILED
                    continue
                ledger.kept.append(batch)
                ledger.durably_forgotten |= ledger.forgotten
            elif spool.waiting():
                batch = spool.waiting()[value % len(spool)][0]
                ledger.forgotten.add(batch)
                spool.acknowledge(batch)
    return ledger


actions = st.lists(
    st.tuples(st.just("append"), st.sampled_from([1, 100, BIG])) | st.tuples(st.just("forget"), st.integers(0, 9)),
    max_size=14,
)


@given(
    actions, st.integers(0, 40), st.frozensets(st.integers(0, 40), max_size=4), st.sampled_from([0.0, 0.3, 0.7, 1.0])
)
def test_a_crash_at_any_operation_keeps_what_was_kept(
    actions: list[tuple[str, int]], crash_at: int, fail_at: frozenset[int], kept: float
) -> None:
    disk = ScriptedDisk(crash_at=crash_at, fail_at=fail_at - {crash_at}, kept=kept)
    ledger = play(disk, actions)
    recovered = dict(Spool(disk.after_crash(), NAME).waiting())
    assert set(ledger.kept) - ledger.forgotten <= recovered.keys()
    assert not recovered.keys() & ledger.durably_forgotten
    assert all(ledger.tried[batch] == payload for batch, payload in recovered.items())
    assert list(recovered) == sorted(recovered)


@given(actions)
def test_a_spool_opened_again_is_the_same(actions: list[tuple[str, int]]) -> None:
    disk = ScriptedDisk()
    ledger = play(disk, actions)
    again = Spool(disk, NAME)
    assert [batch for batch, _ in again.waiting()] == [b for b in ledger.kept if b not in ledger.forgotten]
    assert again.unreadable_bytes == 0


def test_every_single_failure_is_said_and_survived() -> None:
    script = [("append", 10), ("forget", 0), ("append", BIG), ("append", BIG), ("forget", 1), ("append", 10)]
    clean = ScriptedDisk()
    play(clean, script)
    for number in range(clean.operations):
        disk = ScriptedDisk(fail_at=frozenset({number}))
        ledger = play(disk, script)
        recovered = Spool(disk.after_crash(), NAME).waiting()
        assert {batch for batch, _ in recovered} >= set(ledger.kept) - ledger.forgotten


def test_a_failed_append_can_be_tried_again_with_its_id() -> None:
    disk = ScriptedDisk(fail_at=frozenset({5}), kept=1.0)
    spool = Spool(disk, NAME)
    with pytest.raises(OpenSlotError, match=r"run\.storage_failed"):
        spool.append(batch_id(1), content(1))
    spool.append(batch_id(1), content(1))
    assert Spool(disk.after_crash(), NAME).waiting() == ((batch_id(1), content(1)),)


@pytest.mark.parametrize("new_file_fails", [False, True])
def test_what_a_failed_sync_left_behind_is_durable_once_it_is_read_again(*, new_file_fails: bool) -> None:
    disk = ScriptedDisk(fail_at=frozenset({5, 7} if new_file_fails else {5}), kept=0.0)
    with pytest.raises(OpenSlotError, match=r"run\.storage_failed"):
        filled(disk, 1)
    assert disk.files[NAME].lost
    again = Spool(disk, NAME).waiting()
    assert again == ((batch_id(0), content(0)),)
    crashed = disk.after_crash()
    crashed.files[NAME].cached = disk.files[NAME].durable
    assert Spool(crashed, NAME).waiting() == again


@given(st.integers(0, 5), st.integers(0, 10_000))
def test_a_cut_tail_costs_the_last_batch_at_most(count: int, cut: int) -> None:
    disk = ScriptedDisk()
    filled(disk, count)
    data = disk.files[NAME].cached
    cut %= len(data) + 1
    torn = ScriptedDisk()
    torn.files[NAME] = File(data[:cut], data[:cut])
    spool = Spool(torn, NAME)
    whole = (cut - 16) // (28 + 40) if cut >= 16 else 0
    assert [batch for batch, _ in spool.waiting()] == [batch_id(number) for number in range(whole)]
    assert (spool.unreadable_bytes > 0) == (cut > 16 and (cut - 16) % 68 != 0)
    assert Spool(torn, NAME).unreadable_bytes == 0


@given(st.integers(16, 16 + 4 * 68 - 1), st.integers(0, 7))
def test_a_flipped_bit_costs_its_own_batch_and_is_said(place: int, bit: int) -> None:
    disk = ScriptedDisk()
    filled(disk, 4)
    damaged = bytearray(disk.files[NAME].cached)
    damaged[place] ^= 1 << bit
    waiting, unreadable = scan(bytes(damaged))
    hit = (place - 16) // 68
    assert list(waiting) == [batch_id(number) for number in range(4) if number != hit]
    assert unreadable == 68


def test_a_full_spool_refuses_and_keeps_what_it_has() -> None:
    spool = Spool(ScriptedDisk(), NAME, limit_bytes=200)
    spool.append(batch_id(1), content(1, 100))
    with pytest.raises(OpenSlotError) as refused:
        spool.append(batch_id(2), content(2, 100))
    assert refused.value.code is Code.SPOOL_FULL
    spool.acknowledge(batch_id(1))
    spool.append(batch_id(2), content(2, 100))
    assert [batch for batch, _ in spool.waiting()] == [batch_id(2)]


def test_an_id_keeps_its_first_content() -> None:
    spool = filled(ScriptedDisk(), 1)
    spool.append(batch_id(0), content(0))
    with pytest.raises(OpenSlotError) as refused:
        spool.append(batch_id(0), content(1))
    assert refused.value.code is Code.BATCH_CONFLICT
    assert len(spool) == 1


def test_the_file_shrinks_again() -> None:
    disk = ScriptedDisk()
    spool = Spool(disk, NAME)
    largest = 0
    for number in range(40):
        spool.append(batch_id(number), content(number, BIG))
        spool.acknowledge(batch_id(number))
        largest = max(largest, len(disk.files[NAME].cached))
    assert largest < 2 * GARBAGE_BYTES


@pytest.mark.parametrize("size", [0, MAX_PAYLOAD_BYTES + 1])
def test_a_batch_without_sense_is_refused(size: int) -> None:
    with pytest.raises(OpenSlotError) as refused:
        Spool(ScriptedDisk(), NAME).append(batch_id(1), bytes(size))
    assert refused.value.code is Code.BATCH_INVALID


def test_a_file_that_is_no_spool_is_left_alone(tmp_path: Path) -> None:
    scene = tmp_path / "plaza.glb"
    scene.write_bytes(b"glTF scene, hours of work")
    disk = FileDisk()
    with pytest.raises(OpenSlotError) as refused:
        Spool(disk, str(scene))
    disk.close()
    assert refused.value.code is Code.CONFIG_INVALID
    assert scene.read_bytes() == b"glTF scene, hours of work"


def test_the_real_disk_keeps_batches(tmp_path: Path) -> None:
    disk, name = FileDisk(), str(tmp_path / NAME)
    spool = Spool(disk, name)
    for number in range(12):
        spool.append(batch_id(number), content(number, BIG))
    for number in range(10):
        spool.acknowledge(batch_id(number))
    disk.close()
    again = Spool(fresh := FileDisk(), name)
    assert again.waiting() == tuple((batch_id(number), content(number, BIG)) for number in (10, 11))
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME, NAME + ".lock"]
    fresh.close()


def test_the_real_disk_writes_over_a_spool_that_it_cannot_write_anew(tmp_path: Path) -> None:
    disk, name = FileDisk(), str(tmp_path / NAME)
    Spool(disk, name).append(batch_id(1), content(1))
    disk.close()
    written = Path(name).read_bytes()
    Path(name + ".new").mkdir()
    again = Spool(fresh := FileDisk(), name)
    assert (again.waiting(), Path(name).read_bytes()) == (((batch_id(1), content(1)),), written)
    fresh.append(name, b"more")
    assert Path(name).read_bytes() == written + b"more"
    fresh.close()


def test_two_worlds_cannot_share_a_spool(tmp_path: Path) -> None:
    first, second, name = FileDisk(), FileDisk(), str(tmp_path / NAME)
    Spool(first, name).append(batch_id(1), content(1))
    with pytest.raises(OpenSlotError, match="another world holds this spool"):
        Spool(second, name)
    first.close()
    assert len(Spool(second, name)) == 1
    second.close()


def test_a_spool_in_no_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(OpenSlotError) as refused:
        Spool(FileDisk(), str(tmp_path / "nowhere" / NAME))
    assert refused.value.code is Code.STORAGE_FAILED


def test_what_a_killed_writer_left_in_memory_is_made_durable_first() -> None:
    disk = ScriptedDisk(kept=0.0)
    filled(disk, 2)
    disk.files[NAME].durable = b""
    waiting = Spool(disk, NAME).waiting()
    assert Spool(disk.after_crash(), NAME).waiting() == waiting
