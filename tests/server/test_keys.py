from __future__ import annotations

from typing import get_args

import pytest

from openslot_server.keys import TOKEN_ENTROPY_BYTES, Keyring, Principal, Role, digest, make_token, named, new_key
from openslot_server.storage.store import KeyEndRow
from openslot_spec.errors import Code, OpenSlotError

ROLES: tuple[Role, ...] = get_args(Role)


def token(role: Role, fill: int = 7) -> str:
    return make_token(role, bytes([fill]) * TOKEN_ENTROPY_BYTES)


def may(principal: Principal, *roles: Role) -> bool:
    try:
        principal.require(*roles)
    except OpenSlotError as error:
        assert error.code is Code.ROLE_FORBIDDEN
        return False
    return True


@pytest.mark.parametrize("role", ROLES)
def test_a_key_says_its_role_and_opens_its_account(role: Role) -> None:
    key = token(role)
    assert key.startswith(f"ok_{role}_")
    assert Keyring([new_key(key, role, "plaza", 1)]).authenticate(key) == Principal(role, "plaza")


def test_a_row_does_not_hold_the_key() -> None:
    key = token("world")
    assert key.removeprefix("ok_world_") not in repr(new_key(key, "world", "plaza", 1))


@pytest.mark.parametrize(
    "wrong", ["", "ok_world_", token("world", 8), token("world").upper(), token("world") + "a", "é"]
)
def test_any_other_bytes_are_no_key(wrong: str) -> None:
    with pytest.raises(OpenSlotError) as refused:
        Keyring([new_key(token("world"), "world", "plaza", 1)]).authenticate(wrong)
    assert refused.value.code is Code.KEY_UNKNOWN


def test_what_a_key_says_of_its_role_does_not_matter() -> None:
    pretender = token("operator")
    assert Keyring([new_key(pretender, "world", "plaza", 1)]).authenticate(pretender).role == "world"


def test_the_operator_may_everything_and_the_others_their_own() -> None:
    permitted = {role: [asked for asked in ROLES if may(Principal(role, "x"), asked)] for role in ROLES}
    assert permitted == {
        "world": ["world"],
        "advertiser": ["advertiser"],
        "reviewer": ["reviewer"],
        "operator": list(ROLES),
    }


def test_an_account_is_its_own_holders_and_the_operators() -> None:
    Principal("world", "plaza").require_account("world", "plaza")
    Principal("operator", "operator").require_account("world", "plaza")
    for stranger in (Principal("world", "arcade"), Principal("advertiser", "plaza")):
        with pytest.raises(OpenSlotError) as refused:
            stranger.require_account("world", "plaza")
        assert refused.value.code is Code.ROLE_FORBIDDEN


def test_an_end_is_for_good_in_whatever_order_it_is_read() -> None:
    key, other = token("world"), token("world", 8)
    end, row = KeyEndRow(digest(key), 2), new_key(key, "world", "plaza", 1)
    late, early = Keyring([row]), Keyring(ends=[end])
    late.end(end)
    early.add(row)
    for keyring in (late, early, Keyring([row], [end])):
        keyring.add(new_key(other, "world", "plaza", 1))
        with pytest.raises(OpenSlotError) as refused:
            keyring.authenticate(key)
        assert (refused.value.code, refused.value.detail) == (Code.KEY_UNKNOWN, "it was revoked")
        assert keyring.authenticate(other) == Principal("world", "plaza")


@pytest.mark.parametrize(("digits", "is_found"), [(64, True), (12, True), (11, False), (0, False)])
def test_a_key_is_named_by_enough_of_its_digest(digits: int, is_found: bool) -> None:
    row = new_key(token("world"), "world", "plaza", 1)
    rows = [row, new_key(token("world", 8), "world", "plaza", 1)]
    try:
        assert named(rows, row.sha256[:digits]) is row
        assert is_found
    except OpenSlotError as error:
        assert (error.code, is_found) == (Code.KEY_NAME_UNKNOWN, False)
