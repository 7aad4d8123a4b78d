import io
from pathlib import Path

import pytest
from PIL import Image

from openslot_gltf import Document, add_slot, check, embed, panel, read_document, scene_geometry, write_glb
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import SlotTerms
from tests.gltf.build import room
from tests.gltf.khronos import verdicts

FITS = ("contain", "cover", "stretch", "fixed")


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 20), mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, (200, 80, 10, 120)[: len(mode)]).save(out, kind)
    return out.getvalue()


def terms(width: float = 4.0, height: float = 1.0, **more: object) -> SlotTerms:
    return SlotTerms.model_validate({"id": "wall", "size": (width, height), "depth": 0.0, **more})


def coordinates(document: Document) -> list[tuple[float, ...]]:
    view = document.array("bufferViews")[2]
    flat = memoryview(document.binary)[view["byteOffset"] : view["byteOffset"] + view["byteLength"]].cast("f").tolist()
    return [*zip(flat[::2], flat[1::2], strict=True)]


def test_a_panel_is_a_creative_without_fault_here_and_in_the_khronos_validator(tmp_path: Path) -> None:
    scene = read_document(room().glb())
    files: dict[str, bytes] = {}
    for kind in ("PNG", "JPEG", "WEBP"):
        for fit in FITS:
            data = write_glb(panel(picture(kind), terms(fit=fit)))
            verdict = check(data, "S")
            assert (verdict.findings, verdict.accepted) == ((), True)
            embedded = embed(add_slot(scene, terms(fit=fit), (0, 1, 0)), "wall", read_document(data))
            files |= {f"{kind} {fit}": data, f"{kind} {fit} in a scene": write_glb(embedded)}
    found = verdicts(files, tmp_path)
    assert {name: (each["errors"], each["warnings"]) for name, each in found.items()} == dict.fromkeys(files, ([], 0))


@pytest.mark.parametrize(
    ("fit", "size", "shown"),
    [
        ("contain", (2, 1, 0), (0, 1, 0, 1)),
        ("cover", (4, 1, 0), (0, 1, 0.25, 0.75)),
        ("stretch", (4, 1, 0), (0, 1, 0, 1)),
    ],
)
def test_a_wide_slot_shows_a_picture_twice_as_wide_as_high(
    fit: str, size: tuple[float, ...], shown: tuple[float, ...]
) -> None:
    document = panel(picture(), terms(fit=fit))
    stats = check(write_glb(document)).stats
    assert stats is not None
    assert stats.size_m == size
    across, down = zip(*coordinates(document), strict=True)
    assert (min(across), max(across), min(down), max(down)) == shown


@pytest.mark.parametrize(
    ("align", "size", "shown"),
    [
        ("top", (4.0, 1.0), (0, 1, 0, 0.5)),
        ("bottom_left", (4.0, 1.0), (0, 1, 0.5, 1)),
        ("right", (1.0, 1.0), (0.5, 1, 0, 1)),
        ("top_left", (1.0, 1.0), (0, 0.5, 0, 1)),
    ],
)
def test_what_covers_keeps_to_the_edges_it_is_aligned_to(
    align: str, size: tuple[float, float], shown: tuple[float, ...]
) -> None:
    across, down = zip(*coordinates(panel(picture(), terms(*size, fit="cover", align=align))), strict=True)
    assert (min(across), max(across), min(down), max(down)) == shown


@pytest.mark.parametrize("scale", [0.01, 1.0, 3.0, 700.0])
def test_in_a_slot_of_fixed_scale_an_image_is_contained(scale: float) -> None:
    slot = terms(3, 2, fit="fixed", scale=scale)
    scene = add_slot(read_document(room().glb()), slot, (0, 1, 0))
    filled = embed(scene, "wall", panel(picture(), slot))
    wrapper = next(node for node in filled.array("nodes") if node.get("name") == "openslot:wall")
    accessor = filled.array("accessors")[len(scene.array("accessors"))]
    wide, high = (side * wrapper["scale"][axis] * 2 for axis, side in enumerate(accessor["max"][:2]))
    assert (wide, high) == (pytest.approx(3), pytest.approx(1.5))


def test_it_is_upright_and_faces_along_z() -> None:
    document = panel(picture(), terms())
    geometry = scene_geometry(document)
    first, second, third = geometry.vertices[geometry.triangles[0]]
    assert ((second - first)[0] * (third - second)[1]) > 0  # counter-clockwise from +Z
    assert coordinates(document)[0] == (0, 1)  # what is left and below shows the picture's left and below


def test_a_panel_made_for_a_slot_is_embedded_as_it_is() -> None:
    scene = add_slot(read_document(room().glb()), terms(3, 2, fit="cover"), (0, 1, 0))
    filled = embed(scene, "wall", panel(picture(), terms(3, 2, fit="cover")))
    wrapper = next(node for node in filled.array("nodes") if node.get("name") == "openslot:wall")
    assert (wrapper["translation"], wrapper["scale"]) == ([0, 0, 0], [1, 1, 1])


@pytest.mark.parametrize(
    ("data", "blended"),
    [
        (picture(mode="RGBA"), True),
        (picture("WEBP", mode="RGBA"), True),
        (picture(), False),
        (picture("WEBP"), False),
        (picture("JPEG"), False),
    ],
)
def test_only_what_can_be_seen_through_is_blended(data: bytes, blended: bool) -> None:
    assert (panel(data, terms()).array("materials")[0].get("alphaMode") == "BLEND") == blended


def test_a_slot_with_two_sides_has_a_panel_with_two() -> None:
    assert panel(picture(), terms(two_sided=True)).array("materials")[0]["doubleSided"]


def test_what_is_no_image_makes_no_panel() -> None:
    with pytest.raises(OpenSlotError) as refused:
        panel(b"GIF89a", terms())
    assert refused.value.code is Code.CREATIVE_REFUSED
