"""The browser's modules run by node: as a program that answers lines, and as one more backend of the measurement."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openslot_view.cameras import Cameras, Depth
from openslot_view.gates import Gates
from openslot_view.occluders import Occluders
from openslot_view.seen import Visibility
from openslot_view.surfaces import Surfaces

__all__ = ["ANSWER", "WEB", "Program", "WebBackend", "running"]

WEB = Path(__file__).resolve().parents[2] / "sdk" / "web"
ANSWER = WEB / "answer.mjs"
Json = dict[str, Any]


class Program:
    """A node program that answers one line of JSON for one."""

    def __init__(self, script: Path) -> None:
        node = shutil.which("node")
        assert node is not None, "node is needed: make test says how to get it"
        self._process = subprocess.Popen([node, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, area: str, given: Any) -> Json:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"area": area, "input": given}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"no answer to {area}: {given!s:.200}"
        answer: Json = json.loads(line)
        return answer

    def close(self) -> None:
        self._process.communicate()


@contextmanager
def running(script: Path = ANSWER) -> Iterator[Program]:
    program = Program(script)
    try:
        yield program
    finally:
        program.close()


class WebBackend:
    """`openslot_view`'s questions, answered by `sdk/web/core`."""

    name = "web"

    def __init__(self, program: Program) -> None:
        self._program = program

    def look(
        self,
        cameras: Cameras,
        surfaces: Surfaces,
        occluders: Occluders,
        gates: Gates | None,
        only: NDArray[np.int64] | None = None,
    ) -> Visibility:
        assert gates is None
        assert only is None
        things = _occluders(occluders)
        found = [
            [self._pair(_camera(cameras, v), _surface(surfaces, s), things) for s in range(len(surfaces))]
            for v in range(len(cameras))
        ]

        def table(name: str) -> NDArray[np.float64]:
            return np.array([[pair[name] for pair in row] for row in found], np.float64)

        visible, on_screen, why = table("visible_fraction"), table("on_screen_fraction"), table("why").astype(np.uint8)
        sight, screen = (np.cos(np.radians(table(name))) for name in ("angle_deg", "screen_angle_deg"))
        return Visibility(visible, on_screen, table("coverage"), sight, screen, on_screen > 0, why)

    def _pair(self, camera: Json, slot: Json, occluders: Json) -> Json:
        answer = self._program.ask("visibility", {"camera": camera, "slot": slot, "occluders": occluders})
        assert "ok" in answer, answer
        found: Json = answer["ok"]
        return found


def _camera(cameras: Cameras, index: int) -> Json:
    return {
        "camera_from_world": cameras.camera_from_world[index].tolist(),
        "clip_from_camera": cameras.clip_from_camera[index].tolist(),
        "viewport_px": cameras.viewport_px[index].tolist(),
        "depth": Depth(int(cameras.depth[index])).name.lower(),
    }


def _surface(surfaces: Surfaces, index: int) -> Json:
    facets = surfaces.corners[surfaces.start[index] : surfaces.start[index + 1]]
    side = {"two_sided": bool(surfaces.two_sided[index]), "owner": int(surfaces.owner[index])}
    if surfaces.sides[surfaces.start[index]] == 4:
        return {"corners": facets[0].tolist(), **side}
    return {**_soup(facets[:, :3]), **side}


def _occluders(occluders: Occluders) -> Json:
    sets = occluders.sets
    corners = np.concatenate([np.zeros((0, 3, 3)), *(each.corners for each in sets)])
    flags: Sequence[Any] = [bool(side) for each in sets for side in each.one_sided]
    owners = [int(owner) for each in sets for owner in each.owner]
    return {**_soup(corners), "one_sided": flags, "owner": owners}


def _soup(corners: NDArray[np.float64]) -> Json:
    return {
        "vertices": corners.reshape(-1, 3).tolist(),
        "triangles": np.arange(corners.size // 3).reshape(-1, 3).tolist(),
    }
