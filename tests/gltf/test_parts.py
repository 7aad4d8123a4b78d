"""What hides in a scene: each mesh once, by which rule, and what its texture leaves of it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from openslot_gltf import Mode, ScenePart, read_document, scene_geometry, scene_parts
from openslot_spec.errors import Code, OpenSlotError
from tests.gltf.build import Maker, bending_tower, growing_box, instanced_boxes, plain_box, room
from tests.gltf.khronos import shared_models

EMPTY, FULL = (200, 100, 50, 0), (200, 100, 50, 255)


def parts(maker: Maker, modes: dict[str, Mode] | None = None) -> tuple[ScenePart, ...]:
    return scene_parts(read_document(maker.glb()), modes)


def written_out(found: tuple[ScenePart, ...]) -> NDArray[np.float64]:
    """Return the corners (m, 3, 3) of all places, fronts kept, in a fixed order."""
    corners = [np.zeros((0, 3, 3))]
    for part in found:
        for matrix in part.world_from_part:
            rows = part.triangles[:, ::-1] if np.linalg.det(matrix[:3, :3]) < 0 else part.triangles
            corners.append((part.vertices @ matrix[:3, :3].T + matrix[:3, 3])[rows])
    return ordered(np.concatenate(corners))


def ordered(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return triangles by their middles, each from its least corner on."""
    key = np.round(corners @ (1.0, 1e3, 1e6), 3)
    turned = np.stack([np.roll(each, -int(np.argmin(k)), axis=0) for each, k in zip(corners, key, strict=True)])
    middles = np.round(turned.mean(axis=1), 4)
    return np.asarray(turned[np.lexsort((*np.round(turned[:, 1].T, 4), *middles.T))])


MODELS = {"room": room, "instanced": instanced_boxes, "skinned": bending_tower, "morphing": growing_box}
FILES = {name: make().glb() for name, make in MODELS.items()} | {p.stem: p.read_bytes() for p in shared_models()}


@pytest.mark.parametrize("name", FILES)
def test_parts_written_out_are_the_scenes_solid_triangles(name: str) -> None:
    document = read_document(FILES[name])
    whole, found = scene_geometry(document), scene_parts(document)
    if any(part.holes for part in found):
        pytest.fail("no model here has holes")
    solid = ordered(whole.vertices[whole.triangles[~whole.blend]])
    np.testing.assert_allclose(written_out(found), solid, atol=1e-6)


def test_a_mesh_of_many_nodes_is_one_part_with_a_place_for_each() -> None:
    maker = plain_box()
    for x in (3, -4):
        maker.node(mesh=0, translation=[x, 0, 0], scale=[-1, 1, 1])
    (part,) = parts(maker)
    assert (len(part.triangles), part.owner.tolist()) == (12, [0, 1, 2])
    assert part.world_from_part[:, 0, 3].tolist() == [0, 3, -4]


def test_other_morph_weights_are_another_part() -> None:
    maker = growing_box()
    maker.node(mesh=0, weights=[1.0])
    assert sorted(float(part.vertices.max()) for part in parts(maker)) == [0.5, 1.5]


@pytest.mark.parametrize(
    ("material", "hides"),
    [
        ({}, True),
        ({"alphaMode": "BLEND"}, False),
        ({"extensions": {"KHR_materials_transmission": {"transmissionFactor": 0.9}}}, False),
        ({"extensions": {"KHR_materials_transmission": {"transmissionFactor": 0.1}}}, True),
        ({"alphaMode": "MASK"}, True),
        ({"alphaMode": "MASK", "pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, 0.4]}}, False),
        ({"alphaMode": "MASK", "alphaCutoff": 0.3, "pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, 0.4]}}, True),
    ],
)
def test_its_material_says_whether_a_thing_hides(material: dict[str, Any], hides: bool) -> None:
    maker = plain_box(**material)
    if "extensions" in material:
        maker.extension("KHR_materials_transmission")
    assert bool(parts(maker)) == hides


def said(extras: dict[str, Any] | None = None, below: dict[str, Any] | None = None) -> Maker:
    """A box below a node, both of which may say how they hide."""
    maker = Maker()
    box = maker.node(root=False, name="box", mesh=maker.box(), extras=below or {})
    maker.node(name="group", children=[box], extras=extras or {})
    return maker


@pytest.mark.parametrize(
    ("extras", "below", "modes", "hides"),
    [
        ("ignore", None, {}, False),
        ("ignore", "opaque", {}, True),
        (None, "ignore", {}, False),
        (None, "ignore", {"box": "opaque"}, True),
        ("opaque", None, {"group": "ignore"}, False),
        (None, "opaque", {"group": "ignore"}, True),
    ],
)
def test_the_nearest_word_counts_and_the_callers_before_the_files(
    extras: str | None, below: str | None, modes: dict[str, Mode], hides: bool
) -> None:
    words = [{"openslot_occluder": word} if word else None for word in (extras, below)]
    assert bool(parts(said(*words), modes)) == hides


@pytest.mark.parametrize(
    ("extras", "modes", "where"),
    [
        ({"openslot_occluder": "glass"}, {}, "/nodes/1/extras/openslot_occluder"),
        ({"openslot_occluder": 3}, {}, "/nodes/1/extras/openslot_occluder"),
        (None, {"door": "ignore"}, "modes"),
        (None, {"box": "glass"}, "modes/box"),
    ],
)
def test_a_word_that_is_no_mode_and_a_name_that_is_no_node_are_refused(
    extras: dict[str, Any] | None, modes: Any, where: str
) -> None:
    with pytest.raises(OpenSlotError) as refused:
        parts(said(extras), modes)
    code = Code.ARGUMENT_INVALID if modes else Code.GEOMETRY_INVALID
    assert (refused.value.code, refused.value.where) == (code, where)


def picture(rows: list[list[tuple[int, ...]]], kind: str = "PNG") -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.array(rows, np.uint8), "RGBA").save(data, kind, lossless=True)
    return data.getvalue()


def fence(sampler: dict[str, int] | None = None, moved: dict[str, Any] | None = None, **terms: Any) -> Maker:
    """A masked box whose texture's upper left quarter is there."""
    maker = Maker()
    view = maker.view(picture([[FULL, EMPTY], [EMPTY, EMPTY]]))
    image = maker.add("images", {"bufferView": view, "mimeType": "image/png"})
    body = {"source": image} | ({} if sampler is None else {"sampler": maker.add("samplers", sampler)})
    texture: dict[str, Any] = {"index": maker.add("textures", body)}
    if moved is not None:
        texture["extensions"] = {"KHR_texture_transform": moved}
    surface = {"baseColorTexture": texture}
    material = {"alphaMode": "MASK", "pbrMetallicRoughness": surface} | terms
    maker.extension("KHR_texture_transform")
    maker.node(name="fence", mesh=maker.box(material=maker.add("materials", material)))
    return maker


def test_a_masked_texture_is_read_texel_by_texel() -> None:
    (part,) = parts(fence())
    assert part.holes is not None
    assert part.holes.opaque.tolist() == [[True, False], [False, False]]
    assert part.holes.uv[:4].tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]


def test_a_blended_thing_may_be_called_a_cutout() -> None:
    (part,) = parts(fence(alphaMode="BLEND"), {"fence": "cutout"})
    assert part.holes is not None
    assert part.holes.opaque.sum() == 1


def test_a_texture_that_is_all_there_is_still_below_a_cutoff_above_it() -> None:
    assert parts(fence(alphaCutoff=1.1)) == ()


def test_texture_coordinates_move_as_the_extension_has_it() -> None:
    # the extension's own example: the lower left quarter of the image, turned clockwise by a quarter
    moved = {"offset": [0, 1], "rotation": np.pi / 2, "scale": [0.5, 0.5]}
    (part,) = parts(fence(moved=moved))
    assert part.holes is not None
    corners = part.holes.uv[:4]
    assert corners.min(axis=0) == pytest.approx([0, 0.5])
    assert corners.max(axis=0) == pytest.approx([0.5, 1])
    assert corners[0] == pytest.approx([0, 1])
    assert corners[1] == pytest.approx([0, 0.5])


def test_a_mirroring_sampler_repeats_the_texture_with_its_mirror_image() -> None:
    (part,) = parts(fence(sampler={"wrapS": 33648}))
    assert part.holes is not None
    assert part.holes.opaque.tolist() == [[True, False, False, True], [False] * 4]
    assert part.holes.uv[:, 0].max() == 0.5


def test_an_image_that_cannot_be_decoded_is_refused_by_its_place() -> None:
    maker = fence()
    view = maker.json["bufferViews"][0]
    data = maker.binary.index(b"IDAT", view["byteOffset"]) + 4
    maker.binary[data : data + 4] = b"\xff" * 4
    with pytest.raises(OpenSlotError) as refused:
        parts(maker)
    assert (refused.value.code, refused.value.where) == (Code.GEOMETRY_INVALID, "/images/0")
