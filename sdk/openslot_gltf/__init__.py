"""glTF as a document: strict reading, slots, occluders, fitting and embedding creatives."""

from openslot_gltf.document import Document
from openslot_gltf.embed import embed
from openslot_gltf.geometry import SceneGeometry, scene_geometry, triangles_around
from openslot_gltf.limits import SCENE, TIERS, Limits
from openslot_gltf.panels import panel
from openslot_gltf.parts import Mode, ScenePart, scene_parts
from openslot_gltf.read import Verdict, check, read_document
from openslot_gltf.rules import Finding, Rule
from openslot_gltf.slots import SceneSlot, SceneSlots, add_slot, scene_slots
from openslot_gltf.write import write_glb

__all__ = [
    "SCENE",
    "TIERS",
    "Document",
    "Finding",
    "Limits",
    "Mode",
    "Rule",
    "SceneGeometry",
    "ScenePart",
    "SceneSlot",
    "SceneSlots",
    "Verdict",
    "add_slot",
    "check",
    "embed",
    "panel",
    "read_document",
    "scene_geometry",
    "scene_parts",
    "scene_slots",
    "triangles_around",
    "write_glb",
]
