"""The ways to compute how much of each beam is hidden: one interface, chosen by name or automatically."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from openslot_spec.errors import Code, OpenSlotError
from openslot_view.beams import Beams, cast
from openslot_view.cameras import Camera, Cameras
from openslot_view.cells import SeesCells
from openslot_view.gates import Gates
from openslot_view.occluders import Occluders
from openslot_view.outlines import outlines
from openslot_view.seen import Visibility
from openslot_view.surfaces import Surfaces
from openslot_view.union import Areas

__all__ = ["BACKENDS", "ERROR_MAX", "Backend", "choose", "exercised", "warm_up"]

BACKENDS = ("numpy", "numba", "embreex")
ERROR_MAX = {"numpy": (0.008, 0.003), "numba": (0.0015, 0.0005), "embreex": (0.008, 0.003)}
"""How far visible fraction and coverage may be from the truth; `spec/measurement.md` says what was measured."""


class Backend(Protocol):
    """One way to compute it; all agree within the bounds that `spec/measurement.md` states for them."""

    @property
    def name(self) -> str:
        """Return the name to choose it by."""
        ...

    def look(
        self,
        cameras: Cameras,
        surfaces: Surfaces,
        occluders: Occluders,
        gates: Gates | None,
        only: NDArray[np.int64] | None = None,
    ) -> Visibility:
        """Return what every camera sees of every surface, or of `only` some, as `openslot_view.measure`."""
        ...

    def hidden(self, beams: Beams, surfaces: Surfaces, occluders: Occluders) -> Areas:
        """Return the areas of each beam's on-screen part that occluders hide."""
        ...


def choose(name: str | Backend = "auto") -> Backend:
    """Return the backend `name`, or the one that is given; `auto` is numba once `warm_up` has made it ready.

    Until then it is numpy. embreex estimates, and is only ever taken by name. Raises `INVALID` for a name
    that is not known or not installed.
    """
    if not isinstance(name, str):
        return name
    if name == "auto":
        return warm_up() if warm_up.cache_info().currsize else _plain()
    if name == "numpy":
        return _plain()
    if name == "numba" and find_spec("numba"):
        return _compiled()
    if name == "embreex" and find_spec("embreex"):
        return _sampled()
    if name in BACKENDS:
        raise OpenSlotError(Code.INVALID, f"backend {name!r} needs the package {name}, not installed", where="backend")
    raise OpenSlotError(Code.INVALID, f"no backend {name!r} here; there are {', '.join(BACKENDS)}", where="backend")


@cache
def warm_up() -> Backend:
    """Return the fastest backend there is, compiled and ready; `auto` means it from then on.

    The first time on a machine this takes about half a minute, later less than a second from numba's cache. It may run
    in a thread of its own: numpy serves meanwhile.
    """
    return exercised(_compiled() if find_spec("numba") else _plain())


def exercised(backend: Backend) -> Backend:
    """Return the backend after it has done all it can once, heat too, so that what it compiles is compiled."""
    square = Surfaces.from_quads([[(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)]])
    occluders = Occluders.build([(0, 0, 1), (1, 0, 1), (0, 1, 1)], [(0, 1, 2)])
    cameras = Cameras.stack([Camera.perspective((0.0, 0.0, 5.0))])
    seen = backend.look(cameras, square, occluders, None)
    if isinstance(backend, SeesCells) and seen.measured.any():
        pair = np.zeros(1, np.int64)
        backend.cells(cast(cameras, square, outlines(cameras, square, pair, pair)), square, occluders, 2)
    return backend


@cache
def _compiled() -> Backend:
    from openslot_view.backends.compiled.backend import CompiledBackend

    return CompiledBackend()


@cache
def _sampled() -> Backend:
    from openslot_view.backends.embree import EmbreeBackend

    return EmbreeBackend()


@cache
def _plain() -> Backend:
    from openslot_view.backends.plain import PlainBackend

    return PlainBackend()
