"""A scene, its visitors, and what they would bring to its slots: the glue under `openslot plan`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openslot_gltf import (
    Document,
    Mode,
    SceneGeometry,
    SceneSlot,
    add_slot,
    scene_geometry,
    scene_parts,
    scene_slots,
)
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.exposures import WhyNot
from openslot_spec.paths import MAX_TOTAL_MS, Paths
from openslot_spec.profiles import profile
from openslot_spec.slots import SlotTerms
from openslot_view import Camera, Occluders, Surfaces, occluders_of
from openslot_view.costs import Cost, costs
from openslot_view.plan import Forecast, Interval, heat
from openslot_view.plan import plan as forecast
from openslot_view.spots import Size, Spots, standing_spots, wall_spots
from openslot_view.suggest import best_spots
from openslot_view.triangles import TriangleSet
from openslot_view.visits import Visits
from openslot_view.walkers import Sight, crowd
from openslot_view.walkways import floor_of, free_paths

__all__ = ["Crowd", "Scene", "forecasts", "heats", "suggested"]

FOV_Y_DEG, VIEWPORT_PX = 60.0, (1280.0, 720.0)
HEAD_M = 1.9
COST_VISITS = 64
METRE_DECIMALS = 3

Row = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Scene:
    """A scene that was read: its slots and what stands in it, glass left out."""

    document: Document
    slots: tuple[SceneSlot, ...]
    geometry: SceneGeometry
    occluders: Occluders

    @classmethod
    def of(cls, document: Document, modes: Mapping[str, Mode]) -> Scene:
        """Return the scene in a document, its nodes hiding as `modes` say by name, else as they say themselves.

        Raises what is wrong with the first slot that is not one, or with the modes.
        """
        found = scene_slots(document)
        for problem in found.problems:
            raise problem
        names = [str(node.get("name", "")) or f"node {index}" for index, node in enumerate(document.array("nodes"))]
        occluders = occluders_of(scene_parts(document, modes), names)
        return cls(document, found.slots, scene_geometry(document), occluders)

    def with_boards(self, spots: Spots, profile_name: str) -> Scene:
        """Return the scene with a slot at each of the spots, called suggested-1 and so on."""
        document = self.document
        taken = {item.slot.id for item in self.slots}
        ids = (name for number in range(1, 10**6) if (name := f"suggested-{number}") not in taken)
        for position, facing, name in zip(spots.position.tolist(), spots.facing.tolist(), ids, strict=False):
            terms = SlotTerms.parse({"id": name, "size": list(spots.size), "profile": profile_name})
            document = add_slot(document, terms, _rounded(position), _rounded(facing))
        return Scene(document, scene_slots(document).slots, self.geometry, self.occluders)


@dataclass(frozen=True)
class Crowd:
    """Who visits: the walkers of a file, or invented ones who walk, stop, and look at boards on their way."""

    paths: Paths | None
    walkers: int
    seconds: float
    seed: int

    @property
    def visits(self) -> int:
        """How many visits there are."""
        return len(self.paths.paths) if self.paths else self.walkers

    def walk(self, scene: Scene, sample_ms: int, say: Say) -> Visits:
        """Return their visits to a scene."""
        if self.paths:
            return Visits.of_paths(self.paths, sample_ms)
        if self.walkers * self.seconds * 1000 > MAX_TOTAL_MS:
            detail = f"{self.walkers} visits of {self.seconds:g} s are more than {MAX_TOTAL_MS // 3_600_000} hours"
            raise OpenSlotError(Code.ARGUMENT_INVALID, detail, where="--walkers, --seconds")
        say(f"{self.walkers} visitors walk for {self.seconds:g} s")
        ways = free_paths(scene.geometry.vertices, scene.geometry.triangles, seed=self.seed)
        surfaces = _surfaces(scene.slots)
        sights = [Sight(middle, facing) for middle, facing in zip(surfaces.centre, surfaces.facing, strict=True)]
        lens = Camera.perspective((0, 0, 0), fov_y_deg=FOV_Y_DEG, viewport_px=VIEWPORT_PX)
        samples = max(1, round(self.seconds * 1000 / sample_ms))
        return Visits.of_walkers(crowd(ways, sights, self.walkers, self.seed), samples, sample_ms, lens)


def suggested(
    scene: Scene, people: Crowd, profile_name: str, wanted: tuple[int, Size], backend: str, say: Say
) -> Spots:
    """Return where the `wanted` number of boards of a size would earn most, away from the slots that hang."""
    rules = profile(profile_name)
    count, size = wanted
    if not len(scene.geometry.triangles):
        return Spots.join([], size)
    visits = people.walk(scene, rules.sample_ms, say)
    triangles = TriangleSet.join(scene.occluders.sets)
    corners = scene.geometry.vertices[scene.geometry.triangles]
    places = [wall_spots(triangles, size), standing_spots(triangles, floor_of(corners, HEAD_M), visits.eye, size)]
    say(f"{sum(map(len, places))} places for a board are tried")
    middles = np.reshape([item.slot.pose.position for item in scene.slots], (-1, 3))
    spots = Spots.join(places, size).apart_from(middles)
    return best_spots(visits, spots, scene.occluders, rules, count, backend=backend)


def forecasts(scene: Scene, people: Crowd, profile_name: str | None, backend: str, say: Say) -> list[Row]:
    """Return one row of figures for each slot of the scene, each by its own profile unless one is named."""
    names = [profile_name or item.slot.profile for item in scene.slots]
    rows: dict[str, Row] = {}
    for name in dict.fromkeys(names):
        chosen = [item for item, its in zip(scene.slots, names, strict=True) if its == name]
        rows |= _by_profile(scene, chosen, people, name, backend, say)
    return [rows[item.slot.id] for item in scene.slots]


def heats(
    scene: Scene, people: Crowd, profile_name: str | None, backend: str, say: Say
) -> dict[str, NDArray[np.float64]]:
    """Return by slot the seconds a visit for which each part of it would be seen, row 0 at the bottom."""
    names = [profile_name or item.slot.profile for item in scene.slots]
    found: dict[str, NDArray[np.float64]] = {}
    for name in dict.fromkeys(names):
        chosen = [item for item, its in zip(scene.slots, names, strict=True) if its == name]
        rules = profile(name)
        some = people.walk(scene, rules.sample_ms, say).some(COST_VISITS)
        say(f"which parts of {len(chosen)} slots {len(some)} visitors see by {name}")
        maps = heat(some, _surfaces(chosen), scene.occluders, rules, backend=backend).maps_ms
        found |= {item.slot.id: each / 1000 / len(some) for item, each in zip(chosen, maps, strict=True)}
    return found


def _by_profile(
    scene: Scene, slots: Sequence[SceneSlot], people: Crowd, name: str, backend: str, say: Say
) -> dict[str, Row]:
    rules, surfaces = profile(name), _surfaces(slots)
    visits = people.walk(scene, rules.sample_ms, say)

    def progress(share: float) -> None:
        say(f"{share:.0%} of the visits looked at {len(slots)} slots by {name}")

    found = forecast(visits, surfaces, scene.occluders, rules, backend=backend, progress=progress)
    some = visits.some(COST_VISITS)
    rows = {}
    for index, item in enumerate(slots):
        say(f"what stands before {item.slot.id}")
        worst = costs(some, surfaces, index, scene.occluders, rules, backend=backend)
        rows[item.slot.id] = {
            "slot": item.slot.id,
            "profile": name,
            **_figures(found, index),
            "occluders": [_cost(cost, scene.occluders) for cost in worst],
        }
    return rows


def _surfaces(slots: Sequence[SceneSlot]) -> Surfaces:
    return Surfaces.from_slots([item.slot for item in slots], owner=np.array([item.node for item in slots], np.int64))


def _figures(found: Forecast, index: int) -> Row:
    share, reasons = found.counted_share(index), found.reasons(index)
    return {
        "counted_share": round(share.mean, 6),
        "impressions_per_1000_visits": _plain(share.times(1000)),
        "impressions_per_hour": _plain(share.times(found.visits_per_hour())),
        "exposure_s_per_visit": _plain(found.exposure(index).times(1e-3)),
        "why_not": {
            reason.name.lower(): round(count / len(found.visit_ms), 6)
            for reason, count in sorted(reasons.items(), key=lambda item: -item[1])
            if reason is not WhyNot.COUNTED
        },
    }


def _cost(cost: Cost, occluders: Occluders) -> Row:
    return {
        "node": cost.owner,
        "name": occluders.names[cost.owner],
        "impressions_per_1000_visits": round(1000 * cost.counted_share, 3),
        "exposure_s_per_visit": round(cost.exposure_ms / 1000, 6),
        "visible_fraction": round(cost.visible_fraction, 6),
    }


def _plain(interval: Interval) -> dict[str, float]:
    return {name: round(value, 3) for name, value in asdict(interval).items()}


def _rounded(vector: list[float]) -> tuple[float, float, float]:
    x, y, z = (round(part, METRE_DECIMALS) + 0.0 for part in vector)
    return x, y, z
