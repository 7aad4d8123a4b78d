import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from openslot_gltf import Rule, check, read_document
from openslot_gltf.accessors import Elements
from openslot_gltf.bounds import Bounds, content_bounds, swept_bounds
from openslot_gltf.fit import Fit, fitted
from openslot_gltf.poses import clip_times, poses_of
from openslot_gltf.strip import stripped
from openslot_spec.errors import Code, OpenSlotError
from openslot_spec.slots import SlotTerms
from tests.gltf.build import INDICES, VERTICES, Maker, bending_tower, growing_box, plain_box, spinning_box

SIDE = st.floats(0.05, 50)
BOXES = st.builds(
    lambda low, size: Bounds(np.array(low), np.array(low) + size),
    st.tuples(*[st.floats(-20, 20)] * 3),
    st.tuples(SIDE, SIDE, SIDE),
)
SLOTS = st.builds(
    lambda size, depth, fit: SlotTerms(id="s", size=size, depth=depth, fit=fit),
    st.tuples(SIDE, SIDE),
    st.floats(0.05, 10),
    st.sampled_from(["contain", "cover", "stretch"]),
)


def placed(fit: Fit, bounds: Bounds) -> Bounds:
    corners = np.array([bounds.low, bounds.high]) @ fit.slot_from_creative[:3, :3].T + fit.slot_from_creative[:3, 3]
    return Bounds(corners[0], corners[1])


@given(BOXES, SLOTS)
def test_a_creative_stands_on_the_slots_plane_centred_and_no_deeper_than_it_may(
    bounds: Bounds, terms: SlotTerms
) -> None:
    box = placed(fitted(bounds, terms), bounds)
    assert (box.low + box.high)[:2] == pytest.approx([0, 0], abs=1e-9)
    assert box.low[2] == pytest.approx(0, abs=1e-9)
    assert box.size[2] <= terms.depth * (1 + 1e-9) or bounds.size[2] <= 0.01 * bounds.size[:2].max()


@given(BOXES, SLOTS)
def test_each_rule_covers_the_face_as_it_says(bounds: Bounds, terms: SlotTerms) -> None:
    fit = fitted(bounds, terms)
    size, slot = placed(fit, bounds).size[:2], np.array(terms.size)
    if terms.fit == "contain":
        assert (size <= slot * (1 + 1e-9)).all()
        assert fit.scale[0] == fit.scale[1] == fit.scale[2]
    if terms.fit == "cover":
        assert (size >= slot * (1 - 1e-9)).all()
        assert fit.scale[0] == fit.scale[1]
    if terms.fit == "stretch":
        assert size == pytest.approx(slot)
    assert fit.covers == pytest.approx(tuple(size / slot))


@given(BOXES, SLOTS, st.floats(0.01, 100))
def test_the_unit_a_creative_was_authored_in_changes_nothing(bounds: Bounds, terms: SlotTerms, unit: float) -> None:
    ours = placed(fitted(bounds, terms), bounds)
    scaled = Bounds(bounds.low * unit, bounds.high * unit)
    theirs = placed(fitted(scaled, terms), scaled)
    assert theirs.low == pytest.approx(ours.low, abs=1e-6)
    assert theirs.high == pytest.approx(ours.high, abs=1e-6)


def test_content_of_many_metres_is_said_to_be_in_centimetres() -> None:
    terms = SlotTerms(id="s", size=(1, 1))
    assert fitted(Bounds(np.zeros(3), np.array([80.0, 150.0, 30.0])), terms).centimetres
    assert not fitted(Bounds(np.zeros(3), np.array([0.8, 1.5, 0.3])), terms).centimetres


def test_flat_content_needs_no_depth_and_solid_content_does() -> None:
    wall = SlotTerms(id="s", size=(2, 1), depth=0)
    panel = Bounds(np.array([-1, -0.5, 0.0]), np.array([1, 0.5, 0.0]))
    assert fitted(panel, wall).scale == (1.0, 1.0, 1.0)
    with pytest.raises(OpenSlotError) as caught:
        fitted(Bounds(np.zeros(3), np.ones(3)), wall)
    assert caught.value.code is Code.CREATIVE_REFUSED


@pytest.mark.parametrize("rule", ["contain", "cover", "stretch"])
def test_a_line_takes_the_scale_of_the_side_it_has(rule: str) -> None:
    terms = SlotTerms.model_validate({"id": "s", "size": (2.0, 1.0), "fit": rule})
    assert fitted(Bounds(np.zeros(3), np.array([4.0, 0.0, 0.0])), terms).scale == (0.5, 0.5, 0.5)


def test_a_point_is_refused() -> None:
    with pytest.raises(OpenSlotError, match="neither width nor height"):
        fitted(Bounds(np.zeros(3), np.zeros(3)), SlotTerms(id="s", size=(2, 1)))


def test_a_file_that_draws_nothing_has_no_bounds() -> None:
    maker = Maker()
    maker.node()
    with pytest.raises(OpenSlotError, match="draws no triangle"):
        content_bounds(read_document(maker.glb()))


def size_in_motion(maker: Maker) -> list[float]:
    size: list[float] = swept_bounds(read_document(maker.glb())).moving.size.tolist()
    return size


def test_bounds_hold_every_moment_of_a_rigid_clip() -> None:
    moving = size_in_motion(spinning_box((0, 3, 0)))
    # Turned by an eighth, a box of one metre is √2 wide.
    assert moving == pytest.approx([2**0.5, 4, 2**0.5])


def test_a_step_never_shows_what_lies_between() -> None:
    assert size_in_motion(spinning_box((0, 3, 0), "STEP")) == pytest.approx([1, 4, 1])


def test_a_spline_may_swing_beyond_its_keys() -> None:
    maker = spinning_box((0, 1, 0), "CUBICSPLINE")
    document = read_document(maker.glb())
    times = maker.json["animations"][0]["samplers"][0]
    start = maker.json["bufferViews"][maker.json["accessors"][times["output"]]["bufferView"]]["byteOffset"]
    maker.binary[start + 24 : start + 36] = np.array([0, 20, 0], "<f4").tobytes()  # the out-tangent of the first key
    higher = swept_bounds(read_document(maker.glb())).moving.high[1]
    assert higher > swept_bounds(document).moving.high[1] + 1


def test_bounds_hold_morphs_and_joints_in_motion() -> None:
    assert size_in_motion(growing_box()) == pytest.approx([1, 2, 1])
    bent = swept_bounds(read_document(bending_tower(np.pi / 2).glb()))
    assert bent.rest.size.tolist() == pytest.approx([0.4, 2, 0.4])
    assert bent.moving.low[0] == pytest.approx(0.5 - np.hypot(1.0, 0.2), abs=0.02)


@pytest.mark.parametrize("exact", [0, 10**9])
def test_boxes_stand_for_points_when_those_are_too_many(exact: int, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [read_document(make().glb()) for make in (spinning_box, bending_tower, growing_box)]
    monkeypatch.setattr("openslot_gltf.bounds.EXACT_POINTS", 10**9)
    tight = [swept_bounds(document).moving for document in documents]
    monkeypatch.setattr("openslot_gltf.bounds.EXACT_POINTS", exact)
    for document, inner in zip(documents, tight, strict=True):
        outer = swept_bounds(document).moving
        assert (outer.low <= inner.low + 1e-9).all()
        assert (outer.high >= inner.high - 1e-9).all()
        assert (outer.size <= inner.size * 2).all()


@given(st.floats(0.1, 1.5), st.floats(0, 1))
def test_no_moment_of_a_bend_leaves_the_bounds(bend: float, moment: float) -> None:
    document = read_document(bending_tower(bend).glb())
    bounds = swept_bounds(document).moving
    angle = bend * min(moment, 1 - moment) * 2
    assume(angle > 0)
    x, y = 0.2, 1.0  # a corner of the tower's top, seen from its upper joint
    tip = np.array([0.5 + x * np.cos(angle) - y * np.sin(angle), 1 + x * np.sin(angle) + y * np.cos(angle)])
    slack = 0.02  # between the moments looked at, a part bulges by at most 2 % of its radius, here 1.02 m
    assert (tip >= bounds.low[:2] - slack).all()
    assert (tip <= bounds.high[:2] + slack).all()


def test_poses_give_one_matrix_a_moment_to_what_moves_and_one_to_what_does_not() -> None:
    document = read_document(bending_tower().glb())
    clip, elements = document.array("animations")[0], Elements(document)
    times = clip_times(clip, elements)
    poses = poses_of(document, elements, clip, times)
    assert {node: len(worlds) for node, worlds in poses.worlds.items()} == {0: len(times), 1: 1, 2: 1, 3: 1}
    assert poses.moved == {0}


def test_a_clip_is_looked_at_at_every_key_and_in_small_arcs() -> None:
    document = read_document(spinning_box().glb())
    times = clip_times(document.array("animations")[0], Elements(document))
    assert times.tolist() == [step / 8 for step in range(9)]
    step = read_document(spinning_box(interpolation="STEP").glb())
    assert clip_times(step.array("animations")[0], Elements(step)).tolist() == [0, 1]


def test_a_long_clip_is_looked_at_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    document = read_document(spinning_box().glb())
    whole = swept_bounds(document).moving
    monkeypatch.setattr("openslot_gltf.bounds.BLOCK", 1)
    assert swept_bounds(document).moving.size.tolist() == whole.size.tolist()


def test_plain_content_moves_nowhere() -> None:
    bounds = swept_bounds(read_document(plain_box().glb()))
    assert bounds.rest is bounds.moving


ALIGNED = st.sampled_from(
    ["centre", "top", "bottom", "left", "right", "top_left", "top_right", "bottom_left", "bottom_right"]
)


@given(BOXES, SLOTS, ALIGNED)
def test_a_creative_keeps_to_the_edges_it_is_aligned_to(bounds: Bounds, terms: SlotTerms, align: str) -> None:
    aligned = SlotTerms.parse(terms.plain() | {"align": align})
    fit = fitted(bounds, aligned)
    box, half = placed(fit, bounds), np.array(terms.size) / 2
    assert fit.scale == fitted(bounds, terms).scale
    near = {"left": box.low[0] + half[0], "right": box.high[0] - half[0]}
    near |= {"bottom": box.low[1] + half[1], "top": box.high[1] - half[1]}
    for edge, distance in near.items():
        if edge in align.split("_"):
            assert distance == pytest.approx(0, abs=1e-6)
    assert box.low[2] == pytest.approx(0, abs=1e-9)


@given(BOXES, st.floats(0.01, 10))
def test_a_fixed_scale_is_kept_or_refused(bounds: Bounds, scale: float) -> None:
    terms = SlotTerms(id="s", size=(4, 3), depth=2, fit="fixed", scale=scale)
    if (bounds.size * scale <= [4, 3, 2]).all():
        assert fitted(bounds, terms).scale == (scale, scale, scale)
    else:
        assume((bounds.size * scale > np.array([4, 3, 2]) * 1.001).any())
        with pytest.raises(OpenSlotError) as caught:
            fitted(bounds, terms)
        assert caught.value.code is Code.CREATIVE_REFUSED
        assert "fixed scale" in caught.value.detail


def test_a_product_is_shown_as_large_as_it_is() -> None:
    terms = SlotTerms(id="s", size=(4, 3), depth=2, fit="fixed", align="bottom")
    fit = fitted(Bounds(np.array([1.0, 1.0, 1.0]), np.array([1.5, 1.2, 1.4])), terms)
    assert fit.scale == (1.0, 1.0, 1.0)
    assert fit.slot_from_creative[:3, 3] == pytest.approx([-1.25, -2.5, -1.0])


def test_a_side_of_next_to_nothing_is_not_blown_up() -> None:
    terms = SlotTerms(id="s", size=(2, 1), fit="stretch")
    assert fitted(Bounds(np.zeros(3), np.array([1e-30, 1.0, 1e-30])), terms).scale == (1.0, 1.0, 1.0)


def test_an_animation_that_leaves_the_slot_is_scaled_or_refused() -> None:
    moving = content_bounds(read_document(spinning_box((3, 0, 0)).glb()))
    contained = SlotTerms(id="s", size=(2, 1), depth=1)
    box = placed(fitted(moving, contained), moving)
    assert (box.size <= [2 + 1e-9, 1 + 1e-9, 1 + 1e-9]).all()
    with pytest.raises(OpenSlotError):
        fitted(moving, SlotTerms(id="s", size=(2, 1), depth=1, fit="fixed"))


def warned(maker: Maker) -> list[str]:
    return [finding.code.value for finding in check(maker.glb()).findings]


def turned_board(rotation: list[float], **material: bool) -> Maker:
    maker = plain_box(**material)
    attributes = maker.json["meshes"][0]["primitives"][0]["attributes"]
    square = [[-1, -0.5, 0], [1, -0.5, 0], [1, 0.5, 0], [-1, 0.5, 0]]
    attributes.clear()
    attributes["POSITION"] = maker.accessor(square, target=VERTICES, bounds=True)
    maker.json["meshes"][0]["primitives"][0]["indices"] = maker.accessor([0, 1, 2, 0, 2, 3], "u2", INDICES)
    maker.json["nodes"][0]["rotation"] = rotation
    return maker


HALF = float(np.sqrt(0.5))


@pytest.mark.parametrize(
    ("rotation", "material", "said"),
    [
        ([0, 0, 0, 1], {}, []),
        ([0, 1, 0, 0], {}, ["facing.away"]),
        ([0, 1, 0, 0], {"doubleSided": True}, []),
        ([0, HALF, 0, HALF], {}, ["facing.edge"]),
        ([HALF, 0, 0, HALF], {"doubleSided": True}, ["facing.edge"]),
    ],
)
def test_flat_content_that_would_not_be_seen_is_said(
    rotation: list[float], material: dict[str, bool], said: list[str]
) -> None:
    assert [code for code in warned(turned_board(rotation, **material)) if code != "data.unused"] == said


def test_content_far_from_its_origin_is_said() -> None:
    maker = plain_box()
    maker.json["nodes"][0]["translation"] = [30, 0, 0]
    assert warned(maker) == ["origin.far"]


@pytest.mark.parametrize("name", ["KHR_lights_punctual", "KHR_audio_emitter", "MSFT_audio_emitter"])
def test_required_lights_and_sounds_are_left_out_and_that_is_said(name: str) -> None:
    maker = plain_box()
    maker.json["nodes"][0]["extensions"] = {name: {"light": 0} if "lights" in name else {"emitters": [0]}}
    if "lights" in name:
        maker.json["extensions"] = {name: {"lights": [{"type": "point"}]}}
    maker.extension(name, required=True)
    verdict = check(maker.glb())
    assert verdict.document is not None
    assert [finding.code for finding in verdict.findings] == [Rule.CONTENT_STRIPPED]
    assert "extensions" not in stripped(verdict.document.json)["nodes"][0]
    assert "extensionsRequired" not in stripped(verdict.document.json)
