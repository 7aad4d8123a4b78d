"""What else measures occlusion, used as its own documentation says: rays from the near plane to points of the board.

The rays are made beforehand and their making is not timed: that flatters the peers, and is not theirs to do well.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from openslot_view.beams import Beams
from openslot_view.sobol import sobol
from openslot_view.surfaces import Surfaces

__all__ = ["PEERS", "RAYS", "SHORT", "absent", "installed", "rays"]

Floats = NDArray[np.float64]
Rays = NDArray[np.float32]
Trace = Callable[[Rays], NDArray[np.bool_]]
Make = Callable[[Floats, NDArray[np.int64]], Trace]
RAYS = 1024
SHORT = 0.9999
"""How much of the way to the board counts."""


def installed() -> dict[str, Make]:
    """Return the peers that are here, by name; each takes a scene and says which rays (n, 6) are stopped short."""
    missing = absent()
    return {name: make for name, (_, make) in PEERS.items() if name not in missing}


def absent() -> dict[str, str]:
    """Return why the others are not, and what to do about it."""
    return {name: why for name, (needs, _) in PEERS.items() if (why := _why_absent(needs))}


def _why_absent(needs: tuple[str, ...]) -> str:
    missing = [need for need in needs if find_spec(need) is None]
    if missing:
        return f"not installed: pip install {' '.join(missing)}"
    for need in needs:
        try:
            import_module(need)
        except (ImportError, OSError) as error:
            return f"installed, but does not load: {error}"
    return ""


def rays(beams: Beams, surfaces: Surfaces, count: int = RAYS) -> Rays:
    """Return origins and unnormalised directions (n · count, 6) from the near plane to points of each board.

    What stands nearer than the near plane is not drawn and hides nothing: from the eye itself rays would hit it.
    """
    points = sobol(count)
    facet = beams.facet
    there = surfaces.corners[facet, :1] + surfaces.edge_u[facet][:, None] * points[None, :, :1]
    there = there + surfaces.edge_v[facet][:, None] * points[None, :, 1:]
    ray = there - beams.eye[:, None]
    near = beams.forms[:, 4]
    closing = np.einsum("nkd,nd->nk", ray, near[:, :3])
    begin = np.clip(-near[:, 3:] / np.where(closing > 0, closing, np.inf), 0.0, 1.0)[..., None]
    both = np.concatenate([beams.eye[:, None] + begin * ray, (1 - begin) * ray], axis=2)
    return both.reshape(-1, 6).astype(np.float32)


def embreex(vertices: Floats, triangles: NDArray[np.int64]) -> Trace:
    """Return a tracer by Embree's any-hit query with a far limit."""
    from embreex.mesh_construction import TriangleMesh
    from embreex.rtcore_scene import EmbreeScene

    scene = EmbreeScene()
    TriangleMesh(scene, vertices[triangles].astype(np.float32))

    def trace(shots: Rays) -> NDArray[np.bool_]:
        far = np.full(len(shots), SHORT, np.float32)
        return np.asarray(scene.run(shots[:, :3], shots[:, 3:], far, query="OCCLUDED") != -1)

    return trace


def trimesh_embreex(vertices: Floats, triangles: NDArray[np.int64]) -> Trace:
    """Return a tracer by trimesh's first hits, compared with the board's distance: `intersects_any` has no limit."""
    import trimesh

    mesh = trimesh.Trimesh(vertices, triangles, process=False)

    def trace(shots: Rays) -> NDArray[np.bool_]:
        origin, ray = shots[:, :3], shots[:, 3:]
        place, index, _ = mesh.ray.intersects_location(origin, ray, multiple_hits=False)
        nearer = np.sum((place - origin[index]) ** 2, axis=1) < SHORT**2 * np.sum(ray[index] ** 2, axis=1)
        hidden = np.zeros(len(ray), np.bool_)
        hidden[index[nearer]] = True
        return hidden

    return trace


def open3d(vertices: Floats, triangles: NDArray[np.int64]) -> Trace:
    """Return a tracer by Open3D's occlusion test with a far limit, in one thread."""
    from open3d import core
    from open3d.t.geometry import RaycastingScene

    scene = RaycastingScene(nthreads=1)
    scene.add_triangles(core.Tensor(vertices.astype(np.float32)), core.Tensor(triangles.astype(np.uint32)))

    def trace(shots: Rays) -> NDArray[np.bool_]:
        return np.asarray(scene.test_occlusions(core.Tensor(shots), tnear=0.0, tfar=SHORT, nthreads=1).numpy())

    return trace


PEERS: dict[str, tuple[tuple[str, ...], Make]] = {
    "embreex": (("embreex",), embreex),
    "trimesh_embreex": (("trimesh", "embreex"), trimesh_embreex),
    "open3d": (("open3d",), open3d),
}
