"""What a world shows, and what it is told to change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from openslot_spec.actions import Action
from openslot_spec.creatives import Video
from openslot_spec.messages import Placement
from openslot_spec.slots import MediaType

__all__ = ["Ad", "Change"]


@dataclass(frozen=True, slots=True)
class Ad:
    """A creative to show in a slot: its checked file, and the label that is shown with it, always."""

    slot: str
    path: Path
    media_type: MediaType
    label: str
    sha256: str
    advertiser: str
    landing_url: str | None = None
    viewer: str | None = None
    """For whom alone it is shown; None for everybody."""
    video: Video | None = None
    poster: Path | None = None
    """Of a video, and of nothing else: what it is, and its still picture as a checked file."""
    actions: tuple[Action, ...] = ()
    """What a viewer may do with it, see `World.act`."""

    @classmethod
    def of(cls, placement: Placement, path: Path, viewer: str | None, poster: Path | None = None) -> Ad:
        """Return what a placement shows, from its checked file and a video's checked poster."""
        creative = placement.creative
        return cls(
            placement.slot,
            path,
            creative.media_type,
            creative.label,
            creative.sha256,
            creative.advertiser,
            creative.landing_url,
            viewer,
            creative.video,
            poster,
            creative.actions or (),
        )


@dataclass(frozen=True, slots=True)
class Change:
    """Show this ad in the slot, or nothing if there is none."""

    slot: str
    viewer: str | None
    ad: Ad | None
    placement: Placement | None
