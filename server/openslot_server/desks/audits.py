"""The desk of the audit: one case that waits after the other is examined, beside the event loop."""

from __future__ import annotations

import asyncio

from openslot_server.audit.examine import Examiner
from openslot_server.core import Core
from openslot_server.storage.store import GeometryRow

__all__ = ["AuditDesk"]


class AuditDesk:
    """Decides what worlds revealed."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._examiner = Examiner(self._geometry)

    async def examine_next(self) -> bool:
        """Examine one case that waits, beside the event loop; returns whether there was one."""
        revealed = self._core.rooms.audits.next()
        if revealed is None:
            return False
        state, why = await asyncio.to_thread(self._examiner.examine, revealed)
        await self._core.commit(self._core.rooms.audits.decide(revealed, state, why, self._core.clock()))
        return True

    def _geometry(self, world: str, sha256: bytes) -> bytes | None:
        with self._core.store.read() as reader:
            row = reader.find(GeometryRow, world=world, sha256=sha256)
            return None if row is None else row.data
