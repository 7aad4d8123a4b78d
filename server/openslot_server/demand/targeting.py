"""Where, to whom and when a line item may run. What is left out asks for nothing."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from openslot_server.demand.dayparts import Daypart, zone
from openslot_server.demand.taxonomy import CATEGORIES, nearest_category
from openslot_spec.records import Id, Record
from openslot_spec.slots import SlotId, Tag

__all__ = ["KnownCategory", "Targeting"]


def _known(category: str) -> str:
    if category not in CATEGORIES:
        raise ValueError(f"{category!r} is no category of the IAB taxonomy 1.0; nearest: {nearest_category(category)}")
    return category


def _zone(name: str) -> str:
    zone(name)
    return name


KnownCategory = Annotated[str, Field(max_length=16), AfterValidator(_known)]
Metres = Annotated[float, Field(ge=0, le=10_000)]
Worlds = Annotated[tuple[Id, ...], Field(strict=False, max_length=1000)]
Slots = Annotated[tuple[SlotId, ...], Field(strict=False, max_length=1000)]
Tags = Annotated[tuple[Tag, ...], Field(strict=False, max_length=64)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$")]
Region = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]


class Targeting(Record):
    """Each list that is not empty must be met by one of its values, and none of an `…_excluded` list may be."""

    worlds: Worlds = ()
    worlds_excluded: Worlds = ()
    slots: Slots = ()
    slots_excluded: Slots = ()
    tags: Tags = ()
    """At least one of them stands on the slot."""
    tags_excluded: Tags = ()
    kinds: Tags = ()
    categories: Annotated[tuple[KnownCategory, ...], Field(strict=False, max_length=64)] = ()
    """What the surroundings are about; `IAB9` takes in `IAB9-30`."""
    keywords: Tags = ()
    languages: Annotated[tuple[Language, ...], Field(strict=False, max_length=64)] = ()
    regions: Annotated[tuple[Region, ...], Field(strict=False, max_length=256)] = ()
    devices: Annotated[
        tuple[Literal["desktop", "mobile", "headset", "console", "tv"], ...], Field(strict=False, max_length=5)
    ] = ()
    cohorts: Tags = ()
    """Groups that a world declared of consenting viewers."""
    width_min_m: Metres = 0.0
    width_max_m: Metres = 10_000.0
    height_min_m: Metres = 0.0
    height_max_m: Metres = 10_000.0
    dayparts: Annotated[tuple[Daypart, ...], Field(strict=False, max_length=32)] = ()
    time_zone: Annotated[str, Field(max_length=64), AfterValidator(_zone)] = "UTC"
    """In which dayparts are meant."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for side, low, high in (
            ("width", self.width_min_m, self.width_max_m),
            ("height", self.height_min_m, self.height_max_m),
        ):
            if low > high:
                raise ValueError(f"no slot has a {side} from {low:g} to {high:g} m; nearest: {side}_max_m {low:g}")
        for name in ("worlds", "slots", "tags"):
            wanted, excluded = set(getattr(self, name)), set(getattr(self, f"{name}_excluded"))
            if wanted and wanted <= excluded:
                raise ValueError(f"all {name} that are asked for are excluded; nearest: no {name}_excluded")
        return self
