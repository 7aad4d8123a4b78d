"""Answers to files of visibility cases: one camera, one surface and its occluders each.

{"cases": [{id, view, proj, depth_convention, viewport, slot_vertices | null, two_sided, slot_normal, area_center}]}
arrays: <id>_v, <id>_f occluders; <id>_sv, <id>_sf the surface's own mesh
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from openslot_spec.errors import Code, OpenSlotError
from openslot_view.cameras import Cameras, Depth
from openslot_view.occluders import Occluders
from openslot_view.surfaces import Surfaces
from openslot_view.visibility import measure

__all__ = ["answer_cases"]

_DEPTHS = {
    "gl": Depth.MINUS_ONE_TO_ONE,
    "minus_one_to_one": Depth.MINUS_ONE_TO_ONE,
    "zero_to_one": Depth.ZERO_TO_ONE,
    "zero01": Depth.ZERO_TO_ONE,
    "reversed01": Depth.REVERSED_ZERO_TO_ONE,
    "reversed_zero_to_one": Depth.REVERSED_ZERO_TO_ONE,
}


def answer_cases(
    cases: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], backend: str = "auto"
) -> Iterator[dict[str, Any]]:
    """Yield `{id, visible_fraction, on_screen_fraction, coverage, angle_deg, front_facing}` for each case, in order.

    Raises `OpenSlotError` that names the case: `INVALID` for a missing or unknown field, else what the geometry says.
    """
    for case in cases["cases"]:
        try:
            yield _answer(case, arrays, backend)
        except KeyError as error:
            raise OpenSlotError(Code.INVALID, f"no field {error}", where=f"cases/{case.get('id')}") from None
        except OpenSlotError as error:
            raise OpenSlotError(error.code, error.detail, where=f"cases/{case.get('id')}/{error.where}") from None


def _answer(case: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], backend: str) -> dict[str, Any]:
    cameras = Cameras(
        [case["view"]], [case["proj"]], [case["viewport"]], _DEPTHS[case.get("depth_convention", "minus_one_to_one")]
    )
    seen = measure(cameras, _surface(case, arrays), _occluders(case, arrays), backend=backend)
    return {
        "id": case["id"],
        "visible_fraction": float(seen.visible_fraction[0, 0]),
        "on_screen_fraction": float(seen.on_screen_fraction[0, 0]),
        "coverage": float(seen.coverage[0, 0]),
        "angle_deg": float(seen.angle_deg[0, 0]),
        "front_facing": bool(seen.front_facing[0, 0]),
    }


def _surface(case: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Surfaces:
    two_sided = bool(case["two_sided"])
    if case["slot_vertices"] is not None:
        return Surfaces.from_quads([case["slot_vertices"]], two_sided=two_sided)
    name = case["id"]
    return Surfaces.from_mesh(arrays[f"{name}_sv"], arrays[f"{name}_sf"], two_sided=two_sided)


def _occluders(case: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Occluders:
    name = case["id"]
    if f"{name}_v" not in arrays:
        return Occluders.none()
    return Occluders.build(arrays[f"{name}_v"], arrays[f"{name}_f"])
