"""The creative record: what is shown, named by the sha-256 of its bytes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from openslot_spec.actions import Actions
from openslot_spec.records import Id, Line, Record, Sha256
from openslot_spec.slots import MediaType

__all__ = ["CreativeRef", "Poster", "Video", "VideoFacts"]

Url = Annotated[str, Field(max_length=2000)]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s]{1,1990}$")]


class Poster(Record):
    """The still picture of a video, for before it plays and for wherever it cannot."""

    sha256: Sha256
    media_type: Literal["image/jpeg"] = "image/jpeg"
    size_bytes: Annotated[int, Field(ge=1, le=64 * 1024 * 1024)]
    url: Url


class VideoFacts(Record):
    """What was read of a video."""

    duration_ms: Annotated[int, Field(ge=1, le=600_000)]
    width_px: Annotated[int, Field(ge=1, le=8192)]
    height_px: Annotated[int, Field(ge=1, le=8192)]
    frames_per_second: Annotated[float, Field(gt=0, le=240)]
    sound: bool
    """Whether it can be heard; it starts muted, and a viewer's click lets it be heard."""


class Video(VideoFacts):
    """A video's facts and its poster."""

    poster: Poster


class CreativeRef(Record):
    """What a world needs to fetch, check and show a creative."""

    sha256: Sha256
    media_type: MediaType
    size_bytes: Annotated[int, Field(ge=1, le=64 * 1024 * 1024)]
    url: Url
    """Absolute, or a path on the server that sent it."""
    advertiser: Id
    label: Line
    """The disclosure shown with it, always."""
    landing_url: HttpUrl | None = None
    video: Video | None = None
    """Of a video, and of nothing else."""
    actions: Actions | None = None
    """What a viewer may do with it there: those that the slot allows."""
