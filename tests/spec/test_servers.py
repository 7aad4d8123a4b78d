from __future__ import annotations

import hashlib
import json
from random import Random

import pytest
from pytest import RaisesExc  # noqa: PT013  the type of what `raises` returns

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.feeds import Feed, Signed, SlotRecord, open_head, open_slot, sign
from openslot_spec.servers import Sealed, Server, ServerKey, renewed, seal, vouch
from openslot_spec.signing import Purpose, Signer, origin_of

DAY_MS = 24 * 3_600_000
NOW_MS = 1_790_000_000_000
ROOT, SECOND, STRANGER = (Signer(hashlib.sha256(name).digest()) for name in (b"root", b"second", b"stranger"))
ORIGIN = origin_of(ROOT.public)
SLOT = {"id": "wall", "size": [4.0, 2.0], "pose": {"position": [0.0, 1.0, 0.0], "rotation": [0.0, 0.0, 0.0, 1.0]}}


def root_key(**changes: int) -> ServerKey:
    return vouch(ROOT, ORIGIN, ROOT.public, NOW_MS - DAY_MS, NOW_MS + DAY_MS).model_copy(update=changes)


def second_key(by: Signer = ROOT, from_ms: int = NOW_MS) -> ServerKey:
    return vouch(by, ORIGIN, SECOND.public, from_ms, NOW_MS + 30 * DAY_MS)


def description(*keys: ServerKey, seq: int = 1, issued_ms: int = NOW_MS) -> Server:
    return Server(origin=ORIGIN, name="One", seq=seq, issued_ms=issued_ms, keys=keys, http="https://one.example")


def record(seq: int = 1, at_ms: int = NOW_MS, origin: str = ORIGIN) -> SlotRecord:
    return SlotRecord(origin=origin, seq=seq, world="plaza", id="wall", slot=SLOT, at_ms=at_ms)


def refused(code: Code) -> RaisesExc[OpenSlotError]:
    return pytest.raises(OpenSlotError, match=code.value)


def opened(sealed: Sealed, now_ms: int = NOW_MS) -> Server:
    return sealed.open(now_ms, 300_000)


def test_a_description_says_who_signed_it_and_every_key_is_vouched_for() -> None:
    server = description(root_key(), second_key())
    assert opened(seal(server, ROOT)) == server
    assert opened(seal(server, SECOND)) == server


def test_a_description_signed_by_a_stranger_does_not_hold() -> None:
    with refused(Code.KEY_NOT_HELD):
        opened(seal(description(root_key()), STRANGER))


@pytest.mark.parametrize(
    "key",
    [
        second_key(by=STRANGER),
        second_key(from_ms=NOW_MS + 2 * DAY_MS),
        second_key().model_copy(update={"to_ms": NOW_MS + 31 * DAY_MS}),
        second_key().model_copy(update={"public": STRANGER.public.hex()}),
    ],
    ids=["a stranger vouches", "the root is over", "its life was stretched", "it was exchanged"],
)
def test_a_key_that_no_earlier_key_vouches_for_is_refused(key: ServerKey) -> None:
    with pytest.raises((OpenSlotError, ValueError)):
        description(root_key(), key)


def test_another_first_key_is_another_server() -> None:
    with pytest.raises(ValueError, match="digest of the first key"):
        description(vouch(SECOND, ORIGIN, SECOND.public, NOW_MS, NOW_MS + DAY_MS))


def test_keys_overlap_and_a_description_goes_on_from_the_known_one() -> None:
    before = description(root_key())
    after = description(root_key(), second_key(), seq=2)
    assert renewed(before, after) == after
    assert renewed(after, before) == after  # an older one, carried late, changes nothing


@pytest.mark.parametrize(
    "after",
    [
        description(root_key(), seq=2),
        description(root_key(), second_key(), seq=1).model_copy(update={"name": "Other"}),
        description(root_key(revoked_ms=NOW_MS + 5), second_key(), seq=2),
    ],
    ids=["a key is gone", "two under one number", "a revocation is put off"],
)
def test_a_description_that_takes_something_back_is_refused(after: Server) -> None:
    before = description(root_key(revoked_ms=NOW_MS + 4), second_key(), seq=1)
    with refused(Code.SERVER_INVALID):
        renewed(before, after)


def test_what_a_revoked_key_signed_is_not_believed_any_more() -> None:
    signed = sign(record(), ROOT)
    held = description(root_key(), second_key())
    ended = description(root_key(revoked_ms=NOW_MS + 10), second_key(), seq=2)
    assert open_slot(signed, held, NOW_MS) == record()
    assert open_slot(signed, ended, NOW_MS + 9) == record()
    with refused(Code.KEY_NOT_HELD):
        open_slot(signed, ended, NOW_MS + 10)
    with refused(Code.KEY_NOT_HELD):
        opened(seal(ended, ROOT), NOW_MS + 10)


def test_a_signature_is_for_one_purpose() -> None:
    payload = sign(record(), ROOT).payload
    as_head = Signed(payload=payload, key=ROOT.public, signature=ROOT.sign(Purpose.HEAD, payload))
    with refused(Code.SIGNATURE_INVALID):
        open_slot(as_head, description(root_key()), NOW_MS)
    with refused(Code.RECORD_INVALID):
        open_head(as_head, description(root_key()), NOW_MS)


def test_a_record_that_names_another_server_is_refused() -> None:
    with refused(Code.KEY_NOT_HELD):
        open_slot(sign(record(origin=origin_of(STRANGER.public)), ROOT), description(root_key()), NOW_MS)


def test_a_slot_of_a_later_standard_is_carried_and_not_bought() -> None:
    later = record().model_copy(update={"slot": SLOT | {"hologram": True}})
    found = open_slot(sign(later, ROOT), description(root_key()), NOW_MS)
    assert found.standing() is None
    assert found.feed == Feed(ORIGIN)


def test_ten_thousand_flipped_records_are_all_refused() -> None:
    chance, server = Random(7), description(root_key())  # noqa: S311  that it can be foretold is the point
    good = sign(record(), ROOT)
    parts = {"payload": good.payload, "key": good.key, "signature": good.signature}
    for _ in range(10_000):
        name = chance.choice([*parts])
        bit = chance.randrange(8 * len(parts[name]))
        changed = bytearray(parts[name])
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(OpenSlotError):
            open_slot(good.model_copy(update={name: bytes(changed)}), server, NOW_MS)


@pytest.mark.parametrize("text", ["", "[", "null", "[" * 5_000, json.dumps({"origin": ORIGIN})])
def test_signed_nonsense_is_refused(text: str) -> None:
    sealed = Sealed(signed=text, key=ROOT.public.hex(), signature=ROOT.sign(Purpose.SERVER, text.encode()).hex())
    with refused(Code.SERVER_INVALID):
        opened(sealed)
