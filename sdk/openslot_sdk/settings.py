"""What a world may choose."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from openslot_sdk.ads import Ad
from openslot_sdk.cache import CACHE_LIMIT_BYTES, default_folder
from openslot_sdk.outside import Outside
from openslot_sdk.proofs import EVIDENCE_LIMIT_BYTES
from openslot_sdk.spool import SPOOL_LIMIT_BYTES
from openslot_spec.actions import Action
from openslot_spec.errors import OpenSlotError

__all__ = ["Confirm", "Settings"]

Confirm = Callable[[str, Ad, Action], Awaitable[bool]]


def _warn(problem: OpenSlotError) -> None:
    logging.getLogger("openslot_sdk").warning("%s", problem)


@dataclass(frozen=True, slots=True)
class Settings:
    """The defaults do for most worlds.

    Args:
        viewers: how many are expected to look at one board while one ad hangs there; that many views are reserved.
        on_problem: hears of everything that went wrong and was survived; by default the log `openslot_sdk` does.
        backend: how occlusion is computed: "numpy", "numba", or "auto" for the fastest there is, once it is warm.
        cache: folder of the creatives; worlds may share it.
        cache_limit_bytes: the folder's size.
        spool_limit_bytes: events that wait for a server that is away; beyond it they are dropped and counted.
        evidence_limit_bytes: evidence of viewers who consented, beside the spool; what finds no room is not kept.
        speed_max_mps: how fast anybody can move in this world, teleports apart; who is half as fast again is not
            measured. None believes any speed.
        tick_budget_ms: how long one tick may measure; by default half of the time since the tick before, at most 50.
            What was not reached comes first in the next tick; `Seen.late` says how much that is.
        heat_cells: keep heat maps of so many cells a side, for `World.heat`; 0 keeps none. A sample then costs about as
            much again.
        confirm: asks a viewer, by name, whether they agree to an action of this ad, and shows where it leads; see
            `World.act`.
        outside: the socket, HTTP, the disk, the wall clock and randomness; a test puts its own here.
    """

    viewers: int = 8
    on_problem: Callable[[OpenSlotError], None] = _warn
    backend: str = "auto"
    cache: Path = field(default_factory=default_folder)
    cache_limit_bytes: int = CACHE_LIMIT_BYTES
    spool_limit_bytes: int = SPOOL_LIMIT_BYTES
    evidence_limit_bytes: int = EVIDENCE_LIMIT_BYTES
    speed_max_mps: float | None = None
    tick_budget_ms: float | None = None
    heat_cells: int = 0
    confirm: Confirm | None = None
    outside: Outside = field(default_factory=Outside)
