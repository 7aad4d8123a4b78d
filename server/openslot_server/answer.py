"""The reference answers to the conformance vectors of a server, over stdin and stdout.

`python -m openslot_server.answer` answers every area; what is not of this room is the core's or the standard's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from openslot_server.catalogue import Catalogue
from openslot_server.config import Settings
from openslot_server.demand.budgets import Budgets
from openslot_server.impressions.judge import Judge
from openslot_server.impressions.traffic import traffic_rules
from openslot_server.impressions.verdicts import REASONS, Verdict
from openslot_spec.answer import answer_lines
from openslot_spec.answer_peers import PEER_AREAS
from openslot_spec.errors import OpenSlotError
from openslot_spec.exposures import COLUMNS, ExposureColumns
from openslot_spec.tickets import Ticket
from openslot_view.answer import answer as of_the_core

__all__ = ["answer"]

WORLD = "plaza"
SAID_OF_ALL = {"world": WORLD, "creative": "0" * 64, "line_item": "li-1", "price_micros": 1, "currency": "USD"}


def answer(area: str, given: Any) -> dict[str, Any]:
    """Return `{"ok": value}` or `{"code": code}` for one vector of any area."""
    if area in PEER_AREAS:
        return _of_peers(area, given)
    if area != "traffic":
        return of_the_core(area, given)
    verdict = _traffic(given)
    return {"code": REASONS[verdict]} if verdict in REASONS else {"ok": "valid"}


def _of_peers(area: str, given: Any) -> dict[str, Any]:
    try:
        return {"ok": PEER_AREAS[area](given)}
    except OpenSlotError as error:
        return {"code": error.code.value}


def _traffic(given: Mapping[str, Any]) -> Verdict:
    """Return the verdict on the last event of the last batch."""
    settings = Settings()
    catalogue = Catalogue(settings.limits.slots_per_world, settings.currency)
    kept, _ = catalogue.put(WORLD, given["slots"], 0)
    revisions = {slot.id: slot.revision for slot in kept.kept}
    tickets = tuple(
        Ticket(placement=number.to_bytes(16, "big"), slot_revision=revisions[each["slot"]], **(SAID_OF_ALL | each))
        for number, each in enumerate(given["placements"])
    )
    for change in given.get("changes", ()):
        catalogue.put(WORLD, change["slots"], change["at_ms"])
    judge = Judge(catalogue, Budgets(), traffic_rules(), given["skew_ms"], settings.late_ms)
    verdicts = np.zeros(1, np.uint8)
    for batch in given["batches"]:
        verdicts = judge.judge(_columns(batch["columns"]), tickets, batch["came_ms"]).verdicts
    return Verdict(int(verdicts[-1]))


def _columns(given: Mapping[str, Any]) -> ExposureColumns:
    """Return columns of which a lone number stands for all events."""
    count = max(np.size(value) for value in given.values())
    return ExposureColumns.build({name: np.broadcast_to(given[name], count) for name in COLUMNS})


if __name__ == "__main__":
    answer_lines(answer)
