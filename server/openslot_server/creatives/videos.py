"""The gate of videos: MP4 with H.264, WebM with VP8, VP9 or AV1, read by PyAV (extra `video`).

The demuxer is named from the first bytes and never guessed: some formats open files and sockets. One thread, no file,
no name: all it reads is the bytes. Lengths are counted from the packets themselves, not believed.
"""

from __future__ import annotations

import importlib
import io
import pkgutil
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from PIL import Image

from openslot_gltf.rules import Report, Rule
from openslot_server.creatives.containers import scrubbed
from openslot_server.creatives.images import jpeg
from openslot_server.creatives.kinds import VideoLimits
from openslot_spec.creatives import VideoFacts

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

try:
    import av
    import av.video.reformatter
except ImportError:
    av = None  # type: ignore[assignment]
else:  # a worker of the sandbox can open no file to load the rest when it is first used
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if module.name != "av.__main__":
            importlib.import_module(module.name)

__all__ = ["Clip", "read_video"]

VideoType = Literal["video/mp4", "video/webm"]
CODECS = {"video/mp4": ({"h264"}, {"aac"}), "video/webm": ({"vp8", "vp9", "av1", "libdav1d"}, {"opus", "vorbis"})}
PIXELS = frozenset({"yuv420p", "yuvj420p"})
"""What browsers and engines show everywhere: 8 bits, 4:2:0."""
FASTEST = 61.0
POSTER_AT, POSTER_QUALITY = 0.1, 88
"""Of the length: films begin in the dark."""
MOST_DECODED = 90
BT709, UNSPECIFIED, HD_LINES = 1, 2, 720


@dataclass(frozen=True, slots=True)
class Clip:
    """A video that may be served: its bytes without what is said beside it, what it is, and one of its frames."""

    media_type: VideoType
    data: bytes
    facts: VideoFacts
    poster: bytes


def read_video(data: bytes, limits: VideoLimits, report: Report) -> Clip | None:
    """Return what to serve of a video, or None with the reason in `report`."""
    media_type: VideoType = "video/mp4" if data[4:8] == b"ftyp" else "video/webm"
    if len(data) > limits.file_bytes:
        report.add(Rule.FILE_SIZE, "", f"{len(data)} bytes, {limits.file_bytes} are allowed")
    elif av is None:
        report.add(Rule.VIDEO_UNREADABLE)
    elif media_type == "video/webm" and b"webm" not in data[:64]:
        report.add(Rule.VIDEO_CODEC, "", "Matroska")
    if report.refused:
        return None
    try:
        with av.open(io.BytesIO(data), "r", format=media_type.removeprefix("video/")) as container:
            clip = _clip(container, data, media_type, limits, report)
    except MemoryError:
        raise
    except Exception as error:  # a demuxer raises whatever damaged bytes make it raise
        report.add(Rule.VIDEO_DAMAGED, "", type(error).__name__)
        return None
    return clip


def _clip(
    container: InputContainer, data: bytes, media_type: VideoType, limits: VideoLimits, report: Report
) -> Clip | None:
    stream = _picture_stream(container, media_type, report)
    if stream is None:
        return None
    width, height = stream.codec_context.width, stream.codec_context.height
    if not 0 < max(width, height) <= limits.side_px or min(width, height) < 1:
        report.add(Rule.VIDEO_SIDE, "", f"{width}×{height} px, {limits.side_px} are allowed")
        return None
    seconds, frames = _counted(container, stream)
    if not 0 < seconds <= limits.seconds:
        report.add(Rule.VIDEO_LENGTH, "", f"{seconds:.1f} s, {limits.seconds:g} are allowed")
    elif frames / seconds > FASTEST:
        report.add(Rule.VIDEO_RATE, "", f"{frames / seconds:.1f} frames a second")
    poster = None if report.refused else _poster(container, stream, seconds, report)
    if poster is None:
        return None
    served = scrubbed(data, media_type)
    if served != data:
        report.add(Rule.VIDEO_STRIPPED)
    facts = VideoFacts(
        duration_ms=max(round(seconds * 1000), 1),
        width_px=width,
        height_px=height,
        frames_per_second=round(frames / seconds, 3),
        sound=bool(container.streams.audio),
    )
    return Clip(media_type, served, facts, poster)


def _picture_stream(container: InputContainer, media_type: VideoType, report: Report) -> VideoStream | None:
    """Return the one stream of pictures, if the file holds nothing but it and at most one of sound, in known codecs."""
    pictures, sounds = container.streams.video, container.streams.audio
    if len(pictures) != 1 or len(sounds) > 1:
        report.add(Rule.VIDEO_STREAMS, "", f"{len(pictures)} of pictures, {len(sounds)} of sound")
        return None
    known, known_sounds = CODECS[media_type]
    stream = pictures[0]
    codec = stream.codec_context
    others = {sound.codec_context.name for sound in sounds} - known_sounds
    if codec.name not in known or codec.pix_fmt not in PIXELS or others:
        found = ", ".join([codec.name, str(codec.pix_fmt), *sorted(others)])
        report.add(Rule.VIDEO_CODEC, "", found)
        return None
    if (codec.sample_aspect_ratio or Fraction(1)) not in (0, 1):
        report.add(Rule.VIDEO_SHAPE, "", f"pixels of {codec.sample_aspect_ratio}")
        return None
    codec.thread_count, codec.thread_type = 1, "NONE"  # a worker may start no thread
    return stream


def _counted(container: InputContainer, stream: VideoStream) -> tuple[float, int]:
    """Return for how many seconds pictures come, and how many, from the packets."""
    first, last, frames = None, 0, 0
    for packet in container.demux(stream):
        if packet.pts is None or packet.size == 0:
            continue
        frames += 1
        first = packet.pts if first is None else min(first, packet.pts)
        last = max(last, packet.pts + (packet.duration or 0))
    base = stream.time_base or Fraction(0)
    return (0.0, 0) if first is None else (float((last - first) * base), frames)


def _poster(container: InputContainer, stream: VideoStream, seconds: float, report: Report) -> bytes | None:
    """Return a frame from near the beginning as JPEG."""
    base = stream.time_base or Fraction(1, 1000)
    wanted = (stream.start_time or 0) + int(seconds * POSTER_AT / base)
    container.seek(wanted, stream=stream)
    found = None
    for count, frame in enumerate(container.decode(stream)):
        found = frame
        if count >= MOST_DECODED or (frame.pts or 0) >= wanted:
            break
    if found is None:
        report.add(Rule.VIDEO_DAMAGED, "", "no frame decodes")
        return None
    if found.rotation:
        report.add(Rule.VIDEO_SHAPE, "", f"turned by {found.rotation}°")
        return None
    return _as_jpeg(found)


def _as_jpeg(frame: VideoFrame) -> bytes:
    """Return a frame in sRGB; unsaid, HD is coded by BT.709 and less by BT.601."""
    is_hd = frame.colorspace == BT709 or (frame.colorspace == UNSPECIFIED and frame.height >= HD_LINES)
    tools = av.video.reformatter
    plain = tools.VideoReformatter().reformat(
        frame,
        format="rgb24",
        src_colorspace=tools.Colorspace.ITU709 if is_hd else tools.Colorspace.ITU601,
        src_color_range=frame.color_range or tools.ColorRange.MPEG,
        dst_color_range=tools.ColorRange.JPEG,
        interpolation=tools.Interpolation.BICUBIC | tools.Interpolation.ACCURATE_RND,
        threads=1,
    )
    return jpeg(Image.fromarray(plain.to_ndarray()), POSTER_QUALITY)
