"""A town by code: boxes for houses, capsules for people, leaves; cameras at eye height and boards on posts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from openslot_view.cameras import Camera, Cameras
from openslot_view.capsules import capsule
from openslot_view.surfaces import Surfaces

__all__ = ["boards", "foliage", "town", "walkers"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mesh = tuple[Floats, Ints]

_SIDE_M = 200.0
_AROUND, _ALONG = 26, 16  # of a person: 884 triangles


def town(triangles: int, seed: int = 0) -> Mesh:
    """Return about `triangles` triangles on 200 m square: up to 400 houses, the rest people."""
    rng = np.random.default_rng(seed)
    houses = min(400, max(20, triangles // 24))
    people = max(0, triangles - 12 * houses) // (2 * _AROUND * (_ALONG + 1))
    half = rng.uniform([1, 1, 1], [6, 8, 6], (houses, 3))
    middle = _places(rng, houses, half[:, 1])
    box, person = _box(), capsule(around=_AROUND, along=_ALONG)
    spots = _places(rng, people, np.zeros(people))
    return _joined([*((box[0] * h + m, box[1]) for h, m in zip(half, middle, strict=True)), *_moved(person, spots)])


def foliage(leaves: int, seed: int = 0) -> Mesh:
    """Return `leaves` loose triangles of a hand's size, 2 to 6 m before the board that `boards` puts at the origin."""
    rng = np.random.default_rng(seed)
    middle = rng.uniform([-2, 0, 2], [2, 3, 6], (leaves, 1, 3))
    return (middle + rng.normal(0, 0.04, (leaves, 3, 3))).reshape(-1, 3), np.arange(3 * leaves).reshape(-1, 3)


def walkers(count: int, seed: int = 1) -> Cameras:
    """Return cameras at eye height, anywhere in the town, looking along the ground."""
    rng = np.random.default_rng(seed)
    eye = _places(rng, count, np.full(count, 1.7))
    yaw = rng.uniform(-np.pi, np.pi, count)
    ahead = np.stack([np.cos(yaw), np.zeros(count), np.sin(yaw)], axis=1)
    return Cameras.stack(
        [Camera.perspective(e, target=e + a, near=0.1, far=120.0) for e, a in zip(eye, ahead, strict=True)]
    )


def boards(count: int, seed: int = 2) -> Surfaces:
    """Return one-sided boards of 1 to 8 m, anywhere in the town, turned anywhere."""
    rng = np.random.default_rng(seed)
    yaw = rng.uniform(-np.pi, np.pi, count)
    across = np.stack([np.cos(yaw), np.zeros(count), np.sin(yaw)], axis=1) * rng.uniform(0.5, 4.0, (count, 1))
    up = np.array([0.0, 1.0, 0.0]) * rng.uniform(0.5, 2.0, (count, 1))
    middle = _places(rng, count, rng.uniform(1, 8, count))
    corners = [middle - across - up, middle + across - up, middle + across + up, middle - across + up]
    return Surfaces.from_quads(np.stack(corners, axis=1))


def _places(rng: np.random.Generator, count: int, height: Floats) -> Floats:
    ground = rng.uniform(-_SIDE_M / 2, _SIDE_M / 2, (count, 2))
    return np.stack([ground[:, 0], height, ground[:, 1]], axis=1)


def _box() -> Mesh:
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return signs, np.array([face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))])


def _moved(mesh: Mesh, spots: Floats) -> list[Mesh]:
    return [(mesh[0] + spot, mesh[1]) for spot in spots]


def _joined(meshes: list[Mesh]) -> Mesh:
    offsets = np.cumsum([0] + [len(vertices) for vertices, _ in meshes])
    faces = [faces + offset for (_, faces), offset in zip(meshes, offsets[:-1], strict=True)]
    return np.concatenate([vertices for vertices, _ in meshes]), np.concatenate(faces)
