"""How much of each ad each viewer can see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_view.backends import Backend, choose
from openslot_view.cameras import Cameras
from openslot_view.gates import Gates
from openslot_view.occluders import Occluders
from openslot_view.seen import Visibility
from openslot_view.surfaces import Surfaces

__all__ = ["Visibility", "measure"]


def measure(
    cameras: Cameras,
    surfaces: Surfaces,
    occluders: Occluders | None = None,
    *,
    gates: Gates | None = None,
    only: NDArray[np.int64] | None = None,
    backend: str | Backend = "auto",
) -> Visibility:
    """Return what every camera sees of every surface, or of those that `only` numbers, in its order.

    Without `gates` every pair is measured in full and `why` says what takes anything away: COUNTED means all of it is
    seen. With them, occluders are asked only for pairs that pass on-screen share, angle and size, and `why` is the
    first gate that fails, in the order of `WhyNot`. Surfaces do not hide each other unless they stand among the
    occluders too; a curved surface hides itself. `backend` is one of `openslot_view.backends`, or its name.
    """
    return choose(backend).look(cameras, surfaces, occluders or Occluders.none(), gates, only)
