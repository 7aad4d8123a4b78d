import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from openslot_gltf import read_document
from openslot_sdk.ads import Ad
from openslot_sdk.scenes import Scene, with_ads
from openslot_spec.creatives import Video
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import MediaType
from tests.sdk.scenes import board_scene

PICTURE = {"media": ["image/png", "model/gltf-binary"], "tier": "S"}


def poster(folder: Path, side_px: int = 64, kind: str = "PNG", media_type: MediaType = "image/png") -> Ad:
    out = io.BytesIO()
    Image.new("RGB", (side_px, side_px), (10, 120, 200)).save(out, kind)
    path = folder / "poster"
    path.write_bytes(out.getvalue())
    return Ad("east", path, media_type, "Ad by Acme", "ab" * 32, "acme")


def test_an_image_hangs_in_its_slot_as_a_panel(tmp_path: Path) -> None:
    scene = Scene.read(board_scene("east", accepts=PICTURE))
    shown = read_document(with_ads(scene, [poster(tmp_path)]))
    (wrapper,) = (node for node in shown.array("nodes") if node.get("name") == "openslot:east")
    assert wrapper["extras"]["openslot"] == {"creative": "ab" * 32}
    assert shown.array("accessors")[0]["max"] == [1, 1, 0]  # a square in a slot of 3 × 2 m
    assert shown.array("materials")[0]["extensions"] == {"KHR_materials_unlit": {}}


@pytest.mark.parametrize("side_px", [512, 513])
def test_an_image_is_held_against_its_slots_tier(tmp_path: Path, side_px: int) -> None:
    scene = Scene.read(board_scene("east", accepts=PICTURE))
    if side_px == 512:
        with_ads(scene, [poster(tmp_path, side_px)])
        return
    with pytest.raises(OpenSlotError) as refused:
        with_ads(scene, [poster(tmp_path, side_px)])
    assert refused.value.code is Code.GLTF_REFUSED


def test_a_slot_for_models_shows_no_image(tmp_path: Path) -> None:
    with pytest.raises(OpenSlotError) as refused:
        with_ads(Scene.read(board_scene("east")), [poster(tmp_path)])
    assert refused.value.code is Code.CREATIVE_REFUSED


def test_a_video_hangs_as_its_poster_and_says_what_plays_on_it(tmp_path: Path) -> None:
    still = poster(tmp_path, 640, "JPEG")
    facts = {"duration_ms": 2000, "width_px": 640, "height_px": 640, "frames_per_second": 24.0, "sound": True}
    file = {"sha256": "cd" * 32, "size_bytes": 9, "url": "/assets/poster"}
    video = Video.model_validate(facts | {"poster": file})
    path = tmp_path / "film.mp4"
    path.write_bytes(b"never read here")
    ad = replace(still, path=path, media_type="video/mp4", video=video, poster=still.path)
    scene = Scene.read(board_scene("east", accepts={"media": ["video/mp4"], "tier": "S"}))
    shown = read_document(with_ads(scene, [ad]))
    (wrapper,) = (node for node in shown.array("nodes") if node.get("name") == "openslot:east")
    said = {"sha256": "ab" * 32, "media_type": "video/mp4", "muted": True, "loop": True, "unmute": "click", **facts}
    assert wrapper["extras"]["openslot"] == {"creative": "ab" * 32, "video": said}
