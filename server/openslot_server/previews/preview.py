"""A creative in its slot as viewers 3, 6 and 12 m away would see it, and turned before a plain ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openslot_gltf import Document, panel, read_document, write_glb
from openslot_gltf.bounds import content_bounds
from openslot_gltf.document import Json
from openslot_gltf.fit import FLAT, fitted
from openslot_gltf.normals import with_normals
from openslot_server.previews.renderer import Matrix, Pixels, Point, Renderer, Shot
from openslot_server.previews.stage import Stage, own_terms, room, size_of
from openslot_spec.slots import MediaType, Slot, SlotTerms
from openslot_view import Camera, Cameras, Surfaces, measure
from openslot_view.cameras import rotation_matrix

__all__ = ["DISTANCES_M", "Preview", "View", "as_document", "drawn", "facing", "looked_at", "turned"]

DISTANCES_M = (3.0, 6.0, 12.0)
VIEW_PX = (480, 270)
TURN_PX = 170
TURNS = 8
FOV_Y_DEG = 60.0
TURN_FOV_DEG = 30.0
RAISED_DEG = 12.0
CLOSE = 0.48
"""Of the box's diagonal: nearer than the sphere round it, which few creatives fill."""
GROUND: Point = (0.86, 0.87, 0.9)
SKY: Point = (0.55, 0.66, 0.8)
Side = tuple[float, float]
"""An angle round the creative and one above it, degrees."""
SUN: Point = (-0.5, -1.0, -0.7)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What one viewer sees: how far away, the slot's share of the screen, how much of it is visible, a picture."""

    distance_m: float
    screen_share: float
    visible_fraction: float
    pixels: Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """A creative's pictures."""

    views: tuple[View, ...]
    turntable: tuple[Pixels, ...]


def as_document(data: bytes, media_type: MediaType, terms: SlotTerms | None = None) -> Document:
    """Return what hangs in a slot of these terms, or of its own shape: the model, or a panel with the image."""
    if media_type == "model/gltf-binary":
        return read_document(data)
    free = SlotTerms(id="free", size=(10.0, 10.0))
    return panel(data, terms or free)


def drawn(renderer: Renderer, data: bytes, media_type: MediaType, stage: Stage | None = None) -> Preview:
    """Return the pictures of an accepted creative, in the slot of `stage`, or in one of its own shape in a room.

    It stands where `embed` would hang it, and is loaded once for all of them.
    """
    if stage is None:
        stage = room(own_terms(size_of(as_document(data, media_type))))
    creative = as_document(data, media_type, stage.slot)
    views = [_shot(stage.slot, distance) for distance in DISTANCES_M]
    glb, scene = (write_glb(_drawable(document)) for document in (creative, stage.document))
    shots = [*views, *_orbits(creative, _sides_deg(creative, TURNS), TURN_PX)]
    pictures = renderer.draw(glb, shots, scene, _place(creative, stage.slot))
    shares, fractions = _seen(stage, views)
    seen = zip(DISTANCES_M, shares, fractions, pictures[: len(views)], strict=True)
    return Preview(tuple(View(*each) for each in seen), tuple(pictures[len(views) :]))


def turned(renderer: Renderer, creative: Document, count: int, side_px: int) -> list[Pixels]:
    """Return square pictures of the creative alone, turned round once; what is flat swings to both sides instead."""
    return looked_at(renderer, creative, _sides_deg(creative, count), side_px)


def looked_at(renderer: Renderer, creative: Document, sides_deg: Sequence[Side], side_px: int) -> list[Pixels]:
    """Return square pictures of the creative alone, from these angles round it and above it."""
    return renderer.draw(write_glb(_drawable(creative)), _orbits(creative, sides_deg, side_px))


def _sides_deg(creative: Document, count: int) -> list[Side]:
    size = content_bounds(creative).size
    if size[2] <= FLAT * size[:2].max():
        return [(float(yaw), 0.0) for yaw in np.linspace(-60, 60, count)]
    return [(yaw * 360 / count, RAISED_DEG) for yaw in range(count)]


def _orbits(creative: Document, sides_deg: Sequence[Side], side_px: int) -> list[Shot]:
    bounds = content_bounds(creative)
    middle, size = (bounds.low + bounds.high) / 2, bounds.size
    away = CLOSE * float(np.linalg.norm(size)) / np.sin(np.radians(TURN_FOV_DEG / 2))
    return [_orbit(middle, away, yaw, raised, side_px) for yaw, raised in sides_deg]


def _place(creative: Document, slot: Slot) -> Matrix:
    """Return where the creative stands in the slot's world."""
    world_from_slot = np.eye(4)
    world_from_slot[:3, :3] = rotation_matrix(np.array(slot.pose.rotation))
    world_from_slot[:3, 3] = slot.pose.position
    return np.asarray(world_from_slot @ fitted(content_bounds(creative), slot).slot_from_creative)


def facing(renderer: Renderer, creative: Document, side_px: int) -> tuple[Pixels, tuple[float, float]]:
    """Return the creative seen straight from the front without perspective or background, and its width and height.

    The picture is (height, width, 4), `side_px` at its longer side, and ends where the creative does.
    """
    bounds = content_bounds(creative)
    middle, (wide, high, deep) = (bounds.low + bounds.high) / 2, (max(side, 1e-6) for side in bounds.size.tolist())
    scale = side_px / max(wide, high)
    size_px = max(round(wide * scale), 1), max(round(high * scale), 1)
    away = deep + max(wide, high)
    eye = _point(middle + np.array([0.0, 0.0, away]))
    shot = Shot(eye, _point(middle), size_px, near=away / 100, far=away * 4, across_m=(wide, high), background=None)
    (picture,) = renderer.draw(write_glb(_drawable(creative)), [shot])
    return picture, (wide, high)


def _drawable(document: Document) -> Document:
    """Return what the renderer reads as meant: with normals, and without clips that move more than nodes."""
    moves = [animation for animation in document.array("animations") if not _moves_by_pointer(animation)]
    json = {name: value for name, value in document.json.items() if name != "animations"}
    return with_normals(Document({**json, "animations": moves} if moves else json, document.binary))


def _moves_by_pointer(animation: Json) -> bool:
    return any("KHR_animation_pointer" in channel["target"].get("extensions", {}) for channel in animation["channels"])


def _orbit(middle: NDArray[np.float64], away: float, yaw_deg: float, raised_deg: float, side_px: int) -> Shot:
    yaw, raised = np.radians([yaw_deg, raised_deg])
    ahead = np.array([np.sin(yaw) * np.cos(raised), np.sin(raised), np.cos(yaw) * np.cos(raised)])
    return Shot(
        _point(middle + away * ahead),
        _point(middle),
        (side_px, side_px),
        TURN_FOV_DEG,
        near=away / 100,
        far=away * 4,
        sun=_point(_yawed(np.array(SUN), yaw)),
        turn_deg=yaw_deg,
        background=GROUND,
    )


def _yawed(direction: NDArray[np.float64], yaw: float) -> NDArray[np.float64]:
    cosine, sine = np.cos(yaw), np.sin(yaw)
    return np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]) @ direction


def _shot(slot: Slot, distance_m: float) -> Shot:
    """Return the view of somebody who stands straight before the slot."""
    centre = np.array(slot.pose.position)
    ahead = rotation_matrix(np.array(slot.pose.rotation))[:, 2]
    return Shot(
        _point(centre + distance_m * ahead), _point(centre), VIEW_PX, FOV_Y_DEG, sun=SUN, background=SKY, in_room=True
    )


def _seen(stage: Stage, shots: Sequence[Shot]) -> tuple[list[float], list[float]]:
    cameras = [
        Camera.perspective(shot.eye, target=shot.target, fov_y_deg=shot.fov_y_deg, viewport_px=shot.size_px)
        for shot in shots
    ]
    seen = measure(Cameras.stack(cameras), Surfaces.from_slots((stage.slot,)), stage.occluders, backend="numpy")
    return seen.coverage[:, 0].tolist(), seen.visible_fraction[:, 0].tolist()


def _point(values: NDArray[np.float64]) -> Point:
    x, y, z = values.tolist()
    return x, y, z
