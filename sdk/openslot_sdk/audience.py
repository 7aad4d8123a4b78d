"""Who is there: a number for the server, a seat in the tables, and a memory for those who come back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

__all__ = ["MAX_AWAY", "Audience", "Member"]

MAX_AWAY = 1_024
"""Viewers who left and are still known; beyond it the first to leave is forgotten."""


@dataclass(frozen=True, slots=True)
class Member:
    """A viewer: `number` names nobody outside of the session, `seat` is given to another once they are forgotten."""

    number: int
    seat: int


class Audience:
    """The viewers of one world, by the names its code gives them. Names stay here."""

    def __init__(self, max_away: int = MAX_AWAY) -> None:
        self.present: dict[str, Member] = {}
        self._away: dict[str, Member] = {}
        self._max_away = max_away
        self._numbers = 0
        self._free_seats: list[int] = []

    def update(self, names: Collection[str]) -> tuple[list[Member], list[Member]]:
        """Take who is there now; return who came (or came back) and who is forgotten."""
        there = set(names)
        if self.present.keys() == there:
            return [], []
        for name in [name for name in self.present if name not in there]:
            self._away[name] = self.present.pop(name)
        came = [self._admit(name) for name in names if name not in self.present]
        forgotten = [self._away.pop(name) for name in [*self._away][: max(0, len(self._away) - self._max_away)]]
        self._free_seats.extend(member.seat for member in forgotten)
        return came, forgotten

    def _admit(self, name: str) -> Member:
        member = self._away.pop(name, None)
        if member is None:
            seat = self._free_seats.pop() if self._free_seats else len(self.present) + len(self._away)
            member = Member(self._numbers, seat)
            self._numbers += 1
        self.present[name] = member
        return member
