"""The desk of API keys: who holds one, new ones, and their end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from openslot_server.core import Core
from openslot_server.keys import TOKEN_ENTROPY_BYTES, Keyring, Principal, Role, make_token, named, new_key
from openslot_server.storage.store import KeyEndRow, KeyRow, Row, TicketKeyRow
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["KeyDesk"]

KEYS_READ_AGAIN_MS = 1_000
KEY_ROWS = (KeyRow, KeyEndRow, TicketKeyRow)
"""What other processes may write while a server runs: `openslot keys`."""


class KeyDesk:
    """Knows every key."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._keyring = Keyring()
        self._key_rows_read = dict.fromkeys(KEY_ROWS, 0)
        self._take_keys(self._added_keys())

    async def authenticate(self, token: str) -> Principal:
        """Return who holds `token`; raises `KEY_UNKNOWN`. Keys that another process added are found within a second."""
        try:
            return self._keyring.authenticate(token)
        except OpenSlotError:
            if self._core.clock() < self._keys_read_ms + KEYS_READ_AGAIN_MS:
                raise
        await self.read_again()
        return self._keyring.authenticate(token)

    async def read_again(self) -> None:
        """Take what `openslot keys` wrote: keys that were added or revoked, a secret that signs from now on."""
        self._take_keys(await asyncio.to_thread(self._added_keys))

    async def add(self, principal: Principal, role: Role, account: str) -> str:
        """Return a new API key for `account`; operators only. It is never shown again."""
        principal.require("operator")
        token = make_token(role, self._core.entropy(TOKEN_ENTROPY_BYTES))
        row = new_key(token, role, account, self._core.clock())
        self._keyring.add(row)
        await self._core.commit([row])
        return token

    def all(self, principal: Principal) -> list[KeyRow]:
        """Return the keys that hold; operators only."""
        principal.require("operator")
        return self._keyring.rows

    async def revoke(self, principal: Principal, name: str) -> KeyRow:
        """End a key for good, and its connections; operators only.

        Raises:
            OpenSlotError: `KEY_NAME_UNKNOWN`, or `INVALID` for the last operator's key.
        """
        row = named(self.all(principal), name)
        if row.role == "operator" and sum(other.role == "operator" for other in self._keyring.rows) == 1:
            raise OpenSlotError(Code.INVALID, "the last operator's key; make another one first", where="name")
        end = KeyEndRow(row.sha256, self._core.clock())
        self._end_key(end)
        await self._core.commit([end])
        return row

    def _added_keys(self) -> dict[type[Row], tuple[int, list[Any]]]:
        with self._core.store.read() as reader:
            return {kind: (read, list(reader.load(kind, read))) for kind, read in self._key_rows_read.items()}

    def _take_keys(self, added: Mapping[type[Row], tuple[int, list[Any]]]) -> None:
        """Take new keys, ends and ticket secrets; what is known already is no change."""
        self._keys_read_ms = self._core.clock()
        self._key_rows_read = {kind: read + len(rows) for kind, (read, rows) in added.items()}
        for end in added[KeyEndRow][1]:
            self._end_key(end)
        for row in added[KeyRow][1]:
            self._keyring.add(row)
        for secret in added[TicketKeyRow][1]:
            self._core.rooms.keys.add(secret)

    def _end_key(self, end: KeyEndRow) -> None:
        self._keyring.end(end)
        for listener in tuple(self._core.listeners):
            if listener.key == end.sha256:
                listener.end(OpenSlotError(Code.KEY_UNKNOWN, "it was revoked"))
