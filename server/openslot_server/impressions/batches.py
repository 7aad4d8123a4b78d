"""A batch as it is kept: columns, tickets, a verdict per event, and the digest that binds them into the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgpack
import numpy as np
from numpy.typing import NDArray

from openslot_server.impressions.verdicts import Verdict, Verdicts
from openslot_server.storage.store import BatchRow
from openslot_spec.errors import OpenSlotError
from openslot_spec.exposures import ExposureColumns
from openslot_spec.tickets import Ticket, redeem

__all__ = ["Judged", "by_ticket", "evidence", "read_batch"]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A batch with its verdicts; a ticket that was refused is its verdict."""

    columns: ExposureColumns
    tickets: tuple[Ticket | Verdict, ...]
    verdicts: Verdicts


def evidence(row: BatchRow) -> str:
    """Return the sha-256 that binds a batch and its verdicts into the ledger."""
    digest = hashlib.sha256()
    for part in (row.id, row.world.encode(), row.at_ms.to_bytes(8, "big"), row.tickets, row.columns, row.verdicts):
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.hexdigest()


def read_batch(row: BatchRow, secrets: Mapping[bytes, bytes]) -> Judged:
    """Return a kept batch; a ticket whose signature does not hold is its verdict."""
    tokens: list[bytes] = msgpack.unpackb(row.tickets)
    columns = ExposureColumns.unpack(msgpack.unpackb(row.columns), tickets=len(tokens))
    return Judged(
        columns, tuple(_read_ticket(token, secrets) for token in tokens), np.frombuffer(row.verdicts, np.uint8).copy()
    )


def _read_ticket(token: bytes, secrets: Mapping[bytes, bytes]) -> Ticket | Verdict:
    try:
        return redeem(token, secrets)
    except OpenSlotError:
        return Verdict.TICKET_INVALID


def by_ticket(judged: Judged, chosen: NDArray[np.bool_]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield each ticket of the chosen events, with their places in order."""
    places = np.flatnonzero(chosen)
    if len(judged.tickets) == 1 or not len(places):
        yield from [(0, places)] * (len(places) > 0)
        return
    tickets = judged.columns.ticket[places]
    order = np.argsort(tickets, kind="stable")
    found, starts = np.unique(tickets[order], return_index=True)
    yield from zip(found.tolist(), np.split(places[order], starts)[1:], strict=True)
