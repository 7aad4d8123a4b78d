"""Hours of the week in the advertiser's time zone, as the calendar there has them, summer time too."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from openslot_spec.records import Record

__all__ = ["Daypart", "hour_of_week", "zone"]

Day = Annotated[int, Field(ge=0, le=6)]


class Daypart(Record):
    """Some hours of some days."""

    days: Annotated[tuple[Day, ...], Field(strict=False, min_length=1, max_length=7)] = (0, 1, 2, 3, 4, 5, 6)
    """0 is Monday."""
    from_hour: Annotated[int, Field(ge=0, le=23)] = 0
    to_hour: Annotated[int, Field(ge=1, le=24)] = 24
    """Exclusive."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.from_hour >= self.to_hour:
            raise ValueError(f"from_hour must lie before to_hour; nearest: to_hour {self.from_hour + 1}")
        return self

    def hours(self) -> frozenset[int]:
        """Return the hours of the week, from Monday's first."""
        return frozenset(24 * day + hour for day in self.days for hour in range(self.from_hour, self.to_hour))


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """Return a time zone of the IANA database; raises `ValueError` if there is none of this name."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"{name!r} is no time zone of the IANA database, such as Europe/Berlin") from None


def hour_of_week(now_ms: int, name: str) -> int:
    """Return which hour of the week it is in a time zone."""
    local = datetime.fromtimestamp(now_ms // 1000, zone(name))
    return 24 * local.weekday() + local.hour
