"""The ways to compute how much of each beam is hidden: one interface, chosen by name or automatically."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Protocol

from openslot_spec.errors import Code, OpenSlotError
from openslot_view.beams import Beams
from openslot_view.occluders import Occluders
from openslot_view.surfaces import Surfaces
from openslot_view.union import Areas

__all__ = ["BACKENDS", "Backend", "choose"]

BACKENDS = ("numpy", "numba")


class Backend(Protocol):
    """One way to compute it; all agree within the bounds that `spec/measurement.md` states for them."""

    @property
    def name(self) -> str:
        """Return the name to choose it by."""
        ...

    def hidden(self, beams: Beams, surfaces: Surfaces, occluders: Occluders) -> Areas:
        """Return the areas of each beam's on-screen part that occluders hide."""
        ...


def choose(name: str = "auto") -> Backend:
    """Return the backend `name`; `auto` is numba where it is installed, else numpy.

    Raises `INVALID` for a name that is not known or not installed.
    """
    if name == "auto":
        name = "numba" if find_spec("numba") else "numpy"
    if name not in BACKENDS or (name == "numba" and not find_spec("numba")):
        raise OpenSlotError(Code.INVALID, f"no backend {name!r} here; there are {', '.join(BACKENDS)}", where="backend")
    return _made(name)


@cache
def _made(name: str) -> Backend:
    if name == "numba":
        from openslot_view.backends.compiled.backend import CompiledBackend

        return CompiledBackend()
    from openslot_view.backends.plain import PlainBackend

    return PlainBackend()
