"""Viewability profiles: when a view counts, as named, versioned data with its provenance.

Nothing in code knows a threshold: `spec/profiles/*.json` is the only place where they stand.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import Field

from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.records import Record

__all__ = ["AlsoProfiles", "Profile", "ProfileName", "profile", "profile_names", "profile_numbers"]

ProfileName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")]
AlsoProfiles = Annotated[tuple[ProfileName, ...], Field(strict=False, max_length=4)]
"""Profiles by which a view is judged beside the one that is billed."""
Fraction = Annotated[float, Field(ge=0, le=1)]
Duration = Annotated[int, Field(ge=0, le=3_600_000)]


class Profile(Record):
    """One definition of a viewable impression."""

    name: ProfileName
    number: Annotated[int, Field(ge=1, le=255)]
    """Its name in the column `profile`; never given to another."""
    version: Annotated[int, Field(ge=1)]
    visible_fraction_min: Fraction
    """Share of the slot's surface that is visible, at least (inclusive)."""
    duration_ms: Annotated[int, Field(ge=1, le=3_600_000)]
    """Time for which the gate must hold."""
    coverage_min: Fraction = 0.0
    """Share of the viewport's pixels, at least (inclusive); 0 asks for nothing."""
    angle_max_deg: Annotated[float, Field(gt=0, le=180)] = 180.0
    angle_inclusive: bool = True
    """Whether exactly `angle_max_deg` passes."""
    angle_basis: Literal["screen", "line_of_sight"] = "screen"
    cumulative: bool = False
    """Whether separate runs add up; time is continuous otherwise."""
    max_gap_ms: Duration = 250
    """Two samples further apart break a run."""
    sample_ms: Duration = 100
    idle_timeout_ms: Duration = 30_000
    provenance: Annotated[str, Field(min_length=1, max_length=1000)]
    """Where the figures come from, and which of them are defaults nobody published."""


def profile(name: str) -> Profile:
    """Return the profile called `name`; raises `OpenSlotError(PROFILE_UNKNOWN)`."""
    try:
        return _profiles()[name]
    except KeyError:
        known = ", ".join(profile_names())
        raise OpenSlotError(Code.PROFILE_UNKNOWN, f"{name!r}; there are {known}", where="profile") from None


def profile_names() -> tuple[str, ...]:
    """Return the names of all profiles, sorted."""
    return tuple(sorted(_profiles()))


def profile_numbers() -> dict[int, Profile]:
    """Return all profiles by their numbers, in order."""
    return {item.number: item for item in sorted(_profiles().values(), key=lambda item: item.number)}


@cache
def _profiles() -> dict[str, Profile]:
    folder = resources.files("openslot_spec") / "profiles"
    files = [entry for entry in folder.iterdir() if entry.name.endswith(".json")]
    found = [Profile.parse(json.loads(entry.read_text("utf-8"))) for entry in files]
    return {item.name: item for item in found}
