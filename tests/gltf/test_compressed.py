import io
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from openslot_gltf import SCENE, TIERS, Rule, Verdict, check, read_document, scene_geometry, write_glb
from openslot_gltf.document import Document
from openslot_gltf.read import examined
from tests.gltf.build import Maker, box_arrays, glb
from tests.gltf.compressed import PIXELS, board_with, draco_box, ktx2, meshopt_box, meshopt_glb, webp
from tests.gltf.khronos import verdicts

DECODING = replace(TIERS["M"], decodes=True)
DRACO, MESHOPT, BASISU = "KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_texture_basisu"
WEBP = "EXT_texture_webp"

COMPRESSED: dict[str, Callable[[], bytes]] = {
    "draco": lambda: draco_box().glb(),
    "meshopt": lambda: meshopt_glb(meshopt_box()),
    "meshopt of Khronos": lambda: meshopt_glb(meshopt_box("KHR_meshopt_compression"), "KHR_meshopt_compression"),
    "ktx2": lambda: board_with(ktx2((200, 100, 50, 255)), "image/ktx2", BASISU).glb(),
    "ktx2 see-through": lambda: board_with(ktx2((200, 100, 50, 90)), "image/ktx2", BASISU).glb(),
    "webp": lambda: board_with(webp(), "image/webp", WEBP).glb(),
    "webp lossless": lambda: board_with(webp(lossless=True), "image/webp", WEBP).glb(),
    "webp beside png": lambda: board_with(webp(), "image/webp", WEBP, fallback=True).glb(),
    "ktx2 beside png": lambda: board_with(ktx2((1, 2, 3, 4)), "image/ktx2", BASISU, fallback=True).glb(),
}


def judged(data: bytes) -> Verdict:
    return examined(data, DECODING)


def picture(document: Document) -> tuple[str, np.ndarray[Any, Any]]:
    (image,) = document.array("images")
    view = document.array("bufferViews")[image["bufferView"]]
    data = document.binary[view["byteOffset"] :][: view["byteLength"]]
    return image["mimeType"], np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("name", COMPRESSED)
def test_what_is_compressed_becomes_a_plain_file_and_that_is_said(name: str, tmp_path: Path) -> None:
    verdict = judged(COMPRESSED[name]())
    assert [finding.code for finding in verdict.findings] == [Rule.EXTENSION_DECODED]
    assert verdict.document is not None
    assert verdict.stats is not None
    assert verdict.stats.triangles == 12
    plain = write_glb(verdict.document)
    assert check(plain).findings == ()
    assert verdicts({name: plain}, tmp_path)[name]["errors"] == []


@pytest.mark.parametrize(("name", "off"), [("draco", 1e-4), ("meshopt", 0.0)])
def test_geometry_stays_what_it_was(name: str, off: float) -> None:
    document = judged(COMPRESSED[name]()).document
    assert document is not None
    geometry = scene_geometry(document)
    corners = geometry.vertices[geometry.triangles]
    positions, _, rows = box_arrays(np.ones(3), np.zeros(3))
    assert np.abs(corners - positions[rows.reshape(-1, 3)]).max() <= off


@pytest.mark.parametrize(
    ("name", "media_type", "pixels", "off"),
    [
        ("webp", "image/jpeg", PIXELS, 24),
        ("webp lossless", "image/png", PIXELS, 0),
        ("ktx2", "image/jpeg", np.full((8, 8, 3), [200, 100, 50]), 2),
        ("ktx2 see-through", "image/png", np.full((8, 8, 4), [200, 100, 50, 90]), 0),
        ("webp beside png", "image/png", np.full((4, 4, 3), 200), 0),
    ],
)
def test_pictures_stay_what_they_were(name: str, media_type: str, pixels: Any, off: int) -> None:
    document = judged(COMPRESSED[name]()).document
    assert document is not None
    kind, found = picture(document)
    assert kind == media_type
    assert np.abs(found.astype(int) - pixels).max() <= off


@pytest.mark.parametrize("name", [name for name in COMPRESSED if not name.startswith("webp")])
def test_without_a_sandbox_nothing_is_decoded_and_the_refusal_says_how_to_convert(name: str) -> None:
    refusal = check(COMPRESSED[name]()).refusal()
    assert refusal is not None
    assert refusal.code is Rule.EXTENSION_COMPRESSED
    assert "gltf-transform" in refusal.message


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_worlds_own_scene_is_decoded(name: str) -> None:
    assert len(scene_geometry(read_document(COMPRESSED[name](), SCENE)).triangles) == 12


def without_decoder(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)


@pytest.mark.parametrize(
    ("name", "module"), [("draco", "DracoPy"), ("meshopt", "meshoptimizer"), ("ktx2", "opengl_basisu")]
)
def test_without_its_decoder_a_file_is_refused(name: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without_decoder(monkeypatch, module)
    refusal = judged(COMPRESSED[name]()).refusal()
    assert refusal is not None
    assert refusal.code is Rule.EXTENSION_COMPRESSED


def spoiled(make: Callable[[], Maker], change: Callable[[dict[str, Any]], object]) -> Callable[[], bytes]:
    def data() -> bytes:
        maker = make()
        change(maker.json)
        return meshopt_glb(maker) if MESHOPT in maker.json["extensionsUsed"] else maker.glb()

    return data


def body(json: dict[str, Any]) -> dict[str, Any]:
    holder = json["bufferViews"] if MESHOPT in json["extensionsUsed"] else json["meshes"][0]["primitives"]
    found: dict[str, Any] = next(iter(holder[0]["extensions"].values()))
    return found


def cut(data: bytes, extension: str) -> bytes:
    return board_with(data[: len(data) // 2], "image/ktx2" if extension == BASISU else "image/webp", extension).glb()


HOSTILE: dict[str, tuple[Callable[[], bytes], Rule]] = {
    "draco of other counts": (
        spoiled(draco_box, lambda json: json["accessors"][0].update(count=25)), Rule.COMPRESSED_DAMAGED),
    "draco of a million vertices": (
        spoiled(draco_box, lambda json: [json["accessors"][at].update(count=3 * 10**6) for at in (0, 1)]),
        Rule.COMPRESSED_DAMAGED),
    "draco of other indices": (
        spoiled(draco_box, lambda json: json["accessors"][2].update(count=33)), Rule.COMPRESSED_DAMAGED),
    "draco attribute of no one": (
        spoiled(draco_box, lambda json: body(json)["attributes"].update(POSITION=77)), Rule.COMPRESSED_DAMAGED),
    "draco positions as bytes": (
        spoiled(draco_box, lambda json: json["accessors"][0].update(componentType=5121)), Rule.COMPRESSED_DAMAGED),
    "draco attributes swapped": (
        spoiled(draco_box, lambda json: json["meshes"][0]["primitives"].append(
            {**json["meshes"][0]["primitives"][0], "extensions": {DRACO: body(json) | {"attributes": {
                "POSITION": body(json)["attributes"]["NORMAL"], "NORMAL": body(json)["attributes"]["POSITION"]}}}}
        )), Rule.COMPRESSED_DAMAGED),
    "draco view beyond the end": (
        spoiled(draco_box, lambda json: body(json).update(bufferView=9)), Rule.SHAPE_INDEX),
    "meshopt longer than its view": (
        spoiled(meshopt_box, lambda json: body(json).update(count=25)), Rule.COMPRESSED_DAMAGED),
    "meshopt of a gigabyte": (
        spoiled(meshopt_box, lambda json: (
            body(json).update(count=10**8), json["bufferViews"][0].update(byteLength=12 * 10**8)
        )), Rule.COMPRESSED_DAMAGED),
    "meshopt beyond its buffer": (
        spoiled(meshopt_box, lambda json: body(json).update(byteOffset=10**6)), Rule.VIEW_RANGE),
    "meshopt triangles as vertices": (
        spoiled(meshopt_box, lambda json: body(json).update(mode="INDICES")), Rule.COMPRESSED_DAMAGED),
    "meshopt filter of another stride": (
        spoiled(meshopt_box, lambda json: body(json).update(filter="QUATERNION")), Rule.COMPRESSED_DAMAGED),
    "meshopt cut": (
        spoiled(meshopt_box, lambda json: body(json).update(byteLength=8)), Rule.COMPRESSED_DAMAGED),
    "a view into a fallback": (
        spoiled(meshopt_box, lambda json: json["bufferViews"][0].pop("extensions")), Rule.BUFFER_MISSING),
    "ktx2 cut": (lambda: cut(ktx2((1, 2, 3, 4), 64, 64), BASISU), Rule.IMAGE_FORMAT),
    "ktx2 giant": (
        lambda: board_with(ktx2((1, 2, 3, 4), width=4)[:20] + (60_000).to_bytes(4, "little") * 2
                           + ktx2((1, 2, 3, 4), width=4)[28:], "image/ktx2", BASISU).glb(), Rule.IMAGE_SIDE),
    "ktx2 of a hundred layers": (
        lambda: board_with(ktx2((1, 2, 3, 4), layers=100), "image/ktx2", BASISU).glb(), Rule.IMAGE_FORMAT),
    "ktx2 of a level that swells": (
        lambda: board_with(ktx2((1, 2, 3, 4), scheme=2, plain=10**12), "image/ktx2", BASISU).glb(), Rule.IMAGE_FORMAT),
    "ktx2 of no zstandard": (
        lambda: board_with(ktx2((1, 2, 3, 4), scheme=2), "image/ktx2", BASISU).glb(), Rule.COMPRESSED_DAMAGED),
    "ktx2 that is a webp": (lambda: board_with(webp(), "image/ktx2", BASISU).glb(), Rule.IMAGE_TYPE),
    "webp cut": (lambda: cut(webp(lossless=True), WEBP), Rule.COMPRESSED_DAMAGED),
    "webp giant": (
        lambda: board_with(webp(np.zeros((8, 4096, 3), np.uint8)), "image/webp", WEBP).glb(), Rule.IMAGE_SIDE),
    "webp that moves": (
        lambda: board_with(
            webp(append_images=[Image.fromarray(255 - PIXELS)], save_all=True), "image/webp", WEBP
        ).glb(),
        Rule.IMAGE_FORMAT),
    "meshopt without a count": (
        spoiled(meshopt_box, lambda json: body(json).pop("count")), Rule.SHAPE_MISSING),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_compressed_data_that_lies_is_refused(name: str) -> None:
    make, rule = HOSTILE[name]
    refusal = judged(make()).refusal()
    assert refusal is not None
    assert refusal.code is rule, refusal


@pytest.mark.parametrize("name", COMPRESSED)
def test_broken_bytes_are_refused_or_read_and_never_empty(name: str) -> None:
    whole = COMPRESSED[name]()
    for seed in range(60):
        chance = random.Random(f"{name}.{seed}")  # noqa: S311 - faults, not secrets
        data = bytearray(whole)
        at = chance.randrange(data.index(b"BIN\0") + 4, len(data))
        data[at] = chance.randrange(256)
        verdict = judged(bytes(data))
        assert verdict.stats is None or not verdict.accepted or verdict.stats.triangles == 12


def test_a_gltf_of_a_view_without_bytes_stays_refused() -> None:
    maker = meshopt_box()
    refusal = judged(glb(maker.finished(), bytes(maker.binary))).refusal()
    assert refusal is not None
    assert refusal.code is Rule.SHAPE_INDEX
