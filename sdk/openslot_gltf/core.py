"""glTF 2.0 itself as a table of shapes (source: Khronos glTF 2.0 specification, section 5)."""

from __future__ import annotations

from typing import Any

from openslot_gltf.rules import Rule
from openslot_gltf.shapes import Check, Choice, Flag, Integer, ListOf, MapOf, Number, Ref, Shape, Text, Vector

__all__ = ["ARRAYS", "COMPONENTS_OF", "COMPONENT_BYTES", "ROOT", "TEXTURE_INFO"]

COMPONENT_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
COMPONENTS_OF = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}

NAME = {"name": Text()}
UNIT = {"low": 0.0, "high": 1.0}


def _texture(**fields: Number) -> Shape:
    return Shape("textureInfo", {"index": Ref("textures"), "texCoord": Integer(0, 31), **fields}, ("index",))


TEXTURE_INFO = _texture()

_SPARSE = Shape(
    "sparse",
    {
        "count": Integer(1),
        "indices": Shape(
            "sparseIndices",
            {"bufferView": Ref("bufferViews"), "byteOffset": Integer(), "componentType": Choice((5121, 5123, 5125))},
            ("bufferView", "componentType"),
        ),
        "values": Shape("sparseValues", {"bufferView": Ref("bufferViews"), "byteOffset": Integer()}, ("bufferView",)),
    },
    ("count", "indices", "values"),
)
_ACCESSOR = Shape(
    "accessor",
    {
        **NAME,
        "bufferView": Ref("bufferViews"),
        "byteOffset": Integer(),
        "componentType": Choice(tuple(COMPONENT_BYTES)),
        "normalized": Flag(),
        "count": Integer(1),
        "type": Choice(tuple(COMPONENTS_OF)),
        "max": Vector((1, 2, 3, 4, 9, 16)),
        "min": Vector((1, 2, 3, 4, 9, 16)),
        "sparse": _SPARSE,
    },
    ("componentType", "count", "type"),
)


def _camera_rules(camera: dict[str, Any], where: str, walk: Check) -> None:
    lens = camera.get(camera["type"])
    if lens is None:
        walk.report.add(Rule.SHAPE_MISSING, f"{where}/{camera['type']}")
    elif "zfar" in lens and lens["zfar"] <= lens["znear"]:
        walk.report.add(Rule.SHAPE_RANGE, f"{where}/{camera['type']}/zfar", "zfar is not beyond znear")


_CAMERA = Shape(
    "camera",
    {
        **NAME,
        "type": Choice(("perspective", "orthographic")),
        "perspective": Shape(
            "perspective",
            {
                "aspectRatio": Number(above=0),
                "yfov": Number(above=0),
                "zfar": Number(above=0),
                "znear": Number(above=0),
            },
            ("yfov", "znear"),
        ),
        "orthographic": Shape(
            "orthographic",
            {"xmag": Number(), "ymag": Number(), "zfar": Number(above=0), "znear": Number(low=0)},
            ("xmag", "ymag", "zfar", "znear"),
            each=lambda lens, where, walk: (
                None
                if lens["xmag"] and lens["ymag"]
                else walk.report.add(Rule.SHAPE_RANGE, where, "zero magnification")
            ),
        ),
    },
    ("type",),
    one_of=("perspective", "orthographic"),
    each=_camera_rules,
)
_PBR = Shape(
    "pbrMetallicRoughness",
    {
        "baseColorFactor": Vector((4,), **UNIT),
        "baseColorTexture": TEXTURE_INFO,
        "metallicFactor": Number(**UNIT),
        "roughnessFactor": Number(**UNIT),
        "metallicRoughnessTexture": TEXTURE_INFO,
    },
)
_MATERIAL = Shape(
    "material",
    {
        **NAME,
        "pbrMetallicRoughness": _PBR,
        "normalTexture": _texture(scale=Number()),
        "occlusionTexture": _texture(strength=Number(**UNIT)),
        "emissiveTexture": TEXTURE_INFO,
        "emissiveFactor": Vector((3,), **UNIT),
        "alphaMode": Choice(("OPAQUE", "MASK", "BLEND")),
        "alphaCutoff": Number(low=0),
        "doubleSided": Flag(),
    },
)
_PRIMITIVE = Shape(
    "primitive",
    {
        "attributes": MapOf(Ref("accessors")),
        "indices": Ref("accessors"),
        "material": Ref("materials"),
        "mode": Integer(0, 6),
        "targets": ListOf(MapOf(Ref("accessors"))),
    },
    ("attributes",),
)
_NODE = Shape(
    "node",
    {
        **NAME,
        "camera": Ref("cameras"),
        "children": ListOf(Ref("nodes"), distinct=True),
        "skin": Ref("skins"),
        "matrix": Vector((16,)),
        "mesh": Ref("meshes"),
        "rotation": Vector((4,), -1.0, 1.0),
        "scale": Vector((3,)),
        "translation": Vector((3,)),
        "weights": Vector(),
    },
)
_TARGET = Shape(
    "target",
    {"node": Ref("nodes"), "path": Choice(("translation", "rotation", "scale", "weights", "pointer"))},
    ("path",),
)
_ANIMATION = Shape(
    "animation",
    {
        **NAME,
        "channels": ListOf(Shape("channel", {"sampler": Integer(), "target": _TARGET}, ("sampler", "target"))),
        "samplers": ListOf(
            Shape(
                "animationSampler",
                {
                    "input": Ref("accessors"),
                    "interpolation": Choice(("LINEAR", "STEP", "CUBICSPLINE")),
                    "output": Ref("accessors"),
                },
                ("input", "output"),
            )
        ),
    },
    ("channels", "samplers"),
)
_SAMPLER = Shape(
    "sampler",
    {
        **NAME,
        "magFilter": Choice((9728, 9729)),
        "minFilter": Choice((9728, 9729, 9984, 9985, 9986, 9987)),
        "wrapS": Choice((33071, 33648, 10497)),
        "wrapT": Choice((33071, 33648, 10497)),
    },
)
_VIEW = Shape(
    "bufferView",
    {
        **NAME,
        "buffer": Ref("buffers"),
        "byteOffset": Integer(),
        "byteLength": Integer(1),
        "byteStride": Integer(4, 252),
        "target": Choice((34962, 34963)),
    },
    ("buffer", "byteLength"),
)
_SKIN = Shape(
    "skin",
    {
        **NAME,
        "inverseBindMatrices": Ref("accessors"),
        "skeleton": Ref("nodes"),
        "joints": ListOf(Ref("nodes"), distinct=True),
    },
    ("joints",),
)

ARRAYS = {
    "accessors": _ACCESSOR,
    "animations": _ANIMATION,
    "buffers": Shape("buffer", {**NAME, "uri": Text(), "byteLength": Integer(1)}, ("byteLength",)),
    "bufferViews": _VIEW,
    "cameras": _CAMERA,
    "images": Shape(
        "image",
        {**NAME, "uri": Text(), "mimeType": Text(), "bufferView": Ref("bufferViews")},
        one_of=("uri", "bufferView"),
    ),
    "materials": _MATERIAL,
    "meshes": Shape("mesh", {**NAME, "primitives": ListOf(_PRIMITIVE), "weights": Vector()}, ("primitives",)),
    "nodes": _NODE,
    "samplers": _SAMPLER,
    "scenes": Shape("scene", {**NAME, "nodes": ListOf(Ref("nodes"), distinct=True)}),
    "skins": _SKIN,
    "textures": Shape("texture", {**NAME, "sampler": Ref("samplers"), "source": Ref("images")}),
}
"""The root's arrays, in alphabetical order; what refers to them does so by index."""

_ASSET = Shape(
    "asset",
    {"version": Text(), "minVersion": Text(), "generator": Text(), "copyright": Text()},
    ("version",),
)
ROOT = Shape(
    "root",
    {
        "asset": _ASSET,
        "scene": Ref("scenes"),
        "extensionsUsed": ListOf(Text(), distinct=True),
        "extensionsRequired": ListOf(Text(), distinct=True),
        **{name: ListOf(shape) for name, shape in ARRAYS.items()},
    },
    ("asset",),
)
