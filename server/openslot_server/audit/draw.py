"""The draw: which committed impressions of a batch are to be shown, and the case that is made of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np

from openslot_server.audit.cases import Case, State
from openslot_server.catalogue import Catalogue
from openslot_server.impressions.postings import fee_of
from openslot_server.impressions.verdicts import Verdict
from openslot_server.storage.store import AuditRow, BatchRow
from openslot_server.ticket_keys import TicketKeys
from openslot_spec.errors import OpenSlotError
from openslot_spec.evidence import commitments
from openslot_spec.exposures import COLUMNS, EVIDENCE, OWN, ExposureColumns
from openslot_spec.tickets import Ticket, redeem

__all__ = ["Drawer", "committed_events"]

SPAN = 2**32
DRAW_BYTES = 4
WITHOUT_EVIDENCE = msgpack.Packer().pack_map_header(len(COLUMNS))
"""How columns begin to which none is added."""
COUNTED = frozenset({Verdict.VALID, Verdict.FREE})


@dataclass(frozen=True, slots=True)
class Drawer:
    """Draws with a probability of `share_ppm` parts per million; `entropy` is asked once a batch has come."""

    catalogue: Catalogue
    keys: TicketKeys
    share_ppm: int
    fee_ppm: int
    entropy: Callable[[int], bytes]

    def draw(self, row: BatchRow, now_ms: int) -> list[AuditRow]:
        """Return a case for each impression of a judged batch that is to be shown."""
        if row.columns.startswith(WITHOUT_EVIDENCE):  # most batches carry none, and need not be read for that
            return []
        packed = msgpack.unpackb(row.columns)
        tokens: list[bytes] = msgpack.unpackb(row.tickets)
        columns = ExposureColumns.unpack(packed, tickets=len(tokens))
        committed = commitments(packed[EVIDENCE], columns.kind)
        counted = [event for event in committed if row.verdicts[event] in COUNTED and columns.profile[event] == OWN]
        drawn = np.frombuffer(self.entropy(DRAW_BYTES * len(counted)), "<u4") < self.share_ppm * SPAN // 1_000_000
        chosen = {event: committed[event] for event, taken in zip(counted, drawn.tolist(), strict=True) if taken}
        return [*self._cases(row, columns, tokens, chosen, now_ms)]

    def _cases(
        self, row: BatchRow, columns: ExposureColumns, tokens: list[bytes], chosen: dict[int, bytes], now_ms: int
    ) -> Iterator[AuditRow]:
        for event, digest in chosen.items():
            ticket = redeem(tokens[int(columns.ticket[event])], self.keys.secrets)
            listed = self.catalogue.find(ticket.world, ticket.slot)
            if listed is None or listed.revision != ticket.slot_revision:
                continue  # where the board stood is not known any more
            known: dict[str, Any] = {
                "commitment": digest.hex(),
                "slot": listed.slot,
                "asked_ms": now_ms,
                "free": row.verdicts[event] == Verdict.FREE,
                "price_micros": ticket.price_micros,
                "fee_micros": fee_of(ticket.price_micros, self.fee_ppm),
            }
            case = Case(**known | _terms(ticket) | _claim(columns, event))
            record = case.model_dump_json(exclude_none=True)
            yield AuditRow(row.world, row.id, event, State.ASKED.value, record, b"")


def committed_events(packed: Mapping[str, bytes], columns: ExposureColumns) -> int:
    """Return how many events of a kept batch carry commitments."""
    try:
        return len(commitments(packed.get(EVIDENCE, b""), columns.kind))
    except OpenSlotError:
        return 0


def _terms(ticket: Ticket) -> dict[str, str]:
    return {
        "session": ticket.session,
        "placement": ticket.placement.hex(),
        "profile": ticket.profile,
        "line_item": ticket.line_item,
        "currency": ticket.currency,
    }


def _claim(columns: ExposureColumns, event: int) -> dict[str, float]:
    names = ("viewer", "at_ms", "continuous_ms", "cumulative_ms", "visible_fraction", "coverage", "angle_deg")
    return {name: getattr(columns, name)[event].item() for name in names}
