"""The desk of reports: what was delivered and earned, how claims held, what hangs where."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from openslot_server.audit.trust import Standings, standings
from openslot_server.core import Core
from openslot_server.keys import Principal
from openslot_server.reports.queries import Dimension, Report, report_of
from openslot_server.reports.rollups import Rollups
from openslot_spec.slots import Slot

__all__ = ["ReportDesk"]


class ReportDesk:
    """Answers from the books and the catalogue."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._rollups = Rollups()
        self._recounting = ThreadPoolExecutor(1, "openslot-report")
        """One report at a time; each counts only what is new."""

    async def report(self, principal: Principal, by: Dimension) -> Report:
        """Return the recount of what is the principal's: worlds by slot or world, advertisers by the others."""
        principal.require("world" if by in ("slot", "world") else "advertiser")
        only = None if principal.role == "operator" else principal.account
        return await asyncio.get_running_loop().run_in_executor(self._recounting, self._recount, by, only)

    async def standings(self, principal: Principal) -> Standings:
        """Return how far each world's claims held when they were examined; operators only."""
        principal.require("operator")
        return await asyncio.to_thread(self._standings)

    def worlds(self, principal: Principal) -> list[str]:
        """Return the names of the worlds that registered slots: the principal's own, or all for an operator."""
        principal.require("world")
        return [
            world
            for world in self._core.rooms.catalogue.worlds()
            if principal.role == "operator" or world == principal.account
        ]

    def slots(self, principal: Principal, world: str) -> list[Slot]:
        """Return the slots of a world as registered."""
        principal.require_account("world", world)
        return self._core.rooms.catalogue.slots(world)

    def _recount(self, by: Dimension, only: str | None) -> Report:
        try:
            with self._core.store.read() as reader:
                self._rollups.read(reader)
        except Exception:
            self._rollups = Rollups()  # half read; the next report finds the same again
            raise
        return report_of(self._rollups, self._core.settings.currency, by, only)

    def _standings(self) -> Standings:
        with self._core.store.read() as reader:
            return standings(reader)
