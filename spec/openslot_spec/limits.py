"""Every limit of the protocol; the server announces its own in `welcome`, never above these."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from openslot_spec.exposures import MAX_EVENTS
from openslot_spec.records import Record

__all__ = ["HELLO_DEADLINE_MS", "MAX_DEPTH", "MAX_FRAME_BYTES", "MAX_HELLO_BYTES", "Limits"]

MAX_HELLO_BYTES = 64 * 1024
"""A message before `welcome`."""
MAX_FRAME_BYTES = 1024 * 1024
"""A message after it."""
MAX_DEPTH = 12
"""Nesting of maps and arrays in a message."""
HELLO_DEADLINE_MS = 5_000

Count = Annotated[int, Field(ge=1, le=2**31)]


class Limits(Record):
    """What one side takes from the other."""

    frame_bytes: Count = MAX_FRAME_BYTES
    slots_per_message: Count = 256
    slots_per_world: Count = 10_000
    slots_per_request: Count = 256
    events_per_batch: Count = MAX_EVENTS
    tickets_per_batch: Count = 1_024
    batches_in_flight: Count = 4
    messages_per_second: Count = 200
    viewers_per_request: Count = 10_000
