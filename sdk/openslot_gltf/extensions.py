"""The extensions this reader knows: on which objects they stand, their shape, and thereby the indices inside them.

What is not in this table is stripped from a creative when optional, and refuses any file when required.
Source: the extensions' texts in the Khronos glTF repository.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openslot_gltf.core import TEXTURE_INFO
from openslot_gltf.rules import Rule
from openslot_gltf.shapes import (
    Check,
    Choice,
    Flag,
    Integer,
    Kind,
    ListOf,
    MapOf,
    Number,
    Pointer,
    Ref,
    Shape,
    Text,
    Vector,
)

__all__ = ["COMPRESSED", "COMPRESSING", "EXTENSIONS", "LEFT_OUT", "OF_CREATIVES", "ROOT_ARRAYS", "Table"]

Table = Mapping[str, Mapping[str, Shape]]

UNIT = {"low": 0.0, "high": 1.0}
COLOUR = Vector((3,), low=0.0)
UNIT_COLOUR = Vector((3,), **UNIT)
FACTOR = Number(**UNIT)
NORMAL_TEXTURE = Shape(
    "textureInfo", {"index": Ref("textures"), "texCoord": Integer(0, 31), "scale": Number()}, ("index",)
)


def _material(**fields: Kind) -> dict[str, Shape]:
    return {"material": Shape("material extension", fields)}


_LIGHT = Shape(
    "light",
    {
        "name": Text(),
        "color": UNIT_COLOUR,
        "intensity": Number(low=0),
        "range": Number(above=0),
        "type": Choice(("directional", "point", "spot")),
        "spot": Shape("spot", {"innerConeAngle": Number(low=0), "outerConeAngle": Number(above=0)}),
    },
    ("type",),
)
_MAPPING = Shape(
    "mapping",
    {"variants": ListOf(Ref("variants"), distinct=True), "material": Ref("materials"), "name": Text()},
    ("variants", "material"),
)


def _variants_differ(body: dict[str, Any], where: str, walk: Check) -> None:
    named = [variant for mapping in body["mappings"] for variant in mapping["variants"]]
    if len(set(named)) != len(named):
        walk.report.add(Rule.SHAPE_DUPLICATE, f"{where}/mappings", "a variant is mapped twice")


OF_CREATIVES: Table = {
    "EXT_mesh_gpu_instancing": {"node": Shape("instancing", {"attributes": MapOf(Ref("accessors"))}, ("attributes",))},
    "EXT_texture_webp": {"texture": Shape("texture extension", {"source": Ref("images")}, ("source",))},
    "KHR_animation_pointer": {"target": Shape("pointer", {"pointer": Pointer()}, ("pointer",))},
    "KHR_materials_anisotropy": _material(
        anisotropyStrength=FACTOR, anisotropyRotation=Number(), anisotropyTexture=TEXTURE_INFO
    ),
    "KHR_materials_clearcoat": _material(
        clearcoatFactor=FACTOR,
        clearcoatTexture=TEXTURE_INFO,
        clearcoatRoughnessFactor=FACTOR,
        clearcoatRoughnessTexture=TEXTURE_INFO,
        clearcoatNormalTexture=NORMAL_TEXTURE,
    ),
    "KHR_materials_dispersion": _material(dispersion=Number(low=0)),
    "KHR_materials_emissive_strength": _material(emissiveStrength=Number(low=0)),
    "KHR_materials_ior": _material(ior=Number(low=0)),
    "KHR_materials_iridescence": _material(
        iridescenceFactor=FACTOR,
        iridescenceTexture=TEXTURE_INFO,
        iridescenceIor=Number(low=1),
        iridescenceThicknessMinimum=Number(low=0),
        iridescenceThicknessMaximum=Number(low=0),
        iridescenceThicknessTexture=TEXTURE_INFO,
    ),
    "KHR_materials_sheen": _material(
        sheenColorFactor=UNIT_COLOUR,
        sheenColorTexture=TEXTURE_INFO,
        sheenRoughnessFactor=FACTOR,
        sheenRoughnessTexture=TEXTURE_INFO,
    ),
    "KHR_materials_specular": _material(
        specularFactor=FACTOR,
        specularTexture=TEXTURE_INFO,
        specularColorFactor=COLOUR,
        specularColorTexture=TEXTURE_INFO,
    ),
    "KHR_materials_transmission": _material(transmissionFactor=FACTOR, transmissionTexture=TEXTURE_INFO),
    "KHR_materials_unlit": _material(),
    "KHR_materials_variants": {
        "root": Shape("variants", {"variants": ListOf(Shape("variant", {"name": Text()}, ("name",)))}, ("variants",)),
        "primitive": Shape("variant mappings", {"mappings": ListOf(_MAPPING)}, ("mappings",), each=_variants_differ),
    },
    "KHR_materials_volume": _material(
        thicknessFactor=Number(low=0),
        thicknessTexture=TEXTURE_INFO,
        attenuationDistance=Number(above=0),
        attenuationColor=UNIT_COLOUR,
    ),
    "KHR_mesh_quantization": {},
    "KHR_texture_transform": {
        "textureInfo": Shape(
            "texture transform",
            {
                "offset": Vector((2,)),
                "rotation": Number(),
                "scale": Vector((2,)),
                "texCoord": Integer(0, 31),
            },
        )
    },
}
"""What a creative may bring into a world."""

EXTENSIONS: Table = {
    **OF_CREATIVES,
    "KHR_lights_punctual": {
        "root": Shape("lights", {"lights": ListOf(_LIGHT)}, ("lights",)),
        "node": Shape("light reference", {"light": Ref("lights")}, ("light",)),
    },
    "KHR_node_visibility": {"node": Shape("visibility", {"visible": Flag()})},
}
"""What is read in a scene."""

LEFT_OUT = frozenset(
    {
        "EXT_lights_ies",
        "EXT_lights_image_based",
        "KHR_audio",
        "KHR_audio_emitter",
        "KHR_audio_graph",
        "KHR_lights_punctual",
        "MSFT_audio_emitter",
        "OMI_audio_emitter",
    }
)
"""Lights and sounds: no creative brings its own, and one that requires them is shown without."""

ROOT_ARRAYS = {"lights": "KHR_lights_punctual", "variants": "KHR_materials_variants"}
"""Referable arrays that live inside a root extension, and that extension."""

_MESHOPT = {
    "buffer": Shape("meshopt buffer", {"fallback": Flag()}),
    "bufferView": Shape(
        "meshopt view",
        {
            "buffer": Ref("buffers"),
            "byteOffset": Integer(),
            "byteLength": Integer(1),
            "byteStride": Integer(2, 256),
            "count": Integer(1),
            "mode": Choice(("ATTRIBUTES", "TRIANGLES", "INDICES")),
            "filter": Choice(("NONE", "OCTAHEDRAL", "QUATERNION", "EXPONENTIAL")),
        },
        ("buffer", "byteLength", "byteStride", "count", "mode"),
    ),
}
COMPRESSING: Table = {
    "EXT_meshopt_compression": _MESHOPT,
    "KHR_meshopt_compression": _MESHOPT,
    "KHR_draco_mesh_compression": {
        "primitive": Shape(
            "draco primitive",
            {"bufferView": Ref("bufferViews"), "attributes": MapOf(Integer(0, 1000))},
            ("bufferView", "attributes"),
        )
    },
    "KHR_texture_basisu": {"texture": Shape("texture extension", {"source": Ref("images")}, ("source",))},
}
"""What compresses, and is decoded where the limits allow it: no document that is read has any left."""

COMPRESSED = frozenset({*COMPRESSING, "MSFT_texture_dds"})
"""Known, and where it is not decoded refused with advice: otherwise it would be silently empty."""
