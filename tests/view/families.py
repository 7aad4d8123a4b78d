"""Hard cases made by a seed: a camera, a board and what stands about it, in fifteen families."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openslot_view import Cameras, Depth, Occluders, Surfaces, Visibility, capsule, measure
from openslot_view.cameras import Camera, rotation_matrix
from tests.view.scenes import box_mesh, rigid

Floats = NDArray[np.float64]
Random = np.random.Generator


@dataclass
class Case:
    """Written about a board in the plane z = 0 that looks along +z; `lens` is (left, right, bottom, top) at 1 m."""

    facets: Floats
    things: list[Floats]
    eye: Floats
    target: Floats
    lens: Floats
    near: float = 0.1
    far: float = 1000.0
    depth: Depth = Depth.MINUS_ONE_TO_ONE
    flat: bool = False
    mirrored: bool = False
    away: float = 0.0

    def measured(self, seed: int, backend: str) -> Visibility:
        """Return what is seen after everything was turned and moved as a whole."""
        place = rigid(np.random.default_rng(seed), self.away) if self.away else np.eye(4)
        view = Camera.perspective(self.eye, target=self.target).camera_from_world @ np.linalg.inv(place)
        view = np.diag([-1.0 if self.mirrored else 1.0, 1, 1, 1]) @ view
        corners = np.concatenate([np.zeros((0, 3, 3)), *self.things]) @ place[:3, :3].T + place[:3, 3]
        facets = self.facets @ place[:3, :3].T + place[:3, 3]
        rows = np.arange(len(corners) * 3).reshape(-1, 3)
        board = (
            Surfaces.from_quads(facets, two_sided=seed % 2 == 0)
            if facets.shape[1] == 4
            else Surfaces.from_mesh(facets.reshape(-1, 3), np.arange(len(facets) * 3).reshape(-1, 3))
        )
        cameras = Cameras([view], [self.projection()], [(1920, 1080)], self.depth)
        return measure(cameras, board, Occluders.build(corners.reshape(-1, 3), rows), backend=backend)

    def projection(self) -> Floats:
        left, right, bottom, top = self.lens
        matrix = np.zeros((4, 4))
        matrix[0, 0], matrix[1, 1] = 2 / (right - left), 2 / (top - bottom)
        shift = (right + left) / (right - left), (top + bottom) / (top - bottom)
        # the clip depth is a + b · z for a view from infinity, over −z for one from a point
        low, high = {0: (-1.0, 1.0), 1: (0.0, 1.0), 2: (1.0, 0.0)}[int(self.depth)]
        if self.flat:
            slope = (high - low) / (self.far - self.near)
            matrix[0, 3], matrix[1, 3], matrix[3, 3] = -shift[0], -shift[1], 1.0
            matrix[2, 2], matrix[2, 3] = -slope, low - slope * self.near
        else:
            ratio = self.near / self.far
            matrix[0, 2], matrix[1, 2], matrix[3, 2] = *shift, -1.0
            matrix[2, 2] = (low * ratio - high) / (1 - ratio)
            matrix[2, 3] = (low - high) * self.near / (1 - ratio)
        return matrix


def boxes(rng: Random, count: int, low: float = 0.3) -> Floats:
    found = [np.zeros((0, 3, 3))]
    for _ in range(count):
        points, faces = box_mesh(rng.uniform([-4, -3, low], [4, 3, 8]), rng.uniform(0.05, 0.9, 3))
        turn = rotation_matrix(rng.normal(size=4)) if rng.random() < 0.5 else np.eye(3)
        middle = points.mean(axis=0)
        found.append(((points - middle) @ turn.T + middle)[faces])
    return np.concatenate(found)


def soup(rng: Random, count: int, high: float = 9.0, size: float = 0.5) -> Floats:
    return np.asarray(rng.uniform([-4, -3, -1], [4, 3, high], (count, 1, 3)) + rng.normal(0, size, (count, 3, 3)))


def plain(rng: Random) -> Case:
    corners = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)]) * [*rng.uniform(0.5, 4, 2), 1]
    if rng.random() < 0.3:
        corners[:, :2] *= rng.uniform(0.7, 1.3, (4, 1))
    tall, wide = np.tan(np.radians(rng.uniform(20, 55))), rng.uniform(0.6, 2.2)
    lens = np.array([-tall * wide, tall * wide, -tall, tall])
    eye, target = rng.uniform([-8, -3, 0.8], [8, 3, 14]), rng.normal(0, 1.2, 3)
    depth, far = Depth(int(rng.integers(3))), float(rng.choice([60.0, 1000.0, np.inf]))
    return Case(corners[None], [], eye, target, lens, far=far, depth=depth, away=20.0)


def near(case: Case, rng: Random) -> None:
    case.eye = np.array([*rng.uniform(-1, 1, 2), rng.uniform(0.02, 0.6)])
    case.target, case.near = case.eye + rng.normal(0, 1, 3), float(rng.choice([0.05, 0.1, 0.5]))
    case.things = [soup(rng, 15, 0.6, 0.3), boxes(rng, 3, -0.3)]


def asymmetric(case: Case, rng: Random) -> None:
    case.lens = case.lens * (1 + rng.uniform(-0.5, 0.5, 2)[[0, 0, 1, 1]] * [1, -1, 1, -1])
    case.things, case.mirrored = [boxes(rng, 8)], bool(rng.random() < 0.5)


def far(case: Case, rng: Random) -> None:
    case.eye = case.eye * rng.uniform(5, 60)
    case.lens, case.far = case.lens / rng.uniform(1, 20), float(np.linalg.norm(case.eye) * rng.uniform(0.9, 1.1))
    case.things = [boxes(rng, 8)]


def edge(case: Case, rng: Random) -> None:
    side = rng.uniform(3, 9) * rng.choice([-1, 1])
    case.eye = np.array([side, rng.uniform(-4, 4), 10 ** rng.uniform(-4, -0.5) * rng.choice([-1, 1])])
    case.things = [boxes(rng, 5, -1)]


def framed(case: Case, rng: Random) -> None:
    wide, tall = np.abs(case.facets[0, :, :2]).max(axis=0)
    thick, deep = rng.uniform(0.02, 0.3), rng.uniform(0.02, 0.4)
    for x, y, half_x, half_y in (
        (wide + thick, 0, thick, tall),
        (-wide - thick, 0, thick, tall),
        (0, tall, wide, thick),
    ):
        points, faces = box_mesh(np.array([x, y, deep / 2]), np.array([half_x, half_y, deep / 2]))
        case.things.append(points[faces])
    wall = np.array(
        [[(-20, -20, 0), (20, -20, 0), (20, 20, 0)], [(-20, -20, 0), (20, 20, 0), (-20, 20, 0)]], np.float64
    )
    case.things.append(wall + np.array([0, 0, rng.choice([0, -1e-6, 1e-6, -0.01])]))


def curved(case: Case, rng: Random) -> None:
    arc, radius, tall = rng.uniform(0.5, 5.5), rng.uniform(0.8, 3), rng.uniform(0.5, 2)
    turn = np.linspace(-arc / 2, arc / 2, int(rng.integers(6, 24)))
    x, z = radius * np.sin(turn), rng.choice([-1, 1]) * radius * (np.cos(turn) - 1)
    low, high = (np.stack([x, np.full_like(x, y), z], axis=1) for y in (-tall, tall))
    lower = np.stack([low[:-1], low[1:], high[1:]], axis=1)
    case.facets = np.concatenate([lower, np.stack([low[:-1], high[1:], high[:-1]], axis=1)])
    case.things = [boxes(rng, 4)]


def orthographic(case: Case, rng: Random) -> None:
    case.flat, case.lens = True, rng.uniform(1, 6) * np.array([-1, 0.7, -0.8, 1])
    case.near, case.far, case.things = float(rng.choice([-5.0, 0.1, 3.0])), 60.0, [boxes(rng, 8)]


def avatars(case: Case, rng: Random) -> None:
    points, faces = capsule(1.8, 0.28, 12, 6)
    case.things = [(points + rng.uniform([-3, -3, 0.3], [3, 0, 8]))[faces] for _ in range(6)]


def behind(case: Case, rng: Random) -> None:
    case.eye, case.things = case.eye * (1, 1, -1), [boxes(rng, 5, -6)]


def huge(case: Case, rng: Random) -> None:
    case.away, case.mirrored, case.things = float(rng.choice([1e4, 1e5])), bool(rng.random() < 0.5), [boxes(rng, 8)]


def offscreen(case: Case, rng: Random) -> None:
    case.target, case.things = rng.normal(0, 5, 3), [boxes(rng, 3)]


def reversed_depth(case: Case, rng: Random) -> None:
    case.depth, case.things = Depth.REVERSED_ZERO_TO_ONE, [boxes(rng, 8)]


def things(make: Callable[[Random], Floats]) -> Callable[[Case, Random], None]:
    def change(case: Case, rng: Random) -> None:
        case.things = [make(rng)]

    return change


FAMILIES: dict[str, Callable[[Case, Random], None]] = {
    "open": things(lambda _: np.zeros((0, 3, 3))),
    "offscreen": offscreen,
    "boxes": things(lambda rng: boxes(rng, 20)),
    "soup": things(lambda rng: soup(rng, 150)),
    "avatars": avatars,
    "near": near,
    "vr": asymmetric,
    "far": far,
    "edge": edge,
    "back": behind,
    "framed": framed,
    "curved": curved,
    "ortho": orthographic,
    "reversedz": reversed_depth,
    "huge": huge,
}


def case(family: str, seed: int) -> Case:
    """Return one case; a quarter of all have something that goes through the eye."""
    rng = np.random.default_rng([sum(map(ord, family)), seed])
    made = plain(rng)
    FAMILIES[family](made, rng)
    if rng.random() < 0.25:
        made.things.append(made.eye + rng.normal(0, 0.25, (6, 3, 3)))
    return made
