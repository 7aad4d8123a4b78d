import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from openslot_gltf import TIERS, Document, check, panel, read_document, scene_geometry, write_glb
from openslot_gltf.images import image_header
from openslot_gltf.packing import INDICES, VERTICES, Packer
from openslot_server.cli.main import app
from openslot_server.optimise import search
from openslot_server.optimise.lods import card, half
from openslot_server.optimise.meshes import slimmed, texture_sets
from openslot_server.optimise.search import cost_of, smaller_image, smaller_model
from openslot_server.optimise.textures import with_textures
from openslot_server.previews.preview import facing, turned
from openslot_server.previews.renderer import Renderer
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import MediaType, SlotTerms
from tests.gltf.build import HONEST
from tests.gltf.khronos import shared_models, verdicts

GLB: MediaType = "model/gltf-binary"


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer() as warm:
        yield warm


def accepted(_: bytes) -> bool:
    return True


def sphere(rings: int) -> bytes:
    """Return a ball of 2 · rings² triangles."""
    v, u = (each.ravel() for each in np.meshgrid(*[np.linspace(0, 1, rings + 1)] * 2, indexing="ij"))
    points = np.stack(
        [np.sin(np.pi * v) * np.cos(2 * np.pi * u), np.cos(np.pi * v), np.sin(np.pi * v) * np.sin(2 * np.pi * u)], 1
    )
    normals = points.astype("<f4")
    row, column = (each.ravel() for each in np.meshgrid(np.arange(rings), np.arange(rings), indexing="ij"))
    a = row * (rings + 1) + column
    triangles = np.stack([a, a + 1, a + rings + 1, a + 1, a + rings + 2, a + rings + 1], axis=1)
    packer = Packer()
    attributes = {
        "POSITION": packer.accessor(points.astype("<f4"), VERTICES, bounded=True),
        "NORMAL": packer.accessor(normals, VERTICES),
    }
    indices = packer.accessor(triangles.reshape(-1, 1).astype("<u4"), INDICES)
    json: dict[str, Any] = {"asset": {"version": "2.0", "copyright": "Ball by Nobody"}, "scene": 0}
    json |= {"scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0}]}
    json["meshes"] = [{"primitives": [{"attributes": attributes, "indices": indices}]}]
    return write_glb(packer.packed(json))


def noisy(size: tuple[int, int], kind: str = "PNG", seed: int = 2) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def honest() -> dict[str, bytes]:
    real = {path.stem: path.read_bytes() for path in shared_models()[::3]}
    return {name: make().glb() for name, make in HONEST.items()} | real


def test_what_fits_becomes_smaller_and_looks_the_same(renderer: Renderer, tmp_path: Path) -> None:
    made: dict[str, bytes] = {}
    for name, data in honest().items():
        before = read_document(data)
        made[name] = smaller_model(data, "L", accepted)
        after = read_document(made[name])
        assert len(made[name]) <= len(data), name
        assert check(made[name], "L").accepted, name
        for array in ("animations", "skins"):
            assert len(after.array(array)) == len(before.array(array)), name
        assert cost_of(made[name], GLB).triangles <= cost_of(data, GLB).triangles
        pictures = zip(turned(renderer, before, 4, 170), turned(renderer, after, 4, 170), strict=True)
        assert np.mean([np.abs(one.astype(int) - other).mean() for one, other in pictures]) <= 1, name
    found = verdicts(made, tmp_path)
    assert {name: each["errors"] for name, each in found.items() if each["errors"]} == {}


@pytest.mark.parametrize("name", list(HONEST))
def test_our_own_steps_keep_geometry_within_a_hair(name: str, tmp_path: Path) -> None:
    document = read_document(HONEST[name]().glb())
    lean = slimmed(with_textures(document, 4096, None))
    before, after = scene_geometry(document), scene_geometry(lean)
    np.testing.assert_allclose(after.vertices[after.triangles], before.vertices[before.triangles], atol=2e-2)
    found = verdicts({name: write_glb(lean)}, tmp_path)
    assert found[name]["errors"] == []


@pytest.mark.parametrize("packs", [True, False])
def test_too_many_triangles_become_as_many_as_fit(packs: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not packs:
        monkeypatch.setattr(search, "repacked", lambda _: None)
    data = sphere(150)
    assert not check(data, "M").accepted
    made = smaller_model(data, "M", accepted)
    verdict = check(made, "M")
    assert verdict.accepted
    assert verdict.document is not None
    assert verdict.document.json["asset"]["copyright"] == "Ball by Nobody"
    points = scene_geometry(verdict.document).vertices
    assert np.abs(np.linalg.norm(points, axis=1) - 1).max() < 0.02


def test_a_texture_too_large_is_resized_and_then_pressed() -> None:
    data = write_glb(panel(noisy((2048, 1024)), SlotTerms(id="wall", size=(2.0, 1.0))))
    made = smaller_model(data, "M", accepted)
    document = read_document(made)
    (image,) = document.array("images")
    assert len(made) <= TIERS["M"].file_bytes
    assert image["mimeType"] == "image/jpeg"
    assert cost_of(made, GLB).texture_bytes <= 1024 * 512 * 4 * 4 / 3 + 1


def test_equal_images_become_one() -> None:
    single = panel(noisy((16, 16)), SlotTerms(id="wall", size=(2.0, 1.0)))
    twice: dict[str, Any] = {**single.json, "images": [*single.array("images") * 2]}
    twice["textures"] = [{"source": 0}, {"source": 1}]
    assert len(with_textures(Document(twice, single.binary), 64, None).array("images")) == 1


def test_it_says_why_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "repacked", lambda _: None)
    document = read_document(sphere(4))
    (mesh,) = document.array("meshes")
    apart = {**document.json, "meshes": [{"primitives": mesh["primitives"] * 20}]}
    data = write_glb(Document(apart, document.binary))
    with pytest.raises(OpenSlotError) as refused:
        smaller_model(data, "S", accepted)
    assert refused.value.code is Code.CREATIVE_REFUSED
    assert "20, 8 are allowed. The file needs more draw calls" in refused.value.detail


@pytest.mark.parametrize(
    ("material", "sets"),
    [
        ({}, set()),
        ({"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}, {0}),
        ({"normalTexture": {"index": 0, "texCoord": 1}}, {1}),
        ({"emissiveTexture": {"index": 0, "extensions": {"KHR_texture_transform": {"texCoord": 2}}}}, {2}),
        ({"extensions": {"KHR_materials_sheen": {"sheenColorTexture": {"index": 0, "texCoord": 3}}}}, {3}),
        ({"extras": {"index": 0}}, set()),
    ],
)
def test_the_texture_coordinates_that_a_material_asks_for_are_known(material: dict[str, Any], sets: set[int]) -> None:
    assert texture_sets(material) == sets


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_an_image_becomes_one_that_fits(kind: str) -> None:
    data = noisy((1400, 700), kind)
    media_type = image_header(data).media_type  # type: ignore[union-attr]  # it has a header
    made = smaller_image(data, media_type, media_type, "M")
    header = image_header(made)
    assert header is not None
    assert (header.media_type, header.width_px == 2 * header.height_px) == (media_type, True)
    assert len(made) <= min(len(data), TIERS["M"].file_bytes)
    assert header.width_px <= 1024
    small = noisy((8, 8), kind)
    assert len(smaller_image(small, media_type, media_type, "M")) <= len(small)
    other = smaller_image(data, media_type, "image/webp", "S")
    assert other[8:12] == b"WEBP"
    assert len(other) <= TIERS["S"].file_bytes


def test_what_stands_in_far_away_is_ever_lighter(renderer: Renderer) -> None:
    document = read_document(sphere(40))
    costs = [cost_of(each, GLB) for each in (write_glb(document), half(document), card(renderer, document))]
    assert [cost.triangles for cost in costs[1:]] == [pytest.approx(costs[0].triangles / 2, rel=0.1), 2]
    assert costs[0].bytes > costs[1].bytes
    front, size = facing(renderer, read_document(card(renderer, document)), 64)
    assert size == pytest.approx((2.0, 2.0), abs=0.01)
    assert front[32, 32, 3] == 255
    assert front[1, 1, 3] == 0


def test_the_command_writes_what_fits_and_a_picture(tmp_path: Path) -> None:
    source, out = tmp_path / "ball.glb", tmp_path / "small.glb"
    source.write_bytes(sphere(150))
    said = CliRunner().invoke(app, ["creative", "optimise", str(source), "-o", str(out), "--lods", "--json"])
    assert said.exit_code == 0, said.output
    answer = json.loads(said.stdout)
    assert answer["costs"]["before"]["triangles"] == 45_000
    assert answer["costs"]["full"]["bytes"] == out.stat().st_size < source.stat().st_size
    assert answer["image_change"] <= 1
    assert {path.name for path in tmp_path.iterdir()} == {
        "ball.glb", "small.glb", "small.half.glb", "small.card.glb", "small.compared.png"
    }  # fmt: skip
    wrong = CliRunner().invoke(app, ["creative", "optimise", str(source), "-o", str(tmp_path / "ball.png")])
    assert isinstance(wrong.exception, OpenSlotError)
    assert wrong.exception.code is Code.ARGUMENT_INVALID
