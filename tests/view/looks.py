"""Somebody who looks at a board, from a seed: walking, turning, teleporting, with two eyes or one, past walls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from openslot_spec.evidence import WINDOW_MS, Evidence
from openslot_spec.exposures import EventKind
from openslot_spec.profiles import profile
from openslot_spec.slots import Slot
from openslot_view.cameras import Camera, Cameras
from openslot_view.coarse import Coarse, coarsen
from openslot_view.exposure import Events, Exposures, Samples
from openslot_view.gates import Gates
from openslot_view.occluders import Occluders
from openslot_view.proof import Claim
from openslot_view.surfaces import Surfaces
from openslot_view.visibility import measure
from tests.view.scenes import box_mesh

BOARD = Slot.parse(
    {
        "id": "north",
        "size": [4, 2],
        "pose": {"position": [0, 2, -5], "rotation": [0, 0, 0, 1]},
        "profile": "mrc-display",
    }
)
SURFACE = Surfaces.from_slots([BOARD])
Path = Callable[[float], Sequence[Camera]]
"""What a viewer looks through, by milliseconds."""


@dataclass(frozen=True)
class Shown:
    """What is claimed of one look, and the evidence for it."""

    claim: Claim
    evidence: Evidence


def walls(rng: np.random.Generator) -> Occluders:
    """Return boxes of all sizes about the space before the board."""
    count = int(rng.integers(0, 6))
    boxes = [box_mesh(rng.uniform((-4, 0, -4), (4, 3, 2)), rng.uniform(0.05, 1.2, 3)) for _ in range(count)]
    if not boxes:
        return Occluders.none()
    shifts = np.cumsum([0, *(len(vertices) for vertices, _ in boxes[:-1])])
    triangles = [each + shift for (_, each), shift in zip(boxes, shifts, strict=True)]
    return Occluders.build(np.concatenate([vertices for vertices, _ in boxes]), np.concatenate(triangles))


def wandering(rng: np.random.Generator) -> Path:
    """Return the way of somebody who walks, is shaken, jumps at times, and may have two eyes."""
    eyes = [np.array([-0.03, 0, 0]), np.array([0.03, 0, 0])] if rng.random() < 0.4 else [np.zeros(3)]
    speed, fov = rng.normal(0, 0.8, 3) * (1, 0.1, 1), rng.uniform(40, 100)
    jumps = {0: rng.uniform((-2, 1, -2), (2, 2, 4))}

    def at(t_ms: float) -> list[Camera]:
        leg = int(t_ms // 3000)
        start = jumps.setdefault(leg, rng.uniform((-2, 1, -3), (2, 2, 4)))
        place = start + speed * (t_ms - 3000 * leg) / 1000
        target = np.array([0, 2, -5]) + rng.normal(0, 0.15, 3)
        return [Camera.perspective(place + eye, target=target + eye, fov_y_deg=fov) for eye in eyes]

    return at


def standing(position: Sequence[float], target: Sequence[float] = (0, 2, -5), fov_y_deg: float = 60) -> Path:
    return lambda _: [Camera.perspective(position, target=target, fov_y_deg=fov_y_deg)]


def look(path: Path, stands: Occluders, name: str = "mrc-display", seed: int = 0, ms: int = 6_000) -> Iterator[Shown]:
    """Yield what becomes viewable, sampled like an SDK does: at 10 Hz or less, and each 200 ms for the evidence."""
    rng = np.random.default_rng(seed)
    exposures = Exposures(profile(name))
    exposures.open([0])
    one, t_ms = np.zeros(1, np.int64), 0.0
    trace: list[tuple[int, Coarse]] = []
    while t_ms < ms:
        t_ms += rng.uniform(100, 200)
        cameras = Cameras.stack(path(t_ms))
        if not trace or t_ms - trace[-1][0] >= 200:
            trace.append((round(t_ms), coarsen(cameras)))
        views = measure(cameras, SURFACE, stands, gates=Gates.of(profile(name)), backend="numpy")
        seen = views.by_viewer(np.zeros(len(cameras)))
        events = exposures.sample(t_ms, [0], Samples.of(seen, SURFACE, (one, one)))
        for row in np.flatnonzero(events.kind == EventKind.VIEWABLE):
            yield shown(name, events, int(row), trace)


def shown(name: str, events: Events, row: int, trace: list[tuple[int, Coarse]]) -> Shown:
    at_ms, run_ms = int(events.at_ms[row]), int(events.continuous_ms[row])
    means = (float(each[row]) for each in (events.visible_fraction, events.coverage, events.angle_deg))
    claim = Claim(profile(name), run_ms, int(events.cumulative_ms[row]), *means)
    run = [(t_ms, coarse) for t_ms, coarse in trace if at_ms - t_ms <= min(run_ms, WINDOW_MS)]
    return Shown(claim, evidence(at_ms, run))


def evidence(at_ms: int, trace: Sequence[tuple[int, Coarse]]) -> Evidence:
    """Return the evidence of coarse cameras at times, as it comes out of its packing."""
    cameras = [len(coarse.turn) for _, coarse in trace]
    frustums, which = np.unique(np.concatenate([each.frustum for _, each in trace]), axis=0, return_inverse=True)
    made = Evidence(
        b"p" * 16,
        7,
        at_ms,
        b"g" * 32,
        frustums,
        np.repeat([at_ms - t_ms for t_ms, _ in trace], cameras).astype(np.uint16),
        which.ravel().astype(np.uint8),
        np.concatenate([each.position for _, each in trace]),
        np.concatenate([each.turn for _, each in trace]),
    )
    return Evidence.unpack(made.pack())
