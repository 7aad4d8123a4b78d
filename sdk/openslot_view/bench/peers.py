"""What else measures occlusion, used as its own documentation says: Sobol rays from the near plane to the board."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from openslot_view.beams import Beams
from openslot_view.surfaces import Surfaces

__all__ = ["PEERS", "installed", "rays", "sobol"]

Floats = NDArray[np.float64]
Shares = Callable[[Beams], Floats]
RAYS = 1024


def installed() -> dict[str, Callable[[Floats, NDArray[np.int64], Surfaces], Shares]]:
    """Return the peers that are here, by name; each takes a scene and answers beams with their hidden share."""
    return {name: make for name, (needs, make) in PEERS.items() if all(find_spec(need) for need in needs)}


def sobol(count: int) -> Floats:
    """Return the first `count` points (count, 2) of the two-dimensional Sobol sequence, half a step in."""
    index = np.arange(count, dtype=np.uint64)
    first, second = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    direction = 1 << 31
    for bit in range(32):
        held = (index >> np.uint64(bit)) & np.uint64(1) == 1
        first[held] ^= np.uint64(1 << (31 - bit))
        second[held] ^= np.uint64(direction)
        direction ^= direction >> 1
    return np.stack([first, second], axis=1) / 2.0**32 + 0.5 / count


def rays(beams: Beams, surfaces: Surfaces, count: int = RAYS) -> tuple[Floats, Floats]:
    """Return origins and unnormalised directions (n · count, 3) from the near plane to points of each board.

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
    return (beams.eye[:, None] + begin * ray).reshape(-1, 3), ((1 - begin) * ray).reshape(-1, 3)


def embreex(vertices: Floats, triangles: NDArray[np.int64], surfaces: Surfaces) -> Shares:
    """Return a measurer by Embree's any-hit query with a far limit just short of the board."""
    from embreex.mesh_construction import TriangleMesh
    from embreex.rtcore_scene import EmbreeScene

    scene = EmbreeScene()
    TriangleMesh(scene, vertices[triangles].astype(np.float32))

    def share(beams: Beams) -> Floats:
        origin, ray = rays(beams, surfaces)
        far = np.full(len(ray), 0.9999, np.float32)
        hit = scene.run(origin.astype(np.float32), ray.astype(np.float32), far, query="OCCLUDED")
        return np.asarray((hit != -1).reshape(len(beams), RAYS).mean(axis=1))

    return share


def trimesh_embreex(vertices: Floats, triangles: NDArray[np.int64], surfaces: Surfaces) -> Shares:
    """Return a measurer by trimesh's first hits, compared with the board's distance: `intersects_any` has no limit."""
    import trimesh

    mesh = trimesh.Trimesh(vertices, triangles, process=False)

    def share(beams: Beams) -> Floats:
        origin, ray = rays(beams, surfaces)
        place, index, _ = mesh.ray.intersects_location(origin, ray, multiple_hits=False)
        nearer = np.sum((place - origin[index]) ** 2, axis=1) < 0.9998 * np.sum(ray[index] ** 2, axis=1)
        hidden = np.zeros(len(ray), np.bool_)
        hidden[index[nearer]] = True
        return np.asarray(hidden.reshape(len(beams), RAYS).mean(axis=1))

    return share


def open3d(vertices: Floats, triangles: NDArray[np.int64], surfaces: Surfaces) -> Shares:
    """Return a measurer by Open3D's occlusion test with a far limit just short of the board, in one thread."""
    from open3d import core
    from open3d.t.geometry import RaycastingScene

    scene = RaycastingScene(nthreads=1)
    scene.add_triangles(core.Tensor(vertices.astype(np.float32)), core.Tensor(triangles.astype(np.uint32)))

    def share(beams: Beams) -> Floats:
        shots = np.concatenate(rays(beams, surfaces), axis=1).astype(np.float32)
        hidden = scene.test_occlusions(core.Tensor(shots), tnear=0.0, tfar=0.9999, nthreads=1).numpy()
        return np.asarray(hidden.reshape(len(beams), RAYS).mean(axis=1))

    return share


PEERS: dict[str, tuple[tuple[str, ...], Callable[[Floats, NDArray[np.int64], Surfaces], Shares]]] = {
    "embreex": (("embreex",), embreex),
    "trimesh_embreex": (("trimesh", "embreex"), trimesh_embreex),
    "open3d": (("open3d",), open3d),
}
