"""What a file is by its first bytes, and how much of a video each tier takes."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["VIDEO_TIERS", "VideoLimits", "is_image", "is_video"]

EBML = b"\x1a\x45\xdf\xa3"
PICTURES = (b"\x89PNG", b"\xff\xd8\xff")


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """What one tier takes of a video."""

    file_bytes: int
    side_px: int
    seconds: float


VIDEO_TIERS = {
    "S": VideoLimits(1_000_000, 640, 15.0),
    "M": VideoLimits(4_000_000, 1280, 30.0),
    "L": VideoLimits(10_000_000, 1920, 60.0),
}


def is_image(data: bytes) -> bool:
    """Return whether the first bytes are those of a PNG, JPEG or WebP."""
    return data.startswith(PICTURES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def is_video(data: bytes) -> bool:
    """Return whether the first bytes are those of an MP4 or of a WebM."""
    return data[4:8] == b"ftyp" or data[:4] == EBML
