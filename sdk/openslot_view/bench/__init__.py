"""`openslot bench visibility`: the measurement against its peers, in one process, as ratios of processor time."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openslot_spec.profiles import profile
from openslot_view.backends import choose
from openslot_view.beams import Beams, cast
from openslot_view.bench import node
from openslot_view.bench.peers import absent, installed, rays
from openslot_view.bench.town import boards, foliage, town, walkers
from openslot_view.cameras import Camera, Cameras
from openslot_view.gates import Gates, facing, in_view
from openslot_view.occluders import Occluders
from openslot_view.outlines import outlines
from openslot_view.surfaces import Surfaces
from openslot_view.visibility import measure

__all__ = ["run"]

Floats = NDArray[np.float64]
Progress = Callable[[str], None]
Row = dict[str, Any]

_SIZES = {"1k": 1_000, "6k": 5_800, "94k": 94_000, "1m": 980_000}
_CROWDS = ((10, 100), (100, 100), (1000, 100), (100, 10), (100, 1000))  # viewers × slots
_PEER_PAIRS = 200  # rays are slow: so many pairs are enough to know how slow
_GATES = Gates.of(profile("iig-2.0-display"))


def run(progress: Progress) -> tuple[dict[str, float], list[Row]]:
    """Return figures by name and a table of who was measured on what; `progress` is told what is going on."""
    ours = ["numpy", "numba"] if find_spec("numba") else ["numpy"]
    table: list[Row] = []
    for label, triangles in _SIZES.items():
        progress(f"occlusion, {label} triangles")
        table += _occlusion(label, triangles, ours)
    table += [{"measurer": name, "used": why} for name, why in _absent().items()]
    figures = _ratios(table)
    for name in ours:
        progress(f"growth with viewers and slots, {name}")
        more, rows = _growth(name)
        figures, table = figures | more, table + rows
    progress("gated frustum stage")
    figures |= _frustum(ours)
    for name in ours:
        progress(f"game client, {name}")
        figures |= _client(name)
    progress("foliage")
    figures["foliage_10k_ms"] = _foliage(ours[-1])
    return figures, table


def _occlusion(label: str, triangles: int, ours: list[str]) -> list[Row]:
    """Return a row per measurer: pairs a second, and its error against the exact union."""
    surfaces, beams = _pairs()
    vertices, indices = town(triangles)
    occluders = Occluders.build(vertices, indices)
    some = beams.take(np.random.default_rng(3).choice(len(beams), _PEER_PAIRS, replace=False))
    # rays go to the whole board: compare boards that are on screen as a whole
    whole = some.chart_area > 1 - 1e-9
    rows, exact = [], choose("numpy").hidden(some, surfaces, occluders).chart
    for name in ours:
        backend = choose(name)
        seconds = _best(lambda backend=backend: backend.hidden(beams, surfaces, occluders))  # type: ignore[misc]
        error = np.abs(backend.hidden(some, surfaces, occluders).chart - exact)
        rows.append(_row(label, name, len(beams) / seconds, error))
    for name, make in installed().items() if label != "1m" else ():
        trace, shots = make(vertices, indices), rays(some, surfaces)
        seconds = _best(lambda trace=trace, shots=shots: trace(shots), repeats=2)  # type: ignore[misc]
        shares = trace(shots).reshape(len(some), -1).mean(axis=1)
        rows.append(_row(label, name, len(some) / seconds, np.abs(shares - exact)[whole]))
    if label != "1m" and node.available():
        shares, seconds = node.three_mesh_bvh(vertices, indices, surfaces, some)
        rows.append(_row(label, "three_mesh_bvh", len(some) / seconds, np.abs(shares - exact)[whole]))
    return rows


def _absent() -> dict[str, str]:
    why = node.absent()
    return absent() | ({"three_mesh_bvh": why} if why else {})


def _growth(name: str) -> tuple[dict[str, float], list[Row]]:
    """Return what all viewers, or slots, at once cost over a tenth of them ten times, times ten, and a curve.

    10 is linear. Gated looks in 6k triangles.
    """
    occluders, cameras, surfaces = Occluders.build(*town(_SIZES["6k"])), walkers(1000), boards(1000)

    def seconds(viewers: list[Cameras], slots: list[Surfaces]) -> float:
        pairs = [(some, those) for some in viewers for those in slots]
        return _best(lambda: [measure(*pair, occluders, gates=_GATES, backend=name) for pair in pairs])

    tenths = [np.arange(begin, 1000, 10) for begin in range(10)]
    fewer, few = [cameras.take(tenth) for tenth in tenths], [surfaces.take(tenth) for tenth in tenths]
    figures = {
        f"growth_viewers_100_to_1000_{name}": 10 * seconds([cameras], few[:1]) / seconds(fewer, few[:1]),
        f"growth_slots_100_to_1000_{name}": 10 * seconds(fewer[:1], [surfaces]) / seconds(fewer[:1], few),
    }
    rows = [
        _crowd_row(name, viewers, slots, seconds([cameras.take(slice(viewers))], [surfaces.take(np.arange(slots))]))
        for viewers, slots in _CROWDS
    ]
    return figures, rows


def _crowd_row(name: str, viewers: int, slots: int, seconds: float) -> Row:
    used = f"gated look, {viewers} viewers × {slots} slots"
    return {"triangles": "6k", "measurer": name, "pairs_per_s": round(viewers * slots / seconds), "used": used}


def _row(label: str, name: str, rate: float, error: Floats) -> Row:
    return {
        "triangles": label,
        "measurer": name,
        "pairs_per_s": round(rate),
        "error_mean": round(float(error.mean()), 6),
        "error_max": round(float(error.max()), 6),
        "used": _USED[name],
    }


_USED = {
    "numpy": "exact union",
    "numba": "exact union",
    "embreex": "1,024 Sobol rays, OCCLUDED query",
    "trimesh_embreex": "1,024 Sobol rays, first hit and distance",
    "open3d": "1,024 Sobol rays, test_occlusions, one thread",
    "three_mesh_bvh": f"{node.RAYS} Sobol rays, raycastFirst with far, under node",
}


def _ratios(table: list[Row]) -> dict[str, float]:
    rate = {(row["measurer"], row["triangles"]): row["pairs_per_s"] for row in table if "triangles" in row}
    wanted = [("numba", "embreex", "6k"), ("numba", "embreex", "94k"), ("numba", "trimesh_embreex", "94k")]
    wanted += [("numpy", "trimesh_embreex", "6k"), ("numpy", "trimesh_embreex", "94k")]
    figures = {
        f"{ours}_over_{peer}_{size}": rate[ours, size] / rate[peer, size]
        for ours, peer, size in wanted
        if (ours, size) in rate and (peer, size) in rate
    }
    automatic = "numba" if ("numba", "1k") in rate else "numpy"
    for name, of_whom in ((automatic, ""), ("numpy", "_numpy")):
        for label, size in (("100k", "94k"), ("1m", "1m")):
            figures[f"growth_triangles_1k_to_{label}{of_whom}"] = rate[name, "1k"] / rate[name, size]
    return figures


def _frustum(ours: list[str]) -> dict[str, float]:
    """Return rates for 1,000 viewers × 1,000 boards with nothing in the way.

    The frustum stage asks every pair for facing and bounding sphere; it is compared with the matrix product of six
    planes and all centres, which it cannot do without. numba has no such stage: it is compared over the whole look,
    clipping, angles and reasons included.
    """
    cameras, surfaces, nothing = walkers(1000), boards(1000), Occluders.none()
    planes, centre, room = cameras.planes.reshape(-1, 4).copy(), np.ones((4, 1000)), np.empty((6000, 1000))
    product = _best(lambda: np.matmul(planes, centre, out=room))
    stage = _best(lambda: (facing(cameras, surfaces), in_view(cameras, surfaces)))
    looks = {
        name: _best(lambda name=name: measure(cameras, surfaces, nothing, gates=_GATES, backend=name))  # type: ignore[misc]
        for name in ours
    }
    figures = {
        "frustum_pairs_numpy_over_gemm": product / stage,
        "frustum_pairs_numpy_per_s": 1e6 / stage,
        "look_pairs_numpy_per_s": 1e6 / looks["numpy"],
    }
    if "numba" in looks:
        figures["look_pairs_numba_per_s"] = 1e6 / looks["numba"]
        figures["frustum_numba_over_numpy"] = looks["numpy"] / looks["numba"]
    return figures


def _client(name: str) -> dict[str, float]:
    """Return mean and p99 of a frame's cost: 1 viewer, 200 boards, 100k triangles, a sixth of the pairs a frame."""
    surfaces = boards(200)
    parts = [Surfaces.from_quads(surfaces.corners[begin::6]) for begin in range(6)]
    occluders = Occluders.build(*town(100_000))
    path = walkers(240)
    spent = []
    for frame in range(len(path)):
        viewer = slice(frame, frame + 1)
        begin = process_time()
        camera = Cameras(
            path.camera_from_world[viewer], path.clip_from_camera[viewer], path.viewport_px[viewer], path.depth[viewer]
        )
        measure(camera, parts[frame % 6], occluders, gates=_GATES, backend=name)
        spent.append(process_time() - begin)
    warm = np.array(spent[12:]) * 1e3
    prefix = "client" if name == "numba" else "client_numpy"
    return {
        f"{prefix}_mean_ms_per_frame": float(warm.mean()),
        f"{prefix}_p99_ms_per_frame": float(np.quantile(warm, 0.99)),
    }


def _foliage(name: str) -> float:
    """Return the milliseconds of one board behind 10,000 leaves."""
    corners = [(-2.0, 0.0, 0.0), (2.0, 0.0, 0.0), (2.0, 3.0, 0.0), (-2.0, 3.0, 0.0)]
    surfaces, occluders = Surfaces.from_quads([corners]), Occluders.build(*foliage(10_000))
    cameras = Cameras.stack([Camera.perspective((0.0, 1.5, 10.0), target=(0.0, 1.5, 0.0))])
    return 1e3 * _best(lambda: measure(cameras, surfaces, occluders, backend=name))


def _pairs() -> tuple[Surfaces, Beams]:
    cameras, surfaces = walkers(100), boards(300)
    viewer, surface = np.nonzero(in_view(cameras, surfaces) & (facing(cameras, surfaces).sight > 0))
    return surfaces, cast(cameras, surfaces, outlines(cameras, surfaces, viewer, surface))


def _best(work: Callable[[], object], repeats: int = 3) -> float:
    """Return the least processor seconds of `repeats` runs after one to warm up."""
    work()
    spent = []
    for _ in range(repeats):
        begin = process_time()
        work()
        spent.append(process_time() - begin)
    return min(spent)
