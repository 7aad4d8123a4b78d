"""The reference answers to the conformance vectors: plain values in, plain values out.

`python -m openslot_view.answer` answers every area that needs no server, one JSON line for one; what is not of this
room is the standard's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from openslot_spec.answer import answer as of_the_standard
from openslot_spec.answer import answer_lines
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.evidence import Evidence
from openslot_spec.profiles import profile
from openslot_view.cameras import Camera, Cameras, Depth
from openslot_view.gates import Gates
from openslot_view.occluders import Occluders
from openslot_view.proof import Claim, impossible
from openslot_view.surfaces import Surfaces
from openslot_view.trace import replay
from openslot_view.visibility import measure

__all__ = ["answer"]

FIGURES = ("visible_fraction", "on_screen_fraction", "coverage", "angle_deg", "screen_angle_deg")


def answer(area: str, given: Any, backend: str = "numpy") -> dict[str, Any]:
    """Return `{"ok": value}` or `{"code": code}` for one vector of any area."""
    if area not in AREAS:
        return of_the_standard(area, given)
    try:
        return {"ok": AREAS[area](given, backend)}
    except OpenSlotError as error:
        return {"code": error.code.value}
    except (KeyError, TypeError):
        return {"code": Code.INVALID.value}


def _visibility(given: Mapping[str, Any], backend: str) -> dict[str, Any]:
    gates = Gates.of(profile(given["profile"])) if "profile" in given else None
    surfaces, occluders = _surfaces(**given["slot"]), _occluders(**given.get("occluders", {}))
    cameras = _cameras(given["cameras"] if "cameras" in given else [given["camera"]])
    views = measure(cameras, surfaces, occluders, gates=gates, backend=backend)
    seen = views.by_viewer(np.zeros(len(cameras)))
    figures = {name: float(getattr(seen, name)[0, 0]) for name in FIGURES}
    return {**figures, "front_facing": bool(seen.front_facing[0, 0]), "why": int(seen.why[0, 0])}


def _cameras(views: Sequence[Mapping[str, Any]]) -> Cameras:
    if not views:
        raise OpenSlotError(Code.CAMERA_INVALID, "none", where="cameras")
    return Cameras.stack([_camera(**view) for view in views])


def _camera(camera_from_world: Any, clip_from_camera: Any, viewport_px: Any, depth: str) -> Camera:
    names = {each.name.lower(): each for each in Depth}
    if depth not in names:
        raise OpenSlotError(Code.CAMERA_INVALID, f"{depth!r}", where="depth")
    return Camera(camera_from_world, clip_from_camera, viewport_px, names[depth])


def _surfaces(
    corners: Any = None, vertices: Any = None, triangles: Any = None, *, two_sided: bool = False, owner: int = -1
) -> Surfaces:
    if corners is not None:
        return Surfaces.from_quads([corners], two_sided=two_sided, owner=owner)
    return Surfaces.from_mesh(vertices, triangles, two_sided=two_sided, owner=owner)


def _occluders(vertices: Any = (), triangles: Any = (), *, one_sided: Any = False, owner: Any = -1) -> Occluders:
    return Occluders.build(vertices, triangles, one_sided=one_sided, owner=owner)


def _exposure(given: Mapping[str, Any], _backend: str) -> list[dict[str, Any]]:
    return list(replay(given["lines"], profile(given["profile"])))


def _proof(given: Mapping[str, Any], _backend: str) -> dict[str, Any]:
    """Return that the claim can be; otherwise it is `AUDIT_INFLATED`."""
    claim = Claim(**{**given["claim"], "profile": profile(given["claim"]["profile"])})
    evidence = Evidence.unpack(bytes.fromhex(given["evidence"]))
    why = impossible(evidence, claim, _surfaces(**given["slot"]), _occluders(**given.get("occluders", {})))
    if why:
        raise OpenSlotError(Code.AUDIT_INFLATED, why)
    return {"proven": True}


AREAS: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
    "visibility": _visibility,
    "exposure": _exposure,
    "proof": _proof,
}


if __name__ == "__main__":
    answer_lines(answer)
