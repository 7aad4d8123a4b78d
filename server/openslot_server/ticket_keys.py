"""The secrets that sign tickets: the newest signs, older ones are known for as long as their tickets can be used."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from openslot_server.storage.store import TicketKeyRow
from openslot_spec.errors import Code, OpenSlotError

__all__ = ["KEY_BYTES", "KEY_ID_BYTES", "TicketKeys"]

KEY_ID_BYTES = 4
KEY_BYTES = 32


class TicketKeys:
    """All secrets there ever were, by key id: what is stored is read with them.

    Args:
        rows: the newest last.
        used_ms: how long after the next key was made a key's tickets may still be used.
    """

    def __init__(self, rows: Iterable[TicketKeyRow], used_ms: int) -> None:
        self._used_ms = used_ms
        self.renew(rows)

    def renew(self, rows: Iterable[TicketKeyRow]) -> None:
        """Take the keys as they are now; raises `STORAGE_FAILED` if there is none."""
        kept = list(rows)
        if not kept:
            raise OpenSlotError(Code.STORAGE_FAILED, "no key to sign tickets with", where="ticket_keys")
        self.secrets = {row.key_id: row.secret for row in kept}
        self.newest = kept[-1].key_id
        self._over_ms = {before.key_id: after.created_ms + self._used_ms for before, after in pairwise(kept)}

    def usable(self, now_ms: int) -> dict[bytes, bytes]:
        """Return the secrets under which a world's ticket is still taken."""
        return {key: secret for key, secret in self.secrets.items() if self._over_ms.get(key, now_ms) >= now_ms}
