"""Ways of looking that come again: the same poses at the same times before the event, under looks of others."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from openslot_server.audit.cases import Revealed
from openslot_spec.evidence import Evidence

__all__ = ["Replays"]

POSES_MIN = 4
"""Different ones in a way of looking; whoever stands still says nothing."""
OTHERS = 2
"""Looks of others under which it stands already."""


@dataclass(frozen=True, slots=True)
class _Sight:
    viewer: tuple[str, str, int]
    from_ms: int
    to_ms: int

    def is_of_another(self, other: _Sight) -> bool:
        """Return whether these are two viewers, or one at two times; two boards at one time are one way of looking."""
        apart = self.from_ms > other.to_ms or other.from_ms > self.to_ms
        return self.viewer != other.viewer or apart


class Replays:
    """The ways of looking of all evidence that is kept."""

    def __init__(self) -> None:
        self._ways: defaultdict[bytes, list[_Sight]] = defaultdict(list)

    def see(self, revealed: Revealed, evidence: Evidence) -> bool:
        """Take evidence, and return whether it repeats what stands under two others."""
        way = _way(evidence)
        if way is None:
            return False
        sight, known = _sight(revealed, evidence), self._ways[way]
        others = [each for each in known if each.is_of_another(sight)]
        if len(known) <= OTHERS:
            known.append(sight)
        return len(others) >= OTHERS

    def forget(self, revealed: Revealed, evidence: Evidence) -> None:
        """Drop evidence that is deleted."""
        way = _way(evidence)
        if way is not None and way in self._ways:
            gone = _sight(revealed, evidence)
            self._ways[way] = [each for each in self._ways[way] if each != gone]
            if not self._ways[way]:
                del self._ways[way]


def _way(evidence: Evidence) -> bytes | None:
    poses = np.concatenate([evidence.position, evidence.turn], axis=1).astype(np.int64)
    if len(np.unique(poses, axis=0)) < POSES_MIN:
        return None
    return hashlib.sha256(poses.tobytes() + evidence.before_ms.tobytes()).digest()


def _sight(revealed: Revealed, evidence: Evidence) -> _Sight:
    case = revealed.case
    from_ms = evidence.at_ms - int(evidence.before_ms.max())
    return _Sight((revealed.row.world, case.session, case.viewer), from_ms, evidence.at_ms)
