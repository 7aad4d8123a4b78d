import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from openslot_gltf import Document, add_slot, check, embed, panel, read_document, write_glb
from openslot_gltf.normals import with_normals
from openslot_server.cli.main import app
from openslot_server.previews import renderer as rendering
from openslot_server.previews.environment import STUDIO, studio_ktx
from openslot_server.previews.preview import DISTANCES_M, SKY, drawn
from openslot_server.previews.renderer import Renderer, Shot
from openslot_server.previews.sheet import caption, moving, sheet
from openslot_server.previews.stage import scene_stage
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import SlotTerms
from tests.gltf.build import HONEST, room
from tests.server.glbs import board

CELLS, CELL_PX = 8, 64


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer() as warm:
        yield warm


def colours() -> np.ndarray[Any, Any]:
    some = np.random.default_rng(5).integers(0, 256, (CELLS, CELLS, 3), dtype=np.uint8)
    some[0, :5] = [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255)]
    return some


def chart(kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    large = colours().repeat(CELL_PX, axis=0).repeat(CELL_PX, axis=1)
    Image.fromarray(large).save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True}), ("JPEG", {"quality": 100, "subsampling": 0})]
)
@pytest.mark.parametrize("yaw_deg", [0.0, 40.0])
def test_a_panel_shows_the_colours_of_its_image_where_they_are(
    renderer: Renderer, kind: str, options: dict[str, Any], yaw_deg: float
) -> None:
    data = chart(kind, **options)
    glb = write_glb(panel(data, SlotTerms(id="wall", size=(2.0, 2.0))))
    away, side = 2.6, 640
    yaw = math.radians(yaw_deg)
    shot = Shot((away * math.sin(yaw), 0.0, away * math.cos(yaw)), (0.0, 0.0, 0.0), (side, side), 60.0)
    (picture,) = renderer.draw(glb, [shot])
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    focal = side / 2 / math.tan(math.radians(30))
    for row in range(CELLS):
        for column in range(CELLS):
            x, y = (column + 0.5) / 4 - 1, 1 - (row + 0.5) / 4
            depth = away - x * math.sin(yaw)
            at = round(side / 2 - focal * y / depth), round(side / 2 + focal * x * math.cos(yaw) / depth)
            found = picture[at].astype(int)
            wanted = shown[row * CELL_PX + CELL_PX // 2, column * CELL_PX + CELL_PX // 2].astype(int)
            assert np.abs(found - wanted).max() <= 2, (row, column, found, wanted)


def test_the_same_creative_is_the_same_sheet_in_every_process(renderer: Renderer) -> None:
    data = HONEST["rich"]().glb()
    with Renderer() as other:
        first, second = (sheet(drawn(each, data, "model/gltf-binary"), "box", "") for each in (renderer, other))
    assert first == second


def test_the_share_of_the_screen_is_that_of_the_slot(renderer: Renderer) -> None:
    found = drawn(renderer, chart(), "image/png")
    assert [view.distance_m for view in found.views] == [*DISTANCES_M]
    for view in found.views:  # a square of 2.4 m before a lens of 60° and a screen of 16 : 9
        high = 2 * view.distance_m * math.tan(math.radians(30))
        assert view.screen_share == pytest.approx(2.4**2 / (high * high * 16 / 9), rel=1e-3)
        assert (view.visible_fraction, view.pixels.shape) == (1.0, (270, 480, 3))
    assert caption(found.views[0]) == "3 m away: 27.0% of the screen"


@pytest.mark.parametrize("name", ["spinning", "skinned", "rich"])
def test_a_creative_is_shown_where_it_would_be_embedded(renderer: Renderer, name: str) -> None:
    data = HONEST[name]().glb()
    scene = add_slot(read_document(room().glb()), SlotTerms(id="wall", size=(2.0, 1.0)), (2.5, 1.5, -1.0), (1, 0, 1))
    stage = scene_stage(write_glb(scene), "wall")
    found = drawn(renderer, data, "model/gltf-binary", stage)
    embedded = write_glb(embed(scene, "wall", read_document(without_pointers(data))))
    ahead = np.array([1, 0, 1]) / math.sqrt(2)
    eye = np.array([2.5, 1.5, -1.0]) + 3 * ahead
    shot = Shot(tuple(eye.tolist()), (2.5, 1.5, -1.0), (480, 270), background=SKY, in_room=True)
    (picture,) = renderer.draw(with_flat_faces(embedded), [shot])
    assert np.abs(picture.astype(int) - found.views[0].pixels).mean() < 0.2


def without_pointers(data: bytes) -> bytes:
    document = read_document(data)
    kept = [each for each in document.array("animations") if "KHR_animation_pointer" not in json.dumps(each)]
    rest = {name: value for name, value in document.json.items() if name != "animations"}
    return write_glb(Document(rest | ({"animations": kept} if kept else {}), document.binary))


def with_flat_faces(data: bytes) -> bytes:
    return write_glb(with_normals(read_document(data)))


def test_a_sheet_and_a_turntable_are_pictures(renderer: Renderer) -> None:
    found = drawn(renderer, board(), "model/gltf-binary")
    with Image.open(io.BytesIO(sheet(found, "Board", "a fact"))) as still:
        assert (still.format, still.size) == ("PNG", (1528, 614))
    kinds: tuple[Literal["GIF", "WEBP"], ...] = ("GIF", "WEBP")
    for kind in kinds:
        with Image.open(io.BytesIO(moving(found.turntable, kind))) as turning:
            assert (turning.format, getattr(turning, "n_frames", 1), turning.size) == (kind, 8, (170, 170))


def test_what_stands_before_a_slot_is_said(renderer: Renderer) -> None:
    scene = add_slot(read_document(room().glb()), SlotTerms(id="wall", size=(2.0, 1.0)), (0.0, 1.5, -2.0))
    stage = scene_stage(write_glb(scene), "wall")
    found = drawn(renderer, board(), "model/gltf-binary", stage)
    hidden = found.views[1].visible_fraction  # a pillar stands between, half a metre wide
    assert 0.3 < hidden < 0.95
    assert caption(found.views[1]).endswith(f", {hidden:.0%} of it to be seen")


def test_a_mesh_without_normals_gets_flat_ones() -> None:
    plain = read_document(board())
    for primitive in plain.json["meshes"][0]["primitives"]:
        primitive["attributes"].pop("NORMAL", None)
    shaded = with_normals(plain)
    assert check(write_glb(shaded)).accepted
    assert "NORMAL" in shaded.array("meshes")[0]["primitives"][0]["attributes"]
    assert with_normals(shaded) is shaded


def test_a_file_that_takes_too_long_costs_its_process_alone() -> None:
    glb = board()
    with Renderer(limit_s=0.001) as impatient:
        first = impatient.draw(glb, [Shot((0, 0, 3), (0, 0, 0), (32, 32))])
        with pytest.raises(OpenSlotError) as late:
            impatient.draw(glb, [Shot((0, 0, 3), (0, 0, 0), (2048, 2048))] * 8)
        assert late.value.code is Code.PREVIEW_FAILED
        again = impatient.draw(glb, [Shot((0, 0, 3), (0, 0, 0), (32, 32))])
    assert (first[0] == again[0]).all()


def test_what_the_renderer_cannot_read_is_said(renderer: Renderer) -> None:
    with pytest.raises(OpenSlotError) as refused:
        renderer.draw(b"glTF nothing", [Shot((0, 0, 3), (0, 0, 0), (32, 32))])
    assert refused.value.code is Code.PREVIEW_FAILED


def test_without_a_renderer_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "WORKER", "openslot_server.previews.nothing")
    with pytest.raises(OpenSlotError) as missing, Renderer() as none:
        none.draw(board(), [Shot((0, 0, 3), (0, 0, 0), (32, 32))])
    assert missing.value.code is Code.PREVIEW_UNAVAILABLE
    assert "openslot[preview]" in str(missing.value)


def test_the_light_is_what_its_module_writes() -> None:
    assert STUDIO.read_bytes() == studio_ktx()


def test_the_command_draws_what_the_gate_accepts(tmp_path: Path) -> None:
    good, bad, out = tmp_path / "board.glb", tmp_path / "bad.glb", tmp_path / "out.png"
    good.write_bytes(board())
    bad.write_bytes(board()[:-4])
    said = CliRunner().invoke(app, ["creative", "preview", str(good), "-o", str(out), "--json"])
    assert said.exit_code == 0, said.output
    views = json.loads(said.stdout)["views"]
    assert [view["distance_m"] for view in views] == [3, 6, 12]
    with Image.open(out) as picture:
        assert picture.size == (1528, 614)
    refused = CliRunner().invoke(app, ["creative", "preview", str(bad), "-o", str(out)])
    assert isinstance(refused.exception, OpenSlotError)
    assert refused.exception.code is Code.CREATIVE_REFUSED
