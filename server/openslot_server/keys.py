"""API keys: who holds one, what its role may do, and that it may end. The server keeps only a key's sha-256."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from openslot_server.storage.store import KeyEndRow, KeyRow
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["TOKEN_ENTROPY_BYTES", "Keyring", "Principal", "Role", "digest", "make_token", "named", "new_key"]

Role = Literal["world", "advertiser", "reviewer", "operator"]
TOKEN_ENTROPY_BYTES = 20
NAME_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a key speaks for: a world by name, an advertiser by id, a reviewer of the platform, or the operator."""

    role: Role
    account: str

    def require(self, *roles: Role) -> None:
        """Raise `ROLE_FORBIDDEN` unless the role is one of `roles`; an operator may do everything."""
        if self.role not in (*roles, "operator"):
            raise OpenSlotError(Code.ROLE_FORBIDDEN, f"a key of the {self.role} role, needed: {' or '.join(roles)}")

    def require_account(self, role: Role, account: str) -> None:
        """Raise `ROLE_FORBIDDEN` unless this is `account` in that role, or an operator."""
        self.require(role)
        if self.role != "operator" and self.account != account:
            raise OpenSlotError(Code.ROLE_FORBIDDEN, f"this key belongs to {self.account}, not to {account}")


def make_token(role: Role, randomness: bytes) -> str:
    """Return `ok_<role>_<32 characters>`, made from `TOKEN_ENTROPY_BYTES` random bytes."""
    if len(randomness) != TOKEN_ENTROPY_BYTES:
        raise ValueError(f"a token takes {TOKEN_ENTROPY_BYTES} random bytes")
    return f"ok_{role}_{base64.b32encode(randomness).decode('ascii').lower()}"


def new_key(token: str, role: Role, account: str, now_ms: int) -> KeyRow:
    """Return the row that makes `token` known."""
    return KeyRow(digest(token), role, account, now_ms)


def digest(token: str) -> str:
    """Return what a key is kept and known as: its sha-256."""
    return hashlib.sha256(token.encode("utf-8")).hexdigest()


def named(rows: Iterable[KeyRow], name: str) -> KeyRow:
    """Return the key whose sha-256 begins with `name`, `NAME_DIGITS` or more of it; raises `KEY_NAME_UNKNOWN`."""
    found = [row for row in rows if row.sha256.startswith(name)] if len(name) >= NAME_DIGITS else []
    if len(found) != 1:
        raise OpenSlotError(Code.KEY_NAME_UNKNOWN, f"{len(found)} begin with {name!r}", where="name")
    return found[0]


class Keyring:
    """The keys known here."""

    def __init__(self, rows: Iterable[KeyRow] = (), ends: Iterable[KeyEndRow] = ()) -> None:
        self._rows: dict[str, KeyRow] = {}
        self._ended: set[str] = set()
        for end in ends:
            self.end(end)
        for row in rows:
            self.add(row)

    @property
    def rows(self) -> list[KeyRow]:
        """The keys that hold."""
        return list(self._rows.values())

    def add(self, row: KeyRow) -> None:
        """Make a key known, unless it was revoked."""
        if row.sha256 not in self._ended:
            self._rows[row.sha256] = row

    def end(self, end: KeyEndRow) -> None:
        """Forget a key for good."""
        self._ended.add(end.sha256)
        self._rows.pop(end.sha256, None)

    def authenticate(self, token: str) -> Principal:
        """Return who holds `token`; raises `OpenSlotError(KEY_UNKNOWN)`."""
        row = self._rows.get(digest(token))
        if row is None:
            raise OpenSlotError(Code.KEY_UNKNOWN, "it was revoked" if self.has_ended(token) else "")
        role = next(role for role in get_args(Role) if role == row.role)
        return Principal(role, row.account)

    def holds(self, token: str) -> bool:
        """Return whether this key is known and was not revoked."""
        return digest(token) in self._rows

    def has_ended(self, token: str) -> bool:
        """Return whether this key was revoked."""
        return digest(token) in self._ended

    def has_operator(self) -> bool:
        """Return whether any operator key is known."""
        return any(row.role == "operator" for row in self._rows.values())
