"""Compiling ahead of time: the fast backend takes seconds at its first use, and no tick may wait for that."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from openslot_view.cameras import Camera, Cameras
from openslot_view.occluders import Occluders
from openslot_view.surfaces import Surfaces
from openslot_view.visibility import measure

__all__ = ["warm_up"]


def warm_up(backend: str) -> str:
    """Return the backend to use, after it has measured once."""
    if backend == "auto":
        backend = "numba" if find_spec("numba") else "numpy"
    quad = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], np.float64)
    wall = Occluders.build(quad * 0.5 + (0.0, 0.0, 1.0), np.array([(0, 1, 2), (0, 2, 3)]))
    camera = Camera.perspective((0.0, 0.0, 3.0), target=(0.0, 0.0, 0.0))
    measure(Cameras.stack([camera]), Surfaces.from_quads(quad[None]), wall, backend=backend)
    return backend
