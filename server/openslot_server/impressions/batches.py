"""A batch as it is kept: columns, tickets, and a verdict per event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgpack
import numpy as np
from numpy.typing import NDArray

from openslot_server.impressions.verdicts import Verdict, Verdicts
from openslot_server.storage.store import BatchRow
from openslot_spec.exposures import COLUMNS, EVIDENCE, OWN, Event, EventKind, ExposureColumns, batch_digest
from openslot_spec.tickets import Ticket, read

__all__ = ["Judged", "JudgedFew", "by_ticket", "has_its_content", "pack_batch", "read_batch", "redeemed"]

Places = NDArray[np.intp]
BUFFER_BYTES = 65_536
"""With which packing begins: msgpack's own megabyte comes from the system and goes back to it each time."""
VALID, VIEWABLE = int(Verdict.VALID), int(EventKind.VIEWABLE)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A batch with its verdicts; a ticket that was refused is its verdict."""

    columns: ExposureColumns
    tickets: tuple[Ticket | Verdict, ...]
    verdicts: Verdicts

    def give(self, places: Places, verdict: Verdict) -> None:
        """Change the verdict on some events."""
        self.verdicts[places] = verdict

    def billable(self) -> list[tuple[Ticket, Places]]:
        """Return the tickets under which something is to be paid, in their order, and the places of these events."""
        columns = self.columns
        chosen = (self.verdicts == VALID) & (columns.kind == VIEWABLE) & (columns.profile == OWN)
        return [(redeemed(self.tickets[index]), places) for index, places in by_ticket(self, chosen)]


@dataclass(frozen=True, slots=True, eq=False)
class JudgedFew:
    """A batch of few events with their verdicts, as `Judged`."""

    events: list[Event]
    tickets: tuple[Ticket | Verdict, ...]
    verdicts: list[Verdict]

    def give(self, places: list[int], verdict: Verdict) -> None:
        """Change the verdict on some events."""
        for place in places:
            self.verdicts[place] = verdict

    def billable(self) -> list[tuple[Ticket, list[int]]]:
        """Return what `Judged.billable` does."""
        found: dict[int, list[int]] = {}
        for place, event in enumerate(self.events):
            if self.verdicts[place] is Verdict.VALID and event.kind == VIEWABLE and event.profile == OWN:
                found.setdefault(event.ticket, []).append(place)
        return [(redeemed(self.tickets[index]), places) for index, places in sorted(found.items())]


def redeemed(ticket: Ticket | Verdict) -> Ticket:
    """Return the ticket of a valid event."""
    assert isinstance(ticket, Ticket)  # noqa: S101  a refused ticket has none
    return ticket


def pack_batch(tickets: Sequence[bytes], columns: Mapping[str, bytes]) -> tuple[bytes, bytes]:
    """Return tickets and columns as they are kept: in the one order of columns, so that no byte could be another."""
    ordered = {name: columns[name] for name in (*COLUMNS, EVIDENCE) if name in columns}
    tokens = msgpack.packb(tickets, buf_size=BUFFER_BYTES)
    return bytes(tokens), bytes(msgpack.packb(ordered, buf_size=BUFFER_BYTES))


def has_its_content(row: BatchRow) -> bool:
    """Return whether a kept batch holds what its digest says, byte by byte."""
    try:
        tickets, columns = msgpack.unpackb(row.tickets), msgpack.unpackb(row.columns)
        same = pack_batch(tickets, columns) == (row.tickets, row.columns)
        return same and batch_digest(tuple(tickets), columns) == row.digest
    except (ValueError, TypeError, AttributeError, KeyError, msgpack.UnpackException):
        return False


def read_batch(row: BatchRow) -> Judged:
    """Return a kept batch whose digest holds.

    A ticket that was no ticket when it was judged is its verdict; all others were redeemed then, and stand under the
    ledger's chain now, so nobody needs their keys again.
    """
    tokens: list[bytes] = msgpack.unpackb(row.tickets)
    columns = ExposureColumns.unpack(msgpack.unpackb(row.columns), tickets=len(tokens))
    verdicts = np.frombuffer(row.verdicts, np.uint8).copy()
    redeemed = set(columns.ticket[verdicts != Verdict.TICKET_INVALID].tolist())
    tickets = (read(token) if index in redeemed else Verdict.TICKET_INVALID for index, token in enumerate(tokens))
    return Judged(columns, tuple(tickets), verdicts)


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
