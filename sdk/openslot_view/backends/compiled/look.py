"""All viewers × surfaces in one call: the cheap questions first, occluders for what passes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_spec.exposures import WhyNot
from openslot_view.backends.compiled.cast import aim, outline
from openslot_view.backends.compiled.collect import HIDDEN, OPEN, OVERFLOW, collect, total
from openslot_view.backends.compiled.eyes import derive, in_view, turned
from openslot_view.backends.compiled.kernel import Flat, Record, Scene, inlined, kernel, scene_of, woven
from openslot_view.backends.compiled.place import collect_placed

__all__ = ["look", "walk"]

Floats = NDArray[np.float64]
Rows = NDArray[np.void]

COUNTED, VIEWPORT, BACK_FACING = int(WhyNot.COUNTED), int(WhyNot.VIEWPORT), int(WhyNot.BACK_FACING)
CLIPPED, OBLIQUE, SMALL = int(WhyNot.CLIPPED), int(WhyNot.TOO_OBLIQUE), int(WhyNot.TOO_SMALL)
OBSTRUCTED, UNMEASURABLE = int(WhyNot.OBSTRUCTED), int(WhyNot.UNMEASURABLE)

_EXACT = 1e-9


@kernel
def look(
    views: tuple[Floats, Floats, NDArray[np.uint8]],
    surfaces: tuple[Rows, Rows],
    parts: Flat,
    gates: Rows,
    rooms: Rows,
    seen: Rows,
) -> int:
    """Fill `seen` (v, s); return how many pairs' shadows overflow the room.

    `views` are camera_from_world, clip_from_camera and depth; `surfaces` the surfaces and their facets; `gates` and
    `rooms` have one row. Pairs that overflow are left UNMEASURABLE, for their caller to measure in parts.
    """
    scene, room, limits = scene_of(parts), rooms[0], gates[0]
    crowded = 0
    for v in range(len(views[0])):
        derive(views[0][v], views[1][v], views[2][v], room.camera)
        for s in range(len(surfaces[0])):
            surface, pair = surfaces[0][s], seen[v, s]
            pair.sight, pair.screen = turned(room.camera, surface)
            pair.why = VIEWPORT
            if in_view(room.camera, surface):
                _pair(surface, surfaces[1], scene, limits, room, pair)
                crowded += pair.why == UNMEASURABLE
    return crowded


@woven
def walk(scene: Scene, beam: Record, room: Record) -> tuple[int, int]:
    """Collect the beam's shadows of the whole scene; return their number and how the beam stands."""
    shadows, state = collect(scene.static, 0, beam, False, 0, room)  # noqa: FBT003 - compiled
    if state == OPEN and len(scene.dynamic.triangles):
        shadows, state = collect(scene.dynamic, 0, beam, False, shadows, room)  # noqa: FBT003
    if state == OPEN and len(scene.own.triangles):
        shadows, state = collect(scene.own, 0, beam, True, shadows, room)  # noqa: FBT003
    if state == OPEN and len(scene.placed.instances):
        used = scene.own.offset + len(scene.own.triangles)
        shadows, state = collect_placed(scene.placed, beam, used, shadows, room)
    return shadows, state


@woven
def _pair(surface: Record, facets: Rows, scene: Scene, gates: Record, room: Record, pair: Record) -> None:
    if pair.sight <= 0 and not surface.two_sided and surface.last - surface.first == 1:
        pair.why = BACK_FACING
        return
    chart = seen = 0.0
    for f in range(surface.first, surface.last):
        if _drawn(room.camera, surface, facets[f]) and outline(room.camera, facets[f], room.outline, room.beam):
            chart += room.beam.chart_area * facets[f].share
            seen += room.beam.screen_area
    pair.on_screen = pair.visible = _snapped(chart)
    if pair.on_screen == 0:
        return
    pair.coverage = min(seen, 1.0)
    pair.why = _gate(pair, gates)
    if pair.why == COUNTED or gates.ask_all:
        pair.measured = True
        _unhidden(surface, facets, scene, room, pair)
        small = pair.visible < gates.visible_fraction_min or pair.coverage < gates.coverage_min
        if pair.why == COUNTED and small:
            pair.why = OBSTRUCTED


@woven
def _unhidden(surface: Record, facets: Rows, scene: Scene, room: Record, pair: Record) -> None:
    """Write what occluders leave visible."""
    chart = seen = 0.0
    for f in range(surface.first, surface.last):
        facet, beam = facets[f], room.beam
        if surface.last - surface.first > 1 and not (
            _drawn(room.camera, surface, facet) and outline(room.camera, facet, room.outline, beam)
        ):
            continue
        aim(room.camera, facet, beam)
        beam.owner, beam.surface = surface.owner, surface.number
        shadows, state = walk(scene, beam, room)
        if state == OVERFLOW:
            pair.why = UNMEASURABLE
            return
        if state != HIDDEN:
            inside, shown = total(beam, shadows, room)
            chart += max(beam.chart_area - inside, 0.0) * facet.share
            seen += max(beam.screen_area - shown, 0.0)
    pair.visible = _snapped(chart)
    pair.coverage = min(seen, 1.0) if pair.visible > 0 else 0.0


@inlined
def _drawn(camera: Record, surface: Record, facet: Record) -> bool:
    """Return whether the facet's front is seen; of a flat surface that is known, of a two-sided one not asked."""
    if surface.last - surface.first == 1 or surface.two_sided:
        return True
    side = 0.0
    for c in range(3):
        back = camera.toward[c] if camera.orthographic else camera.eye[c] - facet.corners[0, c]
        side += back * facet.normal[c]
    return side > 0


@inlined
def _gate(pair: Record, gates: Record) -> int:
    """Return the first gate that fails without any occluder, or COUNTED."""
    if pair.on_screen < gates.visible_fraction_min:
        return CLIPPED
    cosine = pair.screen if gates.by_screen else pair.sight
    angle = np.degrees(np.arccos(abs(cosine)))
    if angle > gates.angle_max_deg or (angle == gates.angle_max_deg and not gates.angle_inclusive):
        return OBLIQUE
    return SMALL if pair.coverage < gates.coverage_min else COUNTED


@inlined
def _snapped(share: float) -> float:
    """Return what is nearer to none or all than rounding as none or all."""
    if share < _EXACT:
        return 0.0
    return 1.0 if share > 1 - _EXACT else share
