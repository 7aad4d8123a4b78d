"""Files that mean harm or are broken, each cut from an honest one in code, with the rule that has to refuse it."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from openslot_gltf import Rule
from tests.gltf.build import (
    VERTICES,
    Maker,
    bending_tower,
    chunk,
    glb,
    growing_box,
    instanced_boxes,
    plain_box,
    png,
    png_of,
    rich_material,
    spinning_box,
    textured_board,
)

HOSTILE: dict[str, Hostile] = {}


@dataclass(frozen=True)
class Hostile:
    """The bytes, and the rule that must be the first to refuse them."""

    data: Callable[[], bytes]
    rule: Rule


def refused_by(rule: Rule) -> Callable[[Callable[[], bytes]], Callable[[], bytes]]:
    def note(make: Callable[[], bytes]) -> Callable[[], bytes]:
        HOSTILE[make.__name__] = Hostile(make, rule)
        return make

    return note


def changed(maker: Maker, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return the file after `change` was done to its JSON."""
    body = maker.finished()
    change(body)
    return glb(body, bytes(maker.binary))


def edited(name: str, rule: Rule, make: Callable[[], Maker], change: Callable[[dict[str, Any]], object]) -> None:
    """Note a file whose JSON was edited."""
    HOSTILE[name] = Hostile(lambda: changed(make(), change), rule)


def poisoned(name: str, rule: Rule, make: Callable[[], Maker], accessor: int, values: bytes, at: int = 0) -> None:
    """Note a file whose accessor's bytes were overwritten."""

    def data() -> bytes:
        maker = make()
        start = maker.json["bufferViews"][maker.json["accessors"][accessor]["bufferView"]]["byteOffset"] + at
        maker.binary[start : start + len(values)] = values
        return maker.glb()

    HOSTILE[name] = Hostile(data, rule)


def text(raw: bytes) -> bytes:
    return glb(b'{"asset":{"version":"2.0"},' + raw + b"}")


# ---- the container and the JSON


@refused_by(Rule.FILE_KIND)
def empty_file() -> bytes:
    return b""


@refused_by(Rule.FILE_KIND)
def html_page() -> bytes:
    return b"<!DOCTYPE html><script>alert(1)</script>"


@refused_by(Rule.GLB_LENGTH)
def header_alone() -> bytes:
    return struct.pack("<4sII", b"glTF", 2, 12)


@refused_by(Rule.GLB_VERSION)
def glb_of_version_1() -> bytes:
    return b"glTF" + struct.pack("<I", 1) + plain_box().glb()[8:]


@refused_by(Rule.GLB_LENGTH)
def length_beyond_the_file() -> bytes:
    data = plain_box().glb()
    return data[:8] + struct.pack("<I", len(data) + 4096) + data[12:]


@refused_by(Rule.GLB_LENGTH)
def bytes_after_the_end() -> bytes:
    return plain_box().glb() + b"PK\x03\x04 a zip behind a model"


@refused_by(Rule.GLB_CHUNK)
def chunk_beyond_the_file() -> bytes:
    data = plain_box().glb()
    return data[:12] + struct.pack("<I", 0xFFFFFFFC) + data[16:]


@refused_by(Rule.GLB_ORDER)
def binary_before_json() -> bytes:
    body = chunk(0x004E4942, b"1234") + chunk(0x4E4F534A, b"{}", b" ")
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


@refused_by(Rule.GLB_ORDER)
def two_json_chunks() -> bytes:
    body = chunk(0x4E4F534A, b"{}", b" ") * 2
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


@refused_by(Rule.FILE_SIZE)
def larger_than_the_tier() -> bytes:
    maker = plain_box()
    maker.view(bytes(3_000_001))
    return maker.glb()


@refused_by(Rule.JSON_SIZE)
def a_megabyte_of_extras() -> bytes:
    return changed(plain_box(), lambda body: body.update(extras="x" * 1_000_001))


@refused_by(Rule.JSON_SYNTAX)
def cut_json() -> bytes:
    return glb(b'{"asset":{"version":"2.0"}')


@refused_by(Rule.JSON_ENCODING)
def latin_1() -> bytes:
    return text(b'"extras":"caf\xe9"')


@refused_by(Rule.JSON_ENCODING)
def lone_surrogate() -> bytes:
    return text(b'"extras":"\\ud800"')


@refused_by(Rule.JSON_SYNTAX)
def byte_order_mark() -> bytes:
    return glb(b'\xef\xbb\xbf{"asset":{"version":"2.0"}}')


@refused_by(Rule.JSON_NUMBER)
def not_a_number() -> bytes:
    return text(b'"extras":NaN')


@refused_by(Rule.JSON_NUMBER)
def beyond_double() -> bytes:
    return text(b'"extras":1e999')


@refused_by(Rule.JSON_SYNTAX)
def ten_thousand_digits() -> bytes:
    return text(b'"extras":' + b"9" * 10_000)


@refused_by(Rule.JSON_DUPLICATE_KEY)
def key_twice() -> bytes:
    return glb(b'{"asset":{"version":"2.0"},"asset":{"version":"1.0"}}')


@refused_by(Rule.JSON_DEPTH)
def two_hundred_thousand_brackets() -> bytes:
    return text(b'"extras":' + b"[" * 200_000 + b"]" * 200_000)


@refused_by(Rule.JSON_DEPTH)
def a_hundred_brackets() -> bytes:
    return text(b'"extras":' + b"[" * 100 + b"]" * 100)


@refused_by(Rule.JSON_ROOT)
def list_at_the_root() -> bytes:
    return glb(b"[{}]")


@refused_by(Rule.ASSET_VERSION)
def no_asset() -> bytes:
    return glb({"scenes": []})


edited("version_3", Rule.ASSET_VERSION, plain_box, lambda body: body["asset"].update(version="3.0"))
edited("asks_for_2_1", Rule.ASSET_VERSION, plain_box, lambda body: body["asset"].update(minVersion="2.1"))

# ---- the shape of the JSON

edited("nodes_are_an_object", Rule.SHAPE_TYPE, plain_box, lambda body: body.update(nodes={"0": {}}))
edited("node_is_a_number", Rule.SHAPE_TYPE, plain_box, lambda body: body["nodes"].append(7))
edited("no_nodes_in_a_list", Rule.SHAPE_LENGTH, plain_box, lambda body: body.update(cameras=[]))
edited("mesh_index_is_a_float", Rule.SHAPE_INDEX, plain_box, lambda body: body["nodes"][0].update(mesh=0.0))
edited("mesh_index_is_true", Rule.SHAPE_INDEX, plain_box, lambda body: body["nodes"][0].update(mesh=False))
edited("mesh_beyond_the_end", Rule.SHAPE_INDEX, plain_box, lambda body: body["nodes"][0].update(mesh=1))
edited("negative_mesh", Rule.SHAPE_INDEX, plain_box, lambda body: body["nodes"][0].update(mesh=-1))
edited("scene_beyond_the_end", Rule.SHAPE_INDEX, plain_box, lambda body: body.update(scene=9))
edited("negative_offset", Rule.SHAPE_RANGE, plain_box, lambda body: body["bufferViews"][0].update(byteOffset=-8))
edited("offset_beyond_2_53", Rule.SHAPE_RANGE, plain_box, lambda body: body["bufferViews"][0].update(byteOffset=2**70))
edited("unknown_component", Rule.SHAPE_CHOICE, plain_box, lambda body: body["accessors"][0].update(componentType=5124))
edited("scale_beyond_float32", Rule.SHAPE_RANGE, plain_box, lambda body: body["nodes"][0].update(scale=[1e300, 1, 1]))
edited("thousand_digits_of_scale", Rule.SHAPE_RANGE, plain_box, lambda b: b["nodes"][0].update(scale=[10**1000] * 3))
edited("two_numbers_of_scale", Rule.SHAPE_LENGTH, plain_box, lambda body: body["nodes"][0].update(scale=[1, 1]))
edited("colour_of_words", Rule.SHAPE_TYPE, plain_box, lambda b: b["materials"][0].update(emissiveFactor=["red"] * 3))
edited("no_attributes", Rule.SHAPE_MISSING, plain_box, lambda b: b["meshes"][0]["primitives"][0].pop("attributes"))
edited("image_with_two_sources", Rule.SHAPE_MISSING, textured_board, lambda b: b["images"][0].update(uri="data:,"))
edited("child_twice", Rule.SHAPE_DUPLICATE, bending_tower, lambda body: body["nodes"][3].update(children=[1, 1]))
edited("three_thousand_nodes", Rule.SHAPE_COUNT, plain_box, lambda body: body["nodes"].extend([{}] * 3000))

# ---- extensions

edited("undeclared_extension", Rule.EXTENSION_UNDECLARED, plain_box, lambda b: b.update(extensions={"ACME_x": {}}))
edited("required_but_not_used", Rule.EXTENSION_LISTS, plain_box, lambda b: b.update(extensionsRequired=["ACME_x"]))
edited("light_on_a_material", Rule.EXTENSION_PLACE, rich_material, lambda body: (
    body["extensionsUsed"].append("KHR_lights_punctual"),
    body["materials"][0]["extensions"].update(KHR_lights_punctual={"light": 0}),
))  # fmt: skip
edited("index_inside_an_extension", Rule.SHAPE_INDEX, rich_material, lambda body: (
    body["materials"][0]["extensions"]["KHR_materials_clearcoat"]["clearcoatTexture"].update(index=99),
))  # fmt: skip
edited("pointer_to_nothing", Rule.SHAPE_INDEX, rich_material, lambda body: (
    body["animations"][0]["channels"][0]["target"]["extensions"]["KHR_animation_pointer"].update(
        pointer="/materials/99/emissiveFactor"
    ),
))  # fmt: skip
edited("extension_is_a_list", Rule.SHAPE_TYPE, plain_box, lambda b: b.update(extensions=[1]))


def requires(name: str, rule: Rule) -> None:
    """Note a box that requires an extension."""
    lists = {"extensionsUsed": [name], "extensionsRequired": [name]}
    edited(f"requires_{name}", rule, plain_box, lambda body: body.update(lists))


requires("ACME_required", Rule.EXTENSION_REQUIRED)
requires("KHR_draco_mesh_compression", Rule.EXTENSION_COMPRESSED)

# ---- URIs and buffers

URIS = {
    "parent_folder": "../../../etc/passwd",
    "absolute_path": "/etc/passwd",
    "file_scheme": "file:///etc/passwd",
    "metadata_service": "http://169.254.169.254/latest/meta-data/",
    "windows_share": "\\\\host\\share\\a.bin",
    "plain_neighbour": "model.bin",
}
DATA_URIS = {
    "not_base64": "data:application/octet-stream;base64,@@@@",
    "percent_encoded": "data:application/octet-stream,%00%01",
    "of_html": "data:text/html;base64," + base64.b64encode(b"<p>").decode(),
}


def points_to(name: str, uri: str, rule: Rule) -> None:
    """Note a box whose buffer, and a board whose image, has a URI."""
    edited(f"buffer_{name}", rule, plain_box, lambda body: body["buffers"][0].update(uri=uri))
    edited(f"image_{name}", rule, textured_board, lambda body: body.update(images=[{"uri": uri}]))


for _name, _uri in URIS.items():
    points_to(f"at_{_name}", _uri, Rule.URI_EXTERNAL)
for _name, _uri in DATA_URIS.items():
    points_to(f"data_{_name}", _uri, Rule.URI_DATA)


@refused_by(Rule.BUFFER_MISSING)
def buffer_without_bytes() -> bytes:
    return glb(plain_box().finished())


@refused_by(Rule.BUFFER_LENGTH)
def buffer_longer_than_its_bytes() -> bytes:
    return changed(plain_box(), lambda body: body["buffers"][0].update(byteLength=10**9))


@refused_by(Rule.BUFFER_LENGTH)
def kilobytes_behind_the_buffer() -> bytes:
    maker = plain_box()
    body = maker.finished()
    return glb(body, bytes(maker.binary) + b"hidden" * 1000)


edited("view_beyond_the_buffer", Rule.VIEW_RANGE, plain_box, lambda b: b["bufferViews"][0].update(byteLength=10**6))
edited("stride_of_five", Rule.VIEW_STRIDE, plain_box, lambda b: b["bufferViews"][0].update(byteStride=5))
edited("stride_on_indices", Rule.VIEW_STRIDE, plain_box, lambda b: (
    b["bufferViews"][3].update(byteStride=4), b["accessors"][3].update(count=15)
))  # fmt: skip
edited("indices_as_vertices", Rule.VIEW_USE, plain_box, lambda b: b["bufferViews"][3].update(target=34962))
edited("positions_as_key_times", Rule.VIEW_USE, spinning_box, lambda b: (
    b["animations"][0]["samplers"][0].update(input=0)
))  # fmt: skip
edited("a_billion_elements", Rule.ACCESSOR_COUNT, plain_box, lambda b: b["accessors"].append(
    {"componentType": 5126, "count": 10**9, "type": "MAT4"}
))  # fmt: skip
edited("many_million_elements", Rule.ACCESSOR_TOTAL, plain_box, lambda b: b["accessors"].extend(
    [{"componentType": 5126, "count": 10**6, "type": "MAT4"}] * 2
))  # fmt: skip
edited("accessor_beyond_its_view", Rule.ACCESSOR_RANGE, plain_box, lambda b: b["accessors"][0].update(count=25))
edited("accessor_offset_beyond", Rule.ACCESSOR_RANGE, plain_box, lambda b: b["accessors"][0].update(byteOffset=2**40))
edited("unaligned_accessor", Rule.ACCESSOR_ALIGNMENT, plain_box, lambda b: b["accessors"][0].update(byteOffset=2))
edited("stride_below_one_element", Rule.ACCESSOR_STRIDE, plain_box, lambda b: b["bufferViews"][0].update(byteStride=8))
edited("normalized_floats", Rule.ACCESSOR_NORMALIZED, plain_box, lambda b: b["accessors"][0].update(normalized=True))


def sparse(**change: Any) -> Maker:
    """Return a box with one vertex replaced by a sparse accessor."""
    maker = plain_box()
    rows, values = maker.view(struct.pack("<2H", 0, 23)), maker.view(struct.pack("<6f", *[-0.5] * 6))
    body: dict[str, Any] = {
        "count": 2,
        "indices": {"bufferView": rows, "componentType": 5123},
        "values": {"bufferView": values},
    }
    maker.json["accessors"][0]["sparse"] = body | change
    return maker


edited("sparse_count_of_millions", Rule.SPARSE_RANGE, sparse, lambda b: b["accessors"][0]["sparse"].update(count=10**8))
edited("sparse_values_beyond", Rule.SPARSE_RANGE, sparse, lambda b: (
    b["accessors"][0]["sparse"]["values"].update(byteOffset=4),
))  # fmt: skip


@refused_by(Rule.SPARSE_RANGE)
def sparse_row_beyond_the_base() -> bytes:
    maker = sparse()
    maker.binary[maker.json["bufferViews"][-2]["byteOffset"] + 2] = 200
    return maker.glb()


@refused_by(Rule.SPARSE_ORDER)
def sparse_rows_going_down() -> bytes:
    maker = sparse()
    start = maker.json["bufferViews"][-2]["byteOffset"]
    maker.binary[start : start + 4] = struct.pack("<2H", 23, 0)
    return maker.glb()


# ---- the node graph


def chain(length: int) -> dict[str, Any]:
    nodes = [{"children": [index + 1]} for index in range(length - 1)] + [{}]
    return {"asset": {"version": "2.0"}, "nodes": nodes, "scenes": [{"nodes": [0]}], "scene": 0}


@refused_by(Rule.NODE_DEPTH)
def deep_chain() -> bytes:
    return glb(chain(1500))


@refused_by(Rule.NODE_LOOP)
def loop_of_three() -> bytes:
    body = chain(4)
    body["nodes"][3]["children"] = [1]
    body["nodes"][0] = {}
    return glb(body)


@refused_by(Rule.NODE_PARENT)
def own_child() -> bytes:
    body = chain(2)
    body["nodes"][1]["children"] = [1]
    return glb(body)


@refused_by(Rule.NODE_PARENT)
def ladder_that_doubles_26_times() -> bytes:
    nodes = [{"children": [2 * level + 2, 2 * level + 3]} for level in range(26) for _ in range(2)] + [{}, {}]
    body = {"asset": {"version": "2.0"}, "nodes": nodes, "scenes": [{"nodes": [0, 1]}], "scene": 0}
    return glb(body)


edited("matrix_and_scale", Rule.NODE_TRANSFORM, plain_box, lambda b: b["nodes"][0].update(
    matrix=np.eye(4).ravel().tolist(), scale=[2, 2, 2]
))  # fmt: skip
edited("projective_matrix", Rule.NODE_TRANSFORM, plain_box, lambda b: b["nodes"][0].update(
    matrix=[1, 0, 0, 0.5, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
))  # fmt: skip
edited("singular_matrix", Rule.NODE_TRANSFORM, plain_box, lambda b: b["nodes"][0].update(matrix=[0] * 15 + [1]))
edited("rotation_of_length_two", Rule.NODE_TRANSFORM, plain_box, lambda b: b["nodes"][0].update(rotation=[1, 1, 1, 1]))
edited("skin_without_mesh", Rule.NODE_SKIN, bending_tower, lambda b: b["nodes"][2].pop("mesh"))
edited("skin_on_a_rigid_mesh", Rule.NODE_SKIN, bending_tower, lambda b: [
    b["meshes"][0]["primitives"][0]["attributes"].pop(name) for name in ("JOINTS_0", "WEIGHTS_0")
])  # fmt: skip
edited("joints_in_another_scene", Rule.NODE_SKIN, bending_tower, lambda b: (
    b["nodes"][3].update(children=[2]), b["scenes"].append({"nodes": [1]})
))  # fmt: skip
edited("scene_of_nothing", Rule.SCENE_EMPTY, plain_box, lambda b: b.update(scenes=[{}]))
edited("weights_without_targets", Rule.NODE_WEIGHTS, plain_box, lambda b: b["nodes"][0].update(weights=[0.5]))

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
    return pictured(b"\xff\xd8\xff\xc0\x00\x11\x08" + struct.pack(">HH", 65_500, 65_500) + b"\xff\xd9", "image/jpeg")


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
