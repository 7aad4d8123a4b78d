"""What a world has counted itself, to hold against the server's report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["EventStats", "SlotStats", "Stats"]


@dataclass(frozen=True, slots=True)
class SlotStats:
    """One slot so far.

    Args:
        requests: how often an ad was asked for.
        filled: how often there was one.
        no_ad: how often there was none, by `NoAd` reason.
        rendered: views in which the ad came on screen.
        viewable: views that met the slot's profile.
        why_not: views that ended and did not count, by `WhyNot` in small letters.
        video: what was seen of videos, by `EventKind` in small letters.
        beside: views that met a profile by which they are judged and not billed, by its name.
    """

    requests: int
    filled: int
    no_ad: Mapping[str, int]
    rendered: int
    viewable: int
    why_not: Mapping[str, int]
    video: Mapping[str, int] = field(default_factory=dict)
    beside: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventStats:
    """What became of the events, in events; once a world is closed each is either spooled or dropped.

    Args:
        spooled: made durable here, an earlier run's leftovers included.
        acknowledged: of those, durable at the server, with a verdict each.
        accepted: verdicts that count.
        refused: verdicts that do not, by error code.
        dropped: never made durable, by error code.
    """

    spooled: int
    acknowledged: int
    accepted: int
    refused: Mapping[str, int]
    dropped: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Stats:
    """All slots, and the events they brought about."""

    slots: Mapping[str, SlotStats]
    events: EventStats

    @property
    def requests(self) -> int:
        """Return how often an ad was asked for."""
        return sum(slot.requests for slot in self.slots.values())

    @property
    def filled(self) -> int:
        """Return how often there was one."""
        return sum(slot.filled for slot in self.slots.values())

    @property
    def rendered(self) -> int:
        """Return in how many views the ad came on screen."""
        return sum(slot.rendered for slot in self.slots.values())

    @property
    def viewable(self) -> int:
        """Return how many views met their profile."""
        return sum(slot.viewable for slot in self.slots.values())
