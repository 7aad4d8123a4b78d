"""three-mesh-bvh under node as a peer: 64 rays a pair, in a process of its own that measures itself.

It is there only in a source tree whose `tests/tools` are installed.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from openslot_view.beams import Beams
from openslot_view.bench.peers import SHORT, rays
from openslot_view.surfaces import Surfaces

__all__ = ["RAYS", "absent", "available", "three_mesh_bvh"]

Floats = NDArray[np.float64]

RAYS = 64
_TOOLS = Path(__file__).resolve().parents[3] / "tests" / "tools"
_PATIENCE_S = 300.0


def available() -> bool:
    """Return whether node and the module are here."""
    return which("node") is not None and (_TOOLS / "node_modules" / "three-mesh-bvh").exists()


def absent() -> str:
    """Return what to do if it is not available."""
    if which("node") is None:
        return "not installed: needs Node.js"
    return "" if available() else "not installed: npm ci in tests/tools"


def three_mesh_bvh(
    vertices: Floats, triangles: NDArray[np.int64], surfaces: Surfaces, beams: Beams
) -> tuple[Floats, float]:
    """Return the hidden share of each beam and the processor seconds for all, by `raycastFirst` with a far limit."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "rays.bin"
        file.write_bytes(_packed(vertices, triangles, surfaces, beams))
        run = subprocess.run(  # noqa: S603 - our own script, and a file that we have just written
            [str(which("node")), str(_TOOLS / "three_mesh_bvh.mjs"), str(file)],
            capture_output=True,
            check=True,
            timeout=_PATIENCE_S,
        )
    answer = json.loads(run.stdout)
    return np.array(answer["hits"]) / RAYS, answer["ms"] / 1000


def _packed(vertices: Floats, triangles: NDArray[np.int64], surfaces: Surfaces, beams: Beams) -> bytes:
    origin, ray = np.split(rays(beams, surfaces, RAYS), 2, axis=1)
    length = np.linalg.norm(ray, axis=1, keepdims=True)
    shots = np.concatenate([origin, ray / np.maximum(length, 1e-30), SHORT * length], axis=1)
    counts = np.array([len(vertices), len(triangles), len(beams), RAYS], "<u4")
    return b"".join(
        part.tobytes() for part in (counts, vertices.astype("<f4"), triangles.astype("<u4"), shots.astype("<f4"))
    )
