"""The ways of visitors through a world, as `openslot plan --paths` reads them: `schema/paths.json`."""

from __future__ import annotations

import itertools
from typing import Annotated, Self

from pydantic import Field, model_validator

from openslot_spec.records import Record, Vec3

__all__ = ["MAX_TOTAL_MS", "PathPoint", "Paths"]

MAX_TOTAL_MS = 100 * 3600 * 1000
"""All paths of one file together may last this long."""


class PathPoint(Record):
    """Where a visitor's eye is at one moment, and a point that it looks at. World metres, canonical frame."""

    t_ms: Annotated[float, Field(ge=0, le=MAX_TOTAL_MS)]
    """From the start of the visit; rises from point to point."""
    position: Vec3
    target: Vec3

    @model_validator(mode="after")
    def _looks_somewhere(self) -> Self:
        if self.position == self.target:
            raise ValueError("the target is the position")
        return self


Path = Annotated[tuple[PathPoint, ...], Field(strict=False, min_length=2, max_length=100_000)]
Pixels = Annotated[float, Field(ge=1, le=32_768)]


class Paths(Record):
    """Some visits to a world. Between two points of a path, eye and target move in straight lines."""

    paths: Annotated[tuple[Path, ...], Field(strict=False, min_length=1, max_length=10_000)]
    """One list of points a visit."""
    fov_y_deg: Annotated[float, Field(ge=1, le=170)] = 60.0
    """The visitors' vertical field of view."""
    viewport_px: Annotated[tuple[Pixels, Pixels], Field(strict=False)] = (1280.0, 720.0)

    @model_validator(mode="after")
    def _time_rises(self) -> Self:
        for number, path in enumerate(self.paths):
            if any(later.t_ms <= point.t_ms for point, later in itertools.pairwise(path)):
                raise ValueError(f"t_ms does not rise in path {number}")
        if sum(path[-1].t_ms - path[0].t_ms for path in self.paths) > MAX_TOTAL_MS:
            raise ValueError(f"the paths last longer than {MAX_TOTAL_MS} ms together")
        return self
