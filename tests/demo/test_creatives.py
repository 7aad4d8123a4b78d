import functools
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from openslot_demo import creatives
from tests.demo.geometry import array, document, triangles
from tests.gltf.khronos import verdicts

every_creative = pytest.mark.parametrize("name", creatives.CREATIVES)


@functools.cache
def glb(name: str) -> bytes:
    return creatives.build_creative(name)


def picture(name: str) -> tuple[dict[str, Any], Image.Image]:
    parsed = document(glb(name))
    (image,) = parsed["images"]
    view = parsed["bufferViews"][image["bufferView"]]
    start = 28 + int.from_bytes(glb(name)[12:16], "little") + view["byteOffset"]
    return image, Image.open(io.BytesIO(glb(name)[start : start + view["byteLength"]]))


def test_the_khronos_validator_finds_no_error_and_no_warning(tmp_path: Path) -> None:
    for name, verdict in verdicts({name: glb(name) for name in creatives.CREATIVES}, tmp_path).items():
        assert (name, verdict["errors"], verdict["warnings"]) == (name, [], 0)


@every_creative
def test_a_creative_keeps_tier_m(name: str) -> None:
    parsed = document(glb(name))
    assert len(glb(name)) <= 500_000
    assert len(triangles(glb(name))) <= 10_000
    assert sum(len(mesh["primitives"]) for mesh in parsed["meshes"]) <= 4
    assert max(picture(name)[1].size) <= 1024


@every_creative
def test_the_board_is_unlit_fills_its_size_and_faces_ahead(name: str) -> None:
    parsed = document(glb(name))
    (node,) = [node for node in parsed["nodes"] if node["name"] == "board"]
    (primitive,) = parsed["meshes"][node["mesh"]]["primitives"]
    assert "KHR_materials_unlit" in parsed["materials"][primitive["material"]]["extensions"]
    corners = array(glb(name), primitive["attributes"]["POSITION"])
    width, height = creatives.CREATIVES[name].size
    assert np.ptp(corners, axis=0).tolist() == pytest.approx([width, height, 0])
    a, b, c = corners[array(glb(name), primitive["indices"])[:3, 0]].astype(np.float64)
    assert np.cross(b - a, c - a)[2] > 0


@every_creative
def test_products_stand_before_the_board_within_its_edges(name: str) -> None:
    corners = triangles(glb(name)).reshape(-1, 3)
    assert (np.abs(corners[:, :2]).max(axis=0) <= np.array(creatives.CREATIVES[name].size) / 2 + 1e-6).all()
    assert corners[:, 2].min() == 0
    assert 0.05 < corners[:, 2].max() < 0.7


@every_creative
def test_the_picture_has_the_shape_of_the_board(name: str) -> None:
    image, shown = picture(name)
    width, height = creatives.CREATIVES[name].size
    assert image["mimeType"] == "image/jpeg"
    assert shown.width / shown.height == pytest.approx(width / height, rel=0.01)


@every_creative
def test_a_creative_names_its_advertiser_and_where_it_leads(name: str) -> None:
    creative = creatives.CREATIVES[name]
    assert creative.landing_url.startswith(creatives.ADVERTISERS[creative.advertiser].landing_url)
    assert creative.advertiser in document(glb(name))["asset"]["copyright"]


def test_three_advertisers_have_creatives_of_different_shapes() -> None:
    table = creatives.CREATIVES.values()
    assert {creative.advertiser for creative in table} == set(creatives.ADVERTISERS)
    assert len({creative.size for creative in table}) >= 5


def test_one_creative_turns_without_end() -> None:
    animated = [name for name in creatives.CREATIVES if "animations" in document(glb(name))]
    assert animated == ["tern-globe"]
    (animation,) = document(glb("tern-globe"))["animations"]
    turns = array(glb("tern-globe"), animation["samplers"][0]["output"])
    assert abs(float(turns[0] @ turns[-1])) == pytest.approx(1.0, abs=1e-6)


def test_what_turns_never_dips_into_the_board() -> None:
    parsed = document(glb("tern-globe"))
    (globe,) = [node for node in parsed["nodes"] if node["name"] == "globe"]
    (primitive,) = parsed["meshes"][globe["mesh"]]["primitives"]
    corners = array(glb("tern-globe"), primitive["attributes"]["POSITION"])
    assert np.hypot(corners[:, 0], corners[:, 2]).max() < globe["translation"][2]


@every_creative
def test_a_creative_is_the_same_bytes_each_time(name: str) -> None:
    assert creatives.build_creative(name) == glb(name)
