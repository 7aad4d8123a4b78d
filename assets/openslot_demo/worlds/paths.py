"""The ways of the demo's worlds, written as chains of named places."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

import numpy as np

from openslot_view.walkways import WalkGraph

__all__ = ["graph"]


def graph(places: Mapping[str, tuple[float, float]], ways: Iterable[str], *, floor_y: float = 0.0) -> WalkGraph:
    """Return the graph of named places (x, z) and ways such as `"a b c"`, each a chain of places."""
    index = {name: at for at, name in enumerate(places)}
    chains = [[index[name] for name in way.split()] for way in ways]
    pairs = {(min(pair), max(pair)) for chain in chains for pair in itertools.pairwise(chain)}
    points = np.array([(x, floor_y, z) for x, z in places.values()], dtype=np.float64)
    return WalkGraph(points, np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2))
