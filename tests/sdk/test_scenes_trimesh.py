import numpy as np
import trimesh
from numpy.typing import NDArray

from openslot_sdk import Camera, Pose, Slot, Triangles
from openslot_view import Cameras, Surfaces, measure

SLOT = Slot(id="wall", size=(2.0, 1.0), pose=Pose(position=(0.0, 1.0, 0.0), rotation=(0.0, 0.0, 0.0, 1.0)))
FROM_AHEAD = Cameras.stack([Camera.perspective((0.0, 1.0, 4.0), target=(0.0, 1.0, 0.0))])


def at(x: float, y: float, z: float) -> NDArray[np.float64]:
    place = np.eye(4)
    place[:3, 3] = x, y, z
    return place


def visible(stands: Triangles) -> float:
    seen = measure(FROM_AHEAD, Surfaces.from_slots((SLOT,)), stands.occluders(), backend="numpy")
    return float(seen.visible_fraction[0, 0])


def test_a_trimesh_box_hides_what_stands_behind_it() -> None:
    box = trimesh.creation.box((4.0, 4.0, 0.1), transform=at(0, 1, 2))
    assert visible(Triangles.of_trimesh(box)) == 0.0


def test_a_trimesh_scene_hides_with_every_mesh_where_it_was_placed() -> None:
    scene = trimesh.Scene()
    box = trimesh.creation.box((1.0, 4.0, 0.02))
    scene.add_geometry(box, transform=at(-0.5, 1, 0.05))
    scene.add_geometry(box, transform=at(9, 1, 0.05))
    np.testing.assert_allclose(visible(Triangles.of_trimesh(scene)), 0.5, atol=0.01)
