"""The creative record: what is shown, named by the sha-256 of its bytes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from openslot_spec.records import Id, Line, Record, Sha256
from openslot_spec.slots import MediaType

__all__ = ["CreativeRef"]

Url = Annotated[str, Field(max_length=2000)]
HttpUrl = Annotated[str, Field(pattern=r"^https?://[^\s]{1,1990}$")]


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
