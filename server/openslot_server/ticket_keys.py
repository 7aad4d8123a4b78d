"""The secrets that sign tickets: the newest signs, older ones are known for as long as their tickets can be used.

rotated ──▶ signs ── the next one is rotated in ──▶ is still taken ── its last ticket is over ──▶ only reads the past
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from openslot_server.storage.store import TicketKeyRow
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["TicketKeys", "new_ticket_key"]

KEY_ID_BYTES = 4
KEY_BYTES = 32
OVERLAP_MS = 60_000
"""How long after the next key was made a server may not have heard of it, at the most."""


def new_ticket_key(entropy: Callable[[int], bytes], now_ms: int) -> TicketKeyRow:
    """Return a secret that signs from the moment it is added."""
    return TicketKeyRow(entropy(KEY_ID_BYTES), entropy(KEY_BYTES), now_ms)


class TicketKeys:
    """All secrets there ever were, by key id: what is stored is read with them.

    Args:
        rows: the newest last; raises `STORAGE_FAILED` if there is none.
        used_ms: for how long at the most a ticket may be used after it was signed.
    """

    def __init__(self, rows: Iterable[TicketKeyRow], used_ms: int) -> None:
        self.secrets: dict[bytes, bytes] = {}
        self.newest = b""
        self._used_ms = used_ms
        self._over_ms: dict[bytes, int] = {}
        for row in rows:
            self.add(row)
        if not self.secrets:
            raise OpenSlotError(Code.STORAGE_FAILED, "no key to sign tickets with", where="ticket_keys")

    def add(self, row: TicketKeyRow) -> None:
        """Sign with this one from now on; what was added before is no change."""
        if row.key_id in self.secrets:
            return
        self._over_ms[self.newest] = row.created_ms + OVERLAP_MS + self._used_ms
        self.secrets[row.key_id] = row.secret
        self.newest = row.key_id

    def usable(self, now_ms: int) -> dict[bytes, bytes]:
        """Return the secrets under which a world's ticket is still taken."""
        return {key: secret for key, secret in self.secrets.items() if self._over_ms.get(key, now_ms) >= now_ms}
