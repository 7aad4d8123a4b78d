"""Draws glTF in a process of its own that is warm, limited in time, and replaced when it is lost."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

import msgpack
import numpy as np
from numpy.typing import NDArray

from openslot_spec.errors import Code, OpenSlotError

__all__ = ["Renderer", "Shot"]

Pixels = NDArray[np.uint8]
Matrix = NDArray[np.float64]
Point = tuple[float, float, float]

WORKER = "openslot_server.previews.worker"
START_S = 60.0
"""The first picture of a process waits for its shaders."""
INHERITED = ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "PATH")
ALONE = np.eye(4)
NEEDED = "pip install 'openslot[preview]', and Debian's libgl1 libegl1 libx11-6 libgl1-mesa-dri"


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: from where, of what, how large."""

    eye: Point
    target: Point
    size_px: tuple[int, int]
    fov_y_deg: float = 60.0
    near: float = 0.05
    far: float = 500.0
    sun: Point = (-0.5, -1.0, -0.7)
    """Which way its light goes."""
    turn_deg: float = 0.0
    """By how much the studio is turned with the eye, so that a creative looks turned instead."""
    across_m: tuple[float, float] | None = None
    """Width and height of a view without perspective, instead of `fov_y_deg`."""
    background: Point | None = (0.0, 0.0, 0.0)
    """A linear colour; None for none."""
    in_room: bool = False
    """Whether the creative stands in the room, with shadows, or alone."""


class Renderer:
    """A warm renderer; as a context it ends with it.

    Args:
        limit_s: what one file may take, all its shots together; then its process is ended and the file refused.
    """

    def __init__(self, limit_s: float = 20.0) -> None:
        self._limit_s = limit_s
        self._pipe: Connection | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def draw(
        self, glb: bytes, shots: Sequence[Shot], room: bytes = b"", room_from_creative: Matrix = ALONE
    ) -> list[Pixels]:
        """Return one picture for each shot, (height, width, 3), sRGB; without background (height, width, 4).

        Alpha stands beside colours that it does not darken. `room` is the scene of the shots `in_room`, and (4, 4) the
        creative's place there. Only for files that a gate accepted. Raises PREVIEW_UNAVAILABLE where nothing can draw
        here, and PREVIEW_FAILED for a file that the renderer refuses or does not finish.
        """
        cold = self._process is None
        pipe = self._running()
        place = room_from_creative.tolist()
        job = {"glb": glb, "room": room, "place": place, "shots": [asdict(shot) for shot in shots]}
        answer = self._asked(pipe, msgpack.packb(job), self._limit_s + (START_S if cold else 0.0), cold=cold)
        if "failed" in answer:
            raise OpenSlotError(Code.PREVIEW_FAILED, str(answer["failed"]))
        return [_pixels(data, shot) for data, shot in zip(answer["pixels"], shots, strict=True)]

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.wait()
        self._process = self._pipe = None

    def _running(self) -> Connection:
        if self._pipe is None:
            if importlib.util.find_spec("filly") is None:
                raise OpenSlotError(Code.PREVIEW_UNAVAILABLE, f"there is no renderer: {NEEDED}")
            ours, theirs = Pipe()
            with theirs:
                self._process = _spawn(theirs)
            self._pipe = ours
        return self._pipe

    def _asked(self, pipe: Connection, job: bytes, limit_s: float, *, cold: bool) -> dict[str, list[bytes]]:
        try:
            pipe.send_bytes(job)
            if pipe.poll(limit_s):
                answer: dict[str, list[bytes]] = msgpack.unpackb(pipe.recv_bytes())
                return answer
            reason = OpenSlotError(Code.PREVIEW_FAILED, f"not drawn in {limit_s:g} s")
        except (EOFError, OSError, ValueError):
            reason = self._lost(cold=cold)
        self.close()
        raise reason

    def _lost(self, *, cold: bool) -> OpenSlotError:
        """Return why a process ended that never answered: nothing draws here, or the file was too much for it."""
        if cold and self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                if self._process.wait(1.0) > 0:  # not by a signal: it could not begin
                    return OpenSlotError(Code.PREVIEW_UNAVAILABLE, f"the renderer does not start: {NEEDED}")
        return OpenSlotError(Code.PREVIEW_FAILED, "the renderer ended")


def _spawn(pipe: Connection) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return subprocess.Popen(  # noqa: S603  our own interpreter and module, and a number
        [sys.executable, "-P", "-m", WORKER, str(pipe.fileno())],
        pass_fds=[pipe.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )


def _pixels(data: bytes, shot: Shot) -> Pixels:
    width, height = shot.size_px
    pixels = np.frombuffer(data, np.uint8).reshape(height, width, 4)
    return _undarkened(pixels) if shot.background is None else pixels[..., :3]


def _undarkened(pixels: Pixels) -> Pixels:
    """Return colours as if nothing shone through them; the renderer gives them multiplied by alpha, in sRGB."""
    alpha = pixels[..., 3:].astype(np.float64) / 255
    colours = np.where(alpha > 0, pixels[..., :3] / np.where(alpha > 0, alpha, 1.0), 0.0)
    return np.dstack([np.rint(colours.clip(0, 255)).astype(np.uint8), pixels[..., 3]])
