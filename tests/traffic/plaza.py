"""A plaza with ten boards, its visitors as whole arrays, and what the SDK's own machinery reports of them.

Visitors walk with mouse and keys, wear headsets, teleport, lag, or stand and chat. Nothing here knows the rules of
invalid traffic. What is an event is decided by `openslot_sdk.views`, which the meter is made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openslot_sdk.views import Crowd, Recorded, Views
from openslot_spec.profiles import profile
from openslot_spec.slots import Slot
from openslot_view import Camera, Cameras, Occluders, warm_up

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
TICK_MS = 200
BOARDS = 10
RING_M = 12.0
EYE_M = 1.6
VIEWPORT = (1920.0, 1080.0)


class Kind(IntEnum):
    """How somebody moves."""

    MOUSE = 0
    HEADSET = 1
    TELEPORT = 2
    LAG = 3
    CHAT = 4
    """Walks up to a board and stands there, hands on the keyboard: not a hair moves."""


SPEED_MPS = np.array([4.0, 1.0, np.inf, 4.0, 4.0])
TURN_DEG_PER_S = np.array([400.0, 150.0, 400.0, 400.0, 400.0])
DWELL_S = np.array([(1.5, 9.0), (2.0, 15.0), (1.5, 9.0), (1.5, 9.0), (30.0, 400.0)])
SWAY = np.array([0.0, 1.0, 0.3, 0.0, 0.0])
"""Of a head on a neck: 1 is a centimetre and a degree."""
SHARES = (0.32, 0.25, 0.15, 0.2, 0.08)


def boards() -> list[dict[str, Any]]:
    """Return slots in a ring that look at its middle."""
    turns = 2 * np.pi * np.arange(BOARDS) / BOARDS
    return [
        {
            "id": f"board-{number}",
            "size": (4.0, 2.5),
            "pose": {
                "position": (RING_M * np.sin(turn), 2.0, RING_M * np.cos(turn)),
                "rotation": (0.0, float(np.sin((turn + np.pi) / 2)), 0.0, float(np.cos((turn + np.pi) / 2))),
            },
        }
        for number, turn in enumerate(turns)
    ]


def pillars() -> Occluders:
    """Return four columns that stand before the boards now and then."""
    corners = np.array([(x, y, z) for y in (0.0, 4.0) for x, z in ((-0.3, -0.3), (0.3, -0.3), (0.3, 0.3), (-0.3, 0.3))])
    walls = [(a, b, b + 4) for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))]
    walls += [(a, b + 4, a + 4) for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))]
    feet = np.array([(5.0, 0.0, 5.0), (-5.0, 0.0, 5.0), (5.0, 0.0, -5.0), (-5.0, 0.0, -5.0)])
    vertices = (feet[:, None] + corners).reshape(-1, 3)
    triangles = (np.arange(4)[:, None, None] * 8 + np.array(walls)).reshape(-1, 3)
    return Occluders.build(vertices, triangles)


class Visitors:
    """Where everybody is and looks; `step` lets a tick pass."""

    def __init__(self, count: int, chance: np.random.Generator) -> None:
        self._chance = chance
        self.kind = chance.choice(len(Kind), count, p=SHARES)
        self.position = chance.uniform(-9, 9, (count, 2))
        self.yaw = chance.uniform(-180, 180, count)
        self._goal, self._gaze = self.position.copy(), self.yaw.copy()
        self._change_ms = np.zeros(count)
        self._sway = np.zeros((count, 4))
        self.absent = np.zeros(count, np.bool_)

    def step(self, t_ms: int) -> None:
        """Move, turn, and be lost to the network for a moment."""
        tick_s = TICK_MS / 1000
        self._choose(np.flatnonzero(self._change_ms <= t_ms), t_ms)
        way = self._goal - self.position
        distance = np.linalg.norm(way, axis=1)
        share = np.minimum(1.0, SPEED_MPS[self.kind] * tick_s / np.maximum(distance, 1e-9))
        self.position += way * share[:, None]
        left = (self._gaze - self.yaw + 180) % 360 - 180
        most = TURN_DEG_PER_S[self.kind] * tick_s
        self.yaw += np.clip(left, -most, most)
        self._sway = 0.9 * self._sway + self._chance.normal(0, 0.44, self._sway.shape)
        lost = self._chance.random(len(self.kind))
        self.absent = (self.kind == Kind.LAG) & np.where(self.absent, lost < 0.6, lost < 0.05)

    def cameras(self, who: Places) -> Cameras:
        """Return the cameras of some visitors."""
        sway = self._sway[who] * SWAY[self.kind[who]][:, None]
        yaw, pitch = np.radians(self.yaw[who] + sway[:, 0]), np.radians(sway[:, 1])
        height = np.full(len(who), EYE_M)
        eye = np.stack([self.position[who, 0], height, self.position[who, 1]], axis=1)
        eye[:, [0, 2]] += sway[:, 2:] / 100
        view = np.zeros((len(who), 4, 4))
        view[:, 3, 3] = 1
        view[:, :3, :3] = _turns(yaw, pitch).swapaxes(1, 2)
        view[:, :3, 3] = -(view[:, :3, :3] @ eye[:, :, None])[:, :, 0]
        clip = Camera.perspective((0, 0, 0), viewport_px=VIEWPORT).clip_from_camera
        return Cameras(view, np.broadcast_to(clip, view.shape), np.broadcast_to(VIEWPORT, (len(who), 2)))

    def _choose(self, who: Places, t_ms: int) -> None:
        """Give new goals and something to look at: a board more often than not."""
        chance = self._chance
        turn = 2 * np.pi * chance.integers(0, BOARDS, len(who)) / BOARDS
        board = RING_M * np.stack([np.sin(turn), np.cos(turn)], axis=1)
        chats = self.kind[who] == Kind.CHAT
        near = board * chance.uniform(0.4, 0.8, (len(who), 1)) + chance.uniform(-1, 1, (len(who), 2))
        self._goal[who] = np.where(chats[:, None], near, chance.uniform(-9, 9, (len(who), 2)))
        to_board = board - self._goal[who]
        looks = chats | (chance.random(len(who)) < 0.6)
        ahead = np.degrees(np.arctan2(-to_board[:, 0], -to_board[:, 1])) + chance.normal(0, 5, len(who))
        self._gaze[who] = np.where(looks, ahead, chance.uniform(-180, 180, len(who)))
        low, high = DWELL_S[self.kind[who]].T
        self._change_ms[who] = t_ms + 1000 * chance.uniform(low, high)


def _turns(yaw: Floats, pitch: Floats) -> Floats:
    """Return the rotations (n, 3, 3) of cameras that turn by `yaw` about +Y, then by `pitch` about their +X."""
    zero, one = np.zeros_like(yaw), np.ones_like(yaw)
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    about_y = np.array([[cy, zero, sy], [zero, one, zero], [-sy, zero, cy]])
    about_x = np.array([[one, zero, zero], [zero, cp, -sp], [zero, sp, cp]])
    turns: Floats = np.einsum("ijn,jkn->nik", about_y, about_x)
    return turns


class Plaza:
    """The visits of one day: who comes when, and what the boards' views record of them."""

    def __init__(self, visits: int, length_ms: int, renew_ms: int, chance: np.random.Generator) -> None:
        warm_up()
        self.come_ms = chance.integers(0, length_ms * 2 // 3, visits) // TICK_MS * TICK_MS
        stay_ms = np.clip(chance.exponential(240_000, visits), 20_000, length_ms)
        self.go_ms = self.come_ms + stay_ms.astype(np.int64)
        self._length_ms, self._renew_ms, self._chance = length_ms, renew_ms, chance
        self._visitors = Visitors(visits, chance)
        slots = [Slot.model_validate(board) for board in boards()]
        self._views = Views(profile("iig-2.0-display"), slots, [-1] * BOARDS)

    @property
    def kinds(self) -> list[int]:
        """Return how each visitor moves."""
        kinds: list[int] = self._visitors.kind.tolist()
        return kinds

    def play(self) -> Iterator[tuple[int, Places, Recorded | None]]:
        """Yield each tick's time, who is there, and what was recorded; placements hang anew every `renew_ms`."""
        pillars_ = pillars()
        there = np.zeros(len(self.come_ms), np.bool_)
        for t_ms in range(0, self._length_ms, TICK_MS):
            self._visitors.step(t_ms)
            before, there = there, (self.come_ms <= t_ms) & (t_ms < self.go_ms)
            hanging = t_ms // self._renew_ms
            if t_ms % self._renew_ms == 0:
                yield t_ms, np.flatnonzero(there), self._views.end(t_ms)
                self._open(there, hanging)
            else:
                self._open(there & ~before, hanging)
            yield (
                t_ms,
                np.flatnonzero(there),
                self._sample(t_ms, np.flatnonzero(there & ~self._visitors.absent), pillars_),
            )
        yield self._length_ms, np.flatnonzero(there), self._views.end(self._length_ms)

    def _open(self, who: NDArray[np.bool_], hanging: int) -> None:
        each = np.flatnonzero(who).tolist()
        if each:
            self._views.open([(visit, visit, slot, hanging) for visit in each for slot in range(BOARDS)])

    def _sample(self, t_ms: int, who: Places, occluders: Occluders) -> Recorded | None:
        if not len(who):
            return None
        crowd = Crowd(
            names=tuple(map(str, who.tolist())),
            cameras=self._visitors.cameras(who),
            viewer_of_view=np.arange(len(who)),
            seats=who.astype(np.int64),
            focused=self._chance.random(len(who)) > 0.01,
            idle_ms=np.zeros(len(who), np.int64),
        )
        return self._views.sample(t_ms, crowd, np.arange(BOARDS), occluders, "auto")[1]
