"""Placements: the beam is moved into each shape's coordinates, not the shape into the world."""

from __future__ import annotations

from openslot_view.backends.compiled.collect import OPEN, collect, meets, planes_of
from openslot_view.backends.compiled.kernel import Mesh, Placed, Record, inlined, kernel

__all__ = ["collect_placed"]


@kernel
def collect_placed(placed: Placed, beam: Record, offset: int, shadows: int, room: Record) -> tuple[int, int]:
    """Add the shadows of all placements; return their number and how the beam stands.

    `offset` is the first triangle number that no other mesh has.
    """
    mesh, stack = placed.mesh, room.world_stack
    planes = planes_of(beam, room.world_planes)
    _copied(beam, room.local)
    stack[0], depth = 0, 1
    while depth:
        depth -= 1
        node = placed.nodes[stack[depth]]
        if not meets(node, room.world_planes, planes):
            continue
        if node.size == 0:
            stack[depth], stack[depth + 1] = node.first, node.first + 1
            depth += 2
            continue
        for i in range(node.first, node.first + node.size):
            instance = placed.instances[i]
            if instance.owner >= 0 and instance.owner == beam.owner:
                continue
            _moved(beam, instance, room.local)
            there = Mesh(mesh.triangles, mesh.nodes, mesh.bodies, offset + instance.number * len(mesh.triangles))
            shadows, state = collect(there, instance.root, room.local, False, shadows, room)  # noqa: FBT003 - compiled
            if state != OPEN:
                return shadows, state
    return shadows, OPEN


@inlined
def _copied(beam: Record, local: Record) -> None:
    """Write what does not depend on coordinates."""
    local.orthographic, local.sides, local.chart_area = beam.orthographic, beam.sides, beam.chart_area
    local.owner, local.surface = beam.owner, beam.surface
    for i in range(beam.sides):
        for c in range(3):
            local.borders[i, c] = beam.borders[i, c]
        local.outline[i, 0], local.outline[i, 1] = beam.outline[i, 0], beam.outline[i, 1]
    for r in range(3):
        for c in range(3):
            local.screen[r, c] = beam.screen[r, c]


@inlined
def _moved(beam: Record, instance: Record, local: Record) -> None:
    """Write the eye, the direction to it and the forms as the shape has them."""
    for c in range(3):
        local.eye[c] = local.toward[c] = 0.0
        for k in range(3):
            local.eye[c] += instance.back[c, k] * (beam.eye[k] - instance.place[k])
            local.toward[c] += instance.back[c, k] * beam.toward[k]
    for row in range(5):
        for c in range(3):
            local.forms[row, c] = 0.0
            for k in range(3):
                local.forms[row, c] += beam.forms[row, k] * instance.turn[k, c]
        local.forms[row, 3] = beam.forms[row, 3]
