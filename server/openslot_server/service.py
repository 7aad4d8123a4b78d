"""The table of what a world may ask: a message type, and the one function of one room that answers it.

There are no rules here. An answer comes with the rows that must be durable before it is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from openslot_server.allowance import check_allowance
from openslot_server.rooms import Rooms
from openslot_server.sessions import Seat
from openslot_server.storage.store import Row
from openslot_spec.errors import OpenSlotError
from openslot_spec.messages import (
    AuditReveal,
    Error,
    ExposuresPut,
    FeedbackPut,
    GeometryPut,
    InteractionsPut,
    Message,
    PlacementsGet,
    SlotsPut,
    SlotsRemove,
)

__all__ = ["HANDLERS", "answer"]

Answer = tuple[Message, Sequence[Row]]
Handler = Callable[[Rooms, Seat, Any, int], Answer]

HANDLERS: dict[type[Message], Handler] = {
    SlotsPut: lambda rooms, seat, put, now_ms: rooms.catalogue.put(seat.world, put.slots, now_ms),
    SlotsRemove: lambda rooms, seat, remove, now_ms: rooms.catalogue.remove(seat.world, remove.ids, now_ms),
    PlacementsGet: lambda rooms, seat, get, now_ms: rooms.answers.decide(get, seat, now_ms, rooms.decider.decide),
    ExposuresPut: lambda rooms, seat, put, now_ms: rooms.audits.ask(*rooms.intake.put(put, seat, now_ms), seat, now_ms),
    InteractionsPut: lambda rooms, seat, put, now_ms: rooms.signals.put(put, seat, now_ms),
    FeedbackPut: lambda rooms, seat, put, now_ms: rooms.signals.put(put, seat, now_ms),
    AuditReveal: lambda rooms, seat, reveal, now_ms: rooms.audits.reveal(reveal, seat, now_ms),
    GeometryPut: lambda rooms, seat, put, now_ms: rooms.audits.geometries.put(seat.world, put, now_ms),
}


def answer(rooms: Rooms, seat: Seat, message: Message, now_ms: int) -> Answer:
    """Return the answer to a request; a refusal is one too."""
    try:
        check_allowance(message, rooms.limits)
        return HANDLERS[type(message)](rooms, seat, message, now_ms)
    except OpenSlotError as error:
        return Error.of(error.code, error.detail or str(error), error.where, error.retry_after_ms), ()
