"""Answers that were given: a request whose answer was lost is sent again, and gets the same one.

Without that, each lost answer would reserve its budget twice. What reserves nothing is decided anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgpack

from openslot_server.sessions import Seat
from openslot_server.storage.store import AnswerRow, Forgotten, Row
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.messages import Placements, PlacementsGet

__all__ = ["Answers"]

Decide = Callable[[PlacementsGet, Seat, int], tuple[Placements, list[Row]]]


TOLD_MS = 10_000
"""How often the store hears what it may forget."""


@dataclass(frozen=True, slots=True)
class _Given:
    at_ms: int
    asked: bytes
    """The digest of the request."""
    answer: Placements


class Answers:
    """The answers with placements of the last `life_ms`, which is how long a placement may be shown."""

    def __init__(self, rows: Iterable[AnswerRow], life_ms: int) -> None:
        self._life_ms = life_ms
        self._told_ms = 0
        self._given = {(row.session, row.request): _read(row) for row in rows}

    def decide(self, get: PlacementsGet, seat: Seat, now_ms: int, decide: Decide) -> tuple[Placements, list[Row]]:
        """Return the answer that was given to this request in this session, or that of `decide`, and the rows to keep.

        Raises:
            OpenSlotError: `INVALID` if the request's id was used for another one.
        """
        if get.request is None:
            return decide(get, seat, now_ms)
        given = self._given.get((seat.session, get.request))
        if given is None or now_ms >= given.at_ms + self._life_ms:
            return self._decide_first(get.request, get, seat, now_ms, decide)
        if given.asked != _digest(get):
            raise OpenSlotError(Code.INVALID, "this id was used for another request", where="request")
        return given.answer, []

    def forget(self, now_ms: int) -> list[Forgotten]:
        """Drop answers whose placements are over, oldest first; now and then returns word of them for the store."""
        while self._given and (oldest := next(iter(self._given.items())))[1].at_ms + self._life_ms <= now_ms:
            del self._given[oldest[0]]
        if now_ms < self._told_ms + TOLD_MS:
            return []
        self._told_ms = now_ms
        return [Forgotten(AnswerRow.TABLE, max(0, now_ms - self._life_ms + 1))]

    def _decide_first(
        self, request: bytes, get: PlacementsGet, seat: Seat, now_ms: int, decide: Decide
    ) -> tuple[Placements, list[Row]]:
        answer, rows = decide(get, seat, now_ms)
        if not answer.placements:
            return answer, rows
        self._given.pop((seat.session, request), None)  # an earlier one that is over: the order is that of time
        self._given[seat.session, request] = _Given(now_ms, _digest(get), answer)
        packed = bytes(msgpack.packb(answer.model_dump(exclude_none=True)))
        return answer, [*rows, AnswerRow(seat.session, request, now_ms, _digest(get), packed)]


def _digest(get: PlacementsGet) -> bytes:
    return hashlib.sha256(msgpack.packb(get.model_dump(exclude_none=True))).digest()


def _read(row: AnswerRow) -> _Given:
    return _Given(row.at_ms, row.asked, Placements.parse(msgpack.unpackb(row.answer)))
