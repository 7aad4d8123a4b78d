"""What decoding and checking a batch costs: as columns, and as maps through pydantic, with the same rules for both."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

import msgpack
from pydantic import Field, create_model

from openslot_server.bench.crowd import batch, events
from openslot_spec.codec import MSGPACK
from openslot_spec.exposures import COLUMNS, RANGES, ExposureColumns
from openslot_spec.limits import MAX_FRAME_BYTES
from openslot_spec.messages import Envelope, ExposuresPut
from openslot_spec.records import Record

__all__ = ["columns_and_maps_us"]

ROUNDS = 10


def columns_and_maps_us(count: int) -> tuple[float, float]:
    """Return what `count` events cost in columns and as maps, in microseconds, measured in turns."""
    works = (_columns(count), _maps(count))
    rounds = [[_least_us(work) for work in works] for _ in range(ROUNDS)]
    columns_us, maps_us = (min(each) for each in zip(*rounds, strict=True))
    return columns_us, maps_us


def _columns(count: int) -> Callable[[], object]:
    """Return the work of decoding and checking a frame of `count` events in columns."""
    body = batch(b"ticket", events(count)).model_dump()
    frame = MSGPACK.encode(Envelope(type=ExposuresPut.TYPE, id=1, body=body))

    def work() -> None:
        put = ExposuresPut.read(MSGPACK.decode(frame, MAX_FRAME_BYTES).body)
        ExposureColumns.unpack(put.columns, tickets=1)

    return work


def _maps(count: int) -> Callable[[], object]:
    """Return the same of these events as a list of maps; pydantic checks the ranges too."""
    columns = {name: getattr(events(count), name).tolist() for name in COLUMNS}
    maps = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    frame = msgpack.packb({"events": maps})
    model = _model()
    return lambda: model.model_validate(msgpack.unpackb(frame))


def _least_us(work: Callable[[], object], repeats: int = 50) -> float:
    """Return the least of many times, in microseconds: what the work costs where nothing else runs."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken) * 1e6


def _model() -> type[Record]:
    fields: dict[str, Any] = {name: (_kind(name), ...) for name in COLUMNS}
    event = create_model("Event", __base__=Record, **fields)
    return create_model("Events", __base__=Record, events=(list[event], ...))


def _kind(name: str) -> Any:
    kind = float if "f" in COLUMNS[name] else int
    low, high = RANGES.get(name, (0, 2 ** (8 * int(COLUMNS[name][-1])) - 1))
    return Annotated[kind, Field(ge=kind(low), le=kind(high))]
