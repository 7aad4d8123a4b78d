"""What a claim can be: an impression measured again from coarse evidence, as favourably as its cells allow.

A cell of evidence means many poses. For each the greatest visible fraction and coverage and the smallest angles that
any of them can have are bounded; a claim beyond the bound is impossible. The bounds are those of `spec/audit.md`:

    turned      the frustum is widened by all that the cell's rotation can be off: nothing in view is left out
    displaced   measured from the cell's middle and its eight corners, the best of them counts
    hidden      by registered geometry alone: what moves only hides more, so a claim may be lower, never higher
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openslot_spec.evidence import FRUSTUM_STEP, POSITION_STEP_M, SAMPLE_MS, WINDOW_MS, Evidence
from openslot_spec.geometry import Geometry
from openslot_spec.profiles import Profile
from openslot_view.cameras import Cameras
from openslot_view.coarse import AXIS_ERROR_DEG, TURN_ERROR_DEG, cone_deg, world_from_camera
from openslot_view.gates import Gates
from openslot_view.occluders import Occluders
from openslot_view.surfaces import Surfaces
from openslot_view.visibility import measure

__all__ = ["Bounds", "Claim", "bounds", "impossible", "occluders_of"]

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

SLACK = 0.01
"""Of a fraction, and relative to a coverage: what two implementations may differ by."""
ANGLE_SLACK_DEG = 0.1
WIDEST_DEG = 85.0
NEAREST_M = 1e-3
CORNERS = np.array([(0, 0, 0), *((x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1))]) * POSITION_STEP_M / 2
"""Where in its cell the eye is taken to be."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a VIEWABLE event says of its view."""

    profile: Profile
    continuous_ms: int
    cumulative_ms: int
    visible_fraction: float
    coverage: float
    angle_deg: float


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """The best that n rows of evidence can mean, arrays (n,); `angle_deg` is of the profile's basis."""

    visible_fraction: Floats
    coverage: Floats
    angle_deg: Floats
    front_facing: Bools


def occluders_of(geometry: Geometry) -> Occluders:
    """Return registered geometry as what hides."""
    return Occluders.build(
        geometry.points,
        geometry.triangles.astype(np.int64),
        one_sided=geometry.one_sided.astype(np.bool_),
        owner=geometry.owner,
    )


def impossible(evidence: Evidence, claim: Claim, surface: Surfaces, occluders: Occluders) -> str:
    """Return what of the claim cannot be, empty if all of it can: `dwell`, `gate` or `means`.

    `surface` is the slot alone. A cumulative profile's impression has no one run to show and is not proven here.
    """
    span_ms = min(claim.continuous_ms, WINDOW_MS)
    if claim.profile.cumulative or not _covers(evidence, span_ms, SAMPLE_MS + claim.profile.max_gap_ms):
        return "dwell"
    rows = np.flatnonzero(evidence.before_ms <= span_ms)
    best = _by_instant(bounds(evidence, rows, surface, occluders, claim.profile), evidence.before_ms[rows])
    gates = Gates.of(claim.profile)
    instants = [_passes(each, gates) for each in best]
    if not all(passes.any() for passes in instants):
        return "gate"
    return "" if _means_hold(claim, best) else "means"


def bounds(
    evidence: Evidence, rows: NDArray[np.intp], surface: Surfaces, occluders: Occluders, profile: Profile
) -> Bounds:
    """Return the best that `rows` of the evidence can mean for the profile."""
    frustum = evidence.frustums[evidence.frustum[rows]].astype(np.float64)
    middle = evidence.position[rows] * POSITION_STEP_M
    turn = world_from_camera(evidence.turn[rows])
    off_deg = TURN_ERROR_DEG + cone_deg(_distance_m(middle, surface))
    wide = _widened(frustum[:, :4], off_deg)
    eyes = (middle[:, None] + CORNERS).reshape(-1, 3)
    poses = len(CORNERS)
    cameras = _cameras(
        np.repeat(turn, poses, axis=0), eyes, np.repeat(wide, poses, axis=0), frustum[:, 4].repeat(poses)
    )
    seen = measure(cameras, surface, occluders)
    near = off_deg >= WIDEST_DEG / 2  # an eye that may stand on the board can see any of it
    fraction, coverage = (
        getattr(seen, name)[:, 0].reshape(-1, poses).max(axis=1) for name in ("visible_fraction", "coverage")
    )
    return Bounds(
        np.where(near, 1.0, fraction),
        np.where(near, 1.0, np.minimum(1.0, coverage * _stretch(frustum[:, :4], wide))),
        np.where(near, 0.0, _angle_deg(middle, turn, surface, profile)),
        near | surface.two_sided[0] | seen.front_facing[:, 0].reshape(-1, poses).any(axis=1),
    )


def _covers(evidence: Evidence, span_ms: int, edge_ms: int) -> bool:
    """Return whether the samples span the run: none of it is farther from a sample than two samples may be apart."""
    instants = np.unique(evidence.before_ms[evidence.before_ms <= span_ms]).astype(np.int64)
    if not len(instants):
        return False
    return bool((np.diff(np.concatenate([[0], instants, [span_ms]])) <= edge_ms).all())


def _by_instant(best: Bounds, before_ms: NDArray[np.uint16]) -> list[Bounds]:
    """Return the bounds of each instant: those of all cameras that the viewer had."""
    return [
        Bounds(best.visible_fraction[at], best.coverage[at], best.angle_deg[at], best.front_facing[at])
        for at in (np.flatnonzero(before_ms == instant) for instant in np.unique(before_ms))
    ]


def _passes(best: Bounds, gates: Gates) -> Bools:
    return np.asarray(
        best.front_facing
        & (best.visible_fraction >= gates.visible_fraction_min - SLACK)
        & (best.coverage >= gates.coverage_min * (1 - SLACK))
        & (best.angle_deg <= gates.angle_max_deg + ANGLE_SLACK_DEG)
    )


def _means_hold(claim: Claim, best: list[Bounds]) -> bool:
    """Return whether the claimed means can be: an instant stands for one sample's time, all other time may be ideal."""
    sample_ms = claim.profile.sample_ms
    total_ms = max(claim.cumulative_ms + sample_ms, len(best) * sample_ms)
    share = sample_ms / total_ms
    rest = 1 - share * len(best)
    fraction = share * sum(float(each.visible_fraction.max()) for each in best) + rest
    coverage = share * sum(float(each.coverage.max()) for each in best) + rest
    angle_deg = share * sum(float(each.angle_deg.min()) for each in best)
    return (
        claim.visible_fraction <= fraction + SLACK
        and claim.coverage <= coverage * (1 + SLACK)
        and claim.angle_deg >= angle_deg - ANGLE_SLACK_DEG
    )


def _distance_m(eye: Floats, surface: Surfaces) -> Floats:
    """Return (n,) the distances to the slot's nearest points."""
    offset = eye - surface.corners[0, 0]
    foot = np.zeros_like(offset)
    for edge in (surface.edge_u[0], surface.edge_v[0]):
        foot += np.clip(offset @ edge / (edge @ edge), 0.0, 1.0)[:, None] * edge
    return np.asarray(np.linalg.norm(offset - foot, axis=1))


def _widened(frustum: Floats, off_deg: Floats) -> Floats:
    """Return tangents (n, 4) between which all lies that any frustum of the cell holds.

    A plane that turns by `off` sweeps least far from its own middle, so it is turned by more the taller it is.
    """
    signs = np.array([-1, 1, -1, 1])
    tangents = frustum * FRUSTUM_STEP + signs * FRUSTUM_STEP / 2
    edges_deg = np.degrees(np.arctan(tangents * signs))
    halves = np.stack([edges_deg[:, 2:].max(axis=1), edges_deg[:, :2].max(axis=1)], axis=1) + off_deg[:, None]
    cosine = np.cos(np.radians(np.clip(halves, 0, WIDEST_DEG)))
    more_deg = np.degrees(np.arcsin(np.minimum(1.0, np.sin(np.radians(off_deg))[:, None] / cosine)))
    return np.asarray(signs * np.tan(np.radians(np.minimum(edges_deg + more_deg.repeat(2, axis=1), WIDEST_DEG))))


def _stretch(frustum: Floats, wide: Floats) -> Floats:
    """Return by how much a coverage of the widened frustum is to be raised: smaller viewport, longest picture.

    A picture far from the axis is longer by 1/cos³; turning it by `off` changes that by (cos off + sin off · tan θ)³.
    """
    inner = _area((frustum + np.array([1, -1, 1, -1]) / 2) * FRUSTUM_STEP)
    outer = (np.abs(frustum) + 0.5) * FRUSTUM_STEP
    corner = np.hypot(outer[:, :2].max(axis=1), outer[:, 2:].max(axis=1))
    off = np.radians(TURN_ERROR_DEG)
    return np.asarray(_area(wide) / np.maximum(inner, 1e-9) * (np.cos(off) + np.sin(off) * corner) ** 3)


def _area(tangents: Floats) -> Floats:
    return np.asarray((tangents[:, 1] - tangents[:, 0]) * (tangents[:, 3] - tangents[:, 2]))


def _angle_deg(eye: Floats, turn: Floats, surface: Surfaces, profile: Profile) -> Floats:
    """Return (n,) the smallest angles, of the basis that the profile asks for."""
    if profile.angle_basis == "screen":
        toward, error_deg = turn[:, :, 2], np.full(len(turn), AXIS_ERROR_DEG)
    else:
        offset = eye - surface.centre[0]
        distance = np.linalg.norm(offset, axis=1)
        toward, error_deg = offset / np.maximum(distance, 1e-9)[:, None], cone_deg(distance)
    angle = np.degrees(np.arccos(np.clip(toward @ surface.facing[0], -1.0, 1.0)))
    folded = np.minimum(angle, 180 - angle) if surface.two_sided[0] else angle
    return np.asarray(np.maximum(0.0, folded - error_deg))


def _cameras(turn: Floats, eye: Floats, wide: Floats, near: Floats) -> Cameras:
    """Return perspective cameras without a far plane."""
    view = np.tile(np.eye(4), (len(turn), 1, 1))
    view[:, :3, :3] = turn.swapaxes(1, 2)
    view[:, :3, 3] = -(view[:, :3, :3] @ eye[..., None])[..., 0]
    clip = np.zeros((len(turn), 4, 4))
    for axis, (low, high) in enumerate(_pairs(wide)):
        clip[:, axis, axis] = 2 / (high - low)
        clip[:, axis, 2] = (high + low) / (high - low)
    clip[:, 2, 2] = clip[:, 3, 2] = -1.0
    clip[:, 2, 3] = -2 * np.maximum(near * POSITION_STEP_M, NEAREST_M)
    return Cameras(view, clip, np.full((len(turn), 2), 1.0))


def _pairs(wide: Floats) -> Iterator[tuple[Floats, Floats]]:
    yield wide[:, 0], wide[:, 1]
    yield wide[:, 2], wide[:, 3]
