"""Hostile files: images, meshes, skins, clips, their numbers, and what they cost."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from openslot_gltf import Rule
from tests.gltf.build import (
    VERTICES,
    Maker,
    bending_tower,
    growing_box,
    instanced_boxes,
    plain_box,
    png,
    png_of,
    rich_material,
    spinning_box,
    textured_board,
)
from tests.gltf.harm import changed, edited, poisoned, refused_by

# ---- images


def pictured(data: bytes, media_type: str = "image/png") -> bytes:
    """Return a board whose image is `data`."""
    maker = textured_board()
    maker.json["images"][0] = {"bufferView": maker.view(data), "mimeType": media_type}
    return maker.glb()


@refused_by(Rule.IMAGE_SIDE)
def png_bomb() -> bytes:
    return pictured(png_of(50_000, 50_000, zlib.compress(bytes(100_000))))


@refused_by(Rule.IMAGE_SIDE)
def giant_jpeg() -> bytes:
    return pictured(
        b"\xff\xd8\xff\xc0\x00\x11\x08" + struct.pack(">HH", 65_500, 65_500) + b"\xff\xda\xff\xd9", "image/jpeg"
    )


@refused_by(Rule.IMAGE_SIDE)
def giant_webp() -> bytes:
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + (16_000).to_bytes(3, "little") * 2
    return pictured(b"RIFF" + struct.pack("<I", len(body)) + body, "image/webp")


@refused_by(Rule.IMAGE_PIXELS)
def twenty_large_images() -> bytes:
    return repeated_image(20)


@refused_by(Rule.SHAPE_COUNT)
def a_thousand_images_of_one_view() -> bytes:
    return repeated_image(1000)


def repeated_image(times: int) -> bytes:
    maker = textured_board()
    view = maker.view(png_of(2000, 2000, zlib.compress(b"")))
    maker.json["images"].extend([{"bufferView": view, "mimeType": "image/png"}] * times)
    return maker.glb()


@refused_by(Rule.IMAGE_FORMAT)
def svg_with_a_script() -> bytes:
    return pictured(b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')


@refused_by(Rule.IMAGE_FORMAT)
def cut_png() -> bytes:
    return pictured(png(np.zeros((8, 8, 3), np.uint8))[:-20])


@refused_by(Rule.IMAGE_FORMAT)
def jpeg_of_endless_fill_bytes() -> bytes:
    return pictured(b"\xff\xd8" + b"\xff" * 10_000, "image/jpeg")


def chunks(data: bytes, *more: tuple[bytes, bytes], at: int = 33) -> bytes:
    """Return the PNG with more chunks, behind its header."""
    packed = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in more
    ]
    return data[:at] + b"".join(packed) + data[at:]


SMALL = png(np.zeros((8, 8, 3), np.uint8))


@refused_by(Rule.IMAGE_ANIMATED)
def animated_png() -> bytes:
    return pictured(chunks(SMALL, (b"acTL", struct.pack(">2I", 10_000, 0))))


@refused_by(Rule.IMAGE_ANIMATED)
def animated_webp() -> bytes:
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + (7).to_bytes(3, "little") * 2
    return pictured(b"RIFF" + struct.pack("<I", len(body)) + body, "image/webp")


@refused_by(Rule.IMAGE_FORMAT)
def colour_profile_of_a_gigabyte() -> bytes:
    return pictured(chunks(SMALL, (b"iCCP", b"sRGB\0\0" + zlib.compress(bytes(10**8), 9)[:100_000])))


@refused_by(Rule.IMAGE_FORMAT)
def text_that_swells() -> bytes:
    return pictured(chunks(SMALL, (b"zTXt", b"note\0\0" + zlib.compress(b"x" * 10**7))))


@refused_by(Rule.IMAGE_FORMAT)
def profile_that_is_no_deflate() -> bytes:
    return pictured(chunks(SMALL, (b"iCCP", b"sRGB\0\0" + b"\xff" * 40)))


@refused_by(Rule.IMAGE_FORMAT)
def png_chunk_beyond_the_end() -> bytes:
    return pictured(SMALL[:33] + struct.pack(">I", 2**31 - 1) + SMALL[37:])


@refused_by(Rule.IMAGE_FORMAT)
def gamma_of_five_bytes() -> bytes:
    return pictured(chunks(SMALL, (b"gAMA", bytes(5))))


@refused_by(Rule.IMAGE_FORMAT)
def png_cut_in_its_header() -> bytes:
    return pictured(SMALL[:24])


@refused_by(Rule.IMAGE_FORMAT)
def png_of_three_bits() -> bytes:
    return pictured(SMALL[:24] + b"\x03" + SMALL[25:])


@refused_by(Rule.IMAGE_FORMAT)
def palette_that_is_missing() -> bytes:
    return pictured(SMALL[:25] + b"\x03" + SMALL[26:])


@refused_by(Rule.IMAGE_FORMAT)
def a_hundred_thousand_empty_chunks() -> bytes:
    return pictured(chunks(SMALL, *[(b"teXt", b"")] * 100_000))


def jpeg(scans: int, end: bytes = b"\xff\xd9") -> bytes:
    frame = b"\xff\xd8\xff\xc2\x00\x11\x08" + struct.pack(">HH", 512, 512) + b"\x03" + b"\x01\x11\0" * 3
    return frame + b"\xff\xda\0\x08\x01\x01\0\0\0\0" * scans + end


@refused_by(Rule.IMAGE_FORMAT)
def jpeg_of_a_thousand_scans() -> bytes:
    return pictured(jpeg(1000), "image/jpeg")


@refused_by(Rule.IMAGE_FORMAT)
def jpeg_without_a_scan() -> bytes:
    return pictured(jpeg(0), "image/jpeg")


@refused_by(Rule.IMAGE_FORMAT)
def jpeg_without_an_end() -> bytes:
    return pictured(jpeg(1, bytes(100)), "image/jpeg")


@refused_by(Rule.IMAGE_FORMAT)
def png_without_width() -> bytes:
    return pictured(png_of(0, 8, zlib.compress(b"")))


@refused_by(Rule.IMAGE_TYPE)
def png_that_says_jpeg() -> bytes:
    return pictured(png(np.zeros((8, 8, 3), np.uint8)), "image/jpeg")


edited("image_without_type", Rule.IMAGE_SOURCE, textured_board, lambda b: b["images"][0].pop("mimeType"))
edited("texture_without_image", Rule.TEXTURE_SOURCE, textured_board, lambda b: b["textures"][0].pop("source"))

# ---- meshes, skins, animations

edited("no_position", Rule.MESH_ATTRIBUTE, plain_box, lambda b: (
    b["meshes"][0]["primitives"][0]["attributes"].pop("POSITION")
))  # fmt: skip
edited("attribute_of_a_strange_name", Rule.MESH_ATTRIBUTE, plain_box, lambda b: (
    b["meshes"][0]["primitives"][0]["attributes"].update(POSITION_1=0)
))  # fmt: skip
edited("positions_as_indices", Rule.VIEW_USE, plain_box, lambda b: b["meshes"][0]["primitives"][0].update(indices=0))
edited("fewer_normals", Rule.MESH_COUNT, plain_box, lambda b: b["accessors"][1].update(count=3))
edited("byte_colours_as_indices", Rule.MESH_INDICES, plain_box, lambda b: b["accessors"][3].update(componentType=5122))
edited("targets_of_other_meshes", Rule.MESH_TARGETS, growing_box, lambda b: b["accessors"][4].update(count=5))
edited("two_weights_for_one_target", Rule.MESH_TARGETS, growing_box, lambda b: b["meshes"][0].update(weights=[0, 0]))
edited("texture_without_coordinates", Rule.MESH_TEXCOORD, textured_board, lambda b: (
    b["meshes"][0]["primitives"][0]["attributes"].pop("TEXCOORD_0")
))  # fmt: skip
edited("joints_without_a_root", Rule.SKIN_JOINTS, bending_tower, lambda b: (
    b["nodes"][1].pop("children"), b["nodes"][3]["children"].remove(1), b["scenes"][0]["nodes"].extend([0, 1]),
    b["skins"][0].pop("skeleton"),
))  # fmt: skip
edited("too_few_bind_matrices", Rule.SKIN_MATRICES, bending_tower, lambda b: b["accessors"][5].update(count=1))
edited("sampler_beyond_the_end", Rule.ANIMATION_CHANNEL, spinning_box, lambda b: (
    b["animations"][0]["channels"][0].update(sampler=7)
))  # fmt: skip
edited("two_channels_of_one_target", Rule.ANIMATION_CHANNEL, spinning_box, lambda b: (
    b["animations"][0]["channels"].append(b["animations"][0]["channels"][0])
))  # fmt: skip
edited("weights_of_a_rigid_mesh", Rule.ANIMATION_CHANNEL, spinning_box, lambda b: (
    b["animations"][0]["channels"][0]["target"].update(path="weights")
))  # fmt: skip
edited("fewer_values_than_keys", Rule.ANIMATION_VALUES, spinning_box, lambda b: b["accessors"][5].update(count=1))

edited("instances_of_two_counts", Rule.MESH_COUNT, instanced_boxes, lambda b: b["accessors"][4].update(count=1))
edited("instances_turned_by_three_numbers", Rule.MESH_ATTRIBUTE, instanced_boxes, lambda b: (
    b["nodes"][0]["extensions"]["EXT_mesh_gpu_instancing"]["attributes"].update(ROTATION=4)
))  # fmt: skip

# ---- the numbers

NAN, INF, HUGE = (struct.pack("<f", value) for value in (np.nan, np.inf, 1e30))
poisoned("nan_position", Rule.DATA_FINITE, plain_box, 0, NAN)
poisoned("infinite_position", Rule.DATA_FINITE, plain_box, 0, INF, at=100)
poisoned("nan_in_a_normal", Rule.DATA_FINITE, plain_box, 1, NAN)
poisoned("nan_key_time", Rule.DATA_FINITE, spinning_box, 4, NAN)
poisoned("nan_bind_matrix", Rule.DATA_FINITE, bending_tower, 5, NAN)
poisoned("zero_normal", Rule.DATA_UNIT, plain_box, 1, bytes(12))
poisoned("index_beyond_the_vertices", Rule.MESH_INDICES, plain_box, 3, b"\x18\x00")
poisoned("restart_index", Rule.MESH_INDICES, plain_box, 3, b"\xff\xff")
poisoned("joint_beyond_the_skin", Rule.SKIN_JOINTS, bending_tower, 2, b"\xff")
poisoned("weights_of_two", Rule.DATA_JOINTS, bending_tower, 3, struct.pack("<f", 2.0))
poisoned("key_times_going_down", Rule.ANIMATION_TIMES, spinning_box, 4, struct.pack("<2f", 1.0, 0.0))
poisoned("negative_key_time", Rule.ANIMATION_TIMES, spinning_box, 4, struct.pack("<f", -1.0))
poisoned("rotation_key_of_length_zero", Rule.DATA_UNIT, spinning_box, 6, bytes(16))
poisoned("vertex_at_1e30", Rule.BUDGET_EXTENT, plain_box, 0, HUGE)
poisoned("key_at_1e30", Rule.BUDGET_EXTENT, spinning_box, 5, HUGE)


@refused_by(Rule.DATA_RANGE)
def glowing_vertices() -> bytes:
    maker = plain_box()
    colours = maker.accessor(np.full((24, 4), 7.0), target=VERTICES)
    maker.json["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"] = colours
    return maker.glb()


# ---- what it costs


@refused_by(Rule.BUDGET_TRIANGLES)
def one_mesh_in_two_thousand_nodes() -> bytes:
    maker = Maker()
    rows = np.arange(24 * 10) % 24
    mesh = maker.box()
    maker.json["meshes"][0]["primitives"][0]["indices"] = maker.accessor(np.tile(rows, 20), "u2", 34963)
    for _ in range(1999):
        maker.node(mesh=mesh)
    return maker.glb()


@refused_by(Rule.BUDGET_DRAWS)
def a_hundred_draw_calls() -> bytes:
    maker = plain_box()
    primitives = maker.json["meshes"][0]["primitives"]
    primitives.extend(primitives * 99)
    return maker.glb()


@refused_by(Rule.BUDGET_EMPTY)
def scene_without_triangles() -> bytes:
    return changed(plain_box(), lambda body: body["meshes"][0]["primitives"][0].update(mode=0))


@refused_by(Rule.BUDGET_EXTENT)
def board_of_ten_kilometres() -> bytes:
    return changed(plain_box(), lambda body: body["nodes"][0].update(scale=[1e4, 1e4, 1e4]))


@refused_by(Rule.BUDGET_ANIMATION_ESCAPES)
def ad_that_flies_through_the_street() -> bytes:
    return spinning_box((60, 0, 0)).glb()


@refused_by(Rule.BUDGET_ANIMATION_ESCAPES)
def ad_that_grows_behind_a_joint() -> bytes:
    maker = bending_tower()
    top = maker.json["animations"][0]["channels"][0]["target"]["node"]
    sampler = {
        "input": maker.accessor([0.0, 1.0], bounds=True),
        "output": maker.accessor([[1, 1, 1], [40, 40, 40]]),
    }
    channel = {"sampler": 0, "target": {"node": top, "path": "scale"}}
    maker.add("animations", {"samplers": [sampler], "channels": [channel]})
    return maker.glb()


def pointed(pointer: str, values: list[list[float]]) -> bytes:
    """Return a box with a clip that moves by an animation pointer."""
    maker = growing_box()
    sampler = {"input": maker.accessor([0.0, 1.0], bounds=True), "output": maker.accessor(values)}
    target = {"path": "pointer", "extensions": {"KHR_animation_pointer": {"pointer": pointer}}}
    maker.json["animations"] = [{"samplers": [sampler], "channels": [{"sampler": 0, "target": target}]}]
    maker.extension("KHR_animation_pointer")
    return maker.glb()


@refused_by(Rule.BUDGET_ANIMATION_ESCAPES)
def pointer_that_moves_the_ad_away() -> bytes:
    return pointed("/nodes/0/translation", [[0, 0, 0], [60, 0, 0]])


@refused_by(Rule.BUDGET_ANIMATION_ESCAPES)
def pointer_that_blows_the_ad_up() -> bytes:
    return pointed("/nodes/0/scale", [[1, 1, 1], [60, 60, 60]])


@refused_by(Rule.BUDGET_ANIMATION_ESCAPES)
def pointer_to_a_meshs_weights() -> bytes:
    return pointed("/meshes/0/weights", [[0], [90]])


@refused_by(Rule.ANIMATION_CHANNEL)
def pointer_to_a_matrix() -> bytes:
    return pointed("/nodes/0/matrix", [[1.0] * 16, [2.0] * 16])


@refused_by(Rule.ANIMATION_VALUES)
def pointer_of_other_values() -> bytes:
    return pointed("/nodes/0/translation", [[0.0], [60.0]])


@refused_by(Rule.BUDGET_EXTENT)
def line_down_the_street() -> bytes:
    maker = plain_box()
    ends = maker.accessor([[0, 0, 0], [2000, 0, 0]], target=VERTICES, bounds=True)
    maker.json["meshes"][0]["primitives"].append({"attributes": {"POSITION": ends}, "mode": 1})
    return maker.glb()


edited("ad_of_an_atom", Rule.BUDGET_EXTENT, plain_box, lambda body: body["nodes"][0].update(scale=[1e-36] * 3))


@refused_by(Rule.BUDGET_EXTENT)
def huge_and_tiny_scales_that_cancel() -> bytes:
    maker = plain_box()
    child = 0
    for scale in (1e-30, 1e-30, 1e30, 1e30):
        child = maker.node(root=False, children=[child], scale=[scale] * 3)
    maker.json["scenes"] = [{"nodes": [child]}]
    return maker.glb()


@refused_by(Rule.BUDGET_EXTENT)
def morph_weights_that_cancel() -> bytes:
    maker = growing_box()
    del maker.json["animations"]
    maker.json["meshes"][0]["primitives"][0]["targets"] *= 2
    maker.json["meshes"][0]["weights"] = [1e30, -1e30]
    return maker.glb()


@refused_by(Rule.ANIMATION_VALUES)
def clip_that_blinds() -> bytes:
    maker = rich_material()
    pointer = "/materials/0/extensions/KHR_materials_emissive_strength/emissiveStrength"
    target = maker.json["animations"][0]["channels"][0]["target"]
    target["extensions"]["KHR_animation_pointer"]["pointer"] = pointer
    maker.json["animations"][0]["samplers"][0]["output"] = maker.accessor([1.0, 1e30])
    return maker.glb()


@refused_by(Rule.MESH_TARGETS)
def fifteen_thousand_morph_targets() -> bytes:
    maker = growing_box()
    del maker.json["animations"]
    maker.json["meshes"][0]["primitives"][0]["targets"] *= 15_000
    maker.json["meshes"][0]["weights"] = [0.0] * 15_000
    return maker.glb()


@refused_by(Rule.BUDGET_POSES)
def clip_of_many_keys_under_many_nodes() -> bytes:
    maker = spinning_box()
    count = 5000
    times, moves = np.arange(count) / 30, np.zeros((count, 3))
    sampler = {"input": maker.accessor(times, bounds=True), "output": maker.accessor(moves)}
    maker.json["animations"][0] |= {"samplers": [sampler], "channels": maker.json["animations"][0]["channels"][:1]}
    for _ in range(300):
        maker.node()
    return maker.glb()


@refused_by(Rule.BUDGET_POSES)
def a_thousand_clips_of_one_sampler() -> bytes:
    maker = spinning_box()
    for _ in range(20):
        maker.node(mesh=0)
    maker.json["animations"] *= 1000
    return maker.glb()


@refused_by(Rule.BUDGET_VERTICES)
def one_triangle_of_a_hundred_thousand_vertices_in_many_nodes() -> bytes:
    maker = Maker()
    positions = maker.add("accessors", {"componentType": 5126, "count": 100_000, "type": "VEC3"})
    rows = maker.accessor([0, 1, 2], "u2", 34963)
    mesh = maker.add("meshes", {"primitives": [{"attributes": {"POSITION": positions}, "indices": rows}]})
    for _ in range(10):
        maker.node(mesh=mesh)
    return maker.glb()


edited("a_hundred_scenes", Rule.SHAPE_COUNT, plain_box, lambda body: body["scenes"].extend([{"nodes": [0]}] * 100))


@refused_by(Rule.BUDGET_EXTENT)
def scales_that_multiply_to_infinity() -> bytes:
    maker = plain_box()
    child = 0
    for _ in range(12):
        child = maker.node(root=False, children=[child], scale=[1e38] * 3)
    maker.json["scenes"] = [{"nodes": [child]}]
    return maker.glb()
