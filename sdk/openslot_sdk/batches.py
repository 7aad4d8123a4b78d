"""Events as the meter hands them over, cut into batches as the wire wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from openslot_sdk.meter import Taken
from openslot_sdk.traces import Draft
from openslot_spec.evidence import COMMITMENT
from openslot_spec.exposures import COLUMNS, DURATIONS, MAX_DURATION_MS, ExposureColumns
from openslot_spec.ids import make_id
from openslot_spec.limits import Limits
from openslot_spec.messages import ExposuresPut
from openslot_spec.tickets import MAX_TICKET_BYTES

__all__ = ["batches", "drafts_of", "events_per_batch"]

EVENTS_PER_BATCH = 1_000
EVENT_BYTES = sum(np.dtype(kind).itemsize for kind in COLUMNS.values()) + COMMITMENT.itemsize


def events_per_batch(limits: Limits) -> int:
    """Return how many events a batch may hold so that it fits whatever their tickets are."""
    fitting = limits.frame_bytes // (MAX_TICKET_BYTES + EVENT_BYTES + 8)
    return max(1, min(EVENTS_PER_BATCH, limits.events_per_batch, limits.tickets_per_batch, fitting))


def batches(taken: Sequence[Taken], size: int, now_ms: int, entropy: Callable[[int], bytes]) -> Iterator[ExposuresPut]:
    """Yield the events in order, at most `size` a batch; each batch's id and content are fixed here."""
    if not taken:
        return
    events = [each.recorded.events for each in taken]
    tickets = [ticket for each in taken for ticket in each.tickets]
    whole = {name: np.concatenate([getattr(each, name) for each in events]) for name in COLUMNS if name not in _OTHERS}
    whole["viewer"] = np.concatenate([each.recorded.viewer for each in taken])
    whole["profile"] = np.concatenate([np.full(len(each.tickets), each.profile) for each in taken])
    for name in DURATIONS:
        whole[name] = np.minimum(whole[name], MAX_DURATION_MS)
    for start in range(0, len(tickets), size):
        part = slice(start, start + size)
        distinct = tuple(dict.fromkeys(tickets[part]))
        place = {ticket: index for index, ticket in enumerate(distinct)}
        columns = {name: array[part] for name, array in whole.items()}
        columns["ticket"] = np.array([place[ticket] for ticket in tickets[part]])
        packed = ExposureColumns.build(columns).pack()
        yield ExposuresPut(batch=make_id(now_ms, entropy(10)), tickets=distinct, columns=packed)


def drafts_of(taken: Sequence[Taken]) -> dict[int, Draft]:
    """Return the evidence that was drafted, by the event's place among all events."""
    starts = np.cumsum([0] + [len(each.tickets) for each in taken])
    return {
        int(start) + row: draft
        for start, each in zip(starts, taken, strict=False)
        for row, draft in each.drafts.items()
    }


_OTHERS = {"profile", "ticket", "viewer"}
"""Columns that the events themselves do not have."""
