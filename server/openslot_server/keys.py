"""API keys: who holds one, what its role may do. The server keeps only a key's sha-256."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from openslot_server.storage.store import KeyRow
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["TOKEN_ENTROPY_BYTES", "Keyring", "Principal", "Role", "make_token", "new_key"]

Role = Literal["world", "advertiser", "operator"]
TOKEN_ENTROPY_BYTES = 20


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a key speaks for: a world by name, an advertiser by id, or the operator."""

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
    return KeyRow(_digest(token), role, account, now_ms)


class Keyring:
    """The keys known here."""

    def __init__(self, rows: Iterable[KeyRow] = ()) -> None:
        self._principals: dict[str, Principal] = {}
        for row in rows:
            self.add(row)

    def add(self, row: KeyRow) -> None:
        """Make a key known."""
        role = next(role for role in get_args(Role) if role == row.role)
        self._principals[row.sha256] = Principal(role, row.account)

    def authenticate(self, token: str) -> Principal:
        """Return who holds `token`; raises `OpenSlotError(KEY_UNKNOWN)`."""
        try:
            return self._principals[_digest(token)]
        except KeyError:
            raise OpenSlotError(Code.KEY_UNKNOWN) from None

    def has_operator(self) -> bool:
        """Return whether any operator key is known."""
        return any(principal.role == "operator" for principal in self._principals.values())


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8")).hexdigest()
