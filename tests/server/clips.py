"""Small videos, made here: an orange ground whose blue grows."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np

SOUNDS = {"mp4": "aac", "webm": "libopus"}
CODECS = {"mp4": "libx264", "webm": "libvpx"}


def clip(
    kind: str = "mp4",
    codec: str | None = None,
    seconds: float = 2.0,
    size: tuple[int, int] = (160, 90),
    rate: int = 12,
    *,
    sound: bool = False,
    pixels: str = "yuv420p",
    title: str = "",
) -> bytes:
    """Return a video; a title stands where a camera would write its place."""
    out = io.BytesIO()
    with av.open(out, "w", format=kind) as container:
        if title:
            container.metadata["title"] = title
        pictures: Any = container.add_stream(codec or CODECS[kind], rate=rate)
        pictures.width, pictures.height = size
        pictures.pix_fmt, pictures.thread_count = pixels, 1
        sounds: Any = container.add_stream(SOUNDS[kind], rate=48_000) if sound else None
        for index in range(round(seconds * rate)):
            ground = np.empty((size[1], size[0], 3), np.uint8)
            ground[:] = 230, 60, 2 * index % 256
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(ground, format="rgb24")))
        container.mux(pictures.encode())
        if sounds is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), format="flt", layout="mono")
            silence.sample_rate = 48_000
            container.mux(sounds.encode(silence))
            container.mux(sounds.encode())
    return out.getvalue()
