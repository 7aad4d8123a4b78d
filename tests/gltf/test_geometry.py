import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from openslot_gltf import SceneGeometry, add_slot, read_document, scene_geometry, scene_slots, triangles_around
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import SlotTerms
from tests.gltf.build import (
    INDICES,
    VERTICES,
    Maker,
    bending_tower,
    growing_box,
    instanced_boxes,
    plain_box,
    room,
    spinning_box,
)
from tests.gltf.hostile import HOSTILE
from tests.gltf.khronos import shared_models

QUAD = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]


def geometry(maker: Maker) -> SceneGeometry:
    return scene_geometry(read_document(maker.glb()))


def normals(found: SceneGeometry) -> NDArray[np.float64]:
    a, b, c = (found.vertices[found.triangles[:, corner]] for corner in range(3))
    return np.asarray(np.cross(b - a, c - a))


def quad(**primitive: Any) -> Maker:
    maker = Maker()
    attributes = {"POSITION": maker.accessor(QUAD, target=VERTICES, bounds=True)}
    if "indices" in primitive:
        primitive["indices"] = maker.accessor(primitive["indices"], "u1", INDICES)
    maker.node(mesh=maker.add("meshes", {"primitives": [{"attributes": attributes} | primitive]}))
    return maker


def test_a_box_has_twelve_triangles_that_face_outwards() -> None:
    found = geometry(plain_box())
    assert found.triangles.shape == (12, 3)
    outwards = found.vertices[found.triangles].mean(axis=1)
    assert (np.einsum("mi,mi->m", normals(found), outwards) > 0).all()
    assert found.one_sided.all()
    assert not found.blend.any()


@given(st.integers(0, 7))
def test_front_faces_stay_front_faces_in_a_mirror(mirrors: int) -> None:
    maker = plain_box()
    maker.json["nodes"][0]["scale"] = [-2 if mirrors >> axis & 1 else 2 for axis in range(3)]
    found = geometry(maker)
    outwards = found.vertices[found.triangles].mean(axis=1)
    assert (np.einsum("mi,mi->m", normals(found), outwards) > 0).all()


@pytest.mark.parametrize(
    ("primitive", "rows"),
    [
        ({"indices": [0, 1, 2, 2, 1, 3]}, [[0, 1, 2], [2, 1, 3]]),
        ({"mode": 5}, [[0, 1, 2], [2, 1, 3]]),
        ({"mode": 5, "indices": [3, 2, 1, 0]}, [[3, 2, 1], [1, 2, 0]]),
        ({"mode": 6, "indices": [0, 1, 3, 2]}, [[0, 1, 3], [0, 3, 2]]),
        ({}, [[0, 1, 2]]),
        ({"mode": 6, "indices": [0, 1]}, []),
        ({"mode": 0}, []),
        ({"mode": 1}, []),
    ],
)
def test_strips_and_fans_are_expanded_and_points_and_lines_hide_nothing(
    primitive: dict[str, Any], rows: list[list[int]]
) -> None:
    assert geometry(quad(**primitive)).triangles.tolist() == rows


def test_material_says_what_is_one_sided_and_what_is_see_through() -> None:
    maker = Maker()
    materials: list[dict[str, Any]] = [{"doubleSided": True}, {"alphaMode": "BLEND"}, {"alphaMode": "MASK"}]
    for number, material in enumerate(materials):
        maker.node(name=str(number), mesh=maker.box(material=maker.add("materials", material)))
    found = geometry(maker)
    assert [bool(found.one_sided[found.owner == node].all()) for node in range(3)] == [False, True, True]
    assert [bool(found.blend[found.owner == node].all()) for node in range(3)] == [False, True, False]
    assert found.names == ("0", "1", "2")


def test_owners_are_the_nodes_that_draw() -> None:
    found = geometry(room())
    assert {found.names[owner] for owner in found.owner} == {"box", "floor", "pillar"}
    pillar = found.vertices[found.triangles[found.owner == found.names.index("pillar")]]
    assert (pillar.min(axis=(0, 1)).tolist(), pillar.max(axis=(0, 1)).tolist()) == ([-0.25, 0, 0.75], [0.25, 3, 1.25])


def test_a_skinned_mesh_stands_where_its_joints_are_whatever_its_own_node_says() -> None:
    maker = bending_tower()
    maker.json["nodes"][2]["translation"] = [100, 0, 0]
    found = geometry(maker)
    assert found.vertices.min(axis=0).tolist() == pytest.approx([0.3, 0.0, -0.2])
    assert found.vertices.max(axis=0).tolist() == pytest.approx([0.7, 2.0, 0.2])


def test_a_mirrored_skin_keeps_its_front_faces() -> None:
    maker = bending_tower()
    maker.json["nodes"][3]["scale"] = [-1, 1, 1]
    found = geometry(maker)
    outwards = found.vertices[found.triangles].mean(axis=1) - found.vertices.mean(axis=0)
    assert (np.einsum("mi,mi->m", normals(found), outwards) > 0).all()


def test_a_scene_beyond_all_numbers_is_refused() -> None:
    document = read_document(HOSTILE["scales_that_multiply_to_infinity"].data())
    with pytest.raises(OpenSlotError) as caught:
        scene_geometry(document)
    assert caught.value.code is Code.GEOMETRY_INVALID


@pytest.mark.parametrize("quantized", [False, True])
def test_morph_weights_shape_the_rest(quantized: bool) -> None:
    maker = growing_box(quantized=quantized)
    maker.json["nodes"][0]["weights"] = [0.5]
    assert geometry(maker).vertices.max(axis=0).tolist() == pytest.approx([0.5, 1.0, 0.5])


def test_instances_are_drawn_each() -> None:
    found = geometry(instanced_boxes())
    assert len(found.triangles) == 24
    assert found.vertices.max(axis=0).tolist() == pytest.approx([11, 1, 1])
    second = found.triangles[12:]
    a, b, c = (found.vertices[second[:, corner]] for corner in range(3))
    outwards = (a + b + c) / 3 - [10, 0, 0]
    assert (np.einsum("mi,mi->m", np.cross(b - a, c - a), outwards) > 0).all()


def test_an_empty_scene_has_no_triangles() -> None:
    maker = Maker()
    maker.node(name="nothing")
    found = geometry(maker)
    assert (found.vertices.shape, found.triangles.shape, found.names) == ((0, 3), (0, 3), ("nothing",))


def centroids(triangles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sorted middles of (m, 3, 3) triangles, to compare sets of them."""
    middles = np.round(triangles.mean(axis=1), 5)
    return np.asarray(middles[np.lexsort(middles.T)])


def oracle_inputs() -> dict[str, bytes]:
    own = {"room": room().glb(), "box": plain_box().glb(), "spinning": spinning_box().glb()}
    unskinned = {path.stem: path.read_bytes() for path in shared_models() if "Fox" not in path.stem}
    return own | unskinned


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in oracle_inputs().items()])
def test_triangles_are_those_that_trimesh_reads(data: bytes) -> None:
    loaded = trimesh.load_scene(io.BytesIO(data), file_type="glb", skip_materials=True, process=False)
    meshes: list[Any] = loaded.dump()
    theirs = centroids(np.concatenate([mesh.triangles for mesh in meshes]))
    found = scene_geometry(read_document(data))
    ours = centroids(found.vertices[found.triangles])
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 1e-3


def test_only_what_may_hide_the_slot_is_counted_around_it() -> None:
    maker = plain_box()
    places = {"near": [0, 0, 2], "behind": [0, 0, -2], "far": [0, 0, 30], "glass": [0, 0, 1]}
    glass = maker.add("materials", {"alphaMode": "BLEND"})
    maker.json["nodes"][0] |= {"name": "plane", "scale": [4, 4, 1e-6]}
    for name, at in places.items():
        maker.node(name=name, translation=at, mesh=maker.box((0.5,) * 3, material=glass if name == "glass" else 0))
    document = add_slot(read_document(maker.glb()), SlotTerms(id="s", size=(1, 1)), (0, 0, 0))
    both = add_slot(read_document(maker.glb()), SlotTerms(id="s", size=(1, 1), two_sided=True), (0, 0, 0))
    for scene, expected in ((document, 12), (both, 24)):
        assert triangles_around(scene_geometry(scene), scene_slots(scene).slots[0].slot, radius=5) == expected


def test_the_shared_room_has_the_triangles_its_list_says() -> None:
    for path in shared_models():
        if path.name == "webxr_garage.glb":
            assert len(scene_geometry(read_document(Path(path).read_bytes())).triangles) == 11358
