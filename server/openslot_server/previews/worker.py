"""The process that draws: the only one that loads the renderer, and one that may be lost.

    caller ── pipe ──▶ {glb, room, place, shots} · back comes {"pixels": [bytes, …]} or {"failed": str}

The renderer hangs or aborts on files that a gate would refuse, so the caller sends accepted ones alone, waits with a
deadline and ends this process when it passes.
"""

from __future__ import annotations

import math
import sys
from multiprocessing.connection import Connection
from typing import Any

import filly
import msgpack
import numpy as np

from openslot_server.previews.environment import STUDIO

__all__ = ["main"]

SUN_LUX, STUDIO_LUX = 18_000.0, 22_000.0
STEEP = 0.999
SAMPLES = 4
"""Of each pixel: edges are smooth, and the same in every run."""


def main(descriptor: int) -> None:
    """Draw until the pipe ends."""
    filly.set_log_level("error")
    pipe = Connection(descriptor)
    with filly.Renderer() as renderer:
        studio = renderer.load_environment_ktx(str(STUDIO))
        while True:
            try:
                job = msgpack.unpackb(pipe.recv_bytes())
            except EOFError:
                return
            try:
                answer: dict[str, Any] = {"pixels": _drawn(renderer, studio, job)}
            except filly.FillyError as error:
                answer = {"failed": f"{type(error).__name__}: {error}"[:500]}
            pipe.send_bytes(msgpack.packb(answer))


def _drawn(renderer: filly.Renderer, studio: filly.Environment, job: dict[str, Any]) -> list[bytes]:
    """Return the shots of a creative, in its room and alone; all are begun before the first is waited for."""
    scene = renderer.create_scene()
    targets: list[filly.RenderTarget] = []
    try:
        scene.environment, scene.environment_intensity, scene.msaa = studio, STUDIO_LUX, SAMPLES
        room = scene.load(job["room"]) if job["room"] else None
        creative = scene.load(job["glb"])
        if creative.animations:
            creative.apply_animation(0, 0.0)
        sun = scene.add_directional_light(direction=(0, -1, 0), intensity=SUN_LUX)
        scene.camera = renderer.create_camera()
        for shot in job["shots"]:
            width, height = shot["size_px"]
            targets.append(renderer.create_render_target(width=width, height=height))
            _dress(scene, shot["background"], is_shaded=shot["in_room"])
            if room is not None:
                room.visible = shot["in_room"]
                creative.transform = (
                    np.array(job["place"], np.float32) if shot["in_room"] else np.eye(4, dtype=np.float32)
                )
            _aim(scene, sun, shot)
            renderer.render(scene, targets[-1])
        return [target.read().tobytes() for target in targets]
    finally:
        for target in targets:
            target.close()
        scene.close()


def _dress(scene: filly.Scene, background: list[float] | None, *, is_shaded: bool) -> None:
    """Give a scene its background, or none, and shadows."""
    scene.shadows, scene.transparent = is_shaded, background is None
    scene.background = [0.0, 0.0, 0.0, 0.0] if background is None else [*background, 1.0]


def _aim(scene: filly.Scene, sun: filly.Light, shot: dict[str, Any]) -> None:
    width, height = shot["size_px"]
    sun.direction, sun.casts_shadows = shot["sun"], shot["in_room"]
    scene.environment_rotation_deg = shot["turn_deg"]
    if shot["across_m"] is None:
        scene.camera.set_perspective(
            fov_y_deg=shot["fov_y_deg"], aspect=width / height, near=shot["near"], far=shot["far"]
        )
    else:
        x, y = shot["across_m"][0] / 2, shot["across_m"][1] / 2
        scene.camera.set_orthographic(left=-x, right=x, bottom=-y, top=y, near=shot["near"], far=shot["far"])
    scene.camera.position = shot["eye"]
    scene.camera.look_at(shot["target"], _up(shot["eye"], shot["target"]))


def _up(eye: list[float], target: list[float]) -> tuple[float, float, float]:
    """Return +Y, or −Z where the view is vertical."""
    length = math.dist(eye, target)
    return (0.0, 0.0, -1.0) if abs(target[1] - eye[1]) > STEEP * length else (0.0, 1.0, 0.0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
