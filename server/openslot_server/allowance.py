"""Whether a request keeps within the limits that this server announced in `welcome`."""

from __future__ import annotations

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import COLUMNS
from openslot_spec.limits import Limits
from openslot_spec.messages import ExposuresPut, Message, PlacementsGet, SlotsPut, SlotsRemove

__all__ = ["check_allowance"]

KIND_BYTES = int(COLUMNS["kind"][-1])


def check_allowance(message: Message, limits: Limits) -> None:
    """Raise `OpenSlotError(INVALID)` naming the first field that is too long; the schema's own limits hold already."""
    for where, count, limit in _measured(message, limits):
        if count > limit:
            raise OpenSlotError(Code.INVALID, f"{count}, at most {limit} here", where=where)


def _measured(message: Message, limits: Limits) -> tuple[tuple[str, int, int], ...]:
    match message:
        case SlotsPut():
            return (("slots", len(message.slots), limits.slots_per_message),)
        case SlotsRemove():
            return (("ids", len(message.ids), limits.slots_per_message),)
        case PlacementsGet():
            return (
                ("slots", len(message.slots), limits.slots_per_request),
                ("viewers", message.viewers, limits.viewers_per_request),
            )
        case ExposuresPut():
            return (
                ("tickets", len(message.tickets), limits.tickets_per_batch),
                ("columns", len(message.columns.get("kind", b"")) // KIND_BYTES, limits.events_per_batch),
            )
        case _:
            return ()
