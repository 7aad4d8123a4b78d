"""Hostile files: the container, the JSON, extensions, URIs, accessors and the node graph."""

from __future__ import annotations

import base64
import struct
from typing import Any

import numpy as np

from openslot_gltf import Rule
from tests.gltf.build import (
    Maker,
    bending_tower,
    chunk,
    glb,
    plain_box,
    rich_material,
    spinning_box,
    textured_board,
)
from tests.gltf.harm import changed, edited, refused_by


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


@refused_by(Rule.GLB_CHUNK)
def a_hundred_thousand_chunks() -> bytes:
    data = plain_box().glb() + chunk(0x41414141, b"") * 100_000
    return data[:8] + struct.pack("<I", len(data)) + data[12:]


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


@refused_by(Rule.JSON_DUPLICATE_KEY)
def key_twice_in_other_letters() -> bytes:
    return glb(b'{"asset":{"version":"2.0","vers\\u0069on":"1.0"}}')


@refused_by(Rule.JSON_KEY)
def key_that_poisons_prototypes() -> bytes:
    return changed(plain_box(), lambda body: body["nodes"][0].update(extras={"a": [{"__proto__": {"isAdmin": True}}]}))


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
